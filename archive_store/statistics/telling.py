"""What the questions of this room have in common: who may ask, by which dimensions, and the cells that are told.

Policy §二(一): the analysis group works on aggregates. Who holds a post of the access policy's `statistics` asks for
flows and stocks by the dimensions of `studentStatistics`; grade distributions count an F3 leaf, and have posts of their
own. Suppression is that of `analysis.rules`, whose docstring says what it protects; each question adds its own limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from archive_store.access.policy import refuse_field
from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import WITHIN, StudentDimension, permitted_classes
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store

GROUP_BY_LIMIT = 2
CELLS_LIMIT = 10_000
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class ToldCells:
    """Cells as rows of names, with `count` and `suppressed`; `smallest_cell` is the policy's limit."""

    smallest_cell: int
    dimensions: Sequence[StudentDimension]
    cells: Sequence[Row]


def check_group_by(viewer: Viewer, group_by: Sequence[StudentDimension]) -> tuple[StudentDimension, ...]:
    """The dimensions that the cells have, a class with its grade.

    FORBIDDEN without a statistics post, and by name on a dimension that may not be counted by. INVALID_ARGUMENT by
    the status, which the question tells of its own.
    """
    classes = permitted_classes(viewer)
    for dimension in group_by:
        if dimension.field_class not in classes:
            raise refuse_field(f"group_by.{dimension.attribute}")
    if StudentDimension.STATUS in group_by:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="group_by.status",
            detail_zh="状态由本题自身给出",
            detail_en="the status is told by the question itself",
        )
    asked = set(group_by)
    if len(asked) > GROUP_BY_LIMIT:
        raise RegistrarError(ErrorCode.TOO_MANY, field="group_by", limit=GROUP_BY_LIMIT)
    table = asked | {WITHIN[dimension] for dimension in asked & WITHIN.keys()}
    return tuple(dimension for dimension in StudentDimension if dimension in table)


def places_within(dimensions: Sequence[StudentDimension], begin: int) -> list[tuple[int, int]]:
    """Pairs of places (inner, outer) of dimensions whose first stands at `begin`."""
    places = {dimension: begin + place for place, dimension in enumerate(dimensions)}
    return [(places[inner], places[outer]) for inner, outer in WITHIN.items() if inner in places]


def check_size(cells: Sequence[Told]) -> Sequence[Told]:
    """INVALID_ARGUMENT on `group_by` of more cells than are told at once."""
    if len(cells) > CELLS_LIMIT:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="group_by",
            detail_zh=f"单元格超过 {CELLS_LIMIT} 个,请减少维度",
            detail_en=f"more than {CELLS_LIMIT} cells; take fewer dimensions",
        )
    return cells


def today(store: Store) -> date:
    return school_day(store.clock.now())
