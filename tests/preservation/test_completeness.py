"""Completeness: required against filed, and what a sealed type tells to whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.rules import Scope
from archive_store.foundation.errors import ErrorCode
from archive_store.foundation.posts import Post
from archive_store.preservation.completeness import (
    Completeness,
    completeness_of,
    completeness_rate,
    incomplete_files,
)
from archive_store.students.accounts import link_guardian_account
from archive_store.students.documents import Student
from tests.approvals.test_requests import code
from tests.conftest import STUDENTS
from tests.preservation.archive import file_paper, set_scan
from tests.preservation.test_table import replaced, table
from tests.retrieval.test_grants import given
from tests.school import School

FORM, HOUSEHOLD, MEDICAL = "新生学籍信息表", "户口簿", "体检表"  # the last one is sealed


async def seen(school: School, subject: str, position: int = 0) -> Completeness | None:
    student = await school.student(position)
    (found,) = await completeness_of(school.store, await school.viewer(subject), [student.key])
    return found


async def missing(school: School, subject: str) -> tuple[str, ...]:
    found = await seen(school, subject)
    assert found is not None
    return found.missing


async def test_what_is_filed_is_no_longer_missing(school: School) -> None:
    everything = tuple(sorted((FORM, HOUSEHOLD, MEDICAL)))
    assert await seen(school, "archive") == Completeness(everything, everything)
    await file_paper(school, HOUSEHOLD)
    await file_paper(school, MEDICAL, student=1)
    assert await missing(school, "archive") == tuple(sorted((FORM, MEDICAL)))
    for name in (FORM, MEDICAL):
        await file_paper(school, name)
    assert await missing(school, "archive") == ()


async def test_what_is_disposed_of_or_on_hold_is_not_missed(school: School) -> None:
    key, held = await file_paper(school, FORM), await file_paper(school, HOUSEHOLD)
    await set_scan(school, key, status="DISPOSED")
    await set_scan(school, held, status="ON_HOLD")
    assert await missing(school, "archive") == (MEDICAL,)


async def test_more_is_asked_of_a_graduate(school: School) -> None:
    student = await school.student()
    await school.store.database.collection(Student).update_one(
        {"_id": student.key}, {"$set": {"status": "GRADUATED"}}
    )
    found = await seen(school, "archive")
    assert found is not None and {"成绩单", "毕业生登记表"} <= set(found.missing)
    other = await seen(school, "archive", 1)
    assert other is not None and "成绩单" not in other.required


@pytest.mark.parametrize("subject", ["information", "deputy-1", "academic-affairs", "teacher", "admissions"])
async def test_a_sealed_type_is_neither_required_nor_missing_to_who_may_not_know(
    school: School, subject: str
) -> None:
    before = await seen(school, subject)
    assert before is not None and MEDICAL not in before.required
    await file_paper(school, MEDICAL)
    assert await seen(school, subject) == before
    for name in (FORM, HOUSEHOLD):
        await file_paper(school, name)
    assert await missing(school, subject) == ()


async def test_the_family_knows_of_sealed_types_and_logistics_of_none(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "mother")
    assert MEDICAL in await missing(school, "mother")
    assert await seen(school, "mother", 1) is None
    for subject in ("logistics", "analysis"):
        assert await seen(school, subject) is None


async def test_a_sealed_grant_opens_its_type_alone(school: School) -> None:
    assert MEDICAL not in await missing(school, "academic-affairs")
    asked = {"secrecy": Secrecy.SEALED, "document_type": MEDICAL}
    await given(school, "academic-affairs", "director", "vice-principal", **asked)
    assert MEDICAL in await missing(school, "academic-affairs")


async def test_a_service_without_the_scope_for_scans_is_told_nothing(school: School) -> None:
    student, service = await school.student(), await school.viewer("service")
    (found,) = await completeness_of(school.store, service, [student.key])
    assert found is not None and MEDICAL not in found.required
    narrow = replace(service, scopes=frozenset({Scope.STUDENT_READ}))
    (found,) = await completeness_of(school.store, narrow, [student.key])
    assert found is None


async def lists(school: School, viewer: Any) -> dict[Any, tuple[str, ...]]:
    page = await incomplete_files(school.store, viewer, first=50)
    return {row.student_id: row.missing for row in page.rows}


async def test_the_list_and_the_rate(school: School) -> None:
    for name in (FORM, HOUSEHOLD, MEDICAL):
        await file_paper(school, name)
    await file_paper(school, FORM, student=1)
    first, second = await school.student(), await school.student(1)
    for subject in ("archive", "director", "vice-principal", "principal"):
        viewer = await school.viewer(subject)
        found = await lists(school, viewer)
        assert len(found) == STUDENTS - 1 and first.key not in found
        assert found[second.key] == tuple(sorted((HOUSEHOLD, MEDICAL)))
        rate = await completeness_rate(school.store, viewer)
        assert (rate.students, rate.complete, rate.rate) == (STUDENTS, 1, 1 / STUDENTS)
    # What the list says is what each file says.
    archive = await school.viewer("archive")
    each = await completeness_of(school.store, archive, list(found))
    assert [one and one.missing for one in each] == list(found.values())
    page = await incomplete_files(school.store, archive, first=2)
    rest = await incomplete_files(school.store, archive, first=50, after=page.rows[-1].student_id)
    assert page.has_next and not rest.has_next
    assert [row.student_id for row in (*page.rows, *rest.rows)] == list(found)


async def test_a_list_without_sealed_types_for_keepers_who_do_not_know_of_them(school: School) -> None:
    for name in (FORM, HOUSEHOLD):
        await file_paper(school, name)
    archive = await school.viewer("archive")
    known = archive.policy.rules.sealed_known_to - {Post.ARCHIVE_GROUP}
    rules = archive.policy.rules.model_copy(update={"sealed_known_to": known})
    narrowed = replace(archive, policy=type(archive.policy)(rules))
    first = await school.student()
    assert first.key in await lists(school, archive)
    found = await lists(school, narrowed)
    assert first.key not in found and MEDICAL not in repr(found)
    assert (await completeness_rate(school.store, narrowed)).complete == 1
    before = found
    await file_paper(school, MEDICAL, student=1)
    assert await lists(school, narrowed) == before


async def test_where_nothing_is_required_nothing_is_missing(school: School) -> None:
    await replaced(school, table(required_documents=[]))
    archive = await school.viewer("archive")
    assert await seen(school, "archive") == Completeness((), ())
    assert await lists(school, archive) == {}
    rate = await completeness_rate(school.store, archive)
    assert (rate.students, rate.complete, rate.rate) == (0, 0, None)


@pytest.mark.parametrize(
    "subject", ["information", "deputy-1", "deputy-2", "analysis", "teacher", "logistics", "service"]
)
async def test_who_keeps_no_archive_gets_neither_list_nor_rate(school: School, subject: str) -> None:
    viewer = await school.viewer(subject)
    assert await code(incomplete_files(school.store, viewer, first=5)) is ErrorCode.FORBIDDEN
    assert await code(completeness_rate(school.store, viewer)) is ErrorCode.FORBIDDEN
