"""A figure: the answer to one question, in the words of one language, as a chart and a workbook show it. Pure.

Made of nothing but what GraphQL is told: a suppressed cell has no number here either. A cell that is absent is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.database import Row
from archive_store.statistics import wording
from archive_store.statistics.flows import StudentFlow
from archive_store.statistics.grade_rules import GradeBand
from archive_store.statistics.grades import GradeDistribution, GradeDistributions, GradesBy
from archive_store.statistics.telling import ToldCells
from archive_store.statistics.wording import Language, Words

_BETWEEN = " · "


class Suppressed(Enum):
    """Stands where a number is suppressed."""

    CELL = wording.HIDDEN


Number = int | float | Suppressed | None
Counted = int | Suppressed


@dataclass(frozen=True, slots=True)
class Series:
    """The counts of one name, one a category."""

    name: str
    counts: Sequence[Counted]


@dataclass(frozen=True, slots=True)
class Figure:
    """`rows` are of `headers`, of which the last `numbers` are numbers; None where there is none to tell.

    `categories` and `series` are the same counts as a chart shows them, one series upon the other if `is_stacked`.
    """

    name: str
    language: Language
    title: str
    notes: Sequence[str]
    headers: Sequence[str]
    numbers: int
    rows: Sequence[Sequence[str | Number]]
    axis: str
    counted: str
    categories: Sequence[str]
    series: Sequence[Series]
    is_stacked: bool = False


_Text = Callable[[Row], str]


def figure_of_students(told: ToldCells, language: Language) -> Figure:
    """Of `studentStatistics`: by the last dimension within the others."""
    texts = _texts(told.dimensions, language)
    names = [wording.DIMENSIONS[dimension].of(language) for dimension in told.dimensions]
    split = 1 if len(texts) > 1 else 0
    inner, outer = texts[len(texts) - split :], texts[: len(texts) - split]
    axis = _BETWEEN.join(names[: len(texts) - split])
    shown = _Shown("students", wording.STUDENTS_TITLE, wording.COUNT, names, axis)
    return _of_cells(told, language, shown, texts, outer, inner, [])


def figure_of_flows(told: ToldCells, language: Language) -> Figure:
    """By period; a series for each flow, by the dimensions."""
    flow: _Text = lambda cell: wording.FLOWS[StudentFlow(cell["flow"])].of(language)  # noqa: E731
    dimensions, period = _texts(told.dimensions, language), _of("period")
    head = [wording.PERIOD.of(language), wording.FLOW.of(language)]
    names = head + [wording.DIMENSIONS[dimension].of(language) for dimension in told.dimensions]
    shown = _Shown("flows", wording.FLOWS_TITLE, wording.FLOWS_COUNT, names, head[0])
    note = [wording.OF_TODAY.of(language)] if dimensions else []
    return _of_cells(told, language, shown, [period, flow, *dimensions], [period], [flow, *dimensions], note)


def figure_of_stocks(told: ToldCells, language: Language) -> Figure:
    """By month; a series for each status, by the dimensions."""
    status: _Text = lambda cell: wording.status_words(cell["status"]).of(language)  # noqa: E731
    dimensions, month = _texts(told.dimensions, language), _of("month")
    head = [wording.MONTH.of(language), wording.DIMENSIONS[StudentDimension.STATUS].of(language)]
    names = head + [wording.DIMENSIONS[dimension].of(language) for dimension in told.dimensions]
    shown = _Shown("stocks", wording.STOCKS_TITLE, wording.COUNT, names, head[0])
    note = [wording.OF_TODAY.of(language)] if dimensions else []
    return _of_cells(
        told, language, shown, [month, status, *dimensions], [month], [status, *dimensions], note
    )


def figure_of_grades(told: GradeDistributions, language: Language) -> Figure:
    """A bar for each term, course and place, of its bands."""
    held = told.distributions
    bands = [band for band in GradeBand if any(band is each.band for one in held for each in one.bands)]
    names = [wording.TERM.of(language), wording.COURSE.of(language)]
    if told.by is not GradesBy.SCHOOL:
        names.append(wording.DIMENSIONS[StudentDimension.GRADE].of(language))
    if told.by is GradesBy.CLASS:
        names.append(wording.DIMENSIONS[StudentDimension.CLASS_NAME].of(language))
    places = [_place(one, told.by, language) for one in held]
    values = (wording.GRADES_COUNT, *(wording.BANDS[band] for band in bands))
    means = (wording.PASS_RATE, wording.MEAN, wording.MEDIAN)
    # Of a place without any band, every one is marked: it has too few grades to tell which there are.
    counts = [
        {each.band: _count(each.count, each.suppressed) for each in one.bands}
        or dict.fromkeys(bands, _count(None, True))
        for one in held
    ]
    rows: list[list[str | Number]] = [
        [
            *place,
            _count(one.told.count, one.told.suppressed),
            *(count.get(band, 0) for band in bands),
            one.told.pass_rate,
            one.told.mean,
            one.told.median,
        ]
        for place, one, count in zip(places, held, counts, strict=True)
    ]
    return Figure(
        "grades",
        language,
        wording.GRADES_TITLE.of(language),
        [wording.REGULAR.of(language), *_note(rows, told.smallest_cell, language)],
        [*names, *(words.of(language) for words in (*values, *means))],
        len(values) + len(means),
        rows,
        _BETWEEN.join(names),
        wording.GRADES_COUNT.of(language),
        [_BETWEEN.join(place) for place in places],
        [
            Series(wording.BANDS[band].of(language), [count.get(band, 0) for count in counts])
            for band in bands
        ],
        is_stacked=True,
    )


def _place(one: GradeDistribution, by: GradesBy, language: Language) -> list[str]:
    place = [f"{one.term.school_year}-{one.term.number}", one.course.name]
    if by is not GradesBy.SCHOOL:
        place.append(one.grade or wording.NO_VALUE.of(language))
    if by is GradesBy.CLASS:
        place.append(one.class_name or wording.NO_VALUE.of(language))
    return place


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    title: Words
    counted: Words
    names: Sequence[str]
    axis: str


def _of_cells(
    told: ToldCells,
    language: Language,
    shown: _Shown,
    texts: Sequence[_Text],
    outer: Sequence[_Text],
    inner: Sequence[_Text],
    notes: Sequence[str],
) -> Figure:
    counted = shown.counted.of(language)
    table: dict[tuple[str, str], Counted] = {}
    rows: list[list[str | Number]] = []
    for cell in told.cells:
        count = _count(cell["count"], cell["suppressed"])
        name = _BETWEEN.join(text(cell) for text in inner) or counted
        table[_BETWEEN.join(text(cell) for text in outer), name] = count
        rows.append([*(text(cell) for text in texts), count])
    categories = list(dict.fromkeys(category for category, _ in table))
    series = [
        Series(name, [table.get((category, name), 0) for category in categories])
        for name in dict.fromkeys(name for _, name in table)
    ]
    return Figure(
        shown.name,
        language,
        shown.title.of(language),
        [*notes, *_note(rows, told.smallest_cell, language)],
        [*shown.names, counted],
        1,
        rows,
        shown.axis,
        counted,
        categories,
        series,
    )


def _of(name: str) -> _Text:
    return lambda cell: str(cell[name])


def _texts(dimensions: Sequence[StudentDimension], language: Language) -> list[_Text]:
    def text(dimension: StudentDimension) -> _Text:
        return lambda cell: wording.value_text(dimension, cell[dimension.attribute], language)

    return [text(dimension) for dimension in dimensions]


def _count(count: int | None, suppressed: bool) -> Counted:
    return Suppressed.CELL if suppressed or count is None else count


def _note(rows: Sequence[Sequence[str | Number]], smallest: int, language: Language) -> list[str]:
    is_told = any(value is Suppressed.CELL for row in rows for value in row)
    return [wording.hidden_note(smallest).of(language)] if is_told else []
