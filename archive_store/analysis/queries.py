"""`student_statistics` and `pseudonymised_students`: what the analysis of all students may see (policy §二(一)).

Neither loads a name, a number, a place or a key. Each counts in one aggregate over the whole school, since what is
rare can only be told against everyone.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive_store.access.policy import ACCESS_RULE
from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import StudentDimension, StudentStatisticsFilter, check_dimensions
from archive_store.analysis.rules import ROW_FIELDS, Cell, RareValues, told_cells
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.paging import Page, check_page_size, foreign_cursor
from archive_store.foundation.store import Store
from archive_store.students.documents import Student, StudentStatus

CELLS_LIMIT = 10_000
# A record that went into another (合并), and is voided for that, is not counted beside it: one person is one.
ONCE: Row = {"$nor": [{"merged_into": {"$ne": None}, "status": StudentStatus.VOIDED.value}]}
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_ROW_DIMENSIONS = tuple(
    next(dimension for dimension in StudentDimension if dimension.attribute == name) for name in ROW_FIELDS
)


@dataclass(frozen=True, slots=True)
class StudentStatistics:
    """Cells as rows of dimension names, with `count` and `suppressed`; `smallest_cell` is the policy's limit."""

    smallest_cell: int
    cells: Sequence[Row]


async def student_statistics(
    store: Store,
    viewer: Viewer,
    group_by: Sequence[StudentDimension],
    where: StudentStatisticsFilter | None = None,
) -> StudentStatistics:
    """Counts of all students, each cell told by the dimensions of grouping and filter; empty cells are absent.

    FORBIDDEN without a statistics post, and on a dimension that may not be counted by. See `rules` for what the
    suppression of small cells protects.
    """
    where = where or StudentStatisticsFilter()
    dimensions = check_dimensions(viewer, group_by, where)
    smallest = viewer.policy.rules.smallest_cell
    counts = await _count(store, dimensions, limit=CELLS_LIMIT)
    cells = await asyncio.to_thread(told_cells, dimensions, counts, where, smallest)
    return StudentStatistics(smallest, cells)


async def _count(
    store: Store, dimensions: Sequence[StudentDimension], *, limit: int | None = None
) -> Mapping[Cell, int]:
    key = {dimension.attribute: dimension.expression for dimension in dimensions}
    pipeline: list[Row] = [{"$match": ONCE}, {"$group": {"_id": key, "count": {"$sum": 1}}}]
    if limit is not None:
        pipeline.append({"$limit": limit + 1})
    counts: Counter[Cell] = Counter()
    async for row in await store.database.collection(Student).aggregate(pipeline):
        # MongoDB tells missing and null apart; to a reader both are no value.
        counts[tuple(row["_id"].get(dimension.attribute) for dimension in dimensions)] += row["count"]
    if limit is not None and len(counts) > limit:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="groupBy",
            detail_zh=f"单元格超过 {limit} 个,请减少维度",
            detail_en=f"more than {limit} cells; take fewer dimensions",
        )
    return counts


async def pseudonymised_students(
    store: Store, viewer: Viewer, *, first: int, after: str | None = None
) -> Page[Row]:
    """A page of all students as `pseudonym` and coarse fields, in the random order of the pseudonyms.

    A pseudonym is its own cursor, so that a cursor tells no more. FORBIDDEN without a post of
    `pseudonymised_rows`. Counting rows gives small cells: that is why so few hold these posts.
    """
    viewer.require_any(viewer.policy.rules.pseudonymised_rows, rule=ACCESS_RULE)
    check_page_size(first, store.settings.page_size_limit)
    if after is not None and not _PSEUDONYM.fullmatch(after):
        raise foreign_cursor()
    # The index holds text alone, and is used where the query says so.
    query: Row = {"pseudonym": {"$type": "string"} | ({"$gt": after} if after else {})} | ONCE
    shown = {dimension.attribute: dimension.expression for dimension in _ROW_DIMENSIONS}
    found = await (
        store.database.collection(Student)
        .find(query, {"_id": 0, "pseudonym": 1, **shown})
        .sort("pseudonym", 1)
        .limit(first + 1)
        .to_list()
    )
    rows = found[:first]
    if rows:
        rare = RareValues(await _count(store, _ROW_DIMENSIONS), viewer.policy.rules.smallest_cell)
        for row in rows:
            row.update(dict.fromkeys(ROW_FIELDS - row.keys()))
            row.update(dict.fromkeys(rare.kept_back(row)))
    return Page(rows, len(found) > first)
