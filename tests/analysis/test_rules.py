"""Suppression, attacked: every query on small populations, and what their answers give away together."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_store.access.policy import AccessPolicy
from archive_store.access.rules import DEFAULT_ACCESS_RULES
from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import (
    StudentDimension,
    StudentStatisticsFilter,
    check_dimensions,
)
from archive_store.analysis.rules import (
    ROW_FIELDS,
    TOLD_BY_GRADE,
    RareValues,
    hidden_cells,
    margin,
    told_cells,
)
from archive_store.foundation.posts import Post
from archive_store.students.documents import Gender, StudentStatus

K = 5
ANALYST = Viewer(
    ObjectId(), "周分析", AccessPolicy(DEFAULT_ACCESS_RULES), posts=frozenset({Post.ANALYSIS_GROUP})
)
Pupil = dict[str, Any]
Told = frozenset[tuple[str, Any]]
# The dimensions attacked, with the values a filter can name. A class is of one grade.
VALUES: dict[str, list[Any]] = {
    "gender": [Gender.MALE, Gender.FEMALE],
    "status": [StudentStatus.ENROLLED, StudentStatus.SUSPENDED],
    "grade": ["七年级", "八年级"],
    "class_name": ["七1班", "七2班", "八1班"],
}
DIMENSIONS = {dimension.attribute: dimension for dimension in StudentDimension}


@st.composite
def populations(draw: st.DrawFn) -> list[Pupil]:
    """Groups of alike pupils, so that cells around the limit are many."""
    kinds = st.tuples(*(st.sampled_from(VALUES[name]) for name in ("gender", "status", "class_name")))
    groups = draw(st.dictionaries(kinds, st.integers(1, 12), max_size=10))
    pupils = []
    for (gender, status, class_name), size in groups.items():
        grade = "七年级" if class_name.startswith("七") else "八年级"
        # Stored values are codes.
        pupil = {"gender": gender.value, "status": status.value, "class_name": class_name, "grade": grade}
        pupils += [pupil] * size
    return pupils


def count(pupils: list[Pupil], names: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(pupil[name] for name in names) for pupil in pupils)


def all_queries() -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every grouping with every filter by one value: all tables of these dimensions, each cell told many times."""
    grouping = [names for size in (1, 2, 3) for names in combinations(VALUES, size)]
    filters = [{}, *({name: value} for name, values in VALUES.items() for value in values)]
    return list(product(grouping, filters))


QUERIES = all_queries()


def everything_released(pupils: list[Pupil]) -> dict[Told, int | None]:
    """Each cell that any query tells, None where suppressed. Fails where two queries differ on one cell."""
    told: dict[Told, int | None] = {}
    tables: dict[tuple[str, ...], Counter[tuple[Any, ...]]] = {}
    for group_by, conditions in QUERIES:
        where = StudentStatisticsFilter(**conditions)
        dimensions = check_dimensions(ANALYST, [DIMENSIONS[name] for name in group_by], where)
        names = tuple(dimension.attribute for dimension in dimensions)
        table = tables.setdefault(names, count(pupils, names))
        for row in told_cells(dimensions, table, where, K):
            cell = frozenset((name, row[name]) for name in names)
            assert told.setdefault(cell, row["count"]) == row["count"]
    return told


@settings(max_examples=40, deadline=None)
@given(populations())
def test_no_queries_together_give_a_small_count(pupils: list[Pupil]) -> None:
    told = everything_released(pupils)
    released = {cell: number for cell, number in told.items() if number is not None}
    for number in released.values():
        assert number >= K
    # The number of all students is no secret.
    known: dict[Told, int] = released | {frozenset(): len(pupils)}
    for coarse, whole in known.items():
        inside = [cell for cell in released if coarse < cell]
        for cell in inside:
            assert not 0 < whole - released[cell] < K, (coarse, cell)
        # Nor from the coarse count and all that one table releases inside it.
        for names in {frozenset(name for name, _ in cell) for cell in inside}:
            part = sum(released[cell] for cell in inside if {name for name, _ in cell} == names)
            assert not 0 < whole - part < K, (coarse, names)


@settings(max_examples=40, deadline=None)
@given(populations())
def test_a_suppressed_cell_is_no_sum_of_released_ones(pupils: list[Pupil]) -> None:
    told = everything_released(pupils)
    for coarse in [cell for cell, number in told.items() if number is None]:
        inside = [cell for cell in told if coarse < cell]
        for names in {frozenset(name for name, _ in cell) for cell in inside}:
            table = [told[cell] for cell in inside if {name for name, _ in cell} == names]
            assert None in table


@given(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(K * 2, 99)))
def test_where_no_cell_is_small_none_is_suppressed(counts: dict[tuple[int, int], int]) -> None:
    assert hidden_cells(counts, K) == frozenset()


@given(st.integers(2, 4), st.integers(2, 4), st.data())
def test_no_small_cell_is_the_last_one_unknown(rows: int, columns: int, data: st.DataObject) -> None:
    """Fill in, again and again, what alone is missing from a sum: rows, columns and the number of all."""
    counts: dict[Any, int] = {
        cell: data.draw(st.integers(1, 15)) for cell in product(range(rows), range(columns))
    }
    tables = {axes: margin(counts, axes) for axes in [(), (0,), (1,), (0, 1)]}
    unknown = {(axes, cell) for axes, table in tables.items() if axes for cell in hidden_cells(table, K)}
    sums = [
        [(coarse, group), *((fine, cell) for cell in tables[fine] if cell_in(cell, fine, group, coarse))]
        for coarse, fine in [((), (0,)), ((), (1,)), ((0,), (0, 1)), ((1,), (0, 1))]
        for group in tables[coarse]
    ]
    for terms in sums * len(sums):
        missing = [term for term in terms if term in unknown]
        if len(missing) == 1:
            unknown.discard(missing[0])
    for axes, table in tables.items():
        assert all((axes, cell) in unknown for cell, number in table.items() if axes and number < K)


def cell_in(cell: Any, fine: Any, group: Any, coarse: Any) -> bool:
    return all(cell[fine.index(axis)] == value for axis, value in zip(coarse, group, strict=True))


@given(
    st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), st.integers(1, 12)),
    st.randoms(),
)
def test_the_order_of_the_rows_does_not_matter(counts: dict[tuple[int, int, int], int], chance: Any) -> None:
    shuffled = list(counts.items())
    chance.shuffle(shuffled)
    assert hidden_cells(counts, K) == hidden_cells(dict(shuffled), K)


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({}, set()),
        ({("a",): 5}, set()),
        ({("a",): 4}, {"a"}),
        # The small one would come out of the whole: the smallest other goes with it.
        ({("a",): 9, ("b",): 8, ("c",): 4}, {"b", "c"}),
        # Two that are small hide each other once they are five together.
        ({("a",): 9, ("b",): 3, ("c",): 2}, {"b", "c"}),
        ({("a",): 9, ("b",): 3, ("c",): 1}, {"a", "b", "c"}),
        ({("a",): 9, (None,): 4, ("c",): 20}, {"a", None}),
    ],
)
def test_tables_of_one_dimension(counts: dict[tuple[str | None], int], hidden: set[str | None]) -> None:
    assert {cell[0] for cell in hidden_cells(counts, K)} == hidden


def test_a_small_rest_of_a_grade_hides_the_class_beside_it() -> None:
    """Else 七年级 less 七1班 would be 七2班."""
    counts = {("七", "1"): 40, ("七", "2"): 3, ("八", "1"): 30, ("八", "2"): 30}
    hidden = hidden_cells(counts, K, within=[(1, 0)])
    assert hidden == {("七", "1"), ("七", "2")}


rows = st.fixed_dictionaries({name: st.sampled_from(["1", "2", None]) for name in ROW_FIELDS})


@given(st.lists(rows, max_size=30))
def test_a_row_shows_no_rare_combination(pupils: list[Pupil]) -> None:
    rare = RareValues(count(pupils, ROW_FIELDS), K)
    for pupil in pupils:
        kept_back = rare.kept_back(pupil)
        assert "grade" not in kept_back
        if "gender" not in kept_back:
            alike = [p for p in pupils if all(p[n] == pupil[n] for n in ("grade", "gender", "birth_year"))]
            assert len(alike) >= K
        assert ("gender" in kept_back) == ("birth_year" in kept_back)
        for name in TOLD_BY_GRADE:
            alike = [p for p in pupils if (p["grade"], p[name]) == (pupil["grade"], pupil[name])]
            assert (name in kept_back) == (len(alike) < K)


def test_a_cell_of_few_students_is_hidden_with_another_beside_it() -> None:
    counts = {("a",): 9, ("b",): 20, ("c",): 30}
    assert hidden_cells(counts, K) == frozenset()
    assert hidden_cells(counts, K, few={("b",)}) == {("a",), ("b",)}
    # What is few in the whole table is not looked for in coarser ones.
    wide = {("a", "x"): 9, ("a", "y"): 20, ("b", "x"): 30, ("b", "y"): 40}
    hidden = hidden_cells(wide, K, few={("a", "x")})
    assert ("a", "x") in hidden
    assert len(hidden) > 1
