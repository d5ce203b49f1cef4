"""The record types, operations and jobs of the room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.approvals.operation import Operation
from archive_store.foundation.records import Record
from archive_store.foundation.store import Job
from archive_store.logistics.documents import BedStay, DormitoryRoom, MealEnrolment
from archive_store.logistics.jobs import tell_beds_held
from archive_store.logistics.meals import MEALS_END, MEALS_ENROL
from archive_store.logistics.operations import BED_ANNUL, BED_ASSIGN, BED_LEAVE, BED_MOVE
from archive_store.logistics.rooms import DORMITORY_ROOM_CLOSE, DORMITORY_ROOM_OPEN

LOGISTICS_RECORD_TYPES: tuple[type[Record], ...] = (BedStay, DormitoryRoom, MealEnrolment)
LOGISTICS_JOBS: Mapping[str, Job] = {"bed_stay.tell_held": tell_beds_held}
LOGISTICS_OPERATIONS: Mapping[str, Operation[Any]] = {
    operation.name: operation
    for operation in (
        *(BED_ANNUL, BED_ASSIGN, BED_LEAVE, BED_MOVE),
        *(DORMITORY_ROOM_CLOSE, DORMITORY_ROOM_OPEN, MEALS_END, MEALS_ENROL),
    )
}
