"""Checking rows of a roster, pure: every row is accounted for, with one error a column at most.

A row is checked by itself (`check_row`), so that a roster of any size can be checked in blocks. Which rows share a
number is for the caller to find, by the `numbers` of each row; `check_rows` does it for a list.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from archive_store.foundation.errors import ErrorCode, Message, RegistrarError
from archive_store.foundation.texts import HAS_CONTROLS, check_text, starts_formula
from archive_store.imports.cell_texts import CELL_LIMIT, FORMULA_CELL, INEXACT_NUMBER, OVERLONG_TEXT
from archive_store.imports.division_warnings import RowWarning, division_warnings
from archive_store.imports.roster_columns import COLUMNS, HEADER_BY_FIELD, CellError, Column, Value
from archive_store.imports.roster_files import RosterRow
from archive_store.people.rules import CITIZEN_ID_LENGTH, identity_fault, identity_mismatches

# Each number belongs to one person; the first that two rows share is the one reported.
UNIQUE_FIELDS = ("identity_number", "national_student_number", "auxiliary_number")
# Whether a number is right depends on its document.
_NUMBER_COLUMNS = tuple(
    column for column in COLUMNS if column.field in (*UNIQUE_FIELDS, "identity_document_type")
)
_ORDER = {column.header: position for position, column in enumerate(COLUMNS)}
# Nearly every cell: nothing that could be a formula, no control character, no mark of writing direction.
_HARMLESS = re.compile(
    "[0-9A-Za-z\u4e00-\u9fff][^\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]*"
)
_PLACES = ("guardians.0", "guardians.1")
_GUARDIAN_FIELDS = {
    place: tuple(column.field for column in COLUMNS if column.field.startswith(place)) for place in _PLACES
}


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
    warnings: tuple[RowWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class GoodRow:
    """Values by field of the student record; `guardians` is a list of dicts."""

    sheet_row: int
    values: dict[str, Any]
    warnings: tuple[RowWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A row checked by itself.

    `values` are those of GoodRow, and empty where there are errors. `numbers` are the ones, of UNIQUE_FIELDS, that are
    right in themselves: no other row may have them, whether or not this one has errors elsewhere.
    """

    sheet_row: int
    values: dict[str, Any]
    numbers: dict[str, str]
    errors: tuple[RowError, ...]
    warnings: tuple[RowWarning, ...]

    @property
    def row(self) -> GoodRow | BadRow:
        if self.errors:
            return BadRow(self.sheet_row, self.errors, self.warnings)
        return GoodRow(self.sheet_row, self.values, self.warnings)


@dataclass
class RosterCheck:
    """All rows, as good or bad, in the order of the sheet."""

    good: list[GoodRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.good) + len(self.bad)


Errors = dict[str, RowError]
# By field of the column.
Seen = dict[str, dict[str, Value]]


def row_error(header: str, code: ErrorCode, **details: Any) -> RowError:
    return RowError(header, code, RegistrarError(code, **details).message)


def shared_number_error(field_name: str, others: str) -> RowError:
    """DUPLICATE: the number of `field_name` stands elsewhere, too; `others` says where (row numbers, records)."""
    return row_error(HEADER_BY_FIELD[field_name], ErrorCode.DUPLICATE, others=others)


def with_error(check: RowCheck, error: RowError) -> RowCheck:
    """The row with one more error, in the place of one that its column may have already."""
    kept = [held for held in check.errors if held.column != error.column]
    errors = sorted((*kept, error), key=lambda held: _ORDER[held.column])
    return replace(check, values={}, errors=tuple(errors))


def refused_row(check: RowCheck, error: RegistrarError) -> RowCheck:
    """The row as refused by a rule of student records; the field that it names says the column."""
    field_name = (error.field or "").removeprefix("changes.")
    header = HEADER_BY_FIELD.get(field_name, HEADER_BY_FIELD["name"])
    return with_error(check, RowError(header, error.code, error.message))


def check_rows_alone(rows: Iterable[RosterRow]) -> list[RowCheck]:
    """Each row by itself; what a column says over and over is looked at once."""
    seen: Seen = defaultdict(dict)
    return [check_row(row, seen) for row in rows]


def check_row(row: RosterRow, seen: Seen | None = None) -> RowCheck:
    """Check one row: its cells, and those that must go together. `seen` are cells that were found right."""
    values, errors = _checked_cells(row.cells, COLUMNS, defaultdict(dict) if seen is None else seen)
    _check_identity_number(values, errors)
    _check_some_number(values, errors)
    for place in _PLACES:
        if f"{place}.name" not in values and any(name in values for name in _GUARDIAN_FIELDS[place]):
            header = HEADER_BY_FIELD[f"{place}.name"]
            errors.setdefault(f"{place}.name", row_error(header, ErrorCode.REQUIRED))
    return RowCheck(
        row.sheet_row,
        {} if errors else _student_values(values),
        _right_numbers(values, errors),
        tuple(sorted(errors.values(), key=lambda error: _ORDER[error.column])) if errors else (),
        division_warnings(_without(values, errors) if errors else values),
    )


def right_numbers(row: RosterRow, seen: Seen) -> dict[str, str]:
    """The `numbers` of the row's check, without the rest of it."""
    values, errors = _checked_cells(row.cells, _NUMBER_COLUMNS, seen)
    _check_identity_number(values, errors)
    return _right_numbers(values, errors)


def _checked_cells(
    cells: Mapping[str, str], columns: Iterable[Column], seen: Seen
) -> tuple[dict[str, Value], Errors]:
    values: dict[str, Value] = {}
    errors: Errors = {}
    for column in columns:
        text = cells.get(column.header)
        if text is None:
            if column.required:
                errors[column.field] = row_error(column.header, ErrorCode.REQUIRED)
            continue
        known = seen[column.field]
        value = known.get(text)
        if value is None:
            try:
                if len(text) > column.limit or not _HARMLESS.fullmatch(text):
                    _check_cell(column, text)
                value = known[text] = column.parse(text)
            except CellError as error:
                errors[column.field] = row_error(column.header, error.code, **error.details)
                continue
        values[column.field] = value
    return values, errors


def _without(values: Mapping[str, Value], errors: Errors) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in errors}


def _right_numbers(values: Mapping[str, Value], errors: Errors) -> dict[str, str]:
    return {name: str(values[name]) for name in UNIQUE_FIELDS if name in values and name not in errors}


def check_rows(rows: Iterable[RosterRow]) -> RosterCheck:
    """Check each row by itself, then the numbers that rows must not share."""
    result = RosterCheck()
    for checked in without_shared_numbers(check_rows_alone(rows)):
        if isinstance(row := checked.row, BadRow):
            result.bad.append(row)
        else:
            result.good.append(row)
    return result


def without_shared_numbers(checked: Sequence[RowCheck]) -> list[RowCheck]:
    """Every row of a group that shares a number is refused: none of them can be known to be right."""
    result = list(checked)
    reported: set[int] = set()
    for field_name in UNIQUE_FIELDS:
        holders: dict[str, list[int]] = defaultdict(list)
        for position, row in enumerate(checked):
            if field_name in row.numbers:
                holders[row.numbers[field_name]].append(position)
        for group in holders.values():
            if len(group) < 2 or reported.issuperset(group):
                continue
            reported.update(group)
            for position in group:
                others = ", ".join(str(checked[other].sheet_row) for other in group if other != position)
                result[position] = with_error(result[position], shared_number_error(field_name, others))
    return result


def _check_cell(column: Column, text: str) -> None:
    if text == FORMULA_CELL or starts_formula(text, is_phone=column.is_phone):
        raise CellError(ErrorCode.FORMULA)
    if text == INEXACT_NUMBER:
        raise CellError(ErrorCode.INEXACT_NUMBER)
    if text == OVERLONG_TEXT or len(text) > min(column.limit, CELL_LIMIT):
        raise CellError(ErrorCode.TOO_LONG, limit=column.limit)
    try:
        check_text(text, field="file", limit=CELL_LIMIT)
    except RegistrarError as error:
        raise CellError(
            ErrorCode.INVALID_ARGUMENT, detail_zh=HAS_CONTROLS.zh, detail_en=HAS_CONTROLS.en
        ) from error


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
    if not any(name in values or name in errors for name in UNIQUE_FIELDS):
        header = HEADER_BY_FIELD["auxiliary_number"]
        errors["auxiliary_number"] = row_error(header, ErrorCode.REQUIRED)


def _student_values(values: Mapping[str, Value]) -> dict[str, Any]:
    student: dict[str, Any] = {}
    guardians: dict[str, dict[str, Value]] = defaultdict(dict)
    for path, value in values.items():
        if "." in path:
            _, number, leaf = path.split(".")
            guardians[number][leaf] = value
        else:
            student[path] = value.isoformat() if isinstance(value, date) else value
    student["guardians"] = [guardians[number] for number in sorted(guardians)]
    return student
