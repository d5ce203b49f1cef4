"""`fileTransferSend`, `fileTransferReceive`, `fileTransferReturn`, and what is on its way."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.transfers.operations import TransferReceive, TransferReturn, TransferSend
from archive_store.transfers.queries import transfers_on_their_way
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import Connection, connection, global_id, key_of
from schema.scalars import Day
from schema.transfers.types import FileTransfer, FileTransferMeans, shown_transfer


@strawberry.input(description="Input of `fileTransferSend`.")
class FileTransferSendInput:
    student_id: strawberry.ID
    destination: str = strawberry.field(description="转入单位")
    means: FileTransferMeans
    bag_digest: str = strawberry.field(description="As `registrar archive package` told it.")
    sent_on: Day
    reason: str


@strawberry.input(description="Input of `fileTransferReceive`: what the receipt (回执) says.")
class FileTransferReceiveInput:
    id: strawberry.ID
    receiver: str = strawberry.field(description="签收人")
    receipt_number: str = strawberry.field(description="回执编号")
    received_on: Day
    bag_digest: str = strawberry.field(description="It must be that of what was sent.")


@strawberry.input(description="Input of `fileTransferReturn`.")
class FileTransferReturnInput:
    id: strawberry.ID
    returned_on: Day
    return_reason: str = strawberry.field(description="退回原因")


@strawberry.type(description="Result of whatever is done with a file transfer.")
class FileTransferPayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _perform(
    info: Request, name: str, payload: Payload, reason: str | None = None
) -> FileTransferPayload:
    context = info.context
    outcome = await perform(context.store, context.viewer, name, payload, asking=Asking(reason))
    request = await request_of(info, outcome.change_request_id)
    return FileTransferPayload(change_request=request, applied=outcome.applied)


@typed_errors(FileTransferPayload)
async def resolve_send(info: Request, input: FileTransferSendInput) -> FileTransferPayload:  # noqa: A002
    told = {
        "transfer_id": ObjectId(),
        "student_id": key_of(input.student_id, "Student", field="studentId"),
        "destination": input.destination,
        "means": input.means,
        "bag_digest": input.bag_digest,
        "sent_on": input.sent_on,
    }
    return await _perform(info, "file_transfer.send", payload_of(TransferSend, told), input.reason)


@typed_errors(FileTransferPayload)
async def resolve_receive(info: Request, input: FileTransferReceiveInput) -> FileTransferPayload:  # noqa: A002
    told = {
        "transfer_id": key_of(input.id, "FileTransfer", field="id"),
        "receiver": input.receiver,
        "receipt_number": input.receipt_number,
        "received_on": input.received_on,
        "bag_digest": input.bag_digest,
    }
    return await _perform(info, "file_transfer.receive", payload_of(TransferReceive, told))


@typed_errors(FileTransferPayload)
async def resolve_return(info: Request, input: FileTransferReturnInput) -> FileTransferPayload:  # noqa: A002
    told = {
        "transfer_id": key_of(input.id, "FileTransfer", field="id"),
        "returned_on": input.returned_on,
        "return_reason": input.return_reason,
    }
    return await _perform(info, "file_transfer.return", payload_of(TransferReturn, told))


async def resolve_on_their_way(
    info: Request, first: int = 20, after: str | None = None
) -> Connection[FileTransfer]:
    page = await transfers_on_their_way(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "FileTransfer", field="after"),
    )
    cursors = [global_id("FileTransfer", transfer.key) for transfer in page.rows]
    rows = [shown_transfer(transfer) for transfer in page.rows]
    return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@strawberry.type
class FileTransferQueries:
    """Read of file transfers."""

    file_transfers_sent: Connection[FileTransfer] = strawberry.field(
        resolver=resolve_on_their_way,
        description="档案转移 whose receipt is awaited, newest first; for who sends them.",
    )


@strawberry.type
class FileTransferMutations:
    """Asked for of file transfers."""

    file_transfer_send: FileTransferPayload = strawberry.field(
        resolver=resolve_send, description="Ask for the sending of a student's archive (档案转移)."
    )
    file_transfer_receive: FileTransferPayload = strawberry.field(
        resolver=resolve_receive, description="Write down the receipt (回执)."
    )
    file_transfer_return: FileTransferPayload = strawberry.field(
        resolver=resolve_return, description="Write down that it came back (退回)."
    )
