"""A block of a batch, made ready before its transaction begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive_store.foundation.store import Store
from archive_store.imports.documents import ImportBatch, ImportKind, RowOutcome
from archive_store.imports.majors import with_majors
from archive_store.imports.matching import JudgedRow, judge
from archive_store.imports.rules import RowCheck
from archive_store.imports.shared_numbers import without_shared
from archive_store.imports.staging import check_block, load_block, reading, stored_map
from archive_store.students.registration import NewRecord, prepare_records, record_of


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a block, checked; by row of the sheet, the new records that the good ones would make.

    `judged` is given where no row was known by what was on record then. Should one have become known since, a unique
    index refuses the block, and it is judged again.
    """

    checks: Sequence[RowCheck]
    records: Mapping[int, NewRecord]
    judged: Sequence[JudgedRow] | None = None


async def checks_of(store: Store, batch: ImportBatch, number: int) -> list[RowCheck]:
    """The rows of one block, each checked by itself and for the numbers that rows of the file share."""
    assert batch.mapping is not None  # noqa: S101 - nothing runs without
    block = await load_block(store, batch.key, number)
    checks = await reading.run(check_block, stored_map(batch.mapping), block)
    return await with_majors(store, batch.kind, without_shared(checks, block))


async def ready_block(store: Store, batch: ImportBatch, number: int) -> Block:
    """A block with all that needs no transaction done: most of it, of a roster of new students."""
    checks = await checks_of(store, batch, number)
    if batch.kind is not ImportKind.REGISTER or not batch.enters:
        return Block(checks, {})
    making = reading.start(_new_records, store, checks)
    judged = await judge(store, None, batch.kind, checks)
    records = await making
    new = all(
        check.errors or row.outcome is RowOutcome.ADDED for check, row in zip(checks, judged, strict=True)
    )
    return Block(checks, records, judged if new else None)


def _new_records(store: Store, checks: Sequence[RowCheck]) -> dict[int, NewRecord]:
    good = [check for check in checks if not check.errors]
    made = prepare_records(store, [record_of(check.values) for check in good])
    return {check.sheet_row: record for check, record in zip(good, made, strict=True)}
