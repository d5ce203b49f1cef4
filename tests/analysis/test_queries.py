"""Who counts and who sees pseudonymised rows, and that neither leads to a student."""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from api.dev.demo import STAFF
from api.dev.roster import demo_workbook
from archive_store.access.rules import Scope
from archive_store.analysis.dimensions import (
    STATISTICS_CLASSES,
    WITHIN,
    StudentDimension,
    StudentStatisticsFilter,
)
from archive_store.analysis.queries import pseudonymised_students, student_statistics
from archive_store.analysis.rules import ROW_FIELDS
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths, field_classes
from archive_store.foundation.posts import Post
from archive_store.imports.operations import import_roster
from archive_store.students.documents import Student, StudentStatus
from schema.context import Context
from schema.root import build_schema
from tests.graphql.test_schema import recorded
from tests.school import School

DIMENSIONS = list(StudentDimension)
ROWS = """query($first: Int!, $after: String) { pseudonymisedStudents(first: $first, after: $after) {
  edges { cursor node { pseudonym gender birthYear grade status enrolledMonth admissionMethod boarding
    studentSource } } pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
async def large(school: School) -> School:
    """With 120 students more, of another cohort."""
    roster = demo_workbook(120, cohort=2022, seed=2)
    information = await school.viewer("information")
    await import_roster(school.store, information, roster, file_name="2022级花名册.xlsx", dry_run=False)
    return school


async def ask(school: School, subject: str, query: str, **variables: Any) -> Any:
    context = Context(school.store, await school.viewer(subject))
    return await build_schema().execute(query, variable_values=variables, context_value=context)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_dimension_shows_an_unencrypted_leaf_of_an_open_class(dimension: StudentDimension) -> None:
    assert dimension.path in field_classes(Student)
    assert dimension.field_class in STATISTICS_CLASSES
    assert dimension.path not in encrypted_paths(Student)


def test_the_tables_of_names_agree() -> None:
    names = [dimension.attribute for dimension in DIMENSIONS]
    assert list(StudentStatisticsFilter.__dataclass_fields__) == names
    types = build_schema()._schema.type_map  # type: ignore[attr-defined]
    cell = types["StudentStatisticsCell"].fields
    assert set(types["StudentStatisticsFilter"].fields) == set(cell) - {"count", "suppressed"}
    assert len(cell) == len(names) + 2
    assert set(ROW_FIELDS) <= set(names)
    assert all(inner in DIMENSIONS and outer in DIMENSIONS for inner, outer in WITHIN.items())


def test_a_pseudonym_stands_in_its_row_alone() -> None:
    types = build_schema()._schema.type_map  # type: ignore[attr-defined]
    holders = {name for name, held in types.items() if "pseudonym" in getattr(held, "fields", {})}
    assert holders == {"PseudonymisedStudent"}


@pytest.mark.parametrize(
    "subject",
    ["director", "deputy-1", "analysis", "vice-principal", "principal", "academic-affairs"],
)
async def test_holders_of_a_statistics_post_count(large: School, subject: str) -> None:
    viewer = await large.viewer(subject)
    where = StudentStatisticsFilter(status=StudentStatus.ENROLLED)
    found = await student_statistics(large.store, viewer, [StudentDimension.ENROLLED_MONTH], where)
    assert found.smallest_cell == 5
    assert found.cells == [
        {"status": "ENROLLED", "enrolled_month": "2022-09", "count": 120, "suppressed": False},
        {"status": "ENROLLED", "enrolled_month": "2023-09", "count": 6, "suppressed": False},
    ]


@pytest.mark.parametrize("subject", ["information", "archive", "admissions", "logistics", "teacher"])
async def test_others_do_not(school: School, settings: Any, subject: str) -> None:
    query = "{ studentStatistics(groupBy: [GRADE]) { cells { count } } }"
    commands, result = await recorded(school, settings, subject, query)
    assert result.data is None
    assert result.errors[0].extensions["code"] == ErrorCode.FORBIDDEN
    assert [name for name in commands.names if "students" in name] == []


async def test_a_service_counts_by_its_scopes(large: School) -> None:
    service = replace(await large.viewer("service"), posts=frozenset({Post.ANALYSIS_GROUP}))
    grade, ethnic_group = StudentDimension.GRADE, StudentDimension.ETHNIC_GROUP

    async def code(scopes: set[Scope], *by: StudentDimension) -> tuple[str, str | None] | None:
        try:
            await student_statistics(large.store, replace(service, scopes=frozenset(scopes)), by)
        except RegistrarError as error:
            return error.code, error.field
        return None

    assert await code({Scope.STUDENT_READ}, grade) == (ErrorCode.FORBIDDEN, None)
    assert await code({Scope.STATISTICS_READ}, grade) is None
    refused = (ErrorCode.FORBIDDEN, "groupBy.ethnic_group")
    assert await code({Scope.STATISTICS_READ}, grade, ethnic_group) == refused
    assert await code({Scope.STATISTICS_READ, Scope.STUDENT_READ_PERSONAL}, ethnic_group) is None
    with pytest.raises(RegistrarError) as caught:
        limited = replace(service, scopes=frozenset({Scope.STATISTICS_READ}))
        where = StudentStatisticsFilter(ethnic_group="01")
        await student_statistics(large.store, limited, [grade], where)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "where.ethnic_group")


@pytest.mark.parametrize("dimension", ["HEALTH_STATUS", "IDENTITY_NUMBER", "ADDRESS", "IS_ORPHAN", "NAME"])
async def test_a_forbidden_dimension_is_refused_by_name(
    school: School, settings: Any, dimension: str
) -> None:
    query = f"{{ studentStatistics(groupBy: [GRADE, {dimension}]) {{ cells {{ count }} }} }}"
    commands, result = await recorded(school, settings, "director", query)
    assert dimension in result.errors[0].message
    assert [name for name in commands.names if "students" in name] == []


async def test_a_dimension_whose_leaf_is_sealed_later_is_refused(
    school: School, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class decides, not the list of dimensions."""
    from archive_store.analysis import dimensions

    sealed = {**field_classes(Student), "boarding": "F3"}
    monkeypatch.setattr(dimensions, "field_classes", lambda _: sealed)
    query = "{ studentStatistics(groupBy: [GRADE, BOARDING]) { cells { count } } }"
    commands, result = await recorded(school, settings, "director", query)
    extensions = result.errors[0].extensions
    assert (extensions["code"], extensions["field"]) == (ErrorCode.FORBIDDEN, "groupBy.boarding")
    assert [name for name in commands.names if "students" in name] == []


@pytest.mark.parametrize(
    ("by", "where", "field"),
    [
        ([], {}, "groupBy"),
        (DIMENSIONS[:4], {}, "groupBy"),
        (DIMENSIONS[:3], {"grade": "七年级", "boarding": "1"}, "where"),
        (DIMENSIONS[:3], {"class_name": "2023级1班"}, "where"),  # which brings its grade
    ],
)
async def test_dimensions_have_bounds(
    school: School, by: list[StudentDimension], where: dict[str, str], field: str
) -> None:
    with pytest.raises(RegistrarError) as caught:
        analysis = await school.viewer("analysis")
        await student_statistics(school.store, analysis, by, StudentStatisticsFilter(**where))  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, field)


async def test_counts_are_those_of_the_records_in_one_aggregate(large: School, settings: Any) -> None:
    query = """{ studentStatistics(groupBy: [CLASS_NAME], where: {gender: FEMALE}) {
        cells { gender grade className boarding count suppressed } } }"""
    commands, result = await recorded(large, settings, "analysis", query)
    assert result.errors is None
    assert [name for name in commands.names if "students" in name] == ["aggregate students"]
    students = large.store.database.collection(Student)
    counts = Counter([row["class_name"] async for row in students.find({"gender": "2"})])
    assert counts == {"2022级1班": 20, "2022级2班": 20, "2022级3班": 20, "2023级1班": 3}
    cells = {cell["className"]: cell for cell in result.data["studentStatistics"]["cells"]}
    assert cells.keys() == counts.keys()
    for cell in cells.values():
        assert (cell["gender"], cell["grade"], cell["boarding"]) == ("FEMALE", "七年级", None)
    # The small class, and one beside it.
    shown = {name: cell["count"] for name, cell in cells.items() if not cell["suppressed"]}
    assert shown == {"2022级2班": 20, "2022级3班": 20}
    assert [cells[name]["count"] for name in ("2022级1班", "2023级1班")] == [None, None]


async def test_birth_years_are_numbers(large: School) -> None:
    where = StudentStatisticsFilter(birth_year=2010)
    viewer = await large.viewer("analysis")
    found = await student_statistics(large.store, viewer, [StudentDimension.GRADE], where)
    count = await large.store.database.collection(Student).count_documents(
        {"birth_date": {"$regex": "^2010"}}
    )
    assert count > 5
    assert found.cells == [{"birth_year": 2010, "grade": "七年级", "count": count, "suppressed": False}]


async def test_missing_and_null_values_are_one_cell(large: School) -> None:
    students = large.store.database.collection(Student)
    keys = [row["_id"] for row in await students.find({}, {"_id": 1}).limit(10).to_list()]
    await students.update_many({"_id": {"$in": keys[:5]}}, {"$set": {"boarding": None}})
    await students.update_many({"_id": {"$in": keys[5:]}}, {"$unset": {"boarding": 1}})
    viewer = await large.viewer("analysis")
    found = await student_statistics(large.store, viewer, [StudentDimension.BOARDING])
    assert [cell["count"] for cell in found.cells if cell["boarding"] is None] == [10]


@pytest.mark.parametrize("subject", [*(name for name, *_ in STAFF if name != "analysis"), "service"])
async def test_pseudonymised_rows_are_for_the_analysis_group(
    school: School, settings: Any, subject: str
) -> None:
    query = "{ pseudonymisedStudents(first: 1) { edges { cursor } } }"
    commands, result = await recorded(school, settings, subject, query)
    assert result.errors[0].extensions["code"] == ErrorCode.FORBIDDEN
    assert [name for name in commands.names if "students" in name] == []


async def all_rows(school: School, first: int) -> list[Any]:
    """The edges of every page."""
    edges: list[Any] = []
    after = None
    while True:
        result = await ask(school, "analysis", ROWS, first=first, after=after)
        assert result.errors is None
        page = result.data["pseudonymisedStudents"]
        edges += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges
        after = page["pageInfo"]["endCursor"]


async def test_pages_join_to_all_students_in_an_order_that_tells_nothing(large: School) -> None:
    students = await large.store.database.collection(Student).find().to_list()
    whole = await all_rows(large, 100)
    assert [edge["node"]["pseudonym"] for edge in whole] == sorted(row["pseudonym"] for row in students)
    assert await all_rows(large, 7) == whole
    by_pseudonym = {row["pseudonym"]: row for row in students}
    told = 0
    for edge in whole:
        node, row = edge["node"], by_pseudonym[edge["node"]["pseudonym"]]
        if node["birthYear"] is not None:
            told += 1
            assert node["birthYear"] == int(row["birth_date"][:4])
            assert node["gender"] == {"1": "MALE", "2": "FEMALE"}[row["gender"]]
        assert node["grade"] == row["grade"]
    assert told


async def test_a_response_holds_no_key_number_or_name(large: School) -> None:
    result = await ask(large, "analysis", ROWS, first=100)
    page = result.data["pseudonymisedStudents"]
    cursors = [edge["cursor"] for edge in page["edges"]]
    decoded = [base64.urlsafe_b64decode(cursor).decode("latin-1") for cursor in cursors]
    text = repr(page) + repr(decoded) + repr([bytes.fromhex(cursor) for cursor in cursors])
    students = large.store.database.collection(Student)
    for position in range(3):
        student = await large.student(position)
        for secret in (student.identity_number, student.national_student_number, student.phone):
            assert secret
            assert secret not in text
    async for row in students.find():
        for value in (row["_id"], row["person_id"], row["name"], row["auxiliary_number"], row["class_name"]):
            assert str(value) not in text
            assert base64.b64encode(str(value).encode()).decode().rstrip("=") not in text
        assert row["native_place"] not in text
        assert row["birth_date"] not in text
    assert all(re.fullmatch(r"[0-9a-f]{32}", cursor) for cursor in cursors)


async def test_rare_values_are_kept_back(large: School) -> None:
    students = large.store.database.collection(Student)
    lone = await students.find_one({})
    assert lone is not None
    await students.update_one(
        {"_id": lone["_id"]}, {"$set": {"birth_date": "1999-01-01", "status": "EXPELLED"}}
    )
    viewer = await large.viewer("analysis")
    page = await pseudonymised_students(large.store, viewer, first=100)
    second = await pseudonymised_students(large.store, viewer, first=100, after=page.rows[-1]["pseudonym"])
    rows = {row["pseudonym"]: row for row in (*page.rows, *second.rows)}
    row = rows[lone["pseudonym"]]
    assert (row["gender"], row["birth_year"], row["status"]) == (None, None, None)
    assert row["grade"] == lone["grade"]
    groups = Counter((row["grade"], row["gender"], row["birth_year"]) for row in rows.values())
    assert all(number >= 5 for (_, gender, _), number in groups.items() if gender is not None)


@pytest.mark.parametrize("cursor", ["", "x", "0" * 31, "0" * 33, "A" * 32, "🙂"])
async def test_a_forged_cursor_is_an_error_on_after(school: School, cursor: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        await pseudonymised_students(school.store, await school.viewer("analysis"), first=1, after=cursor)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "after")


async def test_a_page_costs_two_queries_and_loads_no_identity(large: School, settings: Any) -> None:
    query = "{ pseudonymisedStudents(first: 3) { edges { node { pseudonym } } } }"
    commands, result = await recorded(large, settings, "analysis", query)
    assert result.errors is None
    reads = [
        (name, projection)
        for name, projection in zip(commands.names, commands.projections, strict=True)
        if "students" in name
    ]
    assert [name for name, _ in reads] == ["find students", "aggregate students"]
    assert reads[0][1]["_id"] == 0
    assert set(reads[0][1]) == {"_id", "pseudonym", *ROW_FIELDS}


async def test_the_page_is_read_by_the_index(school: School) -> None:
    students = school.store.database.collection(Student)
    for query in ({"$type": "string"}, {"$type": "string", "$gt": "0" * 32}):
        plan = await students.find({"pseudonym": query}).sort("pseudonym", 1).explain()
        assert "one_pseudonym" in repr(plan["queryPlanner"]["winningPlan"])


async def test_no_history_holds_a_pseudonym(school: School) -> None:
    pseudonyms = {row["pseudonym"] async for row in school.store.database.collection(Student).find()}
    assert len(pseudonyms) == 6
    entries = await school.store.database.mongo["audit_entries"].find().to_list()
    assert entries
    assert "pseudonym" not in repr(entries)
    assert not any(pseudonym in repr(entries) for pseudonym in pseudonyms)
