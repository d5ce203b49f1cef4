"""Merges and their reversal: by two signatures, never half, both histories kept, conflicts named."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.operations import Asking
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.verification import verify_history
from archive_store.duplicates.candidates import duplicate_candidates, ordered
from archive_store.duplicates.documents import MergeCase, MergeStatus
from archive_store.duplicates.merging import merge_students
from archive_store.duplicates.queries import merges_of
from archive_store.duplicates.rules import Ground
from archive_store.duplicates.unmerging import unmerge_students
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.record_check import records_unlike_history
from tests.duplicates.pairs import by_id, enter_twin
from tests.school import School


async def ask(
    school: School, survivor: Student, merged: Student, *fields: str, subject: str = "director"
) -> ObjectId:
    outcome = await merge_students(
        school.store,
        await school.viewer(subject),
        survivor_id=survivor.key,
        merged_id=merged.key,
        fields=fields,
        asking=Asking("同一人"),
    )
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def merge(school: School, survivor: Student, merged: Student, *fields: str) -> MergeCase:
    request = await ask(school, survivor, merged, *fields)
    assert await school.approve("vice-principal", request) is RequestStatus.APPLIED
    row = await school.store.database.collection(MergeCase).find_one({"merged_id": merged.key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], frozenset({"sealed"}))
    return MergeCase.model_validate(row)


async def unmerge(school: School, case: MergeCase) -> RequestStatus:
    viewer = await school.viewer("director")
    outcome = await unmerge_students(school.store, viewer, case.key, Asking("误并"))
    assert outcome.change_request_id is not None
    return await school.approve("vice-principal", outcome.change_request_id)


async def test_two_records_become_one_and_two_again(school: School) -> None:
    first, second = await enter_twin(school, native_place="北京", phone="13900007777")
    case = await merge(school, first, second, "native_place", "phone", "identity_number")
    survivor, merged = await by_id(school, first.key), await by_id(school, second.key)
    assert (survivor.native_place, survivor.phone) == ("北京", "13900007777")
    assert survivor.identity_number == second.identity_number
    assert (merged.status, merged.merged_into) == (StudentStatus.VOIDED, first.key)
    assert merged.identity_number == second.identity_number
    assert await merges_of(school.store, [first.key, second.key]) == {first.key, second.key}
    assert await records_unlike_history(school.store) == []
    assert (await verify_history(school.store, RECORD_TYPES)).sound

    assert await unmerge(school, case) is RequestStatus.APPLIED
    for before in (first, second):
        now = await by_id(school, before.key)
        kept = {"revision", "updated_at", "created_at", "status_periods"}
        assert {n: v for n, v in now.to_bson().items() if n not in kept} == {
            n: v for n, v in before.to_bson().items() if n not in kept
        }
    row = await school.store.database.collection(MergeCase).find_one({"_id": case.key})
    assert row is not None and row["status"] == MergeStatus.REVERSED
    assert await merges_of(school.store, [first.key, second.key]) == set()
    assert await records_unlike_history(school.store) == []
    assert (await verify_history(school.store, RECORD_TYPES)).sound
    rows = school.store.database.mongo[ENTRIES].find({"subject_id": second.key}).sort("sequence", 1)
    kinds = ["student:register", "student:merge:void", "student:unmerge:restore"]
    assert [row["kind"] async for row in rows] == kinds


async def test_each_record_keeps_its_major(school: School) -> None:
    first, second = await enter_twin(school)
    rows = school.store.database.mongo["students"]
    for student, code in ((first, "080901"), (second, "050101")):
        await rows.update_one({"_id": student.key}, {"$set": {"major_code": code}})
    with pytest.raises(RegistrarError) as caught:
        await ask(school, first, second, "major_code")
    assert caught.value.code is ErrorCode.UNKNOWN_FIELD
    case = await merge(school, first, second)
    assert [(await by_id(school, s.key)).major_code for s in (first, second)] == ["080901", "050101"]
    assert await unmerge(school, case) is RequestStatus.APPLIED
    assert [(await by_id(school, s.key)).major_code for s in (first, second)] == ["080901", "050101"]


async def test_a_change_since_the_merge_is_named_and_nothing_is_reversed(school: School) -> None:
    first, second = await enter_twin(school, native_place="北京")
    case = await merge(school, first, second, "native_place")
    request = await school.request("information", first, native_place="上海")
    await school.approve("director", request)
    viewer = await school.viewer("director")
    outcome = await unmerge_students(school.store, viewer, case.key, Asking("误并"))
    assert outcome.change_request_id is not None
    with pytest.raises(RegistrarError) as caught:
        await school.approve("vice-principal", outcome.change_request_id)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "native_place")
    assert (await by_id(school, second.key)).merged_into == first.key


async def test_what_is_merged_is_not_merged_again(school: School) -> None:
    first, second = await enter_twin(school)
    await merge(school, first, second)
    other = await school.student()
    for survivor, merged in ((other, second), (second, other)):
        before = await school.counts()
        with pytest.raises(RegistrarError) as caught:
            await ask(school, survivor, merged)
        assert caught.value.code is ErrorCode.WRONG_STATE
        assert await school.counts() == before


async def test_two_merges_of_overlapping_pairs_at_once_are_one(school: School) -> None:
    first, second = await enter_twin(school)
    requests = [await ask(school, first, second), await ask(school, second, first)]
    viewer = await school.viewer("vice-principal")
    results: list[Any] = await asyncio.gather(
        *(decide(school.store, viewer, request, Decision.APPROVED) for request in requests),
        return_exceptions=True,
    )
    assert [result for result in results if result is RequestStatus.APPLIED] == [RequestStatus.APPLIED]
    now = [await by_id(school, student.key) for student in (first, second)]
    assert [student.status for student in now].count(StudentStatus.VOIDED) == 1


async def test_who_may_not_read_a_value_does_not_take_it_with_them(school: School) -> None:
    first, second = await enter_twin(school)
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, first, second, "phone", subject="information")
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "fields.phone")
    assert await school.counts() == before
    assert await ask(school, first, second, "native_place", subject="information")
    for subject in ("archive", "logistics", "teacher"):
        with pytest.raises(RegistrarError) as refused:
            await ask(school, first, second, subject=subject)
        assert refused.value.code is ErrorCode.FORBIDDEN


async def test_candidates_by_what_the_viewer_may_read(school: School) -> None:
    first, second = await enter_twin(school)
    pair = ordered(first.key, second.key)
    found = await duplicate_candidates(school.store, await school.viewer("director"), first=10)
    (held,) = [candidate for candidate in found.rows if candidate.pair == pair]
    assert held.grounds >= {Ground.NAME, Ground.BIRTH_DATE, Ground.GUARDIAN}
    events = school.store.database.mongo["access_events"]
    read = await events.count_documents({})
    seen = await duplicate_candidates(school.store, await school.viewer("information"), first=10)
    (same,) = [candidate for candidate in seen.rows if candidate.pair == pair]
    # Whoever may not read the numbers is told nothing by them, and has read nothing.
    assert same.grounds == held.grounds - {Ground.IDENTITY_NUMBER, Ground.NATIONAL_STUDENT_NUMBER}
    assert await events.count_documents({}) == read
    await merge(school, first, second)
    after = await duplicate_candidates(school.store, await school.viewer("director"), first=10)
    assert pair not in {candidate.pair for candidate in after.rows}


async def test_a_field_that_the_asker_may_not_read_on_the_record_that_goes_on_cannot_be_taken(
    school: School,
) -> None:
    first, second = await enter_twin(school, phone="13900007777")
    # Their own child is on the one record; of the other they read no sensitive value.
    viewer = await school.viewer("information", None)
    viewer = replace(viewer, ward_ids=frozenset({second.key}))
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await merge_students(
            school.store,
            viewer,
            survivor_id=first.key,
            merged_id=second.key,
            fields=["phone"],
            asking=Asking("同一人"),
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "fields.phone")
    assert await school.counts() == before
