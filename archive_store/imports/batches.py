"""What is asked of a batch (导入批次) that was begun: its run, its end before time, its undoing.

`run` and `undo` are asked for as operations, so that a school may have them approved; what is approved is the batch
with the digest of its file, mapping and policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import WITHDRAWABLE_STATUSES, ChangeRequest
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import Asking, payload_of, perform, prepare
from archive_store.approvals.requests import withdraw_in
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.imports.batch_steps import load_batch, read_batch, write, wrong_state
from archive_store.imports.beginning import require_staged
from archive_store.imports.documents import (
    STAGED_STATUSES,
    UNDOABLE_STATUSES,
    BatchStatus,
    ImportBatch,
    RowPolicy,
)
from archive_store.imports.rights import IMPORTERS, UNDOERS, may_begin, visible_batch
from archive_store.imports.staging import mapping_digest, remove_blocks
from archive_store.imports.undoing import depended_on, first_obstacle


class ImportPayload(Payload):
    """Payload of `roster.import` and `import.undo`: a batch, and the digest of what is to run."""

    batch_id: PydanticObjectId
    digest: str
    file_name: str
    rows: int


def batch_digest(batch: ImportBatch) -> str:
    """Of what would run: the file, what its columns are, and by which rules."""
    mapping = mapping_digest(batch.mapping or [])
    terms = (batch.kind, batch.policy, batch.stage, batch.cohort, batch.label)
    told = "\0".join([str(batch.key), batch.file_sha256, mapping, *(str(term) for term in terms)])
    return hashlib.sha256(told.encode()).hexdigest()


def _payload(batch: ImportBatch) -> ImportPayload:
    told = {"batch_id": batch.key, "digest": batch_digest(batch)}
    return payload_of(ImportPayload, told | {"file_name": batch.file_name, "rows": batch.rows})


async def ask_for_run(store: Store, viewer: Viewer, batch_id: ObjectId) -> ObjectId | None:
    """Let the batch run from now on, or ask for its approval; the id of the change request then."""
    batch = await visible_batch(store, viewer, batch_id)
    may_begin(viewer, batch.kind)
    await require_staged(store, batch)
    asking = Asking(f"roster {batch.file_name}")
    asked = await prepare(store, viewer, "roster.import", _payload(batch), asking)

    async def step(unit: UnitOfWork) -> ObjectId | None:
        result = await asked.work(unit)
        if asked.applies:
            return None
        held = await load_batch(unit, batch_id)
        values = {"status": BatchStatus.WAITING, "change_request_id": result, **_runner(unit)}
        await write(unit, held, "ask", values)
        request_id: ObjectId = result
        return request_id

    return await governed_transaction(store, viewer.actor, "roster.import", step, reason=asked.reason)


def _runner(unit: UnitOfWork) -> dict[str, Any]:
    return {
        "run_by": unit.actor.person_id,
        "run_by_name": unit.actor.name,
        "run_by_posts": list(unit.actor.posts),
    }


async def _check_run(store: Store, viewer: Viewer, payload: ImportPayload) -> None:
    batch = await visible_batch(store, viewer, payload.batch_id)
    may_begin(viewer, batch.kind)
    if batch.status not in STAGED_STATUSES:
        raise wrong_state(batch)
    if batch.mapping is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="mapping")


async def _apply_run(unit: UnitOfWork, payload: ImportPayload) -> ObjectId:
    batch = await load_batch(unit, payload.batch_id)
    if batch.status not in STAGED_STATUSES:
        raise wrong_state(batch)
    # What was signed is what runs.
    if batch_digest(batch) != payload.digest:
        raise RegistrarError(ErrorCode.CONFLICT, field="id", fields="mapping, policy")
    values: dict[str, Any] = {"status": BatchStatus.RUNNING, "started_at": unit.at, "position": 0}
    if batch.policy is not RowPolicy.FAIL:
        values["enters"] = True
    if batch.run_by is None:
        values |= _runner(unit)
    await write(unit, batch, "import", values)
    return batch.key


async def cancel(store: Store, viewer: Viewer, batch_id: ObjectId) -> ImportBatch:
    """Stop between two blocks: what entered stays, or by FAIL is taken out again. WRONG_STATE once it has ended.

    A request for its run that waits is withdrawn.
    """
    batch = await visible_batch(store, viewer, batch_id)
    may_begin(viewer, batch.kind)

    async def step(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch_id)
        if held.status not in STAGED_STATUSES | {BatchStatus.RUNNING}:
            raise wrong_state(held)
        if held.status is BatchStatus.WAITING and held.change_request_id is not None:
            request = await unit.load(ChangeRequest, held.change_request_id)
            if request is not None and request.status in WITHDRAWABLE_STATUSES:
                await withdraw_in(unit, request)
        done = held.added + held.updated + held.already_on_record + held.refused
        values: dict[str, Any] = {"status": BatchStatus.CANCELLED, "skipped": held.rows - done}
        if held.policy is RowPolicy.FAIL and held.added:
            values |= {"status": BatchStatus.UNDOING, "ends_as": BatchStatus.CANCELLED}
        else:
            values["ended_at"] = unit.at
        await write(unit, held, "cancel", values)

    await governed_transaction(store, viewer.actor, "import.cancel", step)
    ended = await read_batch(store, batch_id)
    if ended.status is BatchStatus.CANCELLED:
        await remove_blocks(store, batch_id)
    return ended


async def ask_for_undo(
    store: Store, viewer: Viewer, batch_id: ObjectId, reason: str | None
) -> ObjectId | None:
    """Take a whole batch out again (整批撤销), or ask for the approval of it; the id of the change request then.

    Raises WRONG_STATE, and DEPENDED_ON with the first row that something depends on.
    """
    batch = await visible_batch(store, viewer, batch_id)
    outcome = await perform(store, viewer, "import.undo", _payload(batch), reason=reason)
    return outcome.change_request_id


async def _check_undo(store: Store, viewer: Viewer, payload: ImportPayload) -> None:
    batch = await visible_batch(store, viewer, payload.batch_id)
    if batch.status not in UNDOABLE_STATUSES or not (batch.added or batch.updated):
        raise wrong_state(batch)
    if found := await first_obstacle(store, batch.key):
        raise depended_on(*found)


async def _apply_undo(unit: UnitOfWork, payload: ImportPayload) -> ObjectId:
    batch = await load_batch(unit, payload.batch_id)
    if batch.status not in UNDOABLE_STATUSES:
        raise wrong_state(batch)
    # Again: it may have been signed days after it was asked for.
    if found := await first_obstacle(unit.store, batch.key):
        raise depended_on(*found)
    values = {"status": BatchStatus.UNDOING, "ends_as": BatchStatus.UNDONE}
    await write(unit, batch, "undo", values | {"obstacle": None, "obstacle_row": None, **_runner(unit)})
    return batch.key


def _subject(payload: ImportPayload) -> Subject:
    return Subject(ImportBatch.subject_type, payload.batch_id)


def _asked(payload: ImportPayload) -> Mapping[str, Any]:
    return {"file_name": payload.file_name, "rows": payload.rows}


ROSTER_IMPORT = Operation(
    name="roster.import",
    record_type=ImportBatch,
    payload=ImportPayload,
    requesters=IMPORTERS | {Post.ADMISSIONS},
    subject=_subject,
    requested_values=_asked,
    fields=lambda payload: frozenset({"file_name", "rows"}),
    check=_check_run,
    apply=_apply_run,
)
IMPORT_UNDO = Operation(
    name="import.undo",
    record_type=ImportBatch,
    payload=ImportPayload,
    requesters=UNDOERS,
    subject=_subject,
    requested_values=_asked,
    fields=lambda payload: frozenset({"file_name", "rows"}),
    check=_check_undo,
    apply=_apply_undo,
)
