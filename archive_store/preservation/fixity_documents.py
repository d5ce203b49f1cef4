"""What checks of the archive keep: runs (固化检查), and of each scan when it was read last and what was wrong then."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

# `{_id: scan, checked_at, damages, run_id}`, the run if one read it; no records, since nothing of a student is there.
CHECKS = "fixity_checks"
CHECK_INDEXES = [IndexModel("checked_at"), IndexModel([("run_id", 1), ("_id", 1)])]
F1 = FieldClass.F1


class Damage(StrEnum):
    """What can be wrong with a scan. Those of an object are told with its name, such as `SEGMENT 000003`."""

    RECORD = "RECORD"  # the record has not the shape of a scan's
    KEY = "KEY"  # its data key does not open
    MISSING = "MISSING"  # the object store has not this version of the object
    UNREADABLE = "UNREADABLE"  # the object store answers, but does not give the object
    SEGMENT = "SEGMENT"  # the object does not open in its place: changed, cut, moved or of another key
    SIZE = "SIZE"  # what is stored is not as long as what was filed
    DIGEST = "DIGEST"  # the content opens, and is not the one that was filed
    UNLIKE_HISTORY = "UNLIKE_HISTORY"  # the record does not tell what the audit history tells of its filing
    LOCK = "LOCK"  # the object is not locked for as long as it is to be kept
    NOT_DISPOSED = "NOT_DISPOSED"  # it is disposed of, and a key of it is left
    STUB = "STUB"  # it is disposed of, and the history does not tell so, or its stub is not whole


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"


class FixityRun(Record):
    """A check of all scans, of one student's, or of `scan_ids`, in the order of their ids.

    `cursor` is the scan up to which all are read: it moves without a transaction, as nothing is decided by it.
    `orphans` counts object versions that nothing names, `removed` those of them that were removed.
    """

    subject_type: ClassVar[str] = "FixityRun"

    student_id: Annotated[PydanticObjectId | None, F1] = None
    scan_ids: Annotated[list[PydanticObjectId] | None, F1] = None
    status: Annotated[RunStatus, F1] = RunStatus.RUNNING
    cursor: Annotated[PydanticObjectId | None, F1] = None
    checked: Annotated[int, F1, Field(ge=0)] = 0
    damaged: Annotated[int, F1, Field(ge=0)] = 0
    orphans: Annotated[int, F1, Field(ge=0)] = 0
    removed: Annotated[int, F1, Field(ge=0)] = 0
    ended_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "fixity_runs"
        indexes = [IndexModel([("status", 1), ("_id", -1)])]  # noqa: RUF012
