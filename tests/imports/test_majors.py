"""The column 专业 of a roster: held against the catalogue, in the dry run, the run, and for candidates."""

from __future__ import annotations

import pytest

from api.dev.roster import demo_rows
from archive_store.admission.documents import SchoolStage
from archive_store.imports.documents import ImportKind, RowPolicy
from archive_store.imports.operations import import_roster
from archive_store.imports.queries import dry_run
from archive_store.students.documents import Student
from tests.imports.batches import begun, outcomes, run
from tests.imports.test_roster_files import HEADERS, csv_bytes
from tests.organisation.structure import open_majors
from tests.school import School

GIVEN = ("080901", "汉语言文学", "没有的专业", "", "080902")


def roster(given: tuple[str, ...]) -> bytes:
    rows = list(demo_rows(len(given), cohort=2026, seed=2026))
    for row, major in zip(rows, given, strict=True):
        row["专业"] = major
    return csv_bytes([HEADERS, *[[row.get(header, "") for header in HEADERS] for row in rows]], "utf-8")


async def close(school: School, code: str) -> None:
    await school.store.database.mongo["majors"].update_one(
        {"code": code}, {"$set": {"closed_on": "2024-01-01"}}
    )


async def test_code_or_name_becomes_the_code_and_others_are_refused(school: School) -> None:
    await open_majors(school)
    await close(school, "080902")
    before = await school.store.database.collection(Student).count_documents({})
    batch = await run(school, await begun(school, roster(GIVEN)))
    assert (batch.added, batch.refused) == (3, 2)
    told = [outcome for _, outcome in await outcomes(school, batch)]
    assert told == ["ADDED", "ADDED", "REFUSED", "ADDED", "REFUSED"]
    students = school.store.database.collection(Student)
    assert await students.count_documents({}) == before + 3
    held = [row["major_code"] async for row in students.find({"enrolled_month": {"$gte": "2026"}})]
    assert sorted(held, key=str) == ["050101", "080901", None]


async def test_the_dry_run_says_so_too(school: School) -> None:
    await open_majors(school)
    await close(school, "080902")
    viewer = await school.viewer("information")
    found = await import_roster(school.store, viewer, roster(GIVEN), file_name="花名册.csv", dry_run=True)
    assert [(bad.errors[0].column, bad.errors[0].code) for bad in found.bad] == [
        ("专业", "unknown_code"),
        ("专业", "unknown_code"),
    ]
    batch = await begun(school, roster(GIVEN))
    shown = await dry_run(school.store, viewer, batch.key, first=10)
    assert shown.counts is not None
    assert (shown.counts.added, shown.counts.refused) == (3, 2)


async def test_a_name_of_two_stages_is_not_told_apart(school: School) -> None:
    await open_majors(school)
    await school.store.database.mongo["majors"].update_one(
        {"code": "080902"}, {"$set": {"name": "汉语言文学", "stage": "POSTGRAD"}}
    )
    batch = await run(school, await begun(school, roster(GIVEN[:2])))
    assert (batch.added, batch.refused) == (1, 1)


async def test_a_student_on_record_keeps_their_major(school: School) -> None:
    await open_majors(school)
    await run(school, await begun(school, roster(("080901",))))
    batch = await run(school, await begun(school, roster(("050101",)), policy=RowPolicy.UPDATE))
    assert (batch.added, batch.refused) == (0, 0)
    asked = school.store.database.mongo["change_requests"].find({"operation": "student.update"})
    assert [request["fields"] async for request in asked if "major_code" in request["fields"]] == []
    students = school.store.database.collection(Student)
    held = [row["major_code"] async for row in students.find({"major_code": {"$ne": None}})]
    assert held == ["080901"]


@pytest.mark.parametrize(("major", "refused"), [("080901", 1), ("", 0)])
async def test_candidates_have_none(school: School, major: str, refused: int) -> None:
    await open_majors(school)
    batch = await begun(
        school,
        roster((major,)),
        subject="admissions",
        kind=ImportKind.ADMISSION,
        stage=SchoolStage.JUNIOR,
        cohort=2026,
    )
    done = await run(school, batch, subject="admissions")
    assert (done.refused, done.added) == (refused, 1 - refused)
