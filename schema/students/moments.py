"""Time travel: a student at a moment, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import strawberry
from bson import ObjectId
from strawberry.scalars import JSON

from archive_store.access.policy import Withheld
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.students import moments as store
from archive_store.students.replay import Moment as StoredMoment
from schema.context import Request
from schema.errors import camel_case, snake_case
from schema.scalars import Day, shown_value


@strawberry.type(description="A moment of a record: what held on a day, by what was recorded until a time.")
class Moment:
    as_of: Day = strawberry.field(description="The school day on which it held (有效时间).")
    known_at: datetime = strawberry.field(description="Until when it was recorded (记录时间).")


@strawberry.input(description="A moment of a record; what is left out is today, and now.")
class MomentInput:
    as_of: Day | None = None
    known_at: datetime | None = None


@strawberry.type(description="A field that says something else at another moment.")
class FieldDifference:
    @strawberry.field(description="Field name, as the type spells it.")
    def field(self) -> str:
        return camel_case(_difference(self).field) or ""

    @strawberry.field(description="The value at the moment `from`; null where there was none.")
    def before(self) -> JSON | None:
        return JSON(shown_value(_difference(self).before))

    @strawberry.field(description="The value at the moment `to`; null where there was none.")
    def after(self) -> JSON | None:
        return JSON(shown_value(_difference(self).after))


@dataclass(frozen=True, slots=True)
class ShownDifferences:
    """None where the viewer reads no history; and what was kept back."""

    differences: list[FieldDifference] | None
    withheld: Mapping[str, Withheld]


async def student_at(
    info: Request, key: ObjectId, asked: tuple[date | None, datetime | None], paths: frozenset[str]
) -> tuple[Row | None, Mapping[str, Withheld]]:
    """The row of a student at the moment, with the moment; None when there is none to see."""
    context = info.context
    moment = store.moment_at(context.store, *asked)
    found = await context.loaders.student_moments.load(store.MomentsKey(key, (moment,), paths))
    if found is None or found.rows[0] is None:
        return None, {}
    told = Moment(as_of=Day(moment.as_of), known_at=moment.known_at or context.store.clock.now())
    return found.rows[0] | {"moment": told}, found.withheld


async def student_differences(
    info: Request,
    key: ObjectId,
    between: tuple[MomentInput, MomentInput | None],
    fields: list[str] | None,
) -> ShownDifferences:
    """What differs between the two moments, in whichever order they are; of these fields, or of all."""
    context = info.context
    moments: list[StoredMoment] = []
    for place, asked in zip(("from", "to"), between, strict=True):
        with error_fields_under(place):
            given = asked or MomentInput()
            moments.append(store.moment_at(context.store, given.as_of, given.known_at))
    asked_for = store.MomentsKey(key, tuple(moments), _paths_of(fields))
    found = await context.loaders.student_moments.load(asked_for)
    if found is None or not found.follows:
        return ShownDifferences(None, {})
    return ShownDifferences(store.differences(*found.rows), found.withheld)  # type: ignore[arg-type]


def _paths_of(fields: list[str] | None) -> frozenset[str]:
    if fields is None:
        return store.COMPARED_PATHS
    named = {snake_case(name) for name in fields}
    known = {path.partition(".")[0] for path in store.COMPARED_PATHS}
    if unknown := sorted(named - known):
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field="fields", name=unknown[0])
    return frozenset(path for path in store.COMPARED_PATHS if path.partition(".")[0] in named)


def _difference(source: Any) -> store.FieldDifference:
    assert isinstance(source, store.FieldDifference)  # noqa: S101
    return source
