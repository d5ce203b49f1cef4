"""Grades by file: every row accounted for, all or none, and who may send one."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
import xlsxwriter
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.academics.documents import GradeKind, GradeRecord, GradeStatus, GradingScheme
from archive_store.access.policy import AccessPolicy
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.grade_sheets.columns import same_name
from archive_store.grade_sheets.entry import GradeSheetReport, enter_grade_sheet
from archive_store.grade_sheets.rows import read_grades
from archive_store.grade_sheets.templates import grade_sheet_template
from archive_store.imports.roster_files import open_table
from archive_store.students.documents import Student
from archive_store.students.export_files import FileType
from archive_store.students.scope import StudentScope
from schema.nodes import global_id
from tests.academics.terms import (
    FIRST,
    OFFICE,
    SECOND,
    Arranged,
    arrange,
    arranged,
    correct,
    open_course,
    students_of,
)
from tests.school import School

HEAD = "学号,姓名,成绩,备注"


async def named(school: School, keys: tuple[ObjectId, ...]) -> list[tuple[str, str]]:
    """Number and name of each."""
    rows = await school.store.database.collection(Student).find({"_id": {"$in": list(keys)}}).to_list()
    by_key = {row["_id"]: (row["auxiliary_number"], row["name"]) for row in rows}
    return [by_key[key] for key in keys]


async def send(
    school: School, arrangement: ObjectId, content: str | bytes, subject: str = OFFICE, **more: Any
) -> GradeSheetReport:
    sent = content.encode() if isinstance(content, str) else content
    return await enter_grade_sheet(school.store, await school.viewer(subject), sent, arrangement, **more)


def told(report: GradeSheetReport) -> list[tuple[int, str, str]]:
    return [(row.sheet_row, error.column, error.code) for row in report.bad for error in row.errors]


async def grades(school: School) -> list[tuple[ObjectId, str, str | None]]:
    rows = await school.store.database.collection(GradeRecord).find().to_list()
    await school.store.cipher.decrypt_paths(rows, encrypted_paths(GradeRecord))
    return [(row["student_id"], row["status"], row["score"]) for row in rows]


async def test_a_sheet_is_checked_then_entered_then_corrected_by_the_head(school: School) -> None:
    held = await arranged(school)
    (n1, x1), (n2, x2), (n3, x3) = await named(school, held.students)
    sheet = f"{HEAD}\n{n1},{x1},85.0,\n{n2},{x2},,缺考\n{n3},{x3},缓考,\n"
    before = await school.counts()
    dry = await send(school, held.arrangement, sheet, dry_run=True)
    assert (dry.rows, dry.valid, dry.entered, dry.bad, dry.missing) == (3, 3, 0, (), ())
    assert await school.counts() == before
    done = await send(school, held.arrangement, sheet)
    assert (done.entered, done.bad) == (3, ())
    one, two, three = held.students
    assert sorted(await grades(school)) == sorted(
        [(one, "ENTERED", "85"), (two, "ABSENT", None), (three, "DEFERRED", None)]
    )
    again = await send(school, held.arrangement, sheet)
    assert told(again) == [(row, "学号", "duplicate") for row in (2, 3, 4)]
    await school.approve("director", await correct(school, one, score="90"))
    assert (one, "CORRECTED", "90") in await grades(school)


async def test_every_fault_is_told_at_its_row_and_nothing_enters(school: School) -> None:
    held = await arranged(school)
    (n1, x1), (n2, x2), (n3, x3) = await named(school, held.students)
    ((m1, y1),) = await named(school, (await students_of(school, SECOND))[:1])
    lines = [
        f"{n1},{x1},85,",
        f"{n1},{x1},86,",
        f"{n2},查无此人,86,",
        f"{n3},{x3},=1+1,",
        f"{m1},{y1},80,",
        "999999,无名氏,80,",
        f",{x1},80,",
        f"{n3},{x3},-5,病假",
        f"{n3},{x3},,",
        f"{n1},=cmd|' /C calc'!A0,80,",
    ]
    before = await school.counts()
    report = await send(school, held.arrangement, "\n".join([HEAD, *lines]))
    assert told(report) == [
        (3, "学号", "duplicate"),
        (4, "姓名", "name_mismatch"),
        (5, "成绩", "formula"),
        (6, "学号", "not_in_class"),
        (7, "学号", "not_found"),
        (8, "学号", "required"),
        (9, "备注", "unknown_code"),
        (9, "学号", "duplicate"),
        (10, "学号", "duplicate"),
        (11, "姓名", "formula"),
        (11, "学号", "duplicate"),
    ]
    assert (report.rows, report.valid, report.entered) == (10, 1, 0)
    # What is told of a wrong name is not the right one.
    messages = [error.message.zh + error.message.en for row in report.bad for error in row.errors]
    assert not any(name in message for message in messages for name in (x1, x2, x3, y1))
    assert await school.counts() == before


@pytest.mark.parametrize(
    ("score", "code"),
    [("-5", "out_of_range"), ("101", "out_of_range"), ("优秀", "out_of_range"), ("", "required")],
)
async def test_a_score_is_judged_as_ever(school: School, score: str, code: str) -> None:
    held = await arranged(school)
    ((number, name),) = await named(school, held.students[:1])
    report = await send(school, held.arrangement, f"{HEAD}\n{number},{name},{score},")
    assert told(report) == [(2, "成绩", code)]
    assert sorted(report.missing) == sorted(held.students[1:])


async def test_levels_may_be_written_out(school: School) -> None:
    held = await arranged(school)
    course = await open_course(school, "ART", scheme=GradingScheme.FIVE_LEVEL)
    arrangement = await arrange(school, held.term, course)
    (n1, x1), (n2, x2) = await named(school, held.students[:2])
    done = await send(school, arrangement, f"{HEAD}\n{n1},{x1},优秀,正常\n{n2},{x2},f,")
    assert (done.entered, done.missing) == (2, held.students[2:])
    assert sorted(score or "" for _, _, score in await grades(school)) == ["A", "F"]


async def test_headings_in_english_and_any_order_in_a_workbook(school: School) -> None:
    held = await arranged(school)
    ((number, name),) = await named(school, held.students[:1])
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["期末成绩单"])
        sheet.write_row(2, 0, ["Score", "Remark", "Name", "Student number"])
        sheet.write_number(3, 0, 91.5)
        sheet.write_string(3, 2, f" {name[0]} {name[1:]} ")
        sheet.write_string(3, 3, number)
    report = await send(school, held.arrangement, buffer.getvalue())
    assert (report.entered, report.bad) == (1, ())
    assert [score for _, _, score in await grades(school)] == ["91.5"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_file"),
        (HEAD, "empty_file"),
        ("学号,成绩\n1,2", "header_not_found"),
        (f"{HEAD},身份证件号\n1,甲,80,,110", "unknown_column"),
        ("学号,姓名,成绩,分数\n1,甲,80,81", "duplicate_column"),
        (HEAD + "\n1,甲,80," * 1001, "too_large"),
        ("PK\x03\x04", "unreadable_workbook"),
    ],
)
async def test_what_is_no_grade_sheet(school: School, content: str, code: str) -> None:
    held = await arranged(school)
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await send(school, held.arrangement, content)
    assert refused.value.code == code
    assert await school.counts() == before


async def test_only_academic_affairs_sends_and_fills_sheets(school: School) -> None:
    held = await arranged(school)
    ((number, name),) = await named(school, held.students[:1])
    before = await school.counts()
    for subject in ("director", "teacher", "information", "principal", "archive", "logistics", "analysis"):
        with pytest.raises(RegistrarError) as refused:
            await send(school, held.arrangement, f"{HEAD}\n{number},{name},85,", subject)
        assert refused.value.code == "forbidden", subject
        with pytest.raises(RegistrarError) as refused:
            await grade_sheet_template(school.store, await school.viewer(subject), held.arrangement)
        assert refused.value.code == "forbidden", subject
    assert await school.counts() == before
    for key in (ObjectId(), held.course):
        with pytest.raises(RegistrarError) as refused:
            await send(school, key, f"{HEAD}\n{number},{name},85,")
        assert refused.value.code == "not_found"


async def test_a_student_out_of_sight_is_as_unknown_as_nobody(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await arranged(school)
    ((number, name),) = await named(school, held.students[:1])
    sheet = f"{HEAD}\n{number},{name},85,\n404404,{name},85,"
    office = await school.viewer(OFFICE)
    # Of a policy by which the post reads of nobody what tells a student on a sheet.
    blind = office.policy.rules.model_copy(update={"by_post": {}})
    viewer = replace(office, policy=AccessPolicy(blind))
    with pytest.raises(RegistrarError) as refused:
        await enter_grade_sheet(school.store, viewer, sheet.encode(), held.arrangement)
    assert refused.value.code == "forbidden"
    with pytest.raises(RegistrarError) as refused:
        await grade_sheet_template(school.store, viewer, held.arrangement)
    assert refused.value.code == "forbidden"
    # Of one by which only a class is in sight, a number outside it is answered as one of nobody.
    monkeypatch.setattr(StudentScope, "visible", {"class_name": SECOND})
    report = await enter_grade_sheet(school.store, office, sheet.encode(), held.arrangement, dry_run=True)
    assert told(report) == [(2, "学号", "not_found"), (3, "学号", "not_found")]
    assert len({error.message for row in report.bad for error in row.errors}) == 1


@pytest.mark.parametrize("file_type", list(FileType))
async def test_the_template_comes_back_filled_in(school: School, file_type: FileType) -> None:
    held = await arranged(school)
    office = await school.viewer(OFFICE)
    empty = await grade_sheet_template(school.store, office, held.arrangement, file_type)
    rows = read_grades(empty)
    assert [(row.number, row.name) for row in rows] == await named(school, held.students)
    report = await send(school, held.arrangement, empty)
    assert told(report) == [(row, "成绩", "required") for row in (2, 3, 4)]
    lines = [f"{row.number},{row.name},{80 + row.sheet_row}," for row in rows]
    assert (await send(school, held.arrangement, "\n".join([HEAD, *lines]))).entered == 3


async def test_a_retake_is_of_any_class(school: School) -> None:
    held = await arranged(school)
    second = await arrange(school, held.term, held.course, SECOND)
    ((number, name),) = await named(school, held.students[:1])
    sheet = f"{HEAD}\n{number},{name},85,"
    assert told(await send(school, second, sheet)) == [(2, "学号", "not_in_class")]
    assert told(await send(school, second, sheet, kind=GradeKind.RETAKE)) == [(2, "学号", "wrong_state")]
    await send(school, held.arrangement, f"{HEAD}\n{number},{name},50,")
    assert (await send(school, second, sheet, kind=GradeKind.RETAKE)).entered == 1


def test_spellings_of_one_name() -> None:
    assert (
        same_name("王 晨", "王晨") and same_name("买买提·艾力", "买买提•艾力") and same_name("Anna", "ANNA")
    )
    assert not same_name("王晨", "王辰") and not same_name("", "王晨")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters=',"\r\n\0'), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=15))
def test_each_row_is_read_or_refused_and_none_is_lost(lines: list[tuple[str, ...]]) -> None:
    content = "\n".join([HEAD, *(",".join(line) for line in lines)]).encode()
    try:
        rows = read_grades(content)
    except RegistrarError as refused:
        assert refused.code in ("empty_file", "unreadable_workbook")
        return
    sheet = open_table(
        io.BytesIO(content), lambda texts: len(set(HEAD.split(",")) & set(texts)), row_limit=99
    )
    assert [row.sheet_row for row in rows] == [row.sheet_row for row in sheet.rows]
    for row in rows:
        assert row.errors or (row.number and row.name and row.status in GradeStatus)


async def test_rows_are_entered_or_told_or_missing(school: School) -> None:
    """Whatever is mixed of a class: each row is valid or bad, each student has a row or is missing."""
    held: Arranged = await arranged(school)
    people = await named(school, held.students)
    for mask in range(27):
        kinds = [mask % 3, mask // 3 % 3, mask // 9]
        lines = [
            f"{number},{name},{'85' if kind == 1 else 'x'},"
            for kind, (number, name) in zip(kinds, people, strict=True)
            if kind
        ]
        if not lines:
            continue
        report = await send(school, held.arrangement, "\n".join([HEAD, *lines]), dry_run=True)
        assert (report.rows, report.valid) == (len(lines), kinds.count(1))
        assert len(report.bad) == kinds.count(2)
        assert sorted(report.missing) == sorted(
            key for kind, key in zip(kinds, held.students, strict=True) if not kind
        )


QUERY = """mutation ($file: Upload!, $id: ID!) { gradeSheetImport(input: {file: $file, arrangementId: $id}) {
  report { rows valid entered missing bad { sheetRow errors { column code messageZh messageEn } } }
  errors { code field } } }"""


async def test_over_http(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    held = await arranged(school)
    key = global_id("CourseArrangement", held.arrangement)
    answer = await http.get(f"/grade-sheets/{key}.csv", headers=bearer(OFFICE))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    for subject in ("teacher", "director"):
        assert (await http.get(f"/grade-sheets/{key}.xlsx", headers=bearer(subject))).status_code == 403
    assert (await http.get(f"/grade-sheets/{key}.xlsx")).status_code == 401
    filled = answer.text.replace(",,", ",88,", 1)

    async def sent(subject: str, content: str) -> Any:
        form = {
            "operations": json.dumps({"query": QUERY, "variables": {"file": None, "id": key}}),
            "map": json.dumps({"0": ["variables.file"]}),
        }
        files = {"0": (f"{FIRST}.csv", content.encode())}
        response = await http.post("/graphql", data=form, files=files, headers=bearer(subject))
        return response.json()["data"]["gradeSheetImport"]

    refused = await sent("teacher", filled)
    assert (refused["report"], [error["code"] for error in refused["errors"]]) == (None, ["forbidden"])
    report = (await sent(OFFICE, filled))["report"]
    assert (report["rows"], report["valid"], report["entered"]) == (3, 1, 0)
    assert [row["errors"][0]["code"] for row in report["bad"]] == ["required", "required"]
    one = "\n".join(filled.splitlines()[:2])
    report = (await sent(OFFICE, one))["report"]
    assert (report["entered"], report["bad"]) == (1, [])
    assert report["missing"] == [global_id("Student", student) for student in held.students[1:]]
