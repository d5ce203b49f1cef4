"""Exports of student records (导出) as CSV or XLSX: rows, rights, readings and purposes are those of `list_students`.

An export is written to the history when it begins, before a row is read, and once more when it ends. Rows come
page by page, so memory does not grow with them; a record whose number is changed meanwhile may be missed. Each page
after the first is read by the rights of its moment: where they end, so does the export.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.policy import ACCESS_RULE, Withheld, refuse_field
from archive_store.access.viewer import Viewer
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.sign_in import reload_viewer
from archive_store.students.documents import Export, Student
from archive_store.students.export_columns import COLUMN_BY_HEADER, COLUMNS, ExportColumn
from archive_store.students.export_files import FileType, new_file
from archive_store.students.queries import StudentFilter, check_filter, list_students
from archive_store.students.scope import StudentScope, student_scope

OPERATION = "student.export"
# Rows of one query and of one record of readings.
PAGE_ROWS = 500
_NAME_SHOWN = 50


class RunningExport:
    """An export that has begun. Whoever takes its pieces calls `end`, however that went."""

    def __init__(
        self,
        store: Store,
        viewer: Viewer,
        key: ObjectId,
        columns: Sequence[ExportColumn],
        where: StudentFilter,
        file_type: FileType,
    ) -> None:
        self.key = key
        self.file_type = file_type
        self.rows = 0  # read so far, perhaps not all of them sent
        self.is_complete = False
        self._store = store
        self._viewer = viewer
        self._columns = columns
        self._where = where
        self._has_ended = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The file, a page of rows at a time; the first piece has the headers.

        Raises FORBIDDEN, or what `begin_export` raises for a column or filter, where the viewer may no longer export;
        TOO_LARGE where a workbook holds no more rows.
        """
        file, after = new_file(self.file_type), None
        ready = file.begin([c.header for c in self._columns], [c.width for c in self._columns])
        try:
            while True:
                viewer = self._viewer if after is None else await self._viewer_now()
                found = await list_students(
                    self._store,
                    viewer,
                    frozenset(column.path for column in self._columns),
                    first=PAGE_ROWS,
                    page_limit=PAGE_ROWS,
                    after=after,
                    where=self._where,
                )
                self.rows += len(found.page.rows)
                yield ready + file.rows(self._lines(found.page.rows))
                if not (found.page.has_next and found.cursors):
                    break
                ready, after = b"", found.cursors[-1]
        finally:
            rest = file.end()
        if rest:
            yield rest
        self.is_complete = True

    def _lines(self, rows: Sequence[Row]) -> list[list[str]]:
        return [[column.cell(row) for column in self._columns] for row in rows]

    async def _viewer_now(self) -> Viewer:
        viewer = await reload_viewer(self._store, self._viewer)
        scope = student_scope(viewer)
        for column in self._columns:
            _require_readable(scope, column)
        # Else the rest would look whole, and have but the rows of a class or a family.
        if self._viewer.reads_by_post and not viewer.reads_by_post:
            raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)
        return viewer

    async def end(self) -> None:
        """Write how many rows were read, and whether all pieces were taken."""
        if self._has_ended:
            return
        self._has_ended = True

        async def note(unit: UnitOfWork) -> None:
            export = await unit.load(Export, self.key)
            if export is None:
                raise LookupError(f"no export {self.key}")
            told = {"rows": self.rows, "is_complete": self.is_complete}
            await unit.change(export, told)
            unit.audit(
                Subject(Export.subject_type, self.key),
                "export:complete" if self.is_complete else "export:break_off",
                [FieldChange(name, getattr(export, name), value) for name, value in told.items()],
            )

        await governed_transaction(self._store, self._viewer.actor, OPERATION, note)


async def begin_export(
    store: Store,
    viewer: Viewer,
    *,
    headers: Sequence[str] | None = None,
    where: StudentFilter | None = None,
    file_type: FileType = FileType.CSV,
) -> RunningExport:
    """Check what is asked for and write that the export begins.

    Without headers, the columns of a roster that the viewer may read on every row. A column readable on some rows
    only is blank on the others. Raises UNKNOWN_COLUMN, DUPLICATE_COLUMN, FORBIDDEN or PURPOSE_REQUIRED on
    `columns.<header>`, and what `list_students` raises for a filter.
    """
    scope = student_scope(viewer)
    columns = _default_columns(scope) if headers is None else _asked_columns(scope, headers)
    where = where or StudentFilter()
    filters = sorted(check_filter(scope, where))
    record = Export(
        exported_by=PydanticObjectId(viewer.person_id),
        columns=[column.header for column in columns],
        filters=filters,
        file_type=file_type.value,
    )

    async def begin(unit: UnitOfWork) -> None:
        await unit.insert(record)
        told = ("columns", "filters", "file_type")
        changes = [FieldChange(name, None, getattr(record, name)) for name in told]
        unit.audit(Subject(Export.subject_type, record.key), "export:begin", changes)

    await governed_transaction(store, viewer.actor, OPERATION, begin, reason=viewer.reading.purpose)
    return RunningExport(store, viewer, record.key, columns, where, file_type)


def _default_columns(scope: StudentScope) -> list[ExportColumn]:
    columns = [column for column in COLUMNS if column.in_roster and column.path in scope.everywhere]
    if not columns:  # also where nobody is in view
        raise refuse_field("columns")
    return columns


def _asked_columns(scope: StudentScope, headers: Sequence[str]) -> list[ExportColumn]:
    if not headers:
        raise RegistrarError(ErrorCode.REQUIRED, field="columns")
    columns: list[ExportColumn] = []
    for header in headers:
        column = COLUMN_BY_HEADER.get(header)
        if column is None:
            raise RegistrarError(ErrorCode.UNKNOWN_COLUMN, field="columns", name=header[:_NAME_SHOWN])
        if column in columns:
            raise RegistrarError(ErrorCode.DUPLICATE_COLUMN, field="columns", name=header)
        columns.append(column)
    for column in columns:
        _require_readable(scope, column)
    return columns


def _require_readable(scope: StudentScope, column: ExportColumn) -> None:
    decision, argument = scope.somewhere, f"columns.{column.header}"
    if scope.sees_nobody:
        raise refuse_field(argument)
    if column.path in decision.readable:
        return
    if decision.why_withheld(field_classes(Student)[column.path]) is Withheld.PURPOSE_REQUIRED:
        raise RegistrarError(ErrorCode.PURPOSE_REQUIRED, field=argument, rule=ACCESS_RULE)
    raise refuse_field(argument)
