"""Disclosure control: which cells of a table are suppressed, and which values of a row are. Pure.

**A table.** A cell is a set of students told by one value for each dimension of the table; the dimensions of a query
are those of its grouping and of its filter alike, so whether a cell is released depends on the cell, never on how it
was asked for. The other cells that a reader can have are those of the same table with dimensions dropped.

Protected, for the smallest cell k of the policy:

- no released count lies in 1..k-1;
- no difference of two released counts, one cell lying in the other by dropped dimensions, lies in 1..k-1;
- nor does a coarser count less all the released cells of one table inside it, the number of all students included;
- the cells of one table that are suppressed inside a released coarser cell are at least two and k students together,
  so none stands alone: where one would, the smallest released cell beside it is suppressed as well;
- a suppressed coarser cell is not the sum of finer cells that are all released.

Not protected:

- longer linear combinations: sums and differences over several overlapping tables may still pin a cell down. Tried
  on random tables of two and three dimensions, solving all answers at once gave about one small cell in thirty;
- cells that coincide by the facts and not by their dimensions. Zero cells are absent, so a reader may learn that two
  sets of students are the same one, and carry a count from one table over to another;
- that a suppressed cell is not empty, and what all students of a cell have in common (homogeneity);
- two times: who asks before and after one student comes may see the difference;
- what the reader knows from elsewhere: someone who knows all of a cell but one student learns of that one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from archive_store.analysis.dimensions import WITHIN, StudentDimension, StudentStatisticsFilter
from archive_store.foundation.database import Row

Value = str | int | None
Cell = tuple[Value, ...]
Axes = tuple[int, ...]


def told_cells(
    dimensions: Sequence[StudentDimension],
    counts: Mapping[Cell, int],
    where: StudentStatisticsFilter,
    smallest: int,
) -> list[Row]:
    """The answer from the whole table: the cells that the filter leaves, by name, with `count` and `suppressed`."""
    places = {dimension: place for place, dimension in enumerate(dimensions)}
    within = [(places[inner], places[outer]) for inner, outer in WITHIN.items() if inner in places]
    hidden = hidden_cells(counts, smallest, within=within)
    names = [dimension.attribute for dimension in dimensions]
    wanted = {places[dimension]: value for dimension, value in where.values.items()}
    return [
        dict(zip(names, cell, strict=True))
        | {"count": None if cell in hidden else counts[cell], "suppressed": cell in hidden}
        for cell in sorted(counts, key=order_of)
        if all(cell[place] == value for place, value in wanted.items())
    ]


def hidden_cells(
    counts: Mapping[Cell, int],
    smallest: int,
    *,
    within: Collection[tuple[int, int]] = (),
    few: Collection[Cell] = (),
) -> frozenset[Cell]:
    """The cells of a table of counts that are suppressed.

    `within` are pairs of places (inner, outer) of which the inner one is never asked for without the outer. `few` are
    cells of the whole table that are suppressed whatever their count, since too few students make it up.
    """
    if not counts:
        return frozenset()
    hidden: dict[Axes, set[Cell]] = {}
    width = len(next(iter(counts)))
    for axes in _subsets(width, within):
        table = margin(counts, axes)
        groups = [
            _Group(cells, is_released=told not in hidden[coarser])
            for coarser in reversed(hidden)
            if set(coarser) < set(axes)
            for told, cells in _grouped(table, [axes.index(axis) for axis in coarser]).items()
        ]
        hidden[axes] = _closed(table, groups, smallest, few if len(axes) == width else ())
    return frozenset(hidden[axes])


@dataclass(frozen=True, slots=True)
class _Group:
    """The cells of a table that lie in one coarser cell."""

    cells: Sequence[Cell]
    is_released: bool


def _grouped(table: Iterable[Cell], places: Sequence[int]) -> dict[Cell, list[Cell]]:
    groups: defaultdict[Cell, list[Cell]] = defaultdict(list)
    for cell in table:
        groups[tuple(cell[place] for place in places)].append(cell)
    return groups


def _closed(
    table: Mapping[Cell, int], groups: Sequence[_Group], smallest: int, few: Collection[Cell] = ()
) -> set[Cell]:
    """The small cells, and the further ones that keep each group from telling of a hidden one."""
    hidden = {cell for cell, count in table.items() if count < smallest}.union(few)
    # A cell that is all of a released coarser one is known whether it is hidden or not, so it hides no other.
    known = {group.cells[0] for group in groups if group.is_released and len(group.cells) == 1}
    before = -1
    while before != len(hidden):  # what is hidden for one group may stand alone in another
        before = len(hidden)
        for group in groups:
            while victim := _victim(table, group, hidden, known, smallest):
                hidden.add(victim)
    return hidden


def _victim(
    table: Mapping[Cell, int], group: _Group, hidden: set[Cell], known: set[Cell], smallest: int
) -> Cell | None:
    """The next cell to hide for a group's sake; None where the group is safe, or hidden as a whole."""
    kept_back = [cell for cell in group.cells if cell in hidden]
    unknown = [cell for cell in kept_back if cell not in known]
    if not group.is_released:
        is_safe = _sum(table, kept_back) >= smallest
    elif unknown:
        is_safe = len(unknown) > 1 and _sum(table, unknown) >= smallest
    else:
        is_safe = not 0 < _sum(table, kept_back) < smallest
    if is_safe:
        return None
    released = [cell for cell in group.cells if cell not in hidden]
    return min(released, key=lambda cell: (cell in known, table[cell], order_of(cell)), default=None)


def _sum(table: Mapping[Cell, int], cells: Iterable[Cell]) -> int:
    return sum(table[cell] for cell in cells)


def _subsets(width: int, within: Collection[tuple[int, int]]) -> list[Axes]:
    """The tables with dimensions dropped that can be asked for, the coarsest first."""
    return [
        axes
        for size in range(width + 1)
        for axes in combinations(range(width), size)
        if all(outer in axes for inner, outer in within if inner in axes)
    ]


def margin(counts: Mapping[Cell, int], axes: Axes) -> Counter[Cell]:
    """The table with only these dimensions kept."""
    table: Counter[Cell] = Counter()
    for cell, count in counts.items():
        table[tuple(cell[axis] for axis in axes)] += count
    return table


def order_of(cell: Cell) -> tuple[tuple[bool, str], ...]:
    """Sorts cells; a missing value comes first."""
    return tuple((value is not None, str(value)) for value in cell)


# Of a pseudonymised row: told together, these three find a student soonest.
TOLD_TOGETHER = ("grade", "gender", "birth_year")
TOLD_BY_GRADE = ("status", "enrolled_month", "admission_method", "boarding", "student_source")
ROW_FIELDS = (*TOLD_TOGETHER, *TOLD_BY_GRADE)


class RareValues:
    """Which values of a pseudonymised row are kept back, told from the counts of all students by `ROW_FIELDS`.

    Gender and birth year are, where fewer than `smallest` students share grade, gender and birth year
    (k-anonymity); so is each other value that fewer than `smallest` students of the grade have. This does not
    hide a student from someone who knows several of the remaining values together.
    """

    def __init__(self, counts: Mapping[Cell, int], smallest: int) -> None:
        place = {name: position for position, name in enumerate(ROW_FIELDS)}
        self._smallest = smallest
        self._together = margin(counts, tuple(place[name] for name in TOLD_TOGETHER))
        self._by_grade = {name: margin(counts, (place["grade"], place[name])) for name in TOLD_BY_GRADE}

    def kept_back(self, row: Mapping[str, Value]) -> frozenset[str]:
        """The names of the fields to leave out of the row."""
        rare = {
            name for name, table in self._by_grade.items() if table[row["grade"], row[name]] < self._smallest
        }
        if self._together[tuple(row[name] for name in TOLD_TOGETHER)] < self._smallest:
            rare |= {"gender", "birth_year"}
        return frozenset(rare)
