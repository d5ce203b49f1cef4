"""Merges of records (合并) and pairs that were looked at and are two persons, as stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from beanie import PydanticObjectId
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class MergeStatus(StrEnum):
    MERGED = "MERGED"  # 已合并
    REVERSED = "REVERSED"  # 已撤销合并


class MergeCase(Record):
    """One merge: `merged_id` went into `survivor_id`, which took these `fields` of it.

    `sealed` holds what is needed to reverse it: `changes` as the survivor took them, `before` of the survivor, and of
    the merged record what was changed there, with the `numbers` that it gave up.
    """

    subject_type: ClassVar[str] = "MergeCase"

    survivor_id: Annotated[PydanticObjectId, F1]
    merged_id: Annotated[PydanticObjectId, F1]
    fields: Annotated[list[str], F1]
    status: Annotated[MergeStatus, F1] = MergeStatus.MERGED
    sealed: Annotated[dict[str, Any], F3]
    merged_at: Annotated[datetime, F1]
    reversed_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "merge_cases"
        indexes = [  # noqa: RUF012
            IndexModel([("survivor_id", 1), ("_id", -1)]),
            IndexModel([("merged_id", 1), ("_id", -1)]),
        ]


class DuplicateDismissal(Record):
    """A pair that was looked at: two persons (非同一人). `first_id` is the smaller key."""

    subject_type: ClassVar[str] = "DuplicateDismissal"

    first_id: Annotated[PydanticObjectId, F1]
    second_id: Annotated[PydanticObjectId, F1]
    reason: Annotated[str, F3]
    dismissed_by_name: Annotated[str, F1]
    is_in_force: Annotated[bool, F1] = True

    class Settings:
        name = "duplicate_dismissals"
        indexes = [IndexModel([("first_id", 1), ("second_id", 1)], unique=True)]  # noqa: RUF012
