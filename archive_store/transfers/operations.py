"""Sending an archive, the receipt of it, and its return: `file_transfer.send`, `.receive` and `.return`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import student_scope
from archive_store.transfers.documents import FileTransfer, TransferMeans, TransferStatus

RULE = "policy §三(一)"
# §二(一): the archive group arranges and files; the head signs for it.
SENDERS = frozenset({Post.ARCHIVE_GROUP, Post.DIRECTOR})
# The archive of who has left.
LEFT = frozenset(
    {
        *(StudentStatus.TRANSFERRED_OUT, StudentStatus.GRADUATED, StudentStatus.COMPLETED),
        *(StudentStatus.INCOMPLETE, StudentStatus.WITHDRAWN, StudentStatus.EXPELLED),
    }
)

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class TransferSend(Payload):
    """Payload of `file_transfer.send`."""

    transfer_id: PydanticObjectId
    student_id: PydanticObjectId
    destination: Line
    means: TransferMeans
    bag_digest: Digest
    sent_on: date


class TransferReceive(Payload):
    """Payload of `file_transfer.receive`: what the receipt says; its digest must be that of what was sent."""

    transfer_id: PydanticObjectId
    receiver: Line
    receipt_number: Line
    received_on: date
    bag_digest: Digest


class TransferReturn(Payload):
    """Payload of `file_transfer.return`."""

    transfer_id: PydanticObjectId
    returned_on: date
    return_reason: Line


async def _check_send(store: Store, viewer: Viewer, payload: TransferSend) -> None:
    query = {"$and": [{"_id": payload.student_id}, student_scope(viewer).visible]}
    row = await store.database.collection(Student).find_one(query, {"status": 1})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    _require_left(row)
    _require_over(store.clock.now(), payload.sent_on, "sent_on")
    sent = {"student_id": payload.student_id, "status": TransferStatus.SENT.value}
    if await store.database.collection(FileTransfer).find_one(sent, {"_id": 1}) is not None:
        raise RegistrarError(
            ErrorCode.DUPLICATE, field="student_id", rule=RULE, others=FileTransfer.subject_type
        )


def _require_left(row: Row) -> None:
    if StudentStatus(row["status"]) not in LEFT:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state=row["status"])


def _require_over(now: Any, day: date, field: str) -> None:
    if day > school_day(now):
        raise RegistrarError(ErrorCode.INVALID_DATE, field=field, rule=RULE)


async def _send(unit: UnitOfWork, payload: TransferSend) -> ObjectId:
    row = await unit.store.database.collection(Student).find_one(
        {"_id": payload.student_id}, {"status": 1, "person_id": 1}, session=unit.session
    )
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    _require_left(row)
    days = unit.store.settings.file_transfer_days
    transfer = FileTransfer(
        id=payload.transfer_id,
        **payload.model_dump(exclude={"transfer_id"}),
        sent_by_name=unit.actor.name,
        # The head may sign later than it was to go.
        due_on=max(payload.sent_on, school_day(unit.at)) + timedelta(days=days),
    )
    await unit.insert(transfer)
    told = ("student_id", "destination", "means", "bag_digest", "sent_on", "due_on")
    subject = Subject(FileTransfer.subject_type, transfer.key)
    changes = [FieldChange(name, None, bson_value(getattr(transfer, name))) for name in told]
    unit.audit(subject, "file_transfer:send", changes)
    unit.notify(row["person_id"], "file_transfer:sent", subject)
    return transfer.key


async def sent_transfer(unit: UnitOfWork, key: ObjectId) -> FileTransfer:
    """One that is on its way, as of the transaction; NOT_FOUND, WRONG_STATE otherwise."""
    transfer = await unit.load(FileTransfer, key)
    if transfer is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    _require_sent(transfer)
    return transfer


def _require_sent(transfer: FileTransfer) -> None:
    if transfer.status is not TransferStatus.SENT:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=transfer.status)


async def _on_its_way(store: Store, viewer: Viewer, key: ObjectId) -> FileTransfer:
    row = await store.database.collection(FileTransfer).find_one({"_id": key})
    if row is None or not await _in_sight(store, viewer, row["student_id"]):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    transfer: FileTransfer = FileTransfer.model_validate(row)
    _require_sent(transfer)
    return transfer


async def _in_sight(store: Store, viewer: Viewer, student_id: ObjectId) -> bool:
    """SELF_APPROVAL for who would tell of their own or their child's."""
    if student_id in viewer.own_student_ids | viewer.ward_ids:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="id", rule=RULE)
    query = {"$and": [{"_id": student_id}, student_scope(viewer).visible]}
    return await store.database.collection(Student).find_one(query, {"_id": 1}) is not None


async def _check_receive(store: Store, viewer: Viewer, payload: TransferReceive) -> None:
    transfer = await _on_its_way(store, viewer, payload.transfer_id)
    _check_receipt(transfer, payload)
    _require_over(store.clock.now(), payload.received_on, "received_on")


def _check_receipt(transfer: FileTransfer, payload: TransferReceive) -> None:
    if payload.received_on < transfer.sent_on:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="received_on", rule=RULE)
    if payload.bag_digest != transfer.bag_digest:
        raise RegistrarError(ErrorCode.DIGEST_MISMATCH, field="bag_digest", rule=RULE)


async def _receive(unit: UnitOfWork, payload: TransferReceive) -> ObjectId:
    transfer = await sent_transfer(unit, payload.transfer_id)
    _check_receipt(transfer, payload)
    values = {
        "status": TransferStatus.RECEIVED,
        "receiver": payload.receiver,
        "receipt_number": payload.receipt_number,
        "ended_on": payload.received_on,
    }
    return await _end(unit, transfer, "receive", values)


async def _check_return(store: Store, viewer: Viewer, payload: TransferReturn) -> None:
    transfer = await _on_its_way(store, viewer, payload.transfer_id)
    _require_over(store.clock.now(), payload.returned_on, "returned_on")
    if payload.returned_on < transfer.sent_on:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="returned_on", rule=RULE)


async def _return(unit: UnitOfWork, payload: TransferReturn) -> ObjectId:
    transfer = await sent_transfer(unit, payload.transfer_id)
    values = {
        "status": TransferStatus.RETURNED,
        "return_reason": payload.return_reason,
        "ended_on": payload.returned_on,
    }
    return await _end(unit, transfer, "return", values)


async def _end(unit: UnitOfWork, transfer: FileTransfer, verb: str, values: Mapping[str, Any]) -> ObjectId:
    return await write_transfer(unit, transfer, verb, {**values, "ended_at": unit.at})


async def write_transfer(
    unit: UnitOfWork, transfer: FileTransfer, verb: str, values: Mapping[str, Any]
) -> ObjectId:
    """Set fields and tell them."""
    await unit.change_told(transfer, values, f"file_transfer:{verb}")
    return transfer.key


def _told(payload: Payload) -> Mapping[str, Any]:
    values: Mapping[str, Any] = bson_value(payload.model_dump(exclude={"transfer_id"}))
    return values


def _fields(payload: Payload) -> frozenset[str]:
    return frozenset(type(payload).model_fields) & frozenset(FileTransfer.model_fields)


def _subject(payload: Any) -> Subject:
    return Subject(FileTransfer.subject_type, payload.transfer_id)


def _operation(
    verb: str, payload: type[AnyPayload], check: Any, apply: Any, **more: Any
) -> Operation[AnyPayload]:
    return Operation(
        name=f"file_transfer.{verb}",
        record_type=FileTransfer,
        payload=payload,
        requesters=SENDERS,
        subject=_subject,
        requested_values=_told,
        fields=_fields,
        check=check,
        apply=apply,
        **more,
    )


FILE_TRANSFER_SEND = _operation(
    "send",
    TransferSend,
    _check_send,
    _send,
    concerns=lambda payload: frozenset({payload.student_id}),
)
FILE_TRANSFER_RECEIVE = _operation("receive", TransferReceive, _check_receive, _receive)
FILE_TRANSFER_RETURN = _operation("return", TransferReturn, _check_return, _return)
