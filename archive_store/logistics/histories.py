"""Whose history of stays (住宿安排) and meals (用餐) a viewer reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.logistics.documents import BedStay, MealEnrolment
from archive_store.logistics.queries import STAY, decisions_on
from archive_store.students.scope import student_scope

MEALS = frozenset({"student_id", "meals", "from_day", "to_day"})


def _history(record_type: type[Record], leaves: frozenset[str]) -> SubjectHistory:
    """Of a record whose leaves are read together."""

    async def rights(
        store: Store, viewer: Viewer, ids: Sequence[ObjectId]
    ) -> Mapping[ObjectId, SubjectRights]:
        decisions = await decisions_on(store, viewer, record_type, ids)
        return {
            key: SubjectRights(held.readable | text_of(held.classes))
            for key, held in decisions.items()
            if held.readable >= leaves
        }

    return SubjectHistory(record_type, rights, lambda viewer: not student_scope(viewer).sees_nobody)


BED_STAY_HISTORY = _history(BedStay, STAY)
MEAL_ENROLMENT_HISTORY = _history(MealEnrolment, MEALS)
