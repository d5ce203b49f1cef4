"""Retrieval grants from the request to the last view."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.access.retrieval_grants import RetrievalGrant, Secrecy
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.retrieval.operations import RetrievalGrantGive, RetrievalGrantRevoke, ask_for_grant
from archive_store.retrieval.queries import list_grants
from archive_store.scans.content import open_scan
from archive_store.scans.queries import find_scan
from archive_store.scans.uploads import file_scan
from archive_store.students.queries import StudentFilter, find_student, list_students
from archive_store.students.scope import student_scope
from tests.access.test_readings import events
from tests.school import School

PHONE = frozenset({"phone"})


async def ask(school: School, subject: str, secrecy: Secrecy = Secrecy.SENSITIVE, **asked: Any) -> ObjectId:
    viewer = await school.viewer(subject, None)
    values = {
        "grant_id": ObjectId(),
        "grantee_id": viewer.person_id,
        "grantee_name": viewer.name,
        "purpose": "奖学金评审",
        "days": 5,
        "views": 2,
    }
    payload = payload_of(RetrievalGrantGive, values | asked)
    outcome = await ask_for_grant(school.store, viewer, payload, secrecy)
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def given(school: School, subject: str, *deciders: str, **asked: Any) -> None:
    request = await ask(school, subject, **asked)
    for decider in deciders:
        await school.approve(decider, request)


async def phone(school: School, subject: str, student: ObjectId) -> str | None:
    """What one request of theirs reads, without another purpose than the grant's."""
    found = await find_student(school.store, await school.viewer(subject, None), student, PHONE)
    return found.rows[0].get("phone") if found.rows else "nobody"


async def test_a_grant_opens_the_record_for_its_views(school: School) -> None:
    student, other = await school.student(0), await school.student(1)
    assert await phone(school, "academic-affairs", student.key) is None
    await given(school, "academic-affairs", "director", student_id=student.key)
    assert await phone(school, "academic-affairs", other.key) is None
    assert await phone(school, "academic-affairs", student.key) == student.phone
    assert await phone(school, "academic-affairs", student.key) == student.phone
    assert await phone(school, "academic-affairs", student.key) is None
    read = await events(school)
    assert [event.purpose for event in read] == ["奖学金评审"] * 2
    assert all(event.grant_ids for event in read)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_one_request_takes_one_view_whatever_it_reads(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key, views=1)
    viewer = await school.viewer("logistics", None)
    for _ in range(3):
        found = await find_student(school.store, viewer, student.key, frozenset({"phone", "address"}))
        assert found.rows[0]["address"] == student.address
    assert await phone(school, "logistics", student.key) is None


async def test_the_last_view_is_taken_once(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key, views=1)
    viewers = [await school.viewer("logistics", None) for _ in range(4)]
    results = await asyncio.gather(
        *(find_student(school.store, viewer, student.key, PHONE) for viewer in viewers)
    )
    assert sum("phone" in found.rows[0] for found in results) == 1
    grant = await school.store.database.collection(RetrievalGrant).find_one({})
    assert grant is not None and grant["views_taken"] == 1


async def test_a_grant_ends(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    before = await school.viewer("logistics", None)
    grants = school.store.database.collection(RetrievalGrant)
    past = school.store.clock.now() - timedelta(seconds=1)
    await grants.update_many({}, {"$set": {"expires_at": past}})
    assert await phone(school, "logistics", student.key) is None
    # Also for a viewer that was loaded while it was open.
    found = await find_student(school.store, before, student.key, PHONE)
    assert "phone" not in found.rows[0]


async def test_a_revoked_grant_opens_nothing(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    (grant,) = (await list_grants(school.store, await school.viewer("logistics"), first=5)).rows
    payload = RetrievalGrantRevoke(grant_id=grant.key)
    with pytest.raises(RegistrarError) as caught:
        await perform(school.store, await school.viewer("logistics"), "retrieval_grant.revoke", payload)
    assert caught.value.code is ErrorCode.FORBIDDEN
    await perform(school.store, await school.viewer("director"), "retrieval_grant.revoke", payload)
    assert await phone(school, "logistics", student.key) is None
    with pytest.raises(RegistrarError) as caught:
        await perform(school.store, await school.viewer("director"), "retrieval_grant.revoke", payload)
    assert caught.value.code is ErrorCode.WRONG_STATE


async def end_posts(school: School, subject: str) -> None:
    await set_posts(school, subject, valid_to="2024-07-31")


async def set_posts(school: School, subject: str, **values: Any) -> None:
    own = {"person_id": (await school.viewer(subject)).person_id}
    await school.store.database.mongo["role_grants"].update_many(own, {"$set": values})


async def test_a_grant_opens_nothing_without_a_post_or_for_the_analysis_group(school: School) -> None:
    student = await school.student()
    await given(school, "academic-affairs", "director", student_id=student.key, views=5)
    assert await phone(school, "academic-affairs", student.key) == student.phone
    await set_posts(school, "academic-affairs", post="ANALYSIS_GROUP")
    assert (await school.viewer("academic-affairs", None)).grants == ()
    assert await phone(school, "academic-affairs", student.key) == "nobody"
    await end_posts(school, "academic-affairs")
    assert (await school.viewer("academic-affairs", None)).grants == ()
    assert await phone(school, "academic-affairs", student.key) == "nobody"


@pytest.mark.parametrize("values", [{"valid_to": "2024-07-31"}, {"post": "ANALYSIS_GROUP"}])
async def test_nothing_is_given_to_who_has_left_since_they_asked(
    school: School, values: dict[str, Any]
) -> None:
    student = await school.student()
    request = await ask(school, "logistics", student_id=student.key)
    await set_posts(school, "logistics", **values)
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await school.approve("director", request)
    assert (caught.value.code, caught.value.field) == (ErrorCode.WRONG_STATE, "grantee_id")
    assert await school.counts() == before


async def test_who_decides(school: School) -> None:
    student = await school.student()
    sealed = await ask(school, "archive", Secrecy.SEALED, student_id=student.key)
    await school.approve("director", sealed)
    assert (await school.store.database.collection(RetrievalGrant).count_documents({})) == 0
    await school.approve("vice-principal", sealed)
    # The director's own requests are decided above.
    own = await ask(school, "director", Secrecy.SEALED, student_id=student.key)
    with pytest.raises(RegistrarError):
        await school.approve("director", own)
    await school.approve("vice-principal", own)
    assert (await school.store.database.collection(RetrievalGrant).count_documents({})) == 2


async def paper(school: School, name: str, position: int = 0) -> ObjectId:
    async def body() -> Any:
        yield demo_paper("PDF", pages=2)

    student = await school.student(position)
    return (await file_scan(school.store, await school.viewer("archive"), student.key, name, body())).key


async def opens(school: School, subject: str, scan: ObjectId) -> bool:
    try:
        await open_scan(school.store, await school.viewer(subject, None), scan)
    except RegistrarError:
        return False
    return True


async def test_a_sealed_grant_opens_sealed_papers_and_no_other_type(school: School) -> None:
    medical, other = await paper(school, "2023级体检表"), await paper(school, "2023级处分决定书")
    await given(
        school,
        "information",
        "director",
        "vice-principal",
        secrecy=Secrecy.SEALED,
        document_type="体检表",
        views=1,
    )
    information = await school.viewer("information", None)
    assert await find_scan(school.store, information, medical) is not None
    assert await find_scan(school.store, information, other) is None
    assert await opens(school, "information", medical)
    assert not await opens(school, "information", medical)
    assert not await opens(school, "information", other)


async def test_a_sensitive_grant_opens_no_sealed_paper(school: School) -> None:
    medical, form = await paper(school, "2023级体检表"), await paper(school, "2023级新生学籍信息表")
    student = await school.student()
    await given(school, "archive", "director", student_id=student.key)
    assert (await opens(school, "archive", medical), await opens(school, "archive", form)) == (False, True)


async def test_a_grant_shows_its_student_to_who_saw_nobody(school: School) -> None:
    """A teacher whose class is another by now."""
    student, other = await school.student(0), await school.student(1)
    await given(school, "teacher", "director", student_id=student.key, views=5)
    await school.store.database.mongo["students"].update_many({}, {"$set": {"class_name": "2023级9班"}})
    assert await phone(school, "teacher", student.key) == student.phone
    assert await phone(school, "teacher", other.key) == "nobody"


async def test_a_grant_for_papers_of_a_student_makes_nothing_of_the_record_searchable(school: School) -> None:
    one, other = await school.student(0), await school.student(1)
    await given(school, "teacher", "director", student_id=one.key)
    await given(school, "teacher", "director", student_id=other.key, document_type="成绩单")
    await school.store.database.mongo["students"].update_many({}, {"$set": {"class_name": "2023级9班"}})
    await school.store.database.mongo["role_grants"].update_many(
        {"post": "TEACHER"}, {"$set": {"class_names": [], "homeroom_class_names": []}}
    )
    teacher = await school.viewer("teacher", None)
    assert student_scope(teacher).filterable == frozenset()
    with pytest.raises(RegistrarError) as caught:
        await list_students(
            school.store, teacher, frozenset(), first=5, where=StudentFilter(name_prefix=other.name)
        )
    assert caught.value.code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("subject", "asked", "code", "field"),
    [
        ("logistics", {}, ErrorCode.REQUIRED, "student_id"),
        ("logistics", {"days": 31, "document_type": "成绩单"}, ErrorCode.OUT_OF_RANGE, "days"),
        ("logistics", {"views": 51, "document_type": "成绩单"}, ErrorCode.OUT_OF_RANGE, "views"),
        ("logistics", {"views": 0, "document_type": "成绩单"}, None, "views"),
        ("logistics", {"purpose": " ", "document_type": "成绩单"}, ErrorCode.REQUIRED, "purpose"),
        ("logistics", {"student_id": ObjectId()}, ErrorCode.NOT_FOUND, "student_id"),
        (
            "logistics",
            {"grantee_id": ObjectId(), "document_type": "成绩单"},
            ErrorCode.FORBIDDEN,
            "grantee_id",
        ),
        ("analysis", {"document_type": "成绩单"}, ErrorCode.FORBIDDEN, None),
        ("service", {"document_type": "成绩单"}, ErrorCode.FORBIDDEN, None),
    ],
)
async def test_what_is_refused(
    school: School, subject: str, asked: dict[str, Any], code: ErrorCode | None, field: str | None
) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, subject, **asked)
    assert (code is None or caught.value.code is code, caught.value.field) == (True, field)
    assert await school.counts() == before


async def test_who_sees_grants(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    seen = {}
    for subject in ("logistics", "director", "vice-principal", "information", "service"):
        page = await list_grants(school.store, await school.viewer(subject), first=5)
        seen[subject] = len(page.rows)
    assert seen == {"logistics": 1, "director": 1, "vice-principal": 1, "information": 0, "service": 0}


async def test_what_others_ask_for_is_read_for_a_purpose_and_recorded(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    before = len(await events(school))
    (unsaid,) = (await list_grants(school.store, await school.viewer("director", None), first=5)).rows
    assert unsaid.purpose == "" and len(await events(school)) == before
    (told,) = (await list_grants(school.store, await school.viewer("director"), first=5)).rows
    assert told.purpose == "奖学金评审" and len(await events(school)) == before + 1
    (own,) = (await list_grants(school.store, await school.viewer("logistics", None), first=5)).rows
    assert own.purpose == "奖学金评审" and len(await events(school)) == before + 1


async def test_nobody_decides_on_a_grant_for_their_own_child(school: School) -> None:
    student = await school.student()
    request = await ask(school, "logistics", student_id=student.key)
    parent = replace(await school.viewer("director"), ward_ids=frozenset({student.key}))
    with pytest.raises(RegistrarError) as caught:
        await decide(school.store, parent, request, Decision.APPROVED)
    assert caught.value.code is ErrorCode.SELF_APPROVAL
