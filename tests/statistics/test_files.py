"""Charts and workbooks say what GraphQL says, in either language, and a suppressed cell nowhere."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import matplotlib
import pytest
from PIL import Image
from python_calamine import CalamineWorkbook

from api.app import create_app
from api.sign_in import SignIn
from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.statistics.charts import CATEGORIES_LIMIT, SERIES_LIMIT, ChartType, chart_of
from archive_store.statistics.figures import Figure, Series, Suppressed
from archive_store.statistics.flows import student_flows
from archive_store.statistics.periods import PeriodUnit
from archive_store.statistics.wording import Language
from archive_store.statistics.workbooks import workbook_of
from archive_store.students.documents import Student
from tests.school import School
from tests.statistics.populations import grade, period, school_of_grades, stored, stored_grades, student

pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing")
# It has no Chinese, which no test reads from a picture.
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
QUESTIONS = {
    "students": {"groupBy": "CLASS_NAME,STATUS"},
    "flows": {"by": "MONTH", "fromMonth": "2023-09", "toMonth": "2024-08", "groupBy": "CLASS_NAME"},
    "stocks": {"months": "2023-10,2024-06", "groupBy": "CLASS_NAME"},
    "grades": {"terms": "2024-1", "by": "CLASS"},
}
ENDINGS = ("svg", "png", "xlsx")
SUSPENDED, ENTERED = date(2024, 3, 4), date(2023, 9, 1)


def members(class_name: str, number: int, suspended: int) -> list[Any]:
    rows = []
    for place in range(number):
        periods = [period("ENROLLED", ENTERED)]
        if place < suspended:
            periods[0]["effective_to"] = "2024-03-03"
            periods.append(period("SUSPENDED", SUSPENDED, cause="SUSPEND"))
        rows.append(student(periods, class_name))
    return rows


async def populate(school: School, few: int) -> None:
    """Of the first class `few` are suspended, and `few` do not pass; 17 of the second are suspended."""
    for name in ("students", "grade_records", "terms", "courses", "cohorts", "school_classes"):
        await school.store.database.mongo[name].delete_many({})
    rows = [*members("七1班", 30, few), *members("七2班", 40, 17)]
    await stored(school.store, rows)
    terms, _ = await school_of_grades(school.store, random.Random(0), most=0)
    courses = await school.store.database.mongo["courses"].find({"code": "MATH"}).to_list()
    # Of the same mean and median, which are told.
    lesser = ["72"] * 8 + ["41"] * 2 if few == 2 else ["79"] * 4 + ["78"] * 3 + ["36"] * 3
    scores = ["95"] * 20 + lesser
    grades = [grade(terms[0], courses[0], "七1班", "ENTERED", score) for score in scores]
    await stored_grades(school.store, grades)


@pytest.fixture
async def bare(school: School) -> School:
    await populate(school, 2)
    return school


@pytest.fixture
async def client(store: Store, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Of a school that has a font."""
    app = create_app(settings)
    with_font = settings.model_copy(update={"certificate_font_file": FONT})
    app.state.store, app.state.sign_in = replace(store, settings=with_font), SignIn(settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://registrar.test") as held:
        yield held


def texts_of_svg(data: bytes) -> list[str]:
    root = ElementTree.fromstring(data)  # noqa: S314
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def sheets_of(data: bytes) -> list[list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [book.get_sheet_by_index(place).to_python() for place in range(len(book.sheet_names))]


def charts_of(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name).decode() for name in archive.namelist() if "charts/chart" in name]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_each_question_is_a_chart_and_a_workbook(
    bare: School, client: httpx.AsyncClient, bearer: Any, question: str
) -> None:
    for ending, begins in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("xlsx", b"PK")):
        address = f"/statistics/{question}.{ending}"
        got = await client.get(address, params=QUESTIONS[question], headers=bearer("analysis"))
        assert got.status_code == 200, got.text
        assert got.content.startswith(begins)
        assert got.headers["content-disposition"] == f'attachment; filename="{question}.{ending}"'
        assert (got.headers["cache-control"], got.headers["x-content-type-options"]) == (
            "no-store",
            "nosniff",
        )
        if ending == "png":
            assert Image.open(io.BytesIO(got.content)).size == (1320, 720)
        if ending == "svg":
            texts = texts_of_svg(got.content)
            assert "*" in texts
            assert any("已隐去" in text for text in texts)
        if ending == "xlsx":
            data, _ = sheets_of(got.content)
            assert any("*" in row for row in data)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_suppressed_is_in_no_byte(
    bare: School, client: httpx.AsyncClient, bearer: Any, question: str, ending: str
) -> None:
    """Two schools that differ in a suppressed number alone have the same file."""
    address, files = f"/statistics/{question}.{ending}", []
    told = QUESTIONS[question]
    if question in ("students", "stocks"):
        told = (
            {**told, "groupBy": "GENDER,STATUS"} if question == "students" else {**told, "groupBy": "GENDER"}
        )
    for few in (2, 3):
        await populate(bare, few)
        # The second class makes up for it, so that what is told is the same.
        if few == 3:
            await less_of_the_others(bare)
        got = await client.get(address, params=QUESTIONS[question], headers=bearer("analysis"))
        assert got.status_code == 200
        files.append(got.content)
    assert files[0] == files[1]


async def less_of_the_others(school: School) -> None:
    """One less is suspended in the second class."""
    students = school.store.database.collection(Student)
    row = await students.find_one({"class_name": "七2班", "status": "SUSPENDED"})
    assert row is not None
    whole = [period("ENROLLED", ENTERED)]
    await students.update_one({"_id": row["_id"]}, {"$set": {"status": "ENROLLED", "status_periods": whole}})


async def test_a_workbook_has_the_figures_of_the_question_and_its_chart(
    bare: School, client: httpx.AsyncClient, bearer: Any
) -> None:
    params = {**QUESTIONS["flows"], "groupBy": "CLASS_NAME", "lang": "en"}
    got = await client.get("/statistics/flows.xlsx", params=params, headers=bearer("director"))
    viewer = await bare.viewer("director")
    by = [StudentDimension.CLASS_NAME]
    answer = await student_flows(bare.store, viewer, PeriodUnit.MONTH, "2023-09", "2024-08", by)
    data, chart = sheets_of(got.content)
    assert data[0][0] == "Flows of students"
    assert data[1] == ["Period", "Flow", "Grade", "Class", "Students who flowed"]
    expected = [
        (cell["period"], cell["class_name"], "*" if cell["suppressed"] else cell["count"])
        for cell in answer.cells
    ]
    assert [(row[0], row[3], row[4]) for row in data[2 : 2 + len(expected)]] == expected
    assert {count for *_, count in expected} == {30, 40, "*"}
    # Blank where suppressed, 0 where there is none.
    table = {row[0]: row[1:] for row in chart[1:3]}
    assert table == {"2023-09": [30, 40, 0, 0], "2024-03": [0, 0, "", ""]}
    (cached,) = charts_of(got.content)
    values = re.findall(r"<c:val>.*?</c:val>", cached, re.S)
    assert [re.findall(r"<c:v>(.*?)</c:v>", held) for held in values] == [
        ["30", "0"],
        ["40", "0"],
        ["0"],
        ["0"],
    ]


async def test_titles_are_of_the_language_that_is_preferred(
    bare: School, client: httpx.AsyncClient, bearer: Any
) -> None:
    async def title(accepts: str | None, **more: str) -> str:
        headers = {**bearer("analysis"), **({"Accept-Language": accepts} if accepts else {})}
        params = {**QUESTIONS["stocks"], **more}
        got = await client.get("/statistics/stocks.xlsx", params=params, headers=headers)
        return str(sheets_of(got.content)[0][0][0])

    zh, en = "在册数趋势", "Students on record by month"
    assert await title(None) == zh
    assert await title("zh-CN,zh;q=0.9,en;q=0.8") == zh
    assert await title("fr, en-GB;q=0.8, zh;q=0.3") == en
    assert await title("zh;q=x, en") == en
    assert await title("zh-CN", lang="en") == en
    assert await title("en", lang="zh") == zh


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_who_may_not_count_is_given_no_file(
    bare: School, client: httpx.AsyncClient, bearer: Any, question: str, ending: str
) -> None:
    address = f"/statistics/{question}.{ending}"
    assert (await client.get(address, params=QUESTIONS[question])).status_code == 401
    refused = ["information", "archive", "admissions", "logistics", "teacher"]
    for subject in [*refused, *(["deputy-1"] if question == "grades" else [])]:
        got = await client.get(address, params=QUESTIONS[question], headers=bearer(subject))
        assert (got.status_code, got.json()["error"]["code"]) == (403, "forbidden"), subject


@pytest.mark.parametrize(
    ("address", "params", "status", "field"),
    [
        ("students.gif", {}, 404, None),
        ("secrets.svg", {}, 404, None),
        ("students.svg", {}, 400, "groupBy"),
        ("students.svg", {"groupBy": "NAME"}, 400, "groupBy"),
        ("students.svg", {"groupBy": "GRADE", "where": "x"}, 400, "where"),
        ("students.svg", {"groupBy": "GRADE", "birthYear": "²²²²"}, 422, "birthYear"),
        ("flows.svg", {"by": "DAY"}, 400, "by"),
        ("flows.svg", {"by": "TERM"}, 422, "fromMonth"),
        ("flows.xlsx", {"by": "TERM", "fromMonth": "2024-1", "toMonth": "2024-03"}, 422, "fromMonth"),
        ("stocks.svg", {"months": ""}, 422, "months"),
        ("grades.svg", {"terms": "2024-1", "lang": "fr"}, 400, "lang"),
        ("grades.svg", {"terms": "2024-3"}, 400, "terms.0"),
    ],
)
async def test_what_is_asked_amiss_is_named(
    bare: School,
    client: httpx.AsyncClient,
    bearer: Any,
    address: str,
    params: dict[str, str],
    status: int,
    field: str | None,
) -> None:
    got = await client.get(f"/statistics/{address}", params=params, headers=bearer("analysis"))
    assert (got.status_code, got.json()["error"]["field"]) == (status, field)


async def test_without_a_font_there_is_no_png(bare: School, http: httpx.AsyncClient, bearer: Any) -> None:
    for ending, status in (("png", 409), ("svg", 200), ("xlsx", 200)):
        address = f"/statistics/stocks.{ending}"
        got = await http.get(address, params=QUESTIONS["stocks"], headers=bearer("analysis"))
        assert got.status_code == status, got.text
    svg = await http.get("/statistics/stocks.svg", params=QUESTIONS["stocks"], headers=bearer("analysis"))
    assert "在册数趋势" in texts_of_svg(svg.content)


def figure(**more: Any) -> Figure:
    told: dict[str, Any] = {
        "name": "students",
        "language": Language.ZH,
        "title": "标题 $x^2$ <b>&",
        "notes": ["注"],
        "headers": ["班级", "人数"],
        "numbers": 1,
        "rows": [['=cmd|"/c calc"!A1', 7], ["<script>", Suppressed.CELL]],
        "axis": "班级",
        "counted": "人数",
        "categories": ['=cmd|"/c calc"!A1', "<script>"],
        "series": [Series("=1+1", [7, Suppressed.CELL])],
    }
    return Figure(**{**told, **more})


def test_names_are_text_and_nothing_else() -> None:
    svg = chart_of(figure(), ChartType.SVG, FONT)
    texts = texts_of_svg(svg)
    assert {"标题 $x^2$ <b>&", '=cmd|"/c calc"!A1', "<script>"} <= set(texts)
    book = workbook_of(figure())
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if "sheet" in name]
    assert not any("<f>" in sheet for sheet in sheets)
    assert sheets_of(book)[0][2] == ['=cmd|"/c calc"!A1', 7]


def test_more_than_a_chart_holds_is_in_the_workbook_alone() -> None:
    many = [str(number) for number in range(CATEGORIES_LIMIT + 1)]
    wide = figure(categories=many, series=[Series("人数", [1] * len(many))])
    tall = figure(series=[Series(str(number), [1, 2]) for number in range(SERIES_LIMIT + 1)])
    for large, field in ((wide, "categories"), (tall, "series")):
        with pytest.raises(RegistrarError) as caught:
            chart_of(large, ChartType.SVG, FONT)
        assert caught.value.field == field
        book = workbook_of(large)
        assert (len(sheets_of(book)), charts_of(book)) == (1, [])


def test_a_figure_without_rows_is_drawn() -> None:
    empty = figure(rows=[], categories=[], series=[])
    assert chart_of(empty, ChartType.PNG, FONT).startswith(b"\x89PNG")
    assert len(sheets_of(workbook_of(empty))) == 1
