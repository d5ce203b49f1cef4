"""Flows, stocks and distributions are those of the records, counted independently; small cells are told nowhere."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.policy import AccessPolicy
from archive_store.access.rules import DEFAULT_ACCESS_RULES, AccessRules, Scope
from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.statistics.flows import StudentFlow, student_flows
from archive_store.statistics.grade_rules import CountedGrade, GradeBand, distributions
from archive_store.statistics.grades import GradesBy, grade_distributions
from archive_store.statistics.periods import PeriodUnit
from archive_store.statistics.stocks import student_stocks
from archive_store.students.documents import Student
from schema.context import Context
from schema.root import build_schema
from tests.graphql.test_schema import recorded
from tests.school import School
from tests.statistics.populations import (
    CLASSES,
    band,
    period_of,
    random_student,
    school_of_grades,
    status_of,
    stored,
    student,
)
from tests.statistics.populations import period as ledger_period

K = 5
GENDER, CLASS_NAME, GRADE = StudentDimension.GENDER, StudentDimension.CLASS_NAME, StudentDimension.GRADE
EVER = ("2000-01", "2090-12")
FLOWS = """query($by: StatisticsPeriod!, $from: String!, $to: String!) {
  studentFlows(by: $by, fromMonth: $from, toMonth: $to, groupBy: [GENDER]) {
    smallestCell cells { period flow gender className count suppressed } } }"""
STOCKS = """{ studentStocks(months: ["2024-06", "2023-12"], groupBy: [CLASS_NAME]) {
    smallestCell cells { month status grade className count suppressed } } }"""
GRADES = """{ gradeDistributions(terms: ["2024-1"], courses: ["MATH"], by: CLASS) { smallestCell distributions {
    schoolYear termNumber courseCode courseName scheme grade className count suppressed passRate mean median
    bands { band count suppressed } } } }"""
QUESTIONS = {"flows": FLOWS, "stocks": STOCKS, "grades": GRADES}
FROM_TO = {"by": "TERM", "from": "2023-09", "to": "2024-08"}


@pytest.fixture
async def bare(school: School) -> School:
    """The people of the school, and no student."""
    await school.store.database.collection(Student).delete_many({})
    return school


async def filled(school: School, seed: int, number: int = 90) -> tuple[list[Any], list[tuple[Any, str, str]]]:
    chance, rows, flows = random.Random(seed), [], []
    for _ in range(number):
        row, moved = random_student(chance)
        rows.append(row)
        flows += [(row, day, flow) for day, flow in moved]
    await stored(school.store, rows)
    return rows, flows


def told(cells: Iterable[Mapping[str, Any]], *names: str) -> dict[tuple[Any, ...], int | None]:
    found = {tuple(cell[name] for name in names): cell["count"] for cell in cells}
    assert all(cell["suppressed"] == (cell["count"] is None) for cell in cells)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("unit", list(PeriodUnit))
async def test_flows_are_those_of_the_ledgers(bare: School, unit: PeriodUnit, seed: int) -> None:
    _, flows = await filled(bare, seed, 300)
    viewer = await bare.viewer("analysis")
    found = await student_flows(bare.store, viewer, unit, *EVER, [GENDER])
    cells = told(found.cells, "period", "flow", "gender")
    expected = Counter((period_of(day, unit), flow, row["gender"]) for row, day, flow in flows)
    assert cells.keys() == expected.keys()
    shown = {cell: count for cell, count in cells.items() if count is not None}
    assert len(shown) >= 2
    assert all(expected[cell] == count >= K for cell, count in shown.items())


@pytest.mark.parametrize("seed", range(6))
async def test_months_do_not_give_a_term_or_a_year_away(bare: School, seed: int) -> None:
    _, flows = await filled(bare, seed, 120)
    viewer = await bare.viewer("analysis")
    tables: dict[PeriodUnit, dict[Any, int | None]] = {}
    for unit in PeriodUnit:
        found = await student_flows(bare.store, viewer, unit, *EVER)
        tables[unit] = told(found.cells, "period", "flow")
    months = {period_of(day, "MONTH") for _, day, _ in flows}
    hidden = 0
    for coarse, fine in (("TERM", "MONTH"), ("SCHOOL_YEAR", "MONTH"), ("SCHOOL_YEAR", "TERM")):
        within: defaultdict[Any, list[int | None]] = defaultdict(list)
        above = {period_of(f"{month}-01", fine): period_of(f"{month}-01", coarse) for month in months}
        for (period, flow), count in tables[PeriodUnit(fine)].items():
            within[above[period], flow].append(count)
        for cell, total in tables[PeriodUnit(coarse)].items():
            counts = within[cell]
            if total is None:
                assert None in counts
            elif None in counts:
                hidden += 1
                assert counts.count(None) > 1
                assert total - sum(count for count in counts if count is not None) >= K
    assert hidden


async def test_a_cell_of_few_students_is_suppressed_however_often_they_flow(bare: School) -> None:
    days = ["2023-09-01", "2023-10-01", "2023-10-08", "2023-10-15", "2023-10-22"]
    statuses = ["ENROLLED", "SUSPENDED", "ENROLLED", "SUSPENDED", "ENROLLED"]
    spans = zip(statuses, days, [*days[1:], None], strict=True)
    twice = [
        {**ledger_period(status, _day(begins)), "effective_to": None if ends is None else _before(ends)}
        for status, begins, ends in spans
    ]
    once = [ledger_period("ENROLLED", _day("2023-09-01"))]
    rows = [student(twice) for _ in range(4)] + [student(once) for _ in range(20)]
    await stored(bare.store, rows)
    viewer = await bare.viewer("analysis")
    found = await student_flows(bare.store, viewer, PeriodUnit.MONTH, *EVER)
    cells = told(found.cells, "period", "flow")
    # 8 suspensions of 4 students.
    assert cells == {
        ("2023-09", "ENTER"): 24,
        ("2023-10", "SUSPEND"): None,
        ("2023-10", "RESUME"): None,
    }


async def test_only_periods_that_are_over_and_lie_in_the_range_are_told(bare: School) -> None:
    today = bare.store.clock.now().date()
    rows = [student([ledger_period("ENROLLED", today.replace(day=1))]) for _ in range(9)]
    rows += [student([ledger_period("ENROLLED", _day("2023-09-01"))]) for _ in range(8)]
    await stored(bare.store, rows)
    viewer = await bare.viewer("analysis")
    for unit in PeriodUnit:
        found = await student_flows(bare.store, viewer, unit, *EVER)
        assert [cell["count"] for cell in found.cells] == [8], unit
    for first, last, number in (
        ("2023-09", "2024-01", 1),
        ("2023-10", "2024-01", 0),
        ("2023-09", "2023-12", 0),
    ):
        found = await student_flows(bare.store, viewer, PeriodUnit.TERM, first, last)
        assert len(found.cells) == number
    kept = await student_flows(bare.store, viewer, PeriodUnit.MONTH, *EVER, [], [StudentFlow.DIE])
    assert kept.cells == []


@pytest.mark.parametrize("seed", range(4))
async def test_stocks_are_those_of_the_ledgers_on_the_day(bare: School, seed: int) -> None:
    rows, _ = await filled(bare, seed)
    viewer = await bare.viewer("director")
    months = {"2023-12": "2023-12-31", "2024-02": "2024-02-29", "2024-06": "2024-06-30"}
    found = await student_stocks(bare.store, viewer, list(months), [CLASS_NAME])
    cells = told(found.cells, "month", "status", "grade", "class_name")
    expected = Counter(
        (month, status, row["grade"], row["class_name"])
        for month, day in months.items()
        for row in rows
        if (status := status_of(row, day)) is not None
    )
    assert cells.keys() == expected.keys()
    shown = {cell: count for cell, count in cells.items() if count is not None}
    assert len(shown) >= 6
    assert all(expected[cell] == count >= K for cell, count in shown.items())


async def test_a_record_that_went_into_another_is_counted_once(bare: School) -> None:
    rows = [student([ledger_period("ENROLLED", _day("2023-09-01"))]) for _ in range(7)]
    rows[0] |= {"merged_into": ObjectId(), "status": "VOIDED"}
    await stored(bare.store, rows)
    viewer = await bare.viewer("analysis")
    flows = await student_flows(bare.store, viewer, PeriodUnit.MONTH, *EVER)
    stocks = await student_stocks(bare.store, viewer, ["2023-09"])
    assert [cell["count"] for cell in (*flows.cells, *stocks.cells)] == [6, 6]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by", list(GradesBy))
async def test_distributions_are_those_of_the_grades(bare: School, by: GradesBy, seed: int) -> None:
    _, grades = await school_of_grades(bare.store, random.Random(seed), most=40)
    viewer = await bare.viewer("analysis")
    found = await grade_distributions(bare.store, viewer, ["2024-1", "2024-2"], (), by)
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in grades:
        place = {"SCHOOL": (None, None), "GRADE": (CLASSES[row["class_name"]], None)}
        held = place.get(by, (CLASSES[row["class_name"]], row["class_name"]))
        groups[row["term"], row["course"], *held].append(row)
    assert found.distributions
    shown = values = 0
    for one in found.distributions:
        key = (f"{one.term.school_year}-{one.term.number}", one.course.code, one.grade, one.class_name)
        rows = groups.pop(key)
        bands = Counter(band(row) for row in rows)
        # Of fewer than the smallest cell, a band that is there would be somebody's grade.
        assert {each.band for each in one.bands} == (bands.keys() if len(rows) >= K else set())
        for each in one.bands:
            if not each.suppressed:
                shown += 1
                assert each.count == bands[each.band] >= K
        if one.told.count is not None:
            assert one.told.count == len(rows) >= K
        if one.told.pass_rate is not None:
            scored = [row for row in rows if row["score"] is not None]
            failed = [row for row in scored if band(row) in ("BELOW_60", "LEVEL_F")]
            assert one.told.pass_rate == round(1 - len(failed) / len(scored), 4)
            assert not any(each.suppressed for each in one.bands if each.band in ("BELOW_60", "LEVEL_F"))
        scores = [float(row["score"]) for row in rows if row["score"] and row["course"] == "MATH"]
        if one.told.mean is not None and one.told.median is not None:
            values += 1
            assert abs(one.told.mean - sum(scores) / len(scores)) <= 0.0500001
            assert abs(one.told.median - median(scores)) <= 0.0500001
    assert not groups
    assert shown
    assert values


@pytest.mark.parametrize("seed", range(8))
async def test_no_small_number_of_grades_can_be_subtracted(bare: School, seed: int) -> None:
    await school_of_grades(bare.store, random.Random(seed), most=25)
    viewer = await bare.viewer("analysis")
    answers = {
        by: (await grade_distributions(bare.store, viewer, ["2024-1"], ["MATH"], by)).distributions
        for by in GradesBy
    }

    def numbers(by: GradesBy, name: str | None) -> dict[Any, int | None]:
        """Of all bands together, or of one, by grade and class."""
        found: dict[Any, int | None] = {}
        for one in answers[by]:
            bands = {each.band: each.count for each in one.bands}
            if name is None or name in bands:
                found[one.grade, one.class_name] = one.told.count if name is None else bands[GradeBand(name)]
        return found

    hidden = 0
    for name in (None, *GradeBand):
        school, grades, classes = (numbers(by, name) for by in GradesBy)
        for outer, inner in ((school, grades), (grades, classes), (school, classes)):
            for place, total in outer.items():
                inside = [count for held, count in inner.items() if place[0] in (None, held[0])]
                told_inside = sum(count for count in inside if count is not None)
                if total is not None and None in inside:
                    hidden += 1
                    assert not 0 < total - told_inside < K
    for by in GradesBy:
        for one in answers[by]:
            counts = [each.count for each in one.bands]
            if one.told.count is not None and None in counts:
                assert one.told.count - sum(count for count in counts if count is not None) >= K
    assert hidden


def test_a_mean_is_not_told_of_few_scores_among_many_who_were_absent() -> None:
    def grades(place: str, scored: int, absent: int) -> list[CountedGrade]:
        held = [CountedGrade(("七年级", place), GradeBand.FROM_70, Decimal(75))] * scored
        return held + [CountedGrade(("七年级", place), GradeBand.ABSENT)] * absent

    found = distributions(
        [*grades("1", 2, 30), *grades("2", 20, 20), *grades("3", 30, 20)], K, within=[(1, 0)]
    )
    assert [one.count for one in found] == [32, 40, 50]
    # And of one more, since the mean of the grade would leave the two.
    assert [one.mean for one in found] == [None, None, 75.0]
    assert [one.median for one in found] == [None, None, 75.0]
    assert found[0].pass_rate is None


async def test_the_answers_in_graphql(bare: School, settings: Any) -> None:
    await filled(bare, 1)
    await school_of_grades(bare.store, random.Random(1), most=40)
    context = Context(bare.store, await bare.viewer("analysis"))
    schema = build_schema()
    flows = await schema.execute(FLOWS, variable_values=FROM_TO, context_value=context)
    assert flows.errors is None
    assert flows.data is not None
    cells = flows.data["studentFlows"]["cells"]
    assert {"period": "2023-1", "flow": "ENTER", "gender": "MALE"}.items() <= cells[0].items()
    assert (flows.data["studentFlows"]["smallestCell"], cells[0]["className"]) == (K, None)
    stocks = await schema.execute(STOCKS, context_value=context)
    assert stocks.errors is None
    assert stocks.data is not None
    found = stocks.data["studentStocks"]["cells"]
    assert [found[0]["month"], found[-1]["month"]] == ["2023-12", "2024-06"]
    assert {cell["grade"] for cell in found} == {"七年级", "八年级"}
    grades = await schema.execute(GRADES, context_value=context)
    assert grades.errors is None
    assert grades.data is not None
    one = grades.data["gradeDistributions"]["distributions"][0]
    place = (one["schoolYear"], one["termNumber"], one["courseCode"], one["courseName"], one["scheme"])
    assert place == (2024, 1, "MATH", "数学", "PERCENT")
    assert (one["grade"], one["className"]) == ("七年级", "七1班")
    assert one["bands"]


@pytest.mark.parametrize("question", ["flows", "stocks"])
async def test_one_aggregate_a_question(bare: School, settings: Any, question: str) -> None:
    await filled(bare, 2, 40)
    query = QUESTIONS[question].replace("query($by: StatisticsPeriod!, $from: String!, $to: String!)", "")
    query = query.replace("$by", "TERM").replace("$from", '"2023-09"').replace("$to", '"2024-08"')
    commands, result = await recorded(bare, settings, "analysis", query)
    assert result.errors is None
    assert [name for name in commands.names if "students" in name] == ["aggregate students"]


STATISTICS = ["director", "deputy-1", "analysis", "vice-principal", "principal", "academic-affairs"]


async def refusal(store: Store, viewer: Any, question: str) -> Any:
    try:
        if question == "flows":
            await student_flows(store, viewer, PeriodUnit.TERM, "2023-09", "2024-08")
        elif question == "stocks":
            await student_stocks(store, viewer, ["2024-06"])
        else:
            await grade_distributions(store, viewer, ["2024-1"])
    except RegistrarError as error:
        return error.code
    return None


@pytest.mark.parametrize("question", QUESTIONS)
async def test_who_may_count(school: School, question: str) -> None:
    """The deputy director counts students, and no grades."""
    held = {
        subject: await refusal(school.store, await school.viewer(subject), question) for subject in STATISTICS
    }
    expected = dict.fromkeys(STATISTICS, None)
    if question == "grades":
        expected["deputy-1"] = ErrorCode.FORBIDDEN  # type: ignore[assignment]
    assert held == expected


@pytest.mark.parametrize("question", QUESTIONS)
async def test_others_do_not_and_nothing_is_read(school: School, settings: Any, question: str) -> None:
    query = QUESTIONS[question].replace("query($by: StatisticsPeriod!, $from: String!, $to: String!)", "")
    query = query.replace("$by", "TERM").replace("$from", '"2023-09"').replace("$to", '"2024-08"')
    for subject in ("information", "archive", "admissions", "logistics", "teacher"):
        commands, result = await recorded(school, settings, subject, query)
        assert result.data is None
        assert result.errors[0].extensions["code"] == ErrorCode.FORBIDDEN
        names = ("students", "grade_records", "terms", "courses")
        assert [name for name in commands.names if name.endswith(names)] == []


async def test_a_service_counts_by_its_scopes(school: School) -> None:
    service = replace(await school.viewer("service"), posts=frozenset({Post.ANALYSIS_GROUP}))

    async def held(question: str, *scopes: Scope) -> Any:
        return await refusal(school.store, replace(service, scopes=frozenset(scopes)), question)

    assert await held("flows", Scope.STUDENT_READ, Scope.STUDENT_READ_SENSITIVE) == ErrorCode.FORBIDDEN
    assert await held("stocks", Scope.STATISTICS_READ) is None
    assert await held("grades", Scope.STATISTICS_READ) == ErrorCode.FORBIDDEN
    assert await held("grades", Scope.STUDENT_READ_SENSITIVE) == ErrorCode.FORBIDDEN
    assert await held("grades", Scope.STATISTICS_READ, Scope.STUDENT_READ_SENSITIVE) is None
    limited = replace(service, scopes=frozenset({Scope.STATISTICS_READ}))
    with pytest.raises(RegistrarError) as caught:
        by = [StudentDimension.ETHNIC_GROUP]
        await student_flows(school.store, limited, PeriodUnit.TERM, *EVER, by)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "group_by.ethnic_group")


@pytest.mark.parametrize(
    ("first", "last", "code", "field"),
    [
        ("2024", "2024-08", ErrorCode.INVALID_DATE, "from_month"),
        ("2024-01-01", "2024-08", ErrorCode.INVALID_DATE, "from_month"),
        ("2024-01", "2024-13", ErrorCode.INVALID_DATE, "to_month"),
        ("2024-02", "2024-01", ErrorCode.INVALID_DATE, "to_month"),
    ],
)
async def test_bounds_are_whole_months(school: School, first: str, last: str, code: str, field: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        await student_flows(school.store, await school.viewer("analysis"), PeriodUnit.MONTH, first, last)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("months", "code"),
    [
        ([], ErrorCode.REQUIRED),
        (["2024-06-15"], ErrorCode.INVALID_DATE),
        (["2090-01"], ErrorCode.INVALID_DATE),
        ([f"{year}-{month:02}" for year in (2021, 2022, 2023) for month in range(1, 10)], ErrorCode.TOO_MANY),
    ],
)
async def test_stocks_are_of_months_that_are_over(school: School, months: list[str], code: str) -> None:
    viewer = await school.viewer("analysis")
    running = school.store.clock.now().date().isoformat()[:7]
    for asked in (months, [*months, running] if code == ErrorCode.INVALID_DATE else months):
        with pytest.raises(RegistrarError) as caught:
            await student_stocks(school.store, viewer, asked)
        assert caught.value.code == code


async def test_questions_have_bounds(school: School) -> None:
    viewer, store = await school.viewer("analysis"), school.store
    for by, field in (
        ([StudentDimension.STATUS], "group_by.status"),
        ([GENDER, GRADE, CLASS_NAME], "group_by"),
    ):
        with pytest.raises(RegistrarError) as caught:
            await student_stocks(store, viewer, ["2024-06"], by)
        assert caught.value.field == field
    for terms, courses, field in (
        ([], [], "terms"),
        (["2024"], [], "terms.0"),
        ([f"20{year}-1" for year in range(10, 19)], [], "terms"),
        (["2024-1"], ["X"] * 51, "courses"),
    ):
        with pytest.raises(RegistrarError) as caught:
            await grade_distributions(store, viewer, terms, courses)
        assert caught.value.field == field


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _before(text: str) -> str:
    return str(_day(text) - timedelta(days=1))


def test_a_policy_from_before_has_the_default_posts_for_grades() -> None:
    stored_rules = DEFAULT_ACCESS_RULES.model_dump(mode="json", exclude={"grade_statistics"})
    assert AccessRules.model_validate(stored_rules) == DEFAULT_ACCESS_RULES


async def test_the_policy_says_who_counts_grades(school: School) -> None:
    rules = DEFAULT_ACCESS_RULES.model_copy(update={"grade_statistics": frozenset({Post.DEPUTY_DIRECTOR})})
    for subject, code in (("deputy-1", None), ("director", ErrorCode.FORBIDDEN)):
        viewer = replace(await school.viewer(subject), policy=AccessPolicy(rules))
        assert await refusal(school.store, viewer, "grades") == code


async def test_nothing_is_recorded_of_a_count(bare: School) -> None:
    await filled(bare, 1, 20)
    await school_of_grades(bare.store, random.Random(1))
    before = await bare.counts()
    for question in QUESTIONS:
        assert await refusal(bare.store, await bare.viewer("analysis", None), question) is None
    assert await bare.counts() == before
