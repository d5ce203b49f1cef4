"""Stocks (在册数): how many students had which status on the last day of a month, by the status ledger.

The status is that of the day by what is known now. Every other dimension is of the record as it is today: who changed
the class since is counted in the class of today.

Suppressed as `analysis.rules` says, each month by itself. Not protected, beside what is named there: two months. Of
stocks that are both told the difference is told as well, however few students it is of; that only last days of months
can be asked for keeps the differences to whole months. What is recorded late changes months that were told before.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import StudentDimension
from archive_store.analysis.queries import ONCE
from archive_store.analysis.rules import Cell, hidden_cells, order_of
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.statistics.periods import Month, check_months
from archive_store.statistics.telling import (
    CELLS_LIMIT,
    ToldCells,
    check_group_by,
    check_size,
    places_within,
    today,
)
from archive_store.students.documents import Student

MONTHS_LIMIT = 24


async def student_stocks(
    store: Store, viewer: Viewer, months: Sequence[str], group_by: Sequence[StudentDimension] = ()
) -> ToldCells:
    """Cells of `month`, `status` and the dimensions, of up to 24 months (`YYYY-MM`) that are over.

    FORBIDDEN without a statistics post; INVALID_DATE on `months`.
    """
    dimensions = check_group_by(viewer, group_by)
    asked = check_months(months, today(store), most=MONTHS_LIMIT)
    by_month = await _count(store, dimensions, asked)
    smallest = viewer.policy.rules.smallest_cell
    names = ["status", *(dimension.attribute for dimension in dimensions)]

    def told() -> list[Row]:
        cells: list[Row] = []
        for month, counts in sorted(by_month.items()):
            hidden = hidden_cells(counts, smallest, within=places_within(dimensions, 1))
            for cell in sorted(counts, key=order_of):
                count = {"count": None if cell in hidden else counts[cell], "suppressed": cell in hidden}
                cells.append({"month": month, **dict(zip(names, cell, strict=True)), **count})
        return cells

    return ToldCells(smallest, dimensions, await asyncio.to_thread(told))


async def _count(
    store: Store, dimensions: Sequence[StudentDimension], months: Sequence[Month]
) -> dict[str, dict[Cell, int]]:
    key = {dimension.attribute: dimension.expression for dimension in dimensions}
    days = [{"month": month.text, "day": month.last_day.isoformat()} for month in months]
    pipeline: list[Row] = [
        {"$match": ONCE},
        {"$set": {"on": {"$map": {"input": days, "as": "at", "in": _STATUS_ON}}}},
        {"$unwind": "$on"},
        {"$match": {"on.status": {"$ne": None}}},
        {"$group": {"_id": {"month": "$on.month", "status": "$on.status", **key}, "count": {"$sum": 1}}},
        {"$limit": CELLS_LIMIT + 1},
    ]
    counts: defaultdict[str, dict[Cell, int]] = defaultdict(dict)
    cells = await (await store.database.collection(Student).aggregate(pipeline)).to_list()
    for row in check_size(cells):
        told = row["_id"]
        cell = (told["status"], *(told.get(dimension.attribute) for dimension in dimensions))
        held = counts[told["month"]]
        held[cell] = held.get(cell, 0) + row["count"]
    return counts


_HOLDS: Row = {
    "$and": [
        {"$eq": [{"$ifNull": ["$$period.superseded_at", None]}, None]},
        {"$lte": ["$$period.effective_from", "$$at.day"]},
        {"$gte": [{"$ifNull": ["$$period.effective_to", "9999"]}, "$$at.day"]},
    ]
}
_STATUS_ON: Row = {
    "$let": {
        "vars": {
            "held": {"$first": {"$filter": {"input": "$status_periods", "as": "period", "cond": _HOLDS}}}
        },
        "in": {"month": "$$at.month", "status": {"$ifNull": ["$$held.status", None]}},
    }
}
