"""What only an old record may have is no value for a new one: an abolished code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from api.dev.roster import demo_rows
from archive_store.foundation.clock import school_day
from archive_store.foundation.code_tables import code_table, install_loaded
from archive_store.foundation.errors import ErrorCode
from archive_store.imports.operations import import_roster
from tests.imports.test_roster_files import HEADERS, csv_bytes
from tests.school import School


@pytest.fixture(autouse=True)
def as_shipped() -> Iterator[None]:
    yield
    install_loaded([], date(2026, 9, 1))


def roster(**changes: str) -> bytes:
    rows = [dict(row) | changes for row in demo_rows(2, cohort=2023, seed=5)]
    return csv_bytes([HEADERS, *([row.get(header, "") for header in HEADERS] for row in rows)], "utf-8")


async def refusals(school: School, content: bytes) -> tuple[int, set[tuple[str, ErrorCode]]]:
    viewer = await school.viewer("information")
    outcome = await import_roster(school.store, viewer, content, file_name="花名册.csv", dry_run=False)
    return outcome.added, {(error.column, error.code) for row in outcome.bad for error in row.errors}


async def test_an_abolished_code(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    today = school_day(school.store.clock.now())
    table = code_table("household_type")
    label = "农业家庭户口"
    code = table.code_of(label)
    entries = tuple(
        replace(entry, until=today - timedelta(days=1)) if entry.code == code else entry
        for entry in table.entries
    )
    abolished = replace(table, entries=entries)
    monkeypatch.setattr(
        "archive_store.imports.matching.code_table",
        lambda name: abolished if name == "household_type" else code_table(name),
    )
    added, errors = await refusals(school, roster(户口性质=label, 全国学籍号="", 学籍辅号=""))
    assert (added, errors) == (0, {("户口性质", ErrorCode.UNKNOWN_CODE)})
