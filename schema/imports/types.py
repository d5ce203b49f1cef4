"""Import batches (导入批次) and their rows, for those who import."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.imports import documents as stored
from archive_store.imports.column_mapping import suggest_mapping
from archive_store.imports.queries import RowView, list_rows
from archive_store.imports.row_reports import CellReport
from archive_store.imports.undoing import MESSAGES
from schema.admission.enums import SchoolStage
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.imports.enums import (
    ColumnCertainty,
    ImportBatchStatus,
    ImportKind,
    ImportRowOutcome,
    ImportRowPolicy,
    ImportUndoObstacle,
)
from schema.nodes import Connection, Node, connection, global_id


@strawberry.type(description="What is wrong in one cell, or worth a look.")
class RosterRowError:
    column: str = strawberry.field(description="Header of the column.")
    code: str
    message_zh: str
    message_en: str


@strawberry.type(description="A row of the file, and what became of it; in a dry run, what would.")
class ImportRow:
    sheet_row: int = strawberry.field(description="Row number as the spreadsheet shows it.")
    outcome: ImportRowOutcome
    errors: list[RosterRowError]
    warnings: list[RosterRowError] = strawberry.field(
        description="Worth a look; the row is entered all the same."
    )
    student_id: strawberry.ID | None = strawberry.field(description="The record that it became.")
    admission_case_id: strawberry.ID | None = strawberry.field(description="The case that it opened.")
    change_request_id: strawberry.ID | None = strawberry.field(description="What it asked for.")


@strawberry.type(description="A column of the file, and which of ours it seems to be.")
class ImportColumn:
    header: str
    column: str | None = strawberry.field(description="As it is mapped; null where it is ignored.")
    suggested: str | None
    certainty: ColumnCertainty


@strawberry.type(description="Why a batch could not be taken out whole.")
class ImportObstacle:
    sheet_row: int
    reason: ImportUndoObstacle
    message_zh: str
    message_en: str


@strawberry.type(
    description="导入批次: a roster, how far it is, and what became of its rows. At the end rows = added + updated + "
    "alreadyOnRecord + refused + skipped + undone."
)
class ImportBatch(Node):
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field
    def file_name(self) -> str:
        return _batch(self).file_name

    @strawberry.field(description="In hex.")
    def file_sha256(self) -> str:
        return _batch(self).file_sha256

    @strawberry.field(description="The batch with which the same file was sent before.")
    def earlier_batch_id(self) -> strawberry.ID | None:
        return _id("ImportBatch", _batch(self).earlier_batch_id)

    @strawberry.field
    def kind(self) -> ImportKind:
        return _batch(self).kind

    @strawberry.field
    def policy(self) -> ImportRowPolicy:
        return _batch(self).policy

    @strawberry.field(description="To which candidates are admitted.")
    def stage(self) -> SchoolStage | None:
        return _batch(self).stage

    @strawberry.field(description="级, the year of entrance of candidates.")
    def cohort(self) -> int | None:
        return _batch(self).cohort

    @strawberry.field
    def status(self) -> ImportBatchStatus:
        return _batch(self).status

    @strawberry.field(description="Whether each required column is known, so that it can run.")
    def is_mapped(self) -> bool:
        return _batch(self).mapping is not None

    @strawberry.field(description="The columns of the file, in their order.")
    def columns(self) -> list[ImportColumn]:
        batch = _batch(self)
        mapped = {held.header: held.column for held in batch.mapping or ()}
        return [
            ImportColumn(
                header=told.header,
                column=mapped.get(told.header),
                suggested=told.column,
                certainty=told.certainty,
            )
            for told in suggest_mapping(batch.headers)
            if told.header
        ]

    @strawberry.field(name="rowCount")
    def row_count(self) -> int:
        return _batch(self).rows

    @strawberry.field(description="Rows of which it is known by now what became of them.")
    def processed(self) -> int:
        batch = _batch(self)
        return sum(getattr(batch, name) for name in stored.COUNTERS)

    @strawberry.field(description="Rows that became records, or cases.")
    def added(self) -> int:
        return _batch(self).added

    @strawberry.field(description="Rows of students on record whose change was asked for.")
    def updated(self) -> int:
        return _batch(self).updated

    @strawberry.field(description="Rows of students on record that were left alone.")
    def already_on_record(self) -> int:
        return _batch(self).already_on_record

    @strawberry.field
    def refused(self) -> int:
        return _batch(self).refused

    @strawberry.field(description="Good rows that did not enter, since the batch failed or was cancelled.")
    def skipped(self) -> int:
        return _batch(self).skipped

    @strawberry.field(description="Rows that were taken out again.")
    def undone(self) -> int:
        return _batch(self).undone

    @strawberry.field
    def begun_by_name(self) -> str:
        return _batch(self).begun_by_name

    @strawberry.field
    def begun_at(self) -> datetime | None:
        return _batch(self).created_at

    @strawberry.field
    def started_at(self) -> datetime | None:
        return _batch(self).started_at

    @strawberry.field
    def ended_at(self) -> datetime | None:
        return _batch(self).ended_at

    @strawberry.field(description="The request by which its run is or was approved.")
    def change_request_id(self) -> strawberry.ID | None:
        return _id("ChangeRequest", _batch(self).change_request_id)

    @strawberry.field(description="What keeps it from being taken out whole.")
    def obstacle(self) -> ImportObstacle | None:
        batch = _batch(self)
        if batch.obstacle is None or batch.obstacle_row is None:
            return None
        message = MESSAGES[batch.obstacle]
        return ImportObstacle(
            sheet_row=batch.obstacle_row,
            reason=batch.obstacle,
            message_zh=message.zh,
            message_en=message.en,
        )

    @strawberry.field(description="Rows in the order of the sheet, of which it is known what became of them.")
    async def rows(
        self,
        info: Request,
        first: int = 20,
        after: str | None = None,
        outcomes: list[ImportRowOutcome] | None = None,
    ) -> Connection[ImportRow]:
        context = info.context
        page = await list_rows(
            context.store,
            context.viewer,
            _batch(self).key,
            first=first,
            after=row_of_cursor(after),
            outcomes=outcomes,
        )
        rows = [import_row(view) for view in page.rows]
        cursors = [str(view.sheet_row) for view in page.rows]
        return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.ImportBatch)


def row_of_cursor(after: str | None) -> int | None:
    """The row of a cursor; one that is none begins at the first."""
    return int(after) if after is not None and after.isascii() and after.isdecimal() else None


def import_row(view: RowView) -> ImportRow:
    return ImportRow(
        sheet_row=view.sheet_row,
        outcome=view.outcome,
        errors=cell_reports(view.errors),
        warnings=cell_reports(view.warnings),
        student_id=_id("Student", view.student_id),
        admission_case_id=_id("AdmissionCase", view.case_id),
        change_request_id=_id("ChangeRequest", view.request_id),
    )


def cell_reports(cells: Any) -> list[RosterRowError]:
    return [_cell(cell) for cell in cells]


def _cell(cell: CellReport) -> RosterRowError:
    return RosterRowError(
        column=cell.column, code=cell.code, message_zh=cell.message.zh, message_en=cell.message.en
    )


def _batch(source: Any) -> stored.ImportBatch:
    assert isinstance(source, stored.ImportBatch)  # noqa: S101
    return source


def _id(type_name: str, key: ObjectId | None) -> strawberry.ID | None:
    return None if key is None else strawberry.ID(global_id(type_name, key))
