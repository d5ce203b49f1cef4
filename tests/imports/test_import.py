"""`roster.import` on the real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archive_store.audit.governed_transaction as governed
from api.dev.roster import demo_rows, demo_workbook
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.imports.operations import import_roster
from archive_store.imports.roster_columns import COLUMNS
from archive_store.people.documents import Person
from archive_store.students.documents import Student
from tests.conftest import STUDENTS
from tests.imports.test_roster_files import HEADERS, csv_bytes, workbook
from tests.school import School

SAMPLE = Path(__file__).parent.parent / "samples" / "roster-2023.xlsx"


async def run(school: School, content: bytes, *, dry_run: bool = False, subject: str = "information") -> Any:
    viewer = await school.viewer(subject)
    return await import_roster(school.store, viewer, content, file_name="花名册.xlsx", dry_run=dry_run)


async def test_sample_goes_in_once(school: School) -> None:
    content = SAMPLE.read_bytes()
    dry = await run(school, content, dry_run=True)
    before = await school.counts()
    assert (dry.rows, dry.added, dry.already_on_record, len(dry.bad)) == (600, 581, 0, 19)
    assert await school.counts() == before
    first = await run(school, content)
    assert (first.added, len(first.bad)) == (581, 19)
    after = await school.counts()
    assert after["students"] == STUDENTS + 581
    again = await run(school, content)
    assert (again.added, again.already_on_record, len(again.bad)) == (0, 581, 19)
    # Nothing but that the numbers were found.
    found = {name: after[name] + 1 for name in ("access_events", "audit_entries", "audit_heads")}
    assert await school.counts() == after | found
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_csv_in_gb18030(school: School) -> None:
    rows = [[row.get(h, "") for h in HEADERS] for row in demo_rows(4, cohort=2024, seed=9)]
    outcome = await run(school, csv_bytes([HEADERS, *rows], "gb18030"))
    assert (outcome.added, outcome.bad) == (4, ())


async def test_imported_values_arrive_and_numbers_have_a_history(school: School) -> None:
    told = next(demo_rows(1))
    student = await school.student()
    assert student.name == told["姓名"]
    assert student.identity_number == told["身份证件号"]
    assert student.birth_date.isoformat().replace("-", "") == told["出生日期"]
    assert [guardian.name for guardian in student.guardians] == [told["成员1姓名"], told["成员2姓名"]]
    assert [period.effective_from.isoformat() for period in student.status_periods] == ["2023-09-01"]
    person = await school.store.database.collection(Person).find_one({"_id": student.person_id})
    assert person is not None
    assert [held["kind"] for held in person["identifiers"]] == ["IDENTITY_NUMBER", "NATIONAL_STUDENT_NUMBER"]


async def test_a_number_of_another_student_is_a_duplicate(school: School) -> None:
    mine, theirs = demo_rows(1, cohort=2025, seed=3), demo_rows(1)
    row = next(mine) | {"学籍辅号": next(theirs)["学籍辅号"]}
    outcome = await run(school, workbook([HEADERS, [row.get(h, "") for h in HEADERS]]))
    assert outcome.added == 0
    assert [(e.column, e.code) for e in outcome.bad[0].errors] == [("学籍辅号", ErrorCode.DUPLICATE)]


async def test_a_row_of_a_student_on_record_tells_nothing_of_stored_values(school: School) -> None:
    """Whoever may not read a phone number must not confirm a guess at it by importing."""
    row = next(demo_rows(1))
    same = await run(school, workbook([HEADERS, [row.get(h, "") for h in HEADERS]]), dry_run=True)
    row |= {"联系电话": "13700000000"}
    other = await run(school, workbook([HEADERS, [row.get(h, "") for h in HEADERS]]), dry_run=True)
    assert same == other
    assert same.already_on_record == 1


@pytest.mark.parametrize("subject", ["teacher", "academic-affairs", "service", "principal"])
async def test_only_the_information_group_and_the_director_enter(school: School, subject: str) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await run(school, demo_workbook(2, cohort=2030), subject=subject)
    assert caught.value.code is ErrorCode.FORBIDDEN
    assert await school.counts() == before


async def test_a_failure_on_the_way_leaves_nothing(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await school.counts()

    async def fail(unit: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(governed, "_insert_notifications", fail)
    with pytest.raises(RuntimeError):
        await run(school, demo_workbook(5, cohort=2031))
    assert await school.counts() == before
    assert await school.store.database.collection(Student).count_documents({}) == STUDENTS


def test_every_column_names_a_field_of_the_record() -> None:
    for column in COLUMNS:
        assert column.field.split(".")[0] in Student.model_fields


async def test_a_dry_run_is_no_search_for_numbers(school: School) -> None:
    """Whoever may not read identity numbers learns none by trying them; whoever may is recorded."""
    student = await school.student()
    guess = next(demo_rows(1)) | {"学籍辅号": "", "全国学籍号": ""}
    content = workbook([HEADERS, [guess.get(header, "") for header in HEADERS]])
    assert student.identity_number == guess["身份证件号"]
    blind = await run(school, content, dry_run=True)
    assert (blind.added, blind.already_on_record, blind.bad) == (1, 0, ())
    director = await school.viewer("director")
    told = await import_roster(school.store, director, content, file_name="x.xlsx", dry_run=True)
    assert (told.added, told.already_on_record) == (0, 1)
    assert (await school.counts())["access_events"] == 1
    # The import itself knows the student, whoever runs it.
    done = await run(school, content)
    assert (done.added, done.already_on_record) == (0, 1)
