"""Versions of code tables that a school loaded, and the snapshot of them that look-ups use.

They stand here because rosters, records and exports of all rooms are checked and labelled by them. Loading one is
`code_table.load`, an operation of the duties.
"""

from __future__ import annotations

import time
from datetime import date
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.foundation.clock import school_day
from archive_store.foundation.code_tables import CodeEntry, CodeTable, install_loaded, shipped_versions
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import REREAD_AFTER_SECONDS

F0 = FieldClass.F0
SPELLINGS_LIMIT = 50
LABEL_LIMIT = 200
_Label = Annotated[str, StringConstraints(min_length=1, max_length=LABEL_LIMIT)]


class TableEntry(BaseModel):
    """An entry of a loaded table, as `CodeEntry`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True
    )

    code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,11}$")]
    zh: _Label
    en: _Label
    also: tuple[_Label, ...] = Field(default=(), max_length=SPELLINGS_LIMIT)
    until: date | None = None

    def to_entry(self) -> CodeEntry:
        return CodeEntry(self.code, self.zh, self.en, self.also, self.until)


class CodeTableVersion(Record):
    """A version of a code table, whole, in force from its day on until that of the next one. Versions are kept."""

    subject_type: ClassVar[str] = "CodeTableVersion"

    table: Annotated[str, F0]
    version: Annotated[int, F0]  # of the table, from 1
    edition: Annotated[str, F0]  # the standard's own year or number
    valid_from: Annotated[date, F0]
    standard: Annotated[str | None, F0] = None
    source: Annotated[str, F0]
    entries: Annotated[list[TableEntry], F0]

    class Settings:
        name = "code_table_versions"
        indexes = [IndexModel([("table", 1), ("version", -1)], unique=True)]  # noqa: RUF012

    def to_table(self) -> CodeTable:
        shipped = shipped_versions()[self.table][-1]
        return CodeTable(
            self.table,
            shipped.title_zh,
            shipped.title_en,
            self.standard,
            self.source,
            self.edition,
            self.valid_from,
            tuple(entry.to_entry() for entry in self.entries),
            is_fixed=shipped.is_fixed,
            loaded=self.version,
        )


async def refresh_code_tables(store: Store) -> None:
    """Renew the snapshot of the process where it is older than `REREAD_AFTER_SECONDS`, or of another day."""
    seen: tuple[float, date, list[object]] | None = store.versions_seen.get(CodeTableVersion)
    now, today = time.monotonic(), school_day(store.clock.now())
    if seen is not None and now - seen[0] < REREAD_AFTER_SECONDS and seen[1] == today:
        return
    collection = store.database.collection(CodeTableVersion)
    keys = [row["_id"] async for row in collection.find({}, {"_id": 1}).sort("_id", 1)]
    if seen is None or seen[1:] != (today, keys):
        rows = collection.find({"table": {"$in": list(shipped_versions())}}).sort("version", 1)
        install_loaded([CodeTableVersion.model_validate(row).to_table() async for row in rows], today)
    store.versions_seen[CodeTableVersion] = (now, today, keys)
