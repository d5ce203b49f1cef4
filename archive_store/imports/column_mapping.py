"""Which column of a sheet is which of ours: what a mapping says, and what is suggested for one. Pure.

The spellings are data: `column_mapping.json` beside this file.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from archive_store.foundation.code_tables import plain_text
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import check_text
from archive_store.imports.cell_texts import CELL_LIMIT, FORMULA_CELL, OVERLONG_TEXT
from archive_store.imports.roster_columns import COLUMN_BY_HEADER, REQUIRED_HEADERS

_DATA = Path(__file__).with_suffix(".json")
# Remarks in brackets (必填), stars and numbers in front, and all that is no letter or digit.
_REMARK = re.compile(r"[(\[{【〔《<][^)\]}】〕》>]*[)\]}】〕》>]")
_NOT_SAID = re.compile(r"[\W_]+")
_NAME_SHOWN = 50
_SIMILAR = 0.6
# So that headers made to be slow are neither looked through nor compared.
_SQUEEZED_LENGTH = 100
_COMPARED_LENGTH = 40

ColumnChoice = Mapping[str, str | None]


class Certainty(StrEnum):
    """How sure a suggestion is; all but SIMILAR and NONE may be taken unasked."""

    EXACT = "EXACT"
    SQUEEZED = "SQUEEZED"  # but for blanks, brackets, stars and full-width characters
    SYNONYM = "SYNONYM"
    SIMILAR = "SIMILAR"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A column of the sheet, and which of ours it seems to be."""

    header: str
    column: str | None
    certainty: Certainty

    @property
    def is_sure(self) -> bool:
        return self.certainty not in (Certainty.SIMILAR, Certainty.NONE)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The columns of a sheet as ours, by position; None for one that is ignored or has no header."""

    headers: tuple[str, ...]
    columns: tuple[str | None, ...]

    @property
    def ignored(self) -> tuple[str, ...]:
        """The sheet's headers that are mapped to nothing, for the report."""
        return tuple(h for h, column in zip(self.headers, self.columns, strict=True) if h and column is None)

    def cells(self, texts: Sequence[str]) -> dict[str, str]:
        """Our header to text, of the cells that are not blank."""
        return {column: text for column, text in zip(self.columns, texts, strict=False) if text and column}


def column_map(
    headers: Sequence[str], mapping: ColumnChoice | None = None, *, searched: int = 1
) -> ColumnMap:
    """The columns as `mapping` says: header of the sheet to ours, or to nothing ("" or None) to ignore it.

    A header that the mapping does not name is ours as it stands. Raises UNKNOWN_COLUMN for one that is not, and for
    one of the mapping that is in no sheet or no column of ours; DUPLICATE_COLUMN; HEADER_NOT_FOUND where a required
    column is missing; FORMULA and TOO_LONG for a header that is none.
    """
    wanted = {plain_header(header): column or None for header, column in (mapping or {}).items()}
    for header, column in wanted.items():
        if header not in headers:
            raise _unknown(header, "mapping")
        if column is not None and column not in COLUMN_BY_HEADER:
            raise _unknown(column, "mapping")
    for header in headers:
        check_header(header)
    columns = [wanted.get(header, header or None) for header in headers]
    # First, since a sheet without them is hardly a roster.
    if missing := [header for header in REQUIRED_HEADERS if header not in columns]:
        raise header_not_found(searched, missing)
    for position, column in enumerate(columns):
        if column is not None and column not in COLUMN_BY_HEADER:
            raise _unknown(column, "file")
        if column is not None and column in columns[:position]:
            raise RegistrarError(ErrorCode.DUPLICATE_COLUMN, field="file", name=column)
    return ColumnMap(tuple(headers), tuple(columns))


def check_header(header: str) -> None:
    """FORMULA, TOO_LONG or INVALID_ARGUMENT for what cannot be a header."""
    if header == FORMULA_CELL:
        raise RegistrarError(ErrorCode.FORMULA, field="file")
    if header == OVERLONG_TEXT:
        raise RegistrarError(ErrorCode.TOO_LONG, field="file", limit=CELL_LIMIT)
    check_text(header, field="file", limit=CELL_LIMIT)


def header_not_found(searched: int, missing: Sequence[str]) -> RegistrarError:
    return RegistrarError(
        ErrorCode.HEADER_NOT_FOUND, field="file", searched=searched, missing="、".join(missing)
    )


def _unknown(name: str, field: str) -> RegistrarError:
    return RegistrarError(ErrorCode.UNKNOWN_COLUMN, field=field, name=name[:_NAME_SHOWN])


def plain_header(header: str) -> str:
    """A header of a mapping as the reader gives those of a sheet."""
    return " ".join(plain_text(header).split())


def suggest_mapping(headers: Sequence[str]) -> list[Suggestion]:
    """What each column of the sheet seems to be, in its order; each of ours is suggested once, for the surest."""
    suggestions = [_suggestion(header) for header in headers]
    order = list(Certainty)
    holders: dict[str, int] = {}
    for position in sorted(range(len(headers)), key=lambda p: order.index(suggestions[p].certainty)):
        column = suggestions[position].column
        if column is not None and holders.setdefault(column, position) != position:
            suggestions[position] = Suggestion(headers[position], None, Certainty.NONE)
    return suggestions


def sure_mapping(headers: Sequence[str]) -> dict[str, str]:
    """The part of the suggestions that may be taken without asking, where it says more than the headers do."""
    return {
        s.header: s.column
        for s in suggest_mapping(headers)
        if s.column is not None and s.is_sure and s.column != s.header
    }


def _suggestion(header: str) -> Suggestion:
    if header in COLUMN_BY_HEADER:
        return Suggestion(header, header, Certainty.EXACT)
    squeezed = _squeezed(header)
    if squeezed in _by_squeezed():
        return Suggestion(header, _by_squeezed()[squeezed], Certainty.SQUEEZED)
    if squeezed in _by_synonym():
        return Suggestion(header, _by_synonym()[squeezed], Certainty.SYNONYM)
    if 1 < len(squeezed) <= _COMPARED_LENGTH:
        known = _by_synonym() | _by_squeezed()
        if near := difflib.get_close_matches(squeezed, known, n=1, cutoff=_SIMILAR):
            return Suggestion(header, known[near[0]], Certainty.SIMILAR)
    return Suggestion(header, None, Certainty.NONE)


def known_columns(headers: Sequence[str]) -> set[str]:
    """Our columns among the headers, by exact, squeezed or known spelling: what tells a header row."""
    found = set()
    for header in headers:
        if header in COLUMN_BY_HEADER:
            found.add(header)
        elif 0 < len(header) <= _NAME_SHOWN:
            squeezed = _squeezed(header)
            column = _by_squeezed().get(squeezed) or _by_synonym().get(squeezed)
            if column:
                found.add(column)
    return found


def _squeezed(header: str) -> str:
    if len(header) > _SQUEEZED_LENGTH:
        return ""
    plain = plain_text(header)
    # A header that is nothing but a remark is one all the same.
    return _NOT_SAID.sub("", _REMARK.sub("", plain) or plain).casefold()


@cache
def _by_squeezed() -> dict[str, str]:
    return {_squeezed(header): header for header in COLUMN_BY_HEADER}


@cache
def _by_synonym() -> dict[str, str]:
    also = json.loads(_DATA.read_text(encoding="utf-8"))["also"]
    return {_squeezed(spelling): header for header, spellings in also.items() for spelling in spellings}
