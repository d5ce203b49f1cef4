"""Legal holds (冻结) and disposal batches (销毁批次) as stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.scans.documents import RetentionClass

F0, F1, F2, F3, F4 = FieldClass


class LegalHold(Record):
    """冻结: scans of one student that must not be disposed of, until it is released. A scan may be under several.

    Its reason can tell of a dispute, so it is sensitive.
    """

    subject_type: ClassVar[str] = "LegalHold"

    student_id: Annotated[PydanticObjectId, F1]
    scan_ids: Annotated[list[PydanticObjectId], F1]
    reason: Annotated[str, F3]
    placed_by: Annotated[PydanticObjectId, F1]
    placed_by_name: Annotated[str, F1]
    released_at: Annotated[datetime | None, F1] = None
    released_by_name: Annotated[str | None, F1] = None

    class Settings:
        name = "legal_holds"


class BatchStatus(StrEnum):
    PROPOSED = "PROPOSED"  # 待审批
    DISPOSED = "DISPOSED"  # 已销毁
    CANCELLED = "CANCELLED"  # 已撤销: nothing was disposed of


class DisposalItem(BaseModel):
    """One scan of a batch, and why it is due: its class by the table in force, and the day on which that ran out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan_id: Annotated[PydanticObjectId, F1]
    student_id: Annotated[PydanticObjectId, F1]
    document_type: Annotated[str, F1]
    retention: Annotated[RetentionClass, F1]
    filed_on: Annotated[date, F1]
    due_on: Annotated[date, F1]


class DisposalBatch(Record):
    """销毁批次: scans whose retention had run out by `due_by` under version `table_version` of the retention table."""

    subject_type: ClassVar[str] = "DisposalBatch"

    table_version: Annotated[int, F1]
    due_by: Annotated[date, F1]
    items: Annotated[list[DisposalItem], F1, Field(min_length=1)]
    status: Annotated[BatchStatus, F1] = BatchStatus.PROPOSED
    proposed_by: Annotated[PydanticObjectId, F1]
    proposed_by_name: Annotated[str, F1]
    reason: Annotated[str, F1]
    closed_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "disposal_batches"
        indexes = [IndexModel([("status", 1), ("_id", 1)])]  # noqa: RUF012
