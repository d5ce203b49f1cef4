"""What stands against a reversal is named, and then nothing is reversed; accounts see their own records, always."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.operations import Asking
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.duplicates.unmerging import unmerge_students
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.record_check import records_unlike_history
from archive_store.students.scope import student_scope
from tests.admission.cases import citizen_id
from tests.duplicates.pairs import by_id, enter_twin
from tests.duplicates.test_merging import ask, merge, unmerge
from tests.school import School


async def test_a_number_that_moved_comes_back(school: School) -> None:
    first, second = await enter_twin(school, auxiliary_number="X7")
    case = await merge(school, first, second, "identity_number", "auxiliary_number")
    survivor, merged = await by_id(school, first.key), await by_id(school, second.key)
    assert (survivor.auxiliary_number, merged.auxiliary_number) == ("X7", None)
    assert await unmerge(school, case) is RequestStatus.APPLIED
    now = [await by_id(school, student.key) for student in (first, second)]
    assert [held.auxiliary_number for held in now] == [first.auxiliary_number, "X7"]
    assert [held.identity_number for held in now] == [first.identity_number, second.identity_number]


@pytest.mark.parametrize(("field", "value"), [("auxiliary_number", "X9"), ("identity_number", citizen_id(9))])
async def test_what_the_merged_record_says_by_now_is_not_overwritten(
    school: School, field: str, value: str
) -> None:
    first, second = await enter_twin(school, auxiliary_number="X7")
    case = await merge(school, first, second, "identity_number", "auxiliary_number")
    request = await school.request("information", second, **{field: value})
    await school.approve("director", request)
    if field == "identity_number":
        await school.approve("vice-principal", request)
    before = await by_id(school, first.key)
    with pytest.raises(RegistrarError) as caught:
        await unmerge(school, case)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, field)
    assert getattr(await by_id(school, second.key), field) == value
    assert await by_id(school, first.key) == before


async def test_the_later_of_two_merges_is_reversed_first(school: School) -> None:
    first, second = await enter_twin(school)
    third = await school.student(-1)
    earlier = await merge(school, first, second)
    later = await merge(school, third, first)
    counts = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await unmerge(school, earlier)
    assert (caught.value.code, caught.value.field) == (ErrorCode.WRONG_STATE, "survivor_id")
    assert await school.counts() == counts
    assert await unmerge(school, later) is RequestStatus.APPLIED
    assert await unmerge(school, earlier) is RequestStatus.APPLIED
    statuses = [(await by_id(school, student.key)).status for student in (first, second, third)]
    assert StudentStatus.VOIDED not in statuses
    assert await records_unlike_history(school.store) == []


async def test_of_two_merges_that_gave_the_same_field_the_later_is_reversed_first(school: School) -> None:
    first, second = await enter_twin(school, native_place="北京")
    third = await school.student(-1)
    request = await school.request("information", third, native_place="北京")
    await school.approve("director", request)
    earlier = await merge(school, first, second, "native_place")
    later = await merge(school, first, third, "native_place")
    with pytest.raises(RegistrarError) as caught:
        await unmerge(school, earlier)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "native_place")
    assert await unmerge(school, later) is RequestStatus.APPLIED
    assert await unmerge(school, earlier) is RequestStatus.APPLIED
    assert (await by_id(school, first.key)).native_place == first.native_place


async def test_a_merge_is_reversed_once(school: School) -> None:
    first, second = await enter_twin(school)
    case = await merge(school, first, second)
    requests = []
    for subject in ("director", "information"):
        viewer = await school.viewer(subject)
        outcome = await unmerge_students(school.store, viewer, case.key, Asking("误并"))
        requests.append(outcome.change_request_id)
    assert None not in requests
    await school.approve("director", requests[1])  # type: ignore[arg-type]
    vice = await school.viewer("vice-principal")
    results: list[Any] = await asyncio.gather(
        *(decide(school.store, vice, request, Decision.APPROVED) for request in requests),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert [held for held in results if held is RequestStatus.APPLIED] == [RequestStatus.APPLIED]
    with pytest.raises(RegistrarError) as caught:
        await unmerge(school, case)
    assert caught.value.code is ErrorCode.WRONG_STATE
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_of_merges_that_share_a_record_at_most_what_could_follow_each_other_applies(
    school: School,
) -> None:
    first, second = await enter_twin(school)
    third = await school.student(-1)
    requests = [await ask(school, first, second), await ask(school, third, second)]
    vice = await school.viewer("vice-principal")
    results: list[Any] = await asyncio.gather(
        *(decide(school.store, vice, request, Decision.APPROVED) for request in requests),
        return_exceptions=True,
    )
    assert [held for held in results if held is RequestStatus.APPLIED] == [RequestStatus.APPLIED]
    assert (await by_id(school, second.key)).merged_into in (first.key, third.key)
    assert await records_unlike_history(school.store) == []


async def test_what_cannot_stand_together_is_refused_before_anybody_signs(school: School) -> None:
    first, second = await enter_twin(school)
    third = await school.student(-1)
    counts = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, third, second, "identity_number")
    assert caught.value.code is ErrorCode.MISMATCH_IDENTITY
    assert caught.value.field is not None and caught.value.field.startswith("fields.")
    after = await school.counts()
    # The number was read, which is recorded.
    assert {name: number for name, number in after.items() if counts.get(name) != number}.keys() <= {
        "access_events",
        "audit_entries",
        "audit_heads",
        "subject_heads",
    }
    assert first.key != third.key


async def sight(school: School, subject: str) -> set[Any]:
    rows = school.store.database.collection(Student).find(
        student_scope(await school.viewer(subject)).visible, {"_id": 1}
    )
    return {row["_id"] async for row in rows}


async def test_accounts_see_after_a_merge_what_they_saw_before(school: School) -> None:
    guardian = {"name": "王芳", "relation": "52", "phone": "13900003333"}
    first, second = await enter_twin(school, guardians=[guardian])
    for student, child, parent in ((first, "child-a", "parent-a"), (second, "child-b", "parent-b")):
        await link_account(school.store, student.key, child)
        await link_guardian_account(school.store, student.key, 0, parent)
    seen = {who: await sight(school, who) for who in ("child-a", "parent-a", "child-b", "parent-b")}
    assert seen == {
        "child-a": {first.key},
        "parent-a": {first.key},
        "child-b": {second.key},
        "parent-b": {second.key},
    }
    case = await merge(school, first, second, "guardians")
    # The guardian whom the record names no more sees it no more; the other's account gains no sight of it.
    assert {who: await sight(school, who) for who in seen if who != "parent-a"} == {
        who: held for who, held in seen.items() if who != "parent-a"
    }
    assert first.key not in await sight(school, "parent-a")
    assert await unmerge(school, case) is RequestStatus.APPLIED
    assert {who: await sight(school, who) for who in seen} == seen
