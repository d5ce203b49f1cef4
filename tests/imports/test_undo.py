"""Undoing a batch: refused with the reason where something depends on it; the history keeps all it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import ObjectId

import archive_store.imports.undoing as undoing
from api.dev.roster import demo_rows
from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.approvals.documents import ChangeRequest, RequestStatus
from archive_store.archive import RECORD_TYPES
from archive_store.audit.entries import entries_of
from archive_store.audit.findings import Flaw
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.batches import ask_for_undo
from archive_store.imports.documents import BatchStatus, ImportBatch, RowPolicy
from archive_store.imports.running import advance
from archive_store.preservation.documents import LegalHold
from archive_store.scans.documents import Scan
from archive_store.scans.upload_documents import UPLOADS
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student
from archive_store.students.record_check import records_unlike_history
from archive_store.students.replay import Moment, at_moment
from tests.conftest import STUDENTS
from tests.imports.batches import begun, outcomes, roster, run, undo
from tests.school import School

COUNT = 7


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "UNDO_ROWS", 3)


def content() -> bytes:
    return roster(list(demo_rows(COUNT, cohort=2027, seed=5)))


async def entered(school: School) -> ImportBatch:
    done = await run(school, await begun(school, content()))
    assert done.added == COUNT
    return done


async def test_a_batch_is_taken_out_and_the_corrected_file_enters(school: School) -> None:
    batch = await entered(school)
    keys = [
        row["student_id"]
        async for row in school.store.database.mongo["import_rows"].find({"batch_id": batch.key})
    ]
    before = await school.counts()
    done = await undo(school, batch)
    assert (done.status, done.added, done.undone) == (BatchStatus.UNDONE, 0, COUNT)
    assert {outcome for _, outcome in await outcomes(school, batch)} == {"UNDONE"}
    after = await school.counts()
    assert (after["students"], after["persons"]) == (before["students"] - COUNT, before["persons"] - COUNT)
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound, report.findings
    assert await records_unlike_history(school.store) == []
    # All that the record said is in its history, which ends there.
    (first, last) = (await entries_of(school.store, Student, [keys[0]]))[keys[0]]
    opened = await school.store.cipher.decrypt(last["sealed"])
    told = {change["field"]: change["before"] for change in opened["changes"]}
    registered = await school.store.cipher.decrypt(first["sealed"])
    assert told == {change["field"]: change["after"] for change in registered["changes"]}
    assert {"name", "identity_number", "guardians", "status_periods"} <= told.keys()
    assert at_moment([first, last], Moment(date(2027, 10, 1))) is None
    again = await entered(school)
    assert again.earlier_batch_id == batch.key


async def test_a_record_put_back_after_the_undoing_is_found(school: School) -> None:
    """The end of a history stands for the missing record, and for nothing else."""
    batch = await entered(school)
    rows = await school.store.database.collection(Student).find({"grade": {"$exists": True}}).to_list()
    await undo(school, batch)
    removed = [row for row in rows if not await _is_there(school, row["_id"])]
    await school.store.database.collection(Student).insert_one(removed[0])
    report = await verify_history(school.store, RECORD_TYPES)
    assert [(f.subject, f.flaw) for f in report.findings] == [
        (f"Student:{removed[0]['_id']}", Flaw.UNLIKE_RECORD)
    ]
    # A record that just went is found as ever.
    await school.store.database.collection(Student).delete_one({"_id": removed[0]["_id"]})
    kept = await school.student()
    await school.store.database.collection(Student).delete_one({"_id": kept.key})
    report = await verify_history(school.store, RECORD_TYPES)
    assert [(f.subject, f.flaw) for f in report.findings] == [(f"Student:{kept.key}", Flaw.NO_RECORD)]


async def _is_there(school: School, key: ObjectId) -> bool:
    return await school.store.database.collection(Student).find_one({"_id": key}) is not None


async def changed(school: School, student: Student) -> None:
    request = await school.request("information", student, native_place="浙江杭州")
    await school.approve("director", request)


async def asked_for(school: School, student: Student) -> None:
    await school.request("information", student, native_place="浙江杭州")


async def with_account(school: School, student: Student) -> None:
    await link_account(school.store, student.key, "new-student")


async def with_guardian_account(school: School, student: Student) -> None:
    await link_guardian_account(school.store, student.key, 0, "new-guardian")


def stored(collection: str, path: str = "student_id") -> Callable[[School, Student], Awaitable[None]]:
    async def put(school: School, student: Student) -> None:
        # Only that it is about the student matters here.
        row: dict[str, Any] = {path: student.key, "status": "FILED", "keyAltNames": None}
        await school.store.database.mongo[collection].insert_one(row)

    return put


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (changed, "change request"),
        (asked_for, "change request"),
        (with_account, "changed"),
        (with_guardian_account, "changed"),
        (stored(Scan.Settings.name), "papers are filed"),
        (stored(UPLOADS), "uploaded"),
        (stored(RetrievalGrant.Settings.name), "retrieval grant"),
        (stored(LegalHold.Settings.name), "legal hold"),
        (stored("admission_cases"), "admission case"),
        (stored("merge_cases", "merged_id"), "merged"),
        (stored("verification_items"), "verification"),
    ],
    ids=[
        "changed",
        "asked",
        "account",
        "guardian",
        "scan",
        "upload",
        "grant",
        "hold",
        "case",
        "merge",
        "verification",
    ],
)
async def test_what_is_depended_on_stays(
    school: School, happen: Callable[[School, Student], Awaitable[None]], reason: str
) -> None:
    batch = await entered(school)
    row = await school.store.database.mongo["import_rows"].find_one({"batch_id": batch.key, "sheet_row": 6})
    assert row is not None
    held = await school.store.database.collection(Student).find_one({"_id": row["student_id"]})
    assert held is not None
    students = [await school.student(position) for position in range(STUDENTS + COUNT)]
    await happen(school, next(student for student in students if student.key == held["_id"]))
    before = await school.documents()
    with pytest.raises(RegistrarError) as caught:
        await ask_for_undo(school.store, await school.viewer("information"), batch.key, "文件有误")
    assert caught.value.code is ErrorCode.DEPENDED_ON
    assert caught.value.details["row"] == 6
    assert reason in caught.value.message.en
    assert await school.documents() == before


async def test_what_happens_after_it_was_asked_for_is_seen(school: School) -> None:
    batch = await entered(school)
    request = await ask_for_undo(school.store, await school.viewer("information"), batch.key, "文件有误")
    assert request is not None
    row = await school.store.database.mongo["import_rows"].find_one({"batch_id": batch.key, "sheet_row": 2})
    assert row is not None
    await link_account(school.store, row["student_id"], "new-student")
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await school.approve("director", request)
    assert caught.value.code is ErrorCode.DEPENDED_ON
    assert (await school.counts())["students"] == before["students"]
    assert (await read_batch(school.store, batch.key)).status is BatchStatus.DONE


async def test_what_happens_on_the_way_stops_it_and_it_goes_on_later(school: School) -> None:
    batch = await entered(school)
    request = await ask_for_undo(school.store, await school.viewer("information"), batch.key, "文件有误")
    assert request is not None
    await school.approve("director", request)
    await undoing.undo_some(school.store, await read_batch(school.store, batch.key))
    row = await school.store.database.mongo["import_rows"].find_one({"batch_id": batch.key, "sheet_row": 6})
    assert row is not None
    upload = {"_id": ObjectId(), "student_id": row["student_id"], "status": "UPLOADING"}
    await school.store.database.mongo[UPLOADS].insert_one(upload)
    await advance(school.store, batch.key)
    held = await read_batch(school.store, batch.key)
    assert (held.status, held.undone, held.obstacle, held.obstacle_row) == (
        *(BatchStatus.PARTLY_UNDONE, 5, "UPLOAD", 6),
    )
    await school.store.database.mongo[UPLOADS].delete_one({"_id": upload["_id"]})
    done = await undo(school, held)
    assert (done.status, done.undone, done.obstacle) == (BatchStatus.UNDONE, COUNT, None)
    assert (await school.counts())["students"] == STUDENTS
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_open_requests_of_an_update_are_withdrawn(school: School) -> None:
    row = next(demo_rows(1)) | {"籍贯": "浙江杭州"}
    batch = await run(school, await begun(school, roster([row]), policy=RowPolicy.UPDATE))
    assert batch.updated == 1
    done = await undo(school, batch)
    assert (done.status, done.updated) == (BatchStatus.UNDONE, 0)
    request = await school.store.database.collection(ChangeRequest).find_one({"operation": "student.update"})
    assert request is not None
    assert request["status"] == RequestStatus.WITHDRAWN


async def test_an_update_that_was_made_refuses_the_undoing(school: School) -> None:
    row = next(demo_rows(1)) | {"籍贯": "浙江杭州"}
    batch = await begun(school, roster([row]), subject="director", policy=RowPolicy.UPDATE)
    batch = await run(school, batch, subject="director")
    request = await school.store.database.collection(ChangeRequest).find_one({})
    assert request is not None
    values = {"status": RequestStatus.APPLIED.value}
    await school.store.database.collection(ChangeRequest).update_one(
        {"_id": request["_id"]}, {"$set": values}
    )
    with pytest.raises(RegistrarError) as caught:
        await ask_for_undo(school.store, await school.viewer("information"), batch.key, "文件有误")
    assert caught.value.code is ErrorCode.DEPENDED_ON


@pytest.mark.parametrize("subject", ["teacher", "admissions", "principal", "service"])
async def test_others_may_not_undo(school: School, subject: str) -> None:
    batch = await entered(school)
    before = await school.documents()
    with pytest.raises(RegistrarError) as caught:
        await ask_for_undo(school.store, await school.viewer(subject), batch.key, "文件有误")
    assert caught.value.code in (ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND)
    assert await school.documents() == before


async def test_a_batch_that_is_not_there(school: School) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask_for_undo(school.store, await school.viewer("information"), PydanticObjectId(), "无")
    assert caught.value.code is ErrorCode.NOT_FOUND
