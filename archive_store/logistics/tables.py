"""The record types and operations of the room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.approvals.operation import Operation
from archive_store.foundation.records import Record
from archive_store.logistics.documents import BedStay, DormitoryRoom
from archive_store.logistics.operations import BED_ASSIGN, BED_LEAVE, DORMITORY_ROOM_OPEN

LOGISTICS_RECORD_TYPES: tuple[type[Record], ...] = (BedStay, DormitoryRoom)
LOGISTICS_OPERATIONS: Mapping[str, Operation[Any]] = {
    "bed.assign": BED_ASSIGN,
    "bed.leave": BED_LEAVE,
    "dormitory_room.open": DORMITORY_ROOM_OPEN,
}
