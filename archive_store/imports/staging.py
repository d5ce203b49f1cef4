"""Staging: a file is read as a stream, and its rows are kept in sealed blocks until the batch ends.

Nothing of it is in clear in the database. Where the columns are known at once, the rows are checked on the way, so
that a file is read and checked in one pass.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from bson import ObjectId

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.foundation.workers import Workers
from archive_store.imports.column_mapping import ColumnChoice, ColumnMap, column_map, sure_mapping
from archive_store.imports.documents import BLOCKS, MappedColumn
from archive_store.imports.roster_files import RosterRow, SheetReading, SheetRow, open_sheet
from archive_store.imports.rules import UNIQUE_FIELDS, RowCheck, Seen, check_rows_alone, right_numbers
from archive_store.people.documents import IdentifierKind
from archive_store.students.registration import STUDENT_NUMBERS

# Of one transaction, too: a roster of usual size is one block.
BLOCK_ROWS = 1_000
_FILES_AT_ONCE = 4
_PIECE = 1024 * 1024
# Slices of several files take turns.
reading = Workers("roster-reading", 1)
_staging = 0
# What a number is digested as; the school's own is no identifier of a person.
_KINDS: Mapping[str, IdentifierKind | str] = STUDENT_NUMBERS | {"auxiliary_number": "auxiliary_number"}


@dataclass(frozen=True, slots=True)
class Staged:
    """What a file was found to be; `columns` is None where the required ones are not all known."""

    sha256: str
    size: int
    headers: tuple[str, ...]
    columns: ColumnMap | None
    blocks: int
    rows: int


async def stage(store: Store, batch_id: ObjectId, file: BinaryIO, mapping: ColumnChoice | None) -> Staged:
    """Read the file into blocks of the batch; without a mapping, the columns are those that are surely ours.

    Raises what `open_sheet` does, EMPTY_FILE without rows, and what `column_map` does of a mapping that is given. On
    any error nothing stays.
    """
    global _staging  # noqa: PLW0603 - files that are read in this process
    if _staging >= _FILES_AT_ONCE:
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    _staging += 1
    try:
        return await _stage(store, batch_id, file, mapping)
    except BaseException:
        await remove_blocks(store, batch_id)
        raise
    finally:
        _staging -= 1


async def _stage(store: Store, batch_id: ObjectId, file: BinaryIO, mapping: ColumnChoice | None) -> Staged:
    sha256, size = await reading.run(_digest, file)
    sheet = await reading.run(open_sheet, file, row_limit=store.settings.roster_row_limit)
    try:
        columns = _columns(sheet, mapping)
        number, rows = await _store_blocks(store, batch_id, sheet, columns)
    finally:
        await reading.run(sheet.rows.close)
    if not rows:
        raise RegistrarError(ErrorCode.EMPTY_FILE, field="file")
    return Staged(sha256, size, sheet.headers, columns, number, rows)


async def _store_blocks(
    store: Store, batch_id: ObjectId, sheet: SheetReading, columns: ColumnMap | None
) -> tuple[int, int]:
    """How many blocks and rows there were."""
    number = rows = 0
    following = reading.start(_next_block, store, sheet, columns)
    try:
        while block := await following:
            # While this block is written, the next one is read.
            following = reading.start(_next_block, store, sheet, columns)
            row = {"batch_id": batch_id, "number": number, **block.stored, "shared": []}
            blocks = store.database.mongo[BLOCKS]
            await blocks.insert_one(row)  # house-rule: no record, sealed and short-lived
            number, rows = number + 1, rows + block.rows
    finally:
        following.cancel()
    return number, rows


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _columns(sheet: SheetReading, mapping: ColumnChoice | None) -> ColumnMap | None:
    if mapping is not None:
        return column_map(sheet.headers, mapping, searched=sheet.header_row)
    try:
        return column_map(sheet.headers, sure_mapping(sheet.headers), searched=sheet.header_row)
    except RegistrarError:
        return None


@dataclass(frozen=True, slots=True)
class _Block:
    rows: int
    stored: Row


def _next_block(store: Store, sheet: SheetReading, columns: ColumnMap | None) -> _Block | None:
    rows = list(islice(sheet.rows, BLOCK_ROWS))
    if not rows:
        return None
    (sealed,) = store.cipher.seal_many([[[row.sheet_row, row.texts] for row in rows]])
    stored: Row = {"first": rows[0].sheet_row, "last": rows[-1].sheet_row, "sealed": sealed}
    stored["numbers"] = [] if columns is None else numbers_of(store, columns, rows)
    return _Block(len(rows), stored)


def numbers_of(store: Store, columns: ColumnMap, rows: Iterable[SheetRow]) -> list[Row]:
    """`{f, d, r}` of each right number: place of its field in UNIQUE_FIELDS, keyed digest, row."""
    seen: Seen = defaultdict(dict)
    found: list[Row] = []
    for row in rows:
        numbers = right_numbers(RosterRow(row.sheet_row, columns.cells(row.texts)), seen)
        for place, field in enumerate(UNIQUE_FIELDS):
            if field in numbers:
                digest = number_digest(store, field, numbers[field])
                found.append({"f": place, "d": digest, "r": row.sheet_row})
    return found


def number_digest(store: Store, field: str, value: str) -> str:
    """As `identifier_lookups` of persons have it, for the numbers that persons bear."""
    return store.cipher.blind_index(_KINDS[field], value)


async def load_block(store: Store, batch_id: ObjectId, number: int) -> Row:
    """A block with its rows opened as `texts`."""
    block = await store.database.mongo[BLOCKS].find_one({"batch_id": batch_id, "number": number})
    if block is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    block["texts"] = await store.cipher.decrypt(block["sealed"])
    return block


def check_block(columns: ColumnMap, block: Mapping[str, Any]) -> list[RowCheck]:
    """Each row by itself. It takes a while: for a thread."""
    return check_rows_alone(RosterRow(number, columns.cells(texts)) for number, texts in block["texts"])


async def remove_blocks(store: Store, batch_id: ObjectId) -> None:
    await store.database.mongo[BLOCKS].delete_many({"batch_id": batch_id})  # house-rule: no record


def mapped_columns(columns: ColumnMap) -> list[MappedColumn]:
    """The mapping as it is stored."""
    return [
        MappedColumn(header=header, column=column)
        for header, column in zip(columns.headers, columns.columns, strict=True)
    ]


def stored_map(mapping: Sequence[MappedColumn]) -> ColumnMap:
    return ColumnMap(tuple(m.header for m in mapping), tuple(m.column for m in mapping))


def mapping_digest(mapping: Sequence[MappedColumn]) -> str:
    told = "\0".join(f"{held.header}\1{held.column or ''}" for held in mapping)
    return hashlib.sha256(told.encode()).hexdigest()
