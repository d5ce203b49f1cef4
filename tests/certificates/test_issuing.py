"""Numbers, issue, revocation and reissue, on a real MongoDB."""

from __future__ import annotations

import asyncio

import pytest
from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.certificates.documents import CertificateState
from archive_store.certificates.issuing import CERTIFICATE_ISSUE, CertificateIssuing
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.unit_of_work import INSTALLATION
from tests.certificates.papers import (
    ask,
    certificates,
    done,
    graduate,
    issue_values,
    issued,
    range_values,
    ready,
    year,
)
from tests.school import School


async def test_an_issue_numbers_and_signs_all(school: School) -> None:
    students = await ready(school)
    await done(school, "certificate.issue", issue_values(school, *students))
    made = await certificates(school)
    assert [held.number for held in made] == [f"CZ{year(school)}000{place}" for place in range(1, 7)]
    assert {held.student_id for held in made} == {held.key for held in students}
    assert {held.paper.school_name for held in made} == {"示范中学"}
    assert len({held.code for held in made}) == len({held.status_index for held in made}) == 6


async def test_sixteen_issues_at_once_take_no_number_twice(school: School) -> None:
    students = (await ready(school))[:1]
    held = students[0]
    # As many records of graduates as issues; what is signed is tested elsewhere.
    rows = await school.store.database.mongo["students"].find({"_id": held.key}).to_list()
    copies = [
        {
            **rows[0],
            "_id": ObjectId(),
            "person_id": ObjectId(),
            "pseudonym": f"{place}",
            "auxiliary_number": None,
            "status": "GRADUATED",
        }
        for place in range(16)
    ]
    await school.store.database.mongo["students"].insert_many(copies)  # house-rule: a test's own records

    async def issue(key: ObjectId) -> None:
        values = issue_values(school, held) | {"student_ids": [key]}
        payload = CertificateIssuing.model_validate(values)
        await governed_transaction(
            school.store,
            INSTALLATION,
            "certificate.issue",
            lambda unit: CERTIFICATE_ISSUE.apply(unit, payload),
        )

    await asyncio.gather(*(issue(row["_id"]) for row in copies))
    made = await certificates(school)
    assert [held.number for held in made] == [f"CZ{year(school)}{place:04d}" for place in range(1, 17)]


async def test_one_valid_certificate_of_a_kind(school: School) -> None:
    student, _ = await issued(school)
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "certificate.issue", issue_values(school, student))
    assert refused.value.code is ErrorCode.DUPLICATE
    assert refused.value.field == "student_ids.0"


async def test_a_status_that_does_not_fit_is_refused(school: School) -> None:
    first, second, *_ = await ready(school)
    await graduate(school, second, status="COMPLETED")
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "certificate.issue", issue_values(school, first, second))
    assert (refused.value.code, refused.value.field) == (ErrorCode.WRONG_STATE, "student_ids.1")
    assert await school.counts() == before


async def test_numbers_used_up_issue_nothing(school: School) -> None:
    students = await ready(school)
    await graduate(school, *students, status="COMPLETED")
    told = range_values(school, kind="COMPLETION", prefix="JY", last_number=2)
    await done(school, "certificate_range.open", told, ("director",))
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "certificate.issue", issue_values(school, *students, kind="COMPLETION"))
    assert refused.value.details["state"] == "NUMBERS_USED_UP"
    assert await certificates(school) == []


async def test_ranges_that_could_print_one_number_are_refused(school: School) -> None:
    await ready(school)
    prefix = f"CZ{year(school)}"
    for other in (
        {"first_number": 20, "last_number": 30},
        {"prefix": f"{prefix}0", "digits": 3, "first_number": 5, "last_number": 6},
    ):
        with pytest.raises(RegistrarError) as refused:
            await ask(school, "certificate_range.open", range_values(school, **other))
        assert refused.value.code is ErrorCode.DUPLICATE
    assert await ask(school, "certificate_range.open", range_values(school, first_number=21, last_number=30))


async def test_a_revoked_one_stays_and_another_can_be_issued(school: School) -> None:
    student, held = await issued(school)
    await done(school, "certificate.revoke", {"certificate_id": held.key, "student_id": held.student_id})
    (ended,) = await certificates(school)
    assert (ended.state, ended.ended_on) == (
        CertificateState.REVOKED,
        school_day(school.store.clock.now()),
    )
    with pytest.raises(RegistrarError):
        await ask(school, "certificate.revoke", {"certificate_id": held.key, "student_id": held.student_id})
    await done(school, "certificate.issue", issue_values(school, student))
    assert [one.state.value for one in await certificates(school)] == ["REVOKED", "VALID"]


async def test_a_reissued_one_is_superseded_and_both_are_kept(school: School) -> None:
    _, held = await issued(school)
    new = ObjectId()
    today = school_day(school.store.clock.now())
    told = {
        "certificate_id": held.key,
        "student_id": held.student_id,
        "new_certificate_id": new,
        "issued_on": today,
    }
    await done(school, "certificate.reissue", told)
    old, made = await certificates(school)
    assert (old.state, old.replaced_by) == (CertificateState.SUPERSEDED, new)
    assert (made.id, made.state, made.replaces) == (new, CertificateState.VALID, held.key)
    assert made.number != old.number
    assert made.code != old.code


async def test_who_may_not_ask(school: School) -> None:
    students = await ready(school)
    for subject in ("teacher", "archive"):
        with pytest.raises(RegistrarError) as refused:
            await ask(school, "certificate.issue", issue_values(school, *students), subject)
        assert refused.value.code is ErrorCode.FORBIDDEN
