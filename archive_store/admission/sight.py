"""Which cases a viewer sees: by post all of them; from the entry on the family theirs, and the homeroom teacher those
of the class, as the records say now: a class that a student has left is no tie to them."""

from __future__ import annotations

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import WITH_RECORD
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.students.documents import Student

_NONE: Row = {"_id": {"$exists": False}}


async def homeroom_students(store: Store, viewer: Viewer) -> frozenset[ObjectId]:
    """The students of the viewer's homerooms."""
    if not viewer.homeroom_class_names:
        return frozenset()
    rows = store.database.collection(Student).find(
        {"class_name": {"$in": sorted(viewer.homeroom_class_names)}}, {"_id": 1}
    )
    return frozenset([row["_id"] async for row in rows])


async def visible_cases(store: Store, viewer: Viewer) -> Row:
    """A filter for the cases in sight."""
    if viewer.reads_by_post:
        return {}
    tied = viewer.own_student_ids | viewer.ward_ids | await homeroom_students(store, viewer)
    if not tied:
        return _NONE
    return {"student_id": {"$in": sorted(tied)}, "status": {"$in": sorted(WITH_RECORD)}}
