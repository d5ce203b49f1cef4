"""Steps of a batch (导入批次) before and beside its run: begin, map, check, ask for the run, cancel, undo.

`run` and `undo` are asked for as operations, so that a school may have them approved; what is approved is the batch
with the digest of its file, mapping and policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import SchoolStage
from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import Asking, payload_of, perform, prepare
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text, size_text
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.imports.batch_steps import load_batch, read_batch, subject_of, write, wrong_state
from archive_store.imports.column_mapping import ColumnChoice, column_map
from archive_store.imports.documents import (
    STAGED_STATUSES,
    UNDOABLE_STATUSES,
    BatchStatus,
    ImportBatch,
    ImportKind,
    RowPolicy,
)
from archive_store.imports.rights import IMPORTERS, UNDOERS, may_begin, visible_batch
from archive_store.imports.shared_numbers import mark_shared
from archive_store.imports.staging import mapped_columns, mapping_digest, remove_blocks, stage
from archive_store.imports.undoing import depended_on, first_obstacle

FILE_NAME_LIMIT = 200
_LABEL_LIMIT = 100


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """What a file is imported as. Stage and cohort are those that candidates are admitted to."""

    kind: ImportKind = ImportKind.REGISTER
    policy: RowPolicy = RowPolicy.SKIP
    stage: SchoolStage | None = None
    cohort: int | None = None
    label: str | None = None


class ImportPayload(Payload):
    """Payload of `roster.import` and `import.undo`: a batch, and the digest of what is to run."""

    batch_id: PydanticObjectId
    digest: str
    file_name: str
    rows: int


async def begin(
    store: Store,
    viewer: Viewer,
    file: BinaryIO,
    *,
    file_name: str,
    terms: BatchTerms,
    mapping: ColumnChoice | None = None,
) -> ImportBatch:
    """Stage a file as a new batch; nothing of it is entered.

    Raises FORBIDDEN, TRY_AGAIN while many files are read, REQUIRED for a stage and cohort that candidates lack,
    TOO_LARGE, and what `stage` raises for a file that is no roster.
    """
    may_begin(viewer, terms.kind)
    _check_terms(file_name, terms)
    file.seek(0, 2)
    if file.tell() > store.settings.roster_size_limit:
        raise RegistrarError(
            ErrorCode.TOO_LARGE, field="file", limit=size_text(store.settings.roster_size_limit)
        )
    key = PydanticObjectId()
    staged = await stage(store, key, file, mapping)
    try:
        if staged.columns is not None:
            await mark_shared(store, key)
        earlier = await store.database.collection(ImportBatch).find_one(
            {"file_sha256": staged.sha256}, {"_id": 1}, sort=[("_id", -1)]
        )
        mapped = None if staged.columns is None else mapped_columns(staged.columns)
        batch = ImportBatch(
            id=key,
            file_name=file_name,
            file_sha256=staged.sha256,
            file_size=staged.size,
            earlier_batch_id=earlier["_id"] if earlier else None,
            kind=terms.kind,
            policy=terms.policy,
            stage=terms.stage,
            cohort=terms.cohort,
            label=terms.label,
            headers=list(staged.headers),
            mapping=mapped,
            checked_with=None if mapped is None else mapping_digest(mapped),
            blocks=staged.blocks,
            rows=staged.rows,
            begun_by=viewer.person_id,
            begun_by_name=viewer.name,
        )

        async def write_batch(unit: UnitOfWork) -> None:
            await unit.insert(batch)
            told = ("file_name", "file_sha256", "rows", "kind", "policy")
            changes = [FieldChange(field, None, getattr(batch, field)) for field in told]
            unit.audit(subject_of(batch), "roster:begin", changes)

        await governed_transaction(store, viewer.actor, "import.begin", write_batch)
    except BaseException:
        await remove_blocks(store, key)
        raise
    return batch


def _check_terms(file_name: str, terms: BatchTerms) -> None:
    check_text(file_name, field="file", limit=FILE_NAME_LIMIT)
    check_text(terms.label, field="label", limit=_LABEL_LIMIT)
    if terms.kind is ImportKind.ADMISSION:
        for name in ("stage", "cohort"):
            if getattr(terms, name) is None:
                raise RegistrarError(ErrorCode.REQUIRED, field=name)
        if terms.policy is RowPolicy.UPDATE:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="policy",
                detail_zh="新生入学办理不能更新在籍学生",
                detail_en="candidates for admission cannot update students on record",
            )
    if terms.cohort is not None and not 1900 <= terms.cohort <= 2200:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="cohort", least=1900, most=2200)


async def remap(
    store: Store,
    viewer: Viewer,
    batch_id: ObjectId,
    mapping: ColumnChoice | None,
    policy: RowPolicy | None = None,
) -> ImportBatch:
    """Say which columns are which, or by which policy it shall run; WRONG_STATE once it was asked for."""
    batch = await visible_batch(store, viewer, batch_id)
    may_begin(viewer, batch.kind)
    await _require_staged(store, batch)
    values: dict[str, Any] = {"status": BatchStatus.BEGUN}
    if policy is not None:
        _check_terms(batch.file_name, BatchTerms(batch.kind, policy, batch.stage, batch.cohort))
        values["policy"] = policy
    if mapping is not None:
        values["mapping"] = mapped_columns(column_map(batch.headers, mapping))
        if mapping_digest(values["mapping"]) != batch.checked_with:
            values["checked_with"] = None

    async def step(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch_id)
        if held.status not in STAGED_STATUSES:
            raise wrong_state(held)
        await write(unit, held, "map", values)

    await governed_transaction(store, viewer.actor, "import.map", step)
    return await read_batch(store, batch_id)


async def _require_staged(store: Store, batch: ImportBatch) -> None:
    """WRONG_STATE unless nothing was decided of the batch yet, and no request for its run is open."""
    if batch.status not in STAGED_STATUSES or await _open_request(store, batch.key) is not None:
        raise wrong_state(batch)


async def _open_request(store: Store, batch_id: ObjectId) -> ObjectId | None:
    row = await store.database.collection(ChangeRequest).find_one(
        {"target_id": batch_id, "status": {"$in": sorted(OPEN_STATUSES)}}, {"_id": 1}
    )
    return None if row is None else row["_id"]


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
    await _require_staged(store, batch)
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
    """Stop between two blocks: what entered stays, or by FAIL is taken out again. WRONG_STATE once it has ended."""
    batch = await visible_batch(store, viewer, batch_id)
    may_begin(viewer, batch.kind)

    async def step(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch_id)
        if held.status not in STAGED_STATUSES | {BatchStatus.RUNNING}:
            raise wrong_state(held)
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
