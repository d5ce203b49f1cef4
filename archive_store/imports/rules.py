"""Checking rows of a roster, pure: every row is accounted for, with one error a column at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from archive_store.foundation.errors import ErrorCode, Message, RegistrarError
from archive_store.foundation.texts import HAS_CONTROLS, has_bidi_controls, starts_formula
from archive_store.imports.cell_texts import CELL_LIMIT, FORMULA_CELL, INEXACT_NUMBER, OVERLONG_TEXT
from archive_store.imports.roster_columns import COLUMNS, HEADER_BY_FIELD, CellError, Column, Value
from archive_store.imports.roster_files import RosterRow
from archive_store.people.rules import CITIZEN_ID_LENGTH, identity_fault, identity_mismatches

# Each number belongs to one person; the first that two rows share is the one reported.
_UNIQUE_FIELDS = ("identity_number", "national_student_number", "auxiliary_number")


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one cell; `column` is its header."""

    column: str
    code: ErrorCode
    message: Message


@dataclass(frozen=True, slots=True)
class BadRow:
    sheet_row: int
    errors: tuple[RowError, ...]


@dataclass(frozen=True, slots=True)
class GoodRow:
    """Values by field of the student record; `guardians` is a list of dicts."""

    sheet_row: int
    values: dict[str, Any]


@dataclass
class RosterCheck:
    """All rows, as good or bad, in the order of the sheet."""

    good: list[GoodRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.bad)


Errors = dict[str, RowError]


def row_error(header: str, code: ErrorCode, **details: Any) -> RowError:
    return RowError(header, code, RegistrarError(code, **details).message)


def check_rows(rows: Sequence[RosterRow]) -> RosterCheck:
    """Check each row by itself, then the numbers that rows must not share."""
    checked = [(row.sheet_row, *_check_row(row)) for row in rows]
    _check_shared_numbers(checked)
    result = RosterCheck()
    order = {column.header: position for position, column in enumerate(COLUMNS)}
    for sheet_row, values, errors in checked:
        if errors:
            ordered = sorted(errors.values(), key=lambda error: order[error.column])
            result.bad.append(BadRow(sheet_row, tuple(ordered)))
        else:
            result.good.append(GoodRow(sheet_row, _student_values(values)))
    return result


def _check_row(row: RosterRow) -> tuple[dict[str, Value], Errors]:
    values: dict[str, Value] = {}
    errors: Errors = {}
    for column in COLUMNS:
        text = row.cells.get(column.header)
        try:
            if text is not None:
                values[column.field] = _parse_cell(column, text)
            elif column.required:
                raise CellError(ErrorCode.REQUIRED)
        except CellError as error:
            errors[column.field] = row_error(column.header, error.code, **error.details)
    _check_identity_number(values, errors)
    _check_some_number(values, errors)
    for place in ("guardians.0", "guardians.1"):
        told = any(held.startswith(place) for held in values)
        if told and f"{place}.name" not in values:
            header = HEADER_BY_FIELD[f"{place}.name"]
            errors.setdefault(f"{place}.name", row_error(header, ErrorCode.REQUIRED))
    return values, errors


def _parse_cell(column: Column, text: str) -> Value:
    if text == FORMULA_CELL or starts_formula(text, is_phone=column.is_phone):
        raise CellError(ErrorCode.FORMULA)
    if text == INEXACT_NUMBER:
        raise CellError(ErrorCode.INEXACT_NUMBER)
    if has_bidi_controls(text):
        raise CellError(ErrorCode.INVALID_ARGUMENT, detail_zh=HAS_CONTROLS.zh, detail_en=HAS_CONTROLS.en)
    if text == OVERLONG_TEXT or len(text) > min(column.limit, CELL_LIMIT):
        raise CellError(ErrorCode.TOO_LONG, limit=column.limit)
    return column.parse(text)


def _check_identity_number(values: dict[str, Value], errors: Errors) -> None:
    document, number = values.get("identity_document_type"), values.get("identity_number")
    if "identity_number" in errors or document is None:
        return
    told = {name: values.get(name) for name in ("birth_date", "gender")}
    document, number = str(document), None if number is None else str(number)
    if code := identity_fault(document, number):
        header = HEADER_BY_FIELD["identity_number"]
        errors["identity_number"] = row_error(header, code, expected=CITIZEN_ID_LENGTH)
        return
    # Only a number that is right can say that another cell is wrong.
    texts = {name: None if value is None else str(value) for name, value in told.items()}
    for name in identity_mismatches(document, number, **texts):
        errors[name] = row_error(HEADER_BY_FIELD[name], ErrorCode.MISMATCH_IDENTITY)


def _check_some_number(values: dict[str, Value], errors: Errors) -> None:
    """A row without any number could not be told from the next import of itself."""
    if not any(name in values or name in errors for name in _UNIQUE_FIELDS):
        header = HEADER_BY_FIELD["auxiliary_number"]
        errors["auxiliary_number"] = row_error(header, ErrorCode.REQUIRED)


def _check_shared_numbers(checked: Sequence[tuple[int, dict[str, Value], Errors]]) -> None:
    """Every row of a group that shares a number is refused: none of them can be known to be right."""
    reported: set[int] = set()
    for field_name in _UNIQUE_FIELDS:
        holders: dict[Value, list[int]] = defaultdict(list)
        for position, (_, values, errors) in enumerate(checked):
            if field_name in values and field_name not in errors:
                holders[values[field_name]].append(position)
        for group in holders.values():
            if len(group) < 2 or reported.issuperset(group):
                continue
            reported.update(group)
            for position in group:
                others = ", ".join(str(checked[other][0]) for other in group if other != position)
                checked[position][2][field_name] = row_error(
                    HEADER_BY_FIELD[field_name], ErrorCode.DUPLICATE, others=others
                )


def _student_values(values: dict[str, Value]) -> dict[str, Any]:
    student: dict[str, Any] = {}
    guardians: dict[str, dict[str, Value]] = defaultdict(dict)
    for path, value in values.items():
        if path.startswith("guardians."):
            _, number, leaf = path.split(".")
            guardians[number][leaf] = value
        else:
            student[path] = value.isoformat() if isinstance(value, date) else value
    student["guardians"] = [guardians[number] for number in sorted(guardians)]
    return student
