"""The major (专业) of a roster's rows: its code, or its name where one open major has it, becomes the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode
from archive_store.foundation.store import Store
from archive_store.imports.documents import ImportKind
from archive_store.imports.roster_columns import HEADER_BY_FIELD
from archive_store.imports.rules import RowCheck, row_error, with_error
from archive_store.organisation.majors import open_majors

MAJOR = "major_code"
_HEADER = HEADER_BY_FIELD[MAJOR]


async def with_majors(store: Store, kind: ImportKind, checks: Sequence[RowCheck]) -> list[RowCheck]:
    """UNKNOWN_CODE of a row whose major is not open, or whose name is that of several.

    Candidates (ADMISSION) have none before they are entered: INVALID_ARGUMENT.
    """
    given = {check.values[MAJOR] for check in checks if MAJOR in check.values}
    if not given:
        return list(checks)
    if kind is ImportKind.ADMISSION:
        told = {"detail_zh": "考生名册不填写专业", "detail_en": "a roster of candidates has no majors"}
        error = row_error(_HEADER, ErrorCode.INVALID_ARGUMENT, **told)
        return [with_error(check, error) if MAJOR in check.values else check for check in checks]
    found = await open_majors(store, given, school_day(store.clock.now()))
    codes = {text: majors[0].code for text, majors in found.items() if len(majors) == 1}
    return [_with_code(check, codes) if MAJOR in check.values else check for check in checks]


def _with_code(check: RowCheck, codes: dict[str, str]) -> RowCheck:
    if (code := codes.get(check.values[MAJOR])) is None:
        return with_error(check, row_error(_HEADER, ErrorCode.UNKNOWN_CODE))
    return replace(check, values={**check.values, MAJOR: code})
