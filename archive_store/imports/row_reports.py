"""What a row tells of its errors and warnings, as it is kept (sealed) and as it is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive_store.foundation.errors import Message
from archive_store.imports.rules import RowCheck


@dataclass(frozen=True, slots=True)
class CellReport:
    """What is wrong in one cell, or worth a look."""

    column: str
    code: str
    message: Message


def sealed_report(check: RowCheck) -> dict[str, Any] | None:
    """`{errors, warnings}` of cells as `[column, code, zh, en]`; None where there is nothing to tell."""
    if not check.errors and not check.warnings:
        return None
    return {
        name: [[cell.column, str(cell.code), cell.message.zh, cell.message.en] for cell in cells]
        for name, cells in (("errors", check.errors), ("warnings", check.warnings))
    }


def opened_report(report: Mapping[str, Any], name: str) -> list[CellReport]:
    return [CellReport(column, code, Message(zh, en)) for column, code, zh, en in report.get(name, [])]
