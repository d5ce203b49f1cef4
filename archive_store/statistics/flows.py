"""Flows (流动): how many students entered, left or changed their status in a period, from the status ledger.

A flow is a period of the ledger (StatusPeriod) that holds by what is known now, told by its `cause`, and where it names
none, or a correction (更正), by the status before and the status that began. It falls into the month of its first day.
Cells count students who flowed (人次): who is suspended twice in one period counts twice. A cell that fewer students
than the smallest cell make up is suppressed, however often they did.

Suppressed as `analysis.rules` says, each flow of a school year by itself, over all periods of the unit and the coarser
ones together, so that a year less its months gives nothing away, whatever range is asked for. The running period is
not told.

Not protected, beside what `analysis.rules` names: that stocks of two dates differ by the flows between them; that what
is recorded late, or corrected, changes a period that was told before; and sums over several flows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import StudentDimension
from archive_store.analysis.queries import ONCE
from archive_store.analysis.rules import Cell, Value, hidden_cells, order_of
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.statistics.periods import Month, PeriodUnit, check_range, month_of, months_of
from archive_store.statistics.telling import (
    CELLS_LIMIT,
    ToldCells,
    check_group_by,
    check_size,
    places_within,
    today,
)
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Student, StudentStatus

# 学生来源 转入, of the code table `student_source`.
TRANSFERRED_HERE = "2"


class StudentFlow(StrEnum):
    """What a flow is: the kind of its change (异动类别), or the entrance of who was not here before."""

    ENTER = "ENTER"  # 入学
    TRANSFER_IN = "TRANSFER_IN"  # 转入
    SUSPEND = "SUSPEND"  # 休学
    RESUME = "RESUME"  # 复学
    RETAIN_STATUS = "RETAIN_STATUS"  # 保留学籍
    HALT = "HALT"  # 停学
    DROP_OUT = "DROP_OUT"  # 辍学
    REPEAT = "REPEAT"  # 留级
    SKIP = "SKIP"  # 跳级
    CHANGE_MAJOR = "CHANGE_MAJOR"  # 转专业, 转系
    TRANSFER_OUT = "TRANSFER_OUT"  # 转出
    WITHDRAW = "WITHDRAW"  # 退学
    EXPEL = "EXPEL"  # 开除学籍
    REINSTATE = "REINSTATE"  # 恢复学籍
    DEFER_ADMISSION = "DEFER_ADMISSION"  # 保留入学资格
    CANCEL = "CANCEL"  # 取消
    VOID = "VOID"  # 注销
    DIE = "DIE"  # 死亡
    GRADUATE = "GRADUATE"  # 毕业
    COMPLETE = "COMPLETE"  # 结业
    LEAVE_INCOMPLETE = "LEAVE_INCOMPLETE"  # 肄业


_OF_CAUSE = {
    kind.value: StudentFlow.ENTER if kind is ChangeKind.TAKE_UP else StudentFlow(kind.value)
    for kind in ChangeKind
    if kind is not ChangeKind.CORRECT
}
_OF_STATUS = {
    StudentStatus.SUSPENDED: StudentFlow.SUSPEND,
    StudentStatus.STATUS_RETAINED: StudentFlow.RETAIN_STATUS,
    StudentStatus.STUDY_HALTED: StudentFlow.HALT,
    StudentStatus.DROPPED_OUT: StudentFlow.DROP_OUT,
    StudentStatus.TRANSFERRED_OUT: StudentFlow.TRANSFER_OUT,
    StudentStatus.WITHDRAWN: StudentFlow.WITHDRAW,
    StudentStatus.EXPELLED: StudentFlow.EXPEL,
    StudentStatus.ADMISSION_DEFERRED: StudentFlow.DEFER_ADMISSION,
    StudentStatus.CANCELLED: StudentFlow.CANCEL,
    StudentStatus.VOIDED: StudentFlow.VOID,
    StudentStatus.DECEASED: StudentFlow.DIE,
    StudentStatus.GRADUATED: StudentFlow.GRADUATE,
    StudentStatus.COMPLETED: StudentFlow.COMPLETE,
    StudentStatus.INCOMPLETE: StudentFlow.LEAVE_INCOMPLETE,
}
_INTO_STUDY = {
    StudentStatus.PENDING_ADMISSION: StudentFlow.ENTER,
    StudentStatus.ADMISSION_DEFERRED: StudentFlow.ENTER,
    StudentStatus.TRANSFERRED_OUT: StudentFlow.TRANSFER_IN,
    StudentStatus.SUSPENDED: StudentFlow.RESUME,
    StudentStatus.STATUS_RETAINED: StudentFlow.RESUME,
    StudentStatus.STUDY_HALTED: StudentFlow.RESUME,
    StudentStatus.DROPPED_OUT: StudentFlow.RESUME,
    StudentStatus.WITHDRAWN: StudentFlow.REINSTATE,
    StudentStatus.EXPELLED: StudentFlow.REINSTATE,
    StudentStatus.CANCELLED: StudentFlow.REINSTATE,
}


async def student_flows(
    store: Store,
    viewer: Viewer,
    by: PeriodUnit,
    first: str,
    last: str,
    group_by: Sequence[StudentDimension] = (),
    flows: Collection[StudentFlow] | None = None,
) -> ToldCells:
    """Cells of `period`, `flow` and the dimensions, of the periods that lie in the months `first` to `last`.

    The dimensions are those of the record as it is today. FORBIDDEN without a statistics post; INVALID_DATE on
    `from_month` or `to_month`. `flows` are all unless told.
    """
    dimensions = check_group_by(viewer, group_by)
    begins, ends = check_range(first, last)
    running = month_of(today(store))
    counts, students = await _count(store, dimensions, by, running)
    smallest = viewer.policy.rules.smallest_cell
    wanted = frozenset(StudentFlow if flows is None else flows)

    def told() -> list[Row]:
        cells: list[Row] = []
        for flow in StudentFlow:
            if flow in wanted and flow in counts:
                cells += _told(flow, dimensions, by, counts[flow], students[flow], smallest, (begins, ends))
        return sorted(cells, key=lambda cell: cell["period"])

    return ToldCells(smallest, dimensions, await asyncio.to_thread(told))


def _told(
    flow: StudentFlow,
    dimensions: Sequence[StudentDimension],
    by: PeriodUnit,
    counts: Mapping[Cell, int],
    students: Mapping[Cell, int],
    smallest: int,
    months: tuple[Month, Month],
) -> list[Row]:
    """The cells of one flow whose period lies in the months."""
    levels = len(_levels(by))
    # No question has all years together, so each is a table of its own, without its first place.
    tables: defaultdict[Value, dict[Cell, int]] = defaultdict(dict)
    for cell, count in counts.items():
        tables[cell[0]][cell[1:]] = count
    within = [(place, place - 1) for place in range(1, levels - 1)] + places_within(dimensions, levels - 1)
    hidden = {
        (year, *cell)
        for year, table in tables.items()
        for cell in hidden_cells(table, smallest, within=within, few=_few(table, year, students, smallest))
    }
    cells = []
    for cell in sorted(counts, key=order_of):
        period = str(cell[levels - 1])
        begins, ends = months_of(by, period)
        if months[0] <= begins and ends <= months[1]:
            names = dict(zip((each.attribute for each in dimensions), cell[levels:], strict=True))
            is_hidden = cell in hidden
            told = {"count": None if is_hidden else counts[cell], "suppressed": is_hidden}
            cells.append({"period": period, "flow": flow, **names, **told})
    return cells


def _few(
    table: Mapping[Cell, int], year: Value, students: Mapping[Cell, int], smallest: int
) -> frozenset[Cell]:
    """The cells that fewer students make up, however often they flowed."""
    return frozenset(cell for cell in table if students[(year, *cell)] < smallest)


def _levels(by: PeriodUnit) -> list[PeriodUnit]:
    units = [PeriodUnit.SCHOOL_YEAR, PeriodUnit.TERM, PeriodUnit.MONTH]
    return units[: units.index(by) + 1]


_Counts = defaultdict[StudentFlow, dict[Cell, int]]


async def _count(
    store: Store, dimensions: Sequence[StudentDimension], by: PeriodUnit, running: Month
) -> tuple[_Counts, _Counts]:
    """Flows and students by flow and cell, one aggregate; periods that are not over are left out."""
    key = {dimension.attribute: dimension.expression for dimension in dimensions}
    by_period = {"flow": "$flow", "period": _period(by), **key}
    pipeline: list[Row] = [
        {"$match": ONCE},
        {"$set": {"ledger": _LEDGER}},
        {"$set": {"flows": _FLOWS}},
        {"$unwind": "$flows"},
        {"$set": {"flow": "$flows.flow", "day": "$flows.day"}},
        {"$match": {"flow": {"$ne": None}, "day": {"$lt": running.first_day.isoformat()}}},
        {"$group": {"_id": by_period, "count": {"$sum": 1}, "students": {"$addToSet": "$_id"}}},
        {"$set": {"students": {"$size": "$students"}}},
        {"$limit": CELLS_LIMIT + 1},
    ]
    counts: _Counts = defaultdict(dict)
    students: _Counts = defaultdict(dict)
    cells = await (await store.database.collection(Student).aggregate(pipeline)).to_list()
    for row in check_size(cells):
        told = row["_id"]
        ends = months_of(by, told["period"])[1]
        if ends < running:
            flow = StudentFlow(told["flow"])
            periods = ends.periods(by)
            cell = (*periods, *(told.get(dimension.attribute) for dimension in dimensions))
            counts[flow][cell] = counts[flow].get(cell, 0) + row["count"]
            students[flow][cell] = students[flow].get(cell, 0) + row["students"]
    return counts, students


def _period(by: PeriodUnit) -> object:
    """The period of a first day, as text."""
    year = {"$toInt": {"$substrBytes": ["$day", 0, 4]}}
    month = {"$toInt": {"$substrBytes": ["$day", 5, 2]}}
    school_year = {"$toString": {"$cond": [{"$gte": [month, 9]}, year, {"$subtract": [year, 1]}]}}
    half = {"$cond": [{"$or": [{"$gte": [month, 9]}, {"$eq": [month, 1]}]}, "1", "2"]}
    told: Mapping[PeriodUnit, object] = {
        PeriodUnit.MONTH: {"$substrBytes": ["$day", 0, 7]},
        PeriodUnit.TERM: {"$concat": [school_year, "-", half]},
        PeriodUnit.SCHOOL_YEAR: school_year,
    }
    return told[by]


def _switch(value: str, table: Mapping[StudentStatus, StudentFlow] | Mapping[str, StudentFlow]) -> Row:
    branches = [
        {"case": {"$eq": [value, {"$literal": str(held)}]}, "then": flow.value}
        for held, flow in table.items()
    ]
    return {"$switch": {"branches": branches, "default": None}}


# The ledger by what is known now, in order of days.
_LEDGER: Row = {
    "$sortArray": {
        "input": {
            "$filter": {
                "input": "$status_periods",
                "as": "period",
                "cond": {"$eq": [{"$ifNull": ["$$period.superseded_at", None]}, None]},
            }
        },
        "sortBy": {"effective_from": 1},
    }
}
_OF_FIRST: Row = {
    "$cond": [
        {"$eq": ["$$now.status", StudentStatus.ENROLLED.value]},
        {
            "$cond": [
                {"$eq": ["$student_source", TRANSFERRED_HERE]},
                StudentFlow.TRANSFER_IN.value,
                StudentFlow.ENTER.value,
            ]
        },
        None,
    ]
}
_BY_STATUS: Row = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$$place", 0]}, "then": _OF_FIRST},
            {"case": {"$eq": ["$$now.status", "$$before.status"]}, "then": None},
            {
                "case": {"$eq": ["$$now.status", StudentStatus.ENROLLED.value]},
                "then": _switch("$$before.status", _INTO_STUDY),
            },
        ],
        "default": _switch("$$now.status", _OF_STATUS),
    }
}
_FLOWS: Row = {
    "$map": {
        "input": {"$range": [0, {"$size": "$ledger"}]},
        "as": "place",
        "in": {
            "$let": {
                "vars": {
                    "now": {"$arrayElemAt": ["$ledger", "$$place"]},
                    "before": {"$arrayElemAt": ["$ledger", {"$subtract": ["$$place", 1]}]},
                },
                "in": {
                    "day": "$$now.effective_from",
                    "flow": {"$ifNull": [_switch("$$now.cause", _OF_CAUSE), _BY_STATUS]},
                },
            }
        },
    }
}
