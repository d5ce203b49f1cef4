"""Import batches (导入批次) as stored, and beside them what an import works on: blocks of the file, and its rows.

A block is some rows of the file, sealed as one value of the field cipher, and goes when the batch ends. A row tells
what became of it; it is no record of a person, and is written in the transaction of its batch.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, Field
from pymongo import IndexModel

from archive_store.admission.documents import SchoolStage
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class ImportKind(StrEnum):
    """导入用途."""

    REGISTER = "REGISTER"  # 在校生入籍: students become records
    ADMISSION = "ADMISSION"  # 新生入学办理: candidates get admission cases


class RowPolicy(StrEnum):
    """行处理规则: what becomes of the others where some rows are bad or known."""

    SKIP = "SKIP"  # good rows enter, students on record are left alone
    UPDATE = "UPDATE"  # as SKIP, and of students on record the differing fields are asked for
    FAIL = "FAIL"  # all rows enter or none


class BatchStatus(StrEnum):
    """批次状态."""

    BEGUN = "BEGUN"  # staged: nothing has entered
    WAITING = "WAITING"  # for the approval of its run
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"  # by the policy FAIL: nothing entered, or all of it is out again
    CANCELLED = "CANCELLED"
    UNDOING = "UNDOING"
    UNDONE = "UNDONE"
    PARTLY_UNDONE = "PARTLY_UNDONE"  # something changed meanwhile; `obstacle` tells what
    EXPIRED = "EXPIRED"  # nobody ran it in time


STAGED_STATUSES = frozenset({BatchStatus.BEGUN, BatchStatus.WAITING})
WORKING_STATUSES = frozenset({BatchStatus.RUNNING, BatchStatus.UNDOING})
UNDOABLE_STATUSES = frozenset({BatchStatus.DONE, BatchStatus.CANCELLED, BatchStatus.PARTLY_UNDONE})
# Their blocks are needed no more.
ENDED_STATUSES = frozenset(BatchStatus) - STAGED_STATUSES - {BatchStatus.RUNNING}


class RowOutcome(StrEnum):
    """What became of a row."""

    ADDED = "ADDED"
    UPDATED = "UPDATED"  # a change is asked for
    ALREADY_ON_RECORD = "ALREADY_ON_RECORD"
    SKIPPED = "SKIPPED"  # good, and not entered: the batch failed
    REFUSED = "REFUSED"
    UNDONE = "UNDONE"  # entered once, and taken out again


class UndoObstacle(StrEnum):
    """Why what a row entered cannot be taken out again."""

    CHANGED = "CHANGED"
    ARCHIVE_FILE = "ARCHIVE_FILE"
    UPLOAD = "UPLOAD"
    CHANGE_REQUEST = "CHANGE_REQUEST"
    UPDATE_APPLIED = "UPDATE_APPLIED"
    RETRIEVAL_GRANT = "RETRIEVAL_GRANT"
    LEGAL_HOLD = "LEGAL_HOLD"
    ADMISSION_CASE = "ADMISSION_CASE"
    CASE_WENT_ON = "CASE_WENT_ON"
    CRISIS_TEAM = "CRISIS_TEAM"
    MERGE = "MERGE"
    VERIFICATION = "VERIFICATION"
    CONDUCT = "CONDUCT"
    GRADES = "GRADES"
    LOGISTICS = "LOGISTICS"
    TRANSFER_CASE = "TRANSFER_CASE"
    OBJECTION = "OBJECTION"
    GONE = "GONE"


class MappedColumn(BaseModel):
    """A column of the file, and which of ours it is; None where it is ignored."""

    header: Annotated[str, F1]
    column: Annotated[str | None, F1] = None


class ImportBatch(Record):
    """One roster: its file, what was decided of it, how far it is, and what became of its rows.

    `mapping` is None until each required column is known. `checked_with` is the digest of the mapping by which the
    blocks tell which rows share a number. `enters` is what FAIL decided before the first row, and `named_row` the one
    row that is named where every reason is a number out of the importer's sight. `position` is the block that comes
    next, or while undoing the last row of the sheet that is done. Every row is accounted for: rows = added + updated
    + already_on_record + refused + skipped, once it is done.
    """

    subject_type: ClassVar[str] = "ImportBatch"

    file_name: Annotated[str, F1]
    file_sha256: Annotated[str, F1]
    file_size: Annotated[int, F1]
    earlier_batch_id: Annotated[PydanticObjectId | None, F1] = None  # of the same file
    kind: Annotated[ImportKind, F1] = ImportKind.REGISTER
    policy: Annotated[RowPolicy, F1] = RowPolicy.SKIP
    stage: Annotated[SchoolStage | None, F1] = None  # to which candidates are admitted
    cohort: Annotated[int | None, F1] = None
    label: Annotated[str | None, F1] = None  # 批次 of the admission

    headers: Annotated[list[str], F1]
    mapping: list[MappedColumn] | None = None
    checked_with: Annotated[str | None, F1] = None
    blocks: Annotated[int, F1]
    rows: Annotated[int, F1]

    status: Annotated[BatchStatus, F1] = BatchStatus.BEGUN
    enters: Annotated[bool | None, F1] = None
    named_row: Annotated[int | None, F1] = None
    position: Annotated[int, F1] = 0
    added: Annotated[int, F1] = 0
    updated: Annotated[int, F1] = 0
    already_on_record: Annotated[int, F1] = 0
    refused: Annotated[int, F1] = 0
    skipped: Annotated[int, F1] = 0
    undone: Annotated[int, F1] = 0

    begun_by: Annotated[PydanticObjectId, F1]
    begun_by_name: Annotated[str, F1]
    run_by: Annotated[PydanticObjectId | None, F1] = None
    run_by_name: Annotated[str | None, F1] = None
    run_by_posts: Annotated[list[Post], F1] = Field(default_factory=list)
    change_request_id: Annotated[PydanticObjectId | None, F1] = None
    started_at: Annotated[datetime | None, F1] = None
    ended_at: Annotated[datetime | None, F1] = None
    ends_as: Annotated[BatchStatus | None, F1] = None  # what an undoing ends in
    obstacle: Annotated[UndoObstacle | None, F1] = None
    obstacle_row: Annotated[int | None, F1] = None

    class Settings:
        name = "import_batches"
        indexes = [  # noqa: RUF012
            IndexModel([("status", 1), ("_id", -1)]),
            IndexModel("file_sha256"),
            IndexModel([("kind", 1), ("_id", -1)]),
        ]


# `{batch_id, number, first, last, sealed: [[sheet row, texts]], numbers: [{f, d, r}], shared: [{r, f, others}]}`
BLOCKS = "import_blocks"
# `{batch_id, sheet_row, outcome, student_id?, person_id?, case_id?, request_id?, sealed?: {errors, warnings}}`
ROWS = "import_rows"
IMPORT_INDEXES = {
    BLOCKS: [IndexModel([("batch_id", 1), ("number", 1)], unique=True)],
    ROWS: [
        IndexModel([("batch_id", 1), ("sheet_row", 1)], unique=True),
        IndexModel([("batch_id", 1), ("outcome", 1), ("sheet_row", 1)]),
    ],
}
# What an entry of the history tells of how far a batch is.
COUNTERS = ("added", "updated", "already_on_record", "refused", "skipped", "undone")
