"""Roster imports (导入批次) as stored."""

from __future__ import annotations

from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class RosterImport(Record):
    """One committed roster: its file's SHA-256 in hex, and what became of its rows."""

    subject_type: ClassVar[str] = "RosterImport"

    file_name: Annotated[str, F1]
    file_sha256: Annotated[str, F1]
    rows: Annotated[int, F1]
    added: Annotated[int, F1]
    already_on_record: Annotated[int, F1]
    refused: Annotated[int, F1]
    imported_by: Annotated[PydanticObjectId, F1]

    class Settings:
        name = "roster_imports"
        indexes = [IndexModel("file_sha256")]  # noqa: RUF012
