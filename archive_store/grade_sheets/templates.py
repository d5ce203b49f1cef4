"""The sheet to fill in (成绩单模板): numbers and names of the class, without a grade of anybody."""

from __future__ import annotations

from bson import ObjectId

from archive_store.academics.documents import CourseArrangement
from archive_store.academics.judging import NOT_IN_STUDY
from archive_store.access.viewer import Viewer
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.grade_sheets.columns import SheetColumn
from archive_store.grade_sheets.entry import require_may_fill
from archive_store.students.documents import Student
from archive_store.students.export_columns import inert
from archive_store.students.export_files import FileType, new_file
from archive_store.students.scope import student_scope

_WIDTHS = (20, 16, 10, 12)


async def grade_sheet_template(
    store: Store, viewer: Viewer, arrangement_id: ObjectId, file_type: FileType = FileType.XLSX
) -> bytes:
    """The class of the arrangement by student number, as `enter_grade_sheet` takes it back.

    FORBIDDEN without a post that enters grades; NOT_FOUND without the arrangement.
    """
    require_may_fill(viewer)
    held = await found(store, CourseArrangement, arrangement_id, "arrangement_id")
    in_class = {"class_name": held.class_name, "status": {"$nin": NOT_IN_STUDY}}
    query = {"$and": [in_class, student_scope(viewer).visible]}
    rows = store.database.collection(Student).find(query, {"auxiliary_number": 1, "name": 1})
    lines = [
        [inert(row.get("auxiliary_number") or ""), inert(row["name"]), "", ""]
        async for row in rows.sort([("auxiliary_number", 1), ("_id", 1)])
    ]
    file = new_file(file_type)
    return file.begin(list(SheetColumn), _WIDTHS) + file.rows(lines) + file.end()
