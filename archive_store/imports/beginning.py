"""Beginning a batch (导入批次): a file is staged, and its columns are mapped; nothing of it is entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import SchoolStage
from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text, size_text
from archive_store.foundation.unit_of_work import FieldChange, UnitOfWork
from archive_store.imports.batch_steps import load_batch, read_batch, subject_of, write, wrong_state
from archive_store.imports.column_mapping import ColumnChoice, column_map
from archive_store.imports.documents import (
    STAGED_STATUSES,
    BatchStatus,
    ImportBatch,
    ImportKind,
    RowPolicy,
)
from archive_store.imports.rights import may_begin, visible_batch
from archive_store.imports.shared_numbers import mark_shared
from archive_store.imports.staging import mapped_columns, mapping_digest, remove_blocks, stage

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
    await require_staged(store, batch)
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


async def require_staged(store: Store, batch: ImportBatch) -> None:
    """WRONG_STATE unless nothing was decided of the batch yet, and no request for its run is open."""
    if batch.status not in STAGED_STATUSES or await _open_request(store, batch.key) is not None:
        raise wrong_state(batch)


async def _open_request(store: Store, batch_id: ObjectId) -> ObjectId | None:
    row = await store.database.collection(ChangeRequest).find_one(
        {"target_id": batch_id, "status": {"$in": sorted(OPEN_STATUSES)}}, {"_id": 1}
    )
    return None if row is None else row["_id"]
