"""Transfers of archives: sent with a signature, received by the right digest, told once where the receipt is late."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.change_kinds import ChangeKind
from archive_store.transfers.documents import FileTransfer, TransferStatus
from archive_store.transfers.jobs import tell_overdue_receipts
from archive_store.transfers.operations import TransferReceive, TransferReturn, TransferSend
from archive_store.transfers.queries import transfers_of, transfers_on_their_way
from schema.nodes import global_id
from tests.http.test_http import ask
from tests.school import School
from tests.status_changes.changes import day, done

Bearer = Any
DIGEST, OTHER = "a" * 64, "b" * 64


async def sent(school: School, on: date, *, subject: str = "archive", approve: bool = True) -> ObjectId:
    """The transfer's key."""
    key = ObjectId()
    student = await school.student()
    told = {"transfer_id": key, "student_id": student.key, "destination": "第二中学", "means": "BY_HAND"}
    payload = payload_of(TransferSend, {**told, "bag_digest": DIGEST, "sent_on": on})
    viewer = await school.viewer(subject)
    outcome = await perform(school.store, viewer, "file_transfer.send", payload, reason="学生转学")
    assert outcome.change_request_id is not None
    if approve:
        await school.approve("director", outcome.change_request_id)
    return key


async def received(school: School, key: ObjectId, digest: str = DIGEST, on: date | None = None) -> Any:
    told = {"receiver": "李四", "receipt_number": "回2026-001", "received_on": on or day(school)}
    payload = payload_of(TransferReceive, {"transfer_id": key, "bag_digest": digest, **told})
    return await perform(school.store, await school.viewer("archive"), "file_transfer.receive", payload)


async def stored(school: School, key: ObjectId) -> FileTransfer:
    row = await school.store.database.collection(FileTransfer).find_one({"_id": key})
    held: FileTransfer = FileTransfer.model_validate(row)
    return held


async def code(awaited: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


@pytest.fixture
async def left(school: School) -> School:
    """The first student has left."""
    await done(school, ChangeKind.WITHDRAW, day(school, -40))
    return school


async def test_an_archive_goes_out_and_its_receipt_comes(left: School) -> None:
    key = await sent(left, day(left, -3))
    held = await stored(left, key)
    assert (held.status, held.due_on) == (TransferStatus.SENT, day(left, 30))
    assert await code(sent(left, day(left))) is ErrorCode.DUPLICATE
    assert await code(received(left, key, OTHER)) is ErrorCode.DIGEST_MISMATCH
    assert await code(received(left, key, on=day(left, -4))) is ErrorCode.INVALID_DATE
    assert await code(received(left, key, on=day(left, 1))) is ErrorCode.INVALID_DATE
    await received(left, key)
    held = await stored(left, key)
    assert (held.status, held.receipt_number) == (TransferStatus.RECEIVED, "回2026-001")
    assert await code(received(left, key)) is ErrorCode.WRONG_STATE
    assert (await verify_history(left.store, RECORD_TYPES)).sound


async def test_only_of_who_has_left_and_only_by_who_keeps_archives(school: School) -> None:
    assert await code(sent(school, day(school))) is ErrorCode.WRONG_STATE
    await done(school, ChangeKind.WITHDRAW, day(school, -40))
    assert await code(sent(school, day(school, 1))) is ErrorCode.INVALID_DATE
    for subject in ("information", "teacher", "logistics", "principal"):
        assert await code(sent(school, day(school), subject=subject)) is ErrorCode.FORBIDDEN


async def test_two_at_once_are_one(left: School) -> None:
    """Both were asked for before either was signed."""
    left_student = await left.student()
    requests = []
    for _ in range(2):
        told = {
            "student_id": left_student.key,
            "destination": "第二中学",
            "means": "ONLINE",
            "bag_digest": DIGEST,
        }
        payload = payload_of(TransferSend, {"transfer_id": ObjectId(), "sent_on": day(left), **told})
        viewer = await left.viewer("archive")
        outcome = await perform(left.store, viewer, "file_transfer.send", payload, reason="x")
        requests.append(outcome.change_request_id)
    await left.approve("director", requests[0])
    assert await code(left.approve("director", requests[1])) is ErrorCode.DUPLICATE
    assert await left.store.database.collection(FileTransfer).count_documents({}) == 1


async def test_what_came_back_can_go_out_again(left: School) -> None:
    key = await sent(left, day(left, -3))
    told = {"transfer_id": key, "returned_on": day(left), "return_reason": "查无此人"}
    viewer = await left.viewer("archive")
    await perform(left.store, viewer, "file_transfer.return", payload_of(TransferReturn, told))
    assert (await stored(left, key)).status is TransferStatus.RETURNED
    await sent(left, day(left))


async def test_a_late_receipt_is_told_once(left: School) -> None:
    key = await sent(left, day(left, -31))
    now = left.store.clock.now()
    # Counted from its signature, which came after the day it went.
    assert await tell_overdue_receipts(left.store, now) == 0
    await sent_count(left, 0)
    later = now + timedelta(days=31)
    assert await tell_overdue_receipts(left.store, later) == 1
    assert await tell_overdue_receipts(left.store, later) == 0
    await sent_count(left, 2)
    await received(left, key)
    assert await tell_overdue_receipts(left.store, later) == 0


async def sent_count(school: School, count: int) -> None:
    told = school.store.database.mongo[NOTIFICATIONS]
    assert await told.count_documents({"kind": "file_transfer:overdue"}) == count


async def test_who_sees_them(left: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    key = await sent(left, day(left, -3))
    student = await left.student()
    seen = {}
    for subject in ("archive", "director", "logistics"):
        (found,) = await transfers_of(left.store, await left.viewer(subject), [student.key])
        seen[subject] = None if found is None else [held.key for held in found]
    assert (seen["archive"], seen["director"]) == ([key], [key])
    assert not seen["logistics"]
    page = await transfers_on_their_way(left.store, await left.viewer("archive"), first=5)
    assert [held.key for held in page.rows] == [key]
    viewer = await left.viewer("information")
    assert await code(transfers_on_their_way(left.store, viewer, first=5)) is ErrorCode.FORBIDDEN
    query = """query ($id: ID!) { student(id: $id) { fileTransfers { id destination status dueOn receiptNumber } } }"""
    told = await ask(http, bearer("archive"), query, id=global_id("Student", student.key))
    (shown,) = told["data"]["student"]["fileTransfers"]
    receive = """mutation ($input: FileTransferReceiveInput!) { fileTransferReceive(input: $input) {
        applied errors { code field } } }"""
    given = {
        "id": shown["id"],
        "receiver": "李四",
        "receiptNumber": "回1",
        "receivedOn": day(left).isoformat(),
    }
    wrong = (await ask(http, bearer("archive"), receive, input={**given, "bagDigest": OTHER}))["data"]
    assert wrong["fileTransferReceive"]["errors"] == [{"code": "digest_mismatch", "field": "bagDigest"}]
    right = (await ask(http, bearer("archive"), receive, input={**given, "bagDigest": DIGEST}))["data"]
    assert right["fileTransferReceive"] == {"applied": True, "errors": []}
