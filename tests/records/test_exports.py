"""Exports: who exports which column of which student, what is written of it, and that it is a roster again."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import ObjectId
from python_calamine import CalamineWorkbook

import archive_store.students.exports as exports
from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant, Secrecy
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.verification import verify_history
from archive_store.foundation.code_tables import code_tables
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import (
    FieldClass,
    UnclassifiedFieldError,
    encrypted_paths,
    field_classes,
)
from archive_store.foundation.posts import Post
from archive_store.imports.operations import import_roster
from archive_store.imports.roster_columns import COLUMNS as ROSTER_COLUMNS
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import check_rows
from archive_store.people.documents import RoleGrant
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Export, Student, StudentStatus
from archive_store.students.export_columns import COLUMNS, ExportColumn, inert
from archive_store.students.export_files import FileType
from archive_store.students.exports import begin_export
from archive_store.students.queries import StudentFilter
from tests.conftest import STUDENTS
from tests.school import School

F0, F1, F2, F3, F4 = FieldClass
ROSTER_HEADERS = [column.header for column in ROSTER_COLUMNS]


async def exported(school: School, viewer: Viewer, **asked: Any) -> bytes:
    export = await begin_export(school.store, viewer, **asked)
    content = b"".join([piece async for piece in export.pieces()])
    await export.end()
    return content


def rows_of(content: bytes) -> list[dict[str, str]]:
    if content.startswith(b"PK"):
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        headers, *lines = workbook.get_sheet_by_index(0).to_python()
        return [dict(zip(map(str, headers), map(str, line), strict=True)) for line in lines]
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


async def records(school: School) -> list[Row]:
    return await school.store.database.collection(Export).find().to_list()


async def kinds(school: School) -> list[str]:
    rows = school.store.database.mongo[ENTRIES].find({"subject_type": "Export"}).sort("sequence", 1)
    return [row["kind"] async for row in rows]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.header)
def test_every_column_has_a_class(column: ExportColumn) -> None:
    assert field_classes(Student)[column.path] in FieldClass


@pytest.mark.parametrize("path", ["nosuch", "guardians", "guardians.0.nosuch", "status_periods"])
def test_a_column_without_a_class_is_a_defect(path: str) -> None:
    with pytest.raises(UnclassifiedFieldError):
        ExportColumn("列", path)


def test_the_columns_of_a_roster_are_exported_under_its_headers() -> None:
    told = {column.header: (column.field, column.is_phone) for column in COLUMNS if column.in_roster}
    assert told == {column.header: (column.field, column.is_phone) for column in ROSTER_COLUMNS}
    assert (
        len({column.header for column in COLUMNS})
        == len({column.field for column in COLUMNS})
        == len(COLUMNS)
    )


def test_every_code_and_status_becomes_a_text_that_is_read_back() -> None:
    for table in code_tables().values():
        assert {entry.code: table.code_of(entry.zh) for entry in table.entries} == {
            code: code for code in table.codes
        }
    (column,) = (column for column in COLUMNS if column.field == "status")
    texts = {column.cell({"status": status.value}) for status in StudentStatus}
    assert len(texts) == len(StudentStatus)
    ethnic = next(column for column in COLUMNS if column.field == "ethnic_group")
    assert (ethnic.cell({"ethnic_group": "01"}), ethnic.cell({"ethnic_group": "??"})) == ("汉族", "??")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        (" =1", "' =1"),
        ("=1", "'=1"),
        ("@A", "'@A"),
        ("王=1", "王=1"),
        ("-", "-"),
        ("", ""),
        ("'quoted", "'quoted"),
        ("+8613900000000", "'+8613900000000"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_compute_is_made_text(text: str, cell: str) -> None:
    assert inert(text) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("+8613900000000", "+8613900000000"),
        ("+86 139 0000 0000", "+86 139 0000 0000"),
        ("+86-139", "'+86-139"),
        ("+A1", "'+A1"),
        ("+", "+"),
        ("=1", "'=1"),
    ],
)
def test_a_phone_number_stays_readable(text: str, cell: str) -> None:
    assert inert(text, is_phone=True) == cell


@pytest.mark.parametrize("file_type", FileType)
@pytest.mark.parametrize(
    ("subject", "classes"),
    [
        ("director", {F0, F1, F2, F3}),
        ("deputy-1", {F0, F1}),  # F2 on the rows of the line
        ("deputy-2", {F0, F1}),
        ("information", {F0, F1, F2}),
        ("archive", {F0, F1, F2}),
        ("vice-principal", {F0, F1, F2}),
        ("principal", {F0, F1, F2}),
        ("academic-affairs", {F0, F1}),
        ("admissions", {F0, F1}),
        ("service", {F0, F1}),
        ("logistics", {F0}),
    ],
)
async def test_without_headers_each_post_gets_what_it_reads(
    school: School, subject: str, classes: set[FieldClass], file_type: FileType
) -> None:
    told = rows_of(await exported(school, await school.viewer(subject), file_type=file_type))
    assert len(told) == STUDENTS
    held = field_classes(Student)
    assert list(told[0]) == [c.header for c in COLUMNS if c.in_roster and held[c.path] in classes]
    assert all(row["姓名"] and row["班级"] for row in told)


@pytest.mark.parametrize(
    ("subject", "purpose", "header", "code"),
    [
        ("director", None, "联系电话", ErrorCode.PURPOSE_REQUIRED),
        ("director", None, "成员1联系电话", ErrorCode.PURPOSE_REQUIRED),
        ("deputy-1", "核对", "联系电话", ErrorCode.FORBIDDEN),
        ("information", "核对", "身份证件号", ErrorCode.FORBIDDEN),
        ("archive", "核对", "现住址", ErrorCode.FORBIDDEN),
        ("vice-principal", "核对", "健康状况", ErrorCode.FORBIDDEN),
        ("principal", "核对", "联系电话", ErrorCode.FORBIDDEN),
        ("academic-affairs", "核对", "出生日期", ErrorCode.FORBIDDEN),
        ("admissions", "核对", "成员1姓名", ErrorCode.FORBIDDEN),
        ("service", "核对", "成员2联系电话", ErrorCode.FORBIDDEN),
        ("logistics", "核对", "学籍辅号", ErrorCode.FORBIDDEN),
        ("teacher", "核对", "联系电话", ErrorCode.FORBIDDEN),
    ],
)
async def test_a_column_that_is_read_on_no_row_is_refused_by_name(
    school: School, subject: str, purpose: str | None, header: str, code: ErrorCode
) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await begin_export(school.store, await school.viewer(subject, purpose), headers=["班级", header])
    assert (caught.value.code, caught.value.field) == (code, f"columns.{header}")
    assert await school.counts() == before


@pytest.mark.parametrize(("headers", "field"), [(None, "columns"), (["姓名"], "columns.姓名")])
async def test_the_analysis_group_exports_nothing(
    school: School, headers: list[str] | None, field: str
) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await begin_export(school.store, await school.viewer("analysis"), headers=headers)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, field)
    assert await school.counts() == before


async def test_rights_without_sight_export_nothing(school: School) -> None:
    """A service account whose scopes have personal values in them, but not the records."""
    service = await school.viewer("service")
    blind = replace(
        service, posts=frozenset({Post.PRINCIPAL}), scopes=frozenset({Scope.STUDENT_READ_PERSONAL})
    )
    before = await school.counts()
    for headers, field in ((None, "columns"), (["出生日期"], "columns.出生日期")):
        with pytest.raises(RegistrarError) as caught:
            await begin_export(school.store, blind, headers=headers)
        assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, field)
    assert await school.counts() == before


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (["姓名", "无此列"], ErrorCode.UNKNOWN_COLUMN),
        (["name"], ErrorCode.UNKNOWN_COLUMN),
        ([""], ErrorCode.UNKNOWN_COLUMN),
        (["姓名", "班级", "姓名"], ErrorCode.DUPLICATE_COLUMN),
        ([], ErrorCode.REQUIRED),
    ],
)
async def test_wrong_columns(school: School, headers: list[str], code: ErrorCode) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await begin_export(school.store, await school.viewer("director"), headers=headers)
    assert (caught.value.code, caught.value.field) == (code, "columns")
    assert await school.counts() == before


async def test_family_exports_its_own_record_without_a_purpose(school: School) -> None:
    own = await school.student(1)
    await link_account(school.store, own.key, "pupil")
    await link_guardian_account(school.store, own.key, 0, "parent")
    for subject in ("pupil", "parent"):
        (row,) = rows_of(await exported(school, await school.viewer(subject, None)))
        assert (row["姓名"], row["联系电话"]) == (own.name, own.phone)
        assert list(row) == [column.header for column in COLUMNS if column.in_roster]


async def test_a_teacher_exports_the_own_classes_alone(school: School) -> None:
    teacher = await school.viewer("teacher")
    assert len(rows_of(await exported(school, teacher))) == STUDENTS

    async def teaching(class_name: str) -> Viewer:
        values = {"class_names": [class_name], "homeroom_class_names": []}
        own = {"person_id": teacher.person_id}
        await school.store.database.mongo["role_grants"].update_many(own, {"$set": values})
        return await school.viewer("teacher")

    told = rows_of(await exported(school, await teaching("2023级9班"), headers=["姓名"]))
    assert told == []
    taught = await teaching("2023级1班")
    with pytest.raises(RegistrarError) as caught:
        await exported(school, taught, headers=["出生日期"])
    assert caught.value.code is ErrorCode.FORBIDDEN


async def test_a_column_read_on_some_rows_is_blank_on_the_others(school: School) -> None:
    """Someone in academic affairs whose child is in the school."""
    child = await school.student(2)
    await link_guardian_account(school.store, child.key, 0, "parent")
    parent = await school.viewer("parent", None)
    held = RoleGrant(
        person_id=PydanticObjectId(parent.person_id),
        post=Post.ACADEMIC_AFFAIRS,
        valid_from=date(2024, 1, 1),
        qualified=True,
        confidentiality_undertaken=True,
    )
    await school.store.database.collection(RoleGrant).insert_one(held.to_bson())
    viewer = await school.viewer("parent", None)
    assert "联系电话" not in rows_of(await exported(school, viewer))[0]
    headers = ["学籍辅号", "联系电话", "成员1联系电话", "出生日期"]
    told = rows_of(await exported(school, viewer, headers=headers))
    assert len(told) == STUDENTS
    assert all(row["学籍辅号"] for row in told)
    assert [
        list(row.values()) for row in told if row["联系电话"] or row["成员1联系电话"] or row["出生日期"]
    ] == [[child.auxiliary_number, child.phone, child.guardians[0].phone, child.birth_date.isoformat()]]
    (event,) = await school.store.database.collection(AccessEvent).find().to_list()
    assert [group["subject_ids"] for group in event["groups"] if group["fields"]] == [[child.key]]


async def test_a_deputy_exports_personal_values_of_the_own_line(school: School) -> None:
    first = await school.student(0)
    students = school.store.database.collection(Student)
    await students.update_one({"_id": first.key}, {"$set": {"status": "GRADUATED"}})
    told = rows_of(await exported(school, await school.viewer("deputy-1"), headers=["学籍状态", "出生日期"]))
    assert [(row["学籍状态"], bool(row["出生日期"])) for row in told] == [
        ("毕业", False),
        *[("在读", True)] * (STUDENTS - 1),
    ]


async def test_a_grant_opens_one_row_and_one_view_of_it_is_taken(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    student, viewer = await school.student(3), await school.viewer("academic-affairs", None)
    grant = RetrievalGrant(
        grantee_id=PydanticObjectId(viewer.person_id),
        grantee_name=viewer.name,
        secrecy=Secrecy.SENSITIVE,
        purpose="核对",
        student_id=PydanticObjectId(student.key),
        expires_at=school.store.clock.now() + timedelta(days=1),
        views_allowed=1,
    )
    row = grant.to_bson()
    await school.store.cipher.encrypt_paths([row], encrypted_paths(RetrievalGrant))
    grants = school.store.database.collection(RetrievalGrant)
    await grants.insert_one(row)
    viewer = replace(viewer, grants=(grant.held(),))
    told = rows_of(await exported(school, viewer, headers=["姓名", "联系电话"]))
    assert [row["联系电话"] for row in told if row["联系电话"]] == [student.phone]
    row = await grants.find_one({"_id": grant.key})
    assert row is not None
    assert row["views_taken"] == 1


@pytest.mark.parametrize("file_type", FileType)
@pytest.mark.parametrize("page_rows", [1, 4, STUDENTS, 500])
async def test_an_export_is_a_roster_again(
    school: School, page_rows: int, file_type: FileType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", page_rows)
    student = await school.student(0)
    guardians = [
        {"name": held.name, "relation": held.relation, "phone": "+8613912345678", "workplace": held.workplace}
        for held in student.guardians
    ]
    await school.approve(
        "director", await school.request("information", student, phone="+86 13912345678", guardians=guardians)
    )
    director = await school.viewer("director")
    content = await exported(school, director, file_type=file_type)
    if file_type is FileType.CSV:
        assert content.startswith("\ufeff姓名,性别,".encode())
        assert content.endswith(b"\r\n")
        assert content.count(b"\r\n") == STUDENTS + 1
    assert list(rows_of(content)[0]) == ROSTER_HEADERS
    checked = check_rows(read_roster(content, row_limit=5000))
    assert checked.bad == []
    for position, row in enumerate(checked.good):
        stored = (await school.student(position)).to_bson()
        told = dict(row.values)
        for held, read in zip(stored["guardians"], told.pop("guardians"), strict=True):
            assert read == {name: held[name] for name in read}
            assert {name for name, value in held.items() if value is not None} == set(read)
        assert told == {name: stored[name] for name in told}
    before = await school.counts()
    outcome = await import_roster(
        school.store, director, content, file_name=f"导出.{file_type}", dry_run=True
    )
    assert (outcome.rows, outcome.added, outcome.already_on_record, outcome.bad) == (
        STUDENTS,
        0,
        STUDENTS,
        (),
    )
    # That the numbers were compared is recorded.
    assert (await school.counts()) == before | {
        name: before[name] + 1 for name in ("access_events", "audit_entries", "audit_heads")
    }


@pytest.mark.parametrize("file_type", FileType)
async def test_texts_with_separators_and_formulas(school: School, file_type: FileType) -> None:
    key = (await school.student(0)).key
    students = school.store.database.collection(Student)
    place = '=HYPERLINK("http://x","a"),\n"b"'
    await students.update_one({"_id": key}, {"$set": {"native_place": place, "guardians": []}})
    row = rows_of(await exported(school, await school.viewer("director"), file_type=file_type))[0]
    assert (row["籍贯"], row["成员1姓名"], row["成员2联系电话"]) == (f"'{place}", "", "")


async def test_what_is_written_of_an_export(school: School) -> None:
    student = await school.student(1)
    director = await school.viewer("director", "普查")
    where = StudentFilter(identity_number=student.identity_number, grade="七年级")
    (row,) = rows_of(
        await exported(school, director, headers=["姓名", "联系电话"], where=where, file_type=FileType.XLSX)
    )
    assert row == {"姓名": student.name, "联系电话": student.phone}
    (record,) = await records(school)
    assert (record["exported_by"], record["rows"], record["is_complete"]) == (director.person_id, 1, True)
    assert (record["columns"], record["filters"]) == (["姓名", "联系电话"], ["grade", "identity_number"])
    assert record["file_type"] == "xlsx"
    assert student.identity_number not in repr(record)
    entries = await school.store.database.mongo[ENTRIES].find({"subject_type": "Export"}).to_list()
    await school.store.cipher.decrypt_paths(entries, ["sealed"])
    begun, ended = sorted(entries, key=lambda entry: entry["sequence"])
    assert (begun["kind"], begun["actor_name"], begun["sealed"]["reason"]) == (
        "export:begin",
        director.name,
        "普查",
    )
    assert [(c["field"], c["after"]) for c in begun["sealed"]["changes"]] == [
        ("columns", ["姓名", "联系电话"]),
        ("filters", ["grade", "identity_number"]),
        ("file_type", "xlsx"),
    ]
    assert [(c["field"], c["after"]) for c in ended["sealed"]["changes"]] == [
        ("rows", 1),
        ("is_complete", True),
    ]
    assert student.identity_number not in repr(entries)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_one_record_of_readings_a_page_for_its_purpose(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 4)
    director = await school.viewer("director", "普查")
    await exported(school, director, headers=["姓名", "联系电话", "成员2联系电话"])
    events = await school.store.database.collection(AccessEvent).find().sort("_id", 1).to_list()
    await school.store.cipher.decrypt_paths(events, ["purpose"])
    assert [event["purpose"] for event in events] == ["普查"] * 2
    assert [group["fields"] for event in events for group in event["groups"]] == [
        ["guardians.phone", "phone"]
    ] * 2
    subjects = [key for event in events for group in event["groups"] for key in group["subject_ids"]]
    assert len(set(subjects)) == len(subjects) == STUDENTS
    await exported(school, director, headers=["姓名", "出生日期"])
    assert await school.store.database.collection(AccessEvent).count_documents({}) == 2


@pytest.mark.parametrize(
    ("subject", "where", "field"),
    [
        ("information", StudentFilter(identity_number="110105201105030011"), "where.identity_number"),
        ("logistics", StudentFilter(auxiliary_number="2023000001"), "where.auxiliary_number"),
    ],
)
async def test_a_filter_by_an_unreadable_field_leaves_nothing(
    school: School, subject: str, where: StudentFilter, field: str
) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await begin_export(school.store, await school.viewer(subject), headers=["姓名"], where=where)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, field)
    assert await school.counts() == before


async def test_filters_choose_the_rows(school: School) -> None:
    director, student = await school.viewer("director"), await school.student(3)

    async def names(**conditions: Any) -> int:
        where = StudentFilter(**conditions)
        return len(rows_of(await exported(school, director, headers=["姓名"], where=where)))

    assert await names(auxiliary_number=student.auxiliary_number) == 1
    assert await names(class_name="none") == 0
    assert await names(status=StudentStatus.ENROLLED, grade="七年级") == STUDENTS


async def test_an_export_that_breaks_off_says_so(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    export = await begin_export(school.store, await school.viewer("director"), headers=["姓名"])
    pieces = export.pieces()
    await anext(pieces)
    (record,) = await records(school)
    assert (record["_id"], record["rows"], record["is_complete"]) == (export.key, None, False)
    await pieces.aclose()
    await export.end()
    await export.end()
    (record,) = await records(school)
    assert (record["rows"], record["is_complete"]) == (2, False)
    assert await kinds(school) == ["export:begin", "export:break_off"]
    assert isinstance(export.key, ObjectId)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


@pytest.mark.parametrize("left", ["nothing", "a class", "fewer fields"])
async def test_an_export_ends_with_the_rights_of_who_exports(
    school: School, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    headers = ["姓名"] if left == "a class" else ["姓名", "身份证件号"]
    viewer = await school.viewer("director")
    export = await begin_export(school.store, viewer, headers=headers)
    pieces = export.pieces()
    await anext(pieces)
    own = {"person_id": viewer.person_id}
    after: dict[str, dict[str, Any]] = {
        "nothing": {"valid_to": "2024-07-31"},
        "a class": {"post": "TEACHER", "class_names": [(await school.student()).class_name]},
        "fewer fields": {"post": "LOGISTICS"},
    }
    await school.store.database.mongo["role_grants"].update_many(own, {"$set": after[left]})
    read = await school.store.database.collection(AccessEvent).count_documents({})
    with pytest.raises(RegistrarError) as caught:
        await anext(pieces)
    assert caught.value.code is ErrorCode.FORBIDDEN
    await export.end()
    (record,) = await records(school)
    assert (record["rows"], record["is_complete"]) == (2, False)
    assert await kinds(school) == ["export:begin", "export:break_off"]
    assert await school.store.database.collection(AccessEvent).count_documents({}) == read


async def test_an_export_takes_one_view_of_a_grant_over_all_its_pages(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 1)
    last = await school.student(STUDENTS - 1)
    viewer = await school.viewer("academic-affairs", None)
    for key in ((await school.student(0)).key, last.key):
        grant = RetrievalGrant(
            grantee_id=PydanticObjectId(viewer.person_id),
            grantee_name=viewer.name,
            secrecy=Secrecy.SENSITIVE,
            purpose="奖学金评审",
            student_id=PydanticObjectId(key),
            expires_at=school.store.clock.now() + timedelta(days=1),
            views_allowed=1,
        ).to_bson()
        await school.store.cipher.encrypt_paths([grant], encrypted_paths(RetrievalGrant))
        await school.store.database.collection(RetrievalGrant).insert_one(grant)
    viewer = await school.viewer("academic-affairs", None)
    rows = rows_of(await exported(school, viewer, headers=["姓名", "联系电话"]))
    assert len(rows) == STUDENTS
    assert sum(bool(row["联系电话"]) for row in rows) == 2
    taken = await school.store.database.collection(RetrievalGrant).find().to_list()
    assert [held["views_taken"] for held in taken] == [1, 1]
