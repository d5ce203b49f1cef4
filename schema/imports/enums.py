"""The enums of imports as GraphQL ones. Importing this module names them."""

from __future__ import annotations

from archive_store.imports.column_mapping import Certainty as ColumnCertainty
from archive_store.imports.documents import BatchStatus as ImportBatchStatus
from archive_store.imports.documents import ImportKind
from archive_store.imports.documents import RowOutcome as ImportRowOutcome
from archive_store.imports.documents import RowPolicy as ImportRowPolicy
from archive_store.imports.documents import UndoObstacle as ImportUndoObstacle
from archive_store.imports.undoing import MESSAGES
from schema.enum_names import name_enum as _name

_name(
    ImportKind,
    "导入用途.",
    {
        "REGISTER": "在校生入籍: students become records",
        "ADMISSION": "新生入学办理: candidates get admission cases",
    },
)
_name(
    ImportRowPolicy,
    "行处理规则: what becomes of the rows where some are bad, or of students on record.",
    {
        "SKIP": "跳过: good rows enter, students on record are left alone",
        "UPDATE": "更新: as SKIP, and of students on record the differing fields are asked for, to be approved",
        "FAIL": "全部或全不: all rows enter, or none",
    },
    name="ImportRowPolicy",
)
_name(
    ImportBatchStatus,
    "导入批次状态.",
    {
        "BEGUN": "已上传: nothing has entered",
        "WAITING": "待审批",
        "RUNNING": "导入中",
        "DONE": "已完成",
        "FAILED": "未导入: by FAIL, nothing entered or all of it is out again",
        "CANCELLED": "已取消",
        "UNDOING": "撤销中",
        "UNDONE": "已撤销",
        "PARTLY_UNDONE": "部分撤销: something changed meanwhile",
        "EXPIRED": "已过期: nobody ran it in time",
    },
    name="ImportBatchStatus",
)
_name(
    ImportRowOutcome,
    "What became of a row (行结果).",
    {
        "ADDED": "已录入",
        "UPDATED": "已申请变更",
        "ALREADY_ON_RECORD": "已在册, left alone",
        "SKIPPED": "未录入, since the batch failed",
        "REFUSED": "有误",
        "UNDONE": "已撤销",
    },
    name="ImportRowOutcome",
)
_name(
    ImportUndoObstacle,
    "Why what a row entered cannot be taken out again.",
    {obstacle.name: message.zh for obstacle, message in MESSAGES.items()},
    name="ImportUndoObstacle",
)
_name(
    ColumnCertainty,
    "How sure a suggestion for a column is.",
    {
        "EXACT": "headed as ours",
        "SQUEEZED": "but for blanks, brackets and stars",
        "SYNONYM": "by another known spelling",
        "SIMILAR": "perhaps; look at it",
        "NONE": "unknown",
    },
    name="ColumnCertainty",
)

__all__ = [
    "ColumnCertainty",
    "ImportBatchStatus",
    "ImportKind",
    "ImportRowOutcome",
    "ImportRowPolicy",
    "ImportUndoObstacle",
]
