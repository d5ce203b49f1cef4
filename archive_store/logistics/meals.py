"""`meals.enrol` and `meals.end` (用餐), by logistics at once, and who reads them (policy §一(一), 餐饮信息)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import Withheld
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.lookups import found
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.logistics.documents import Meal, MealEnrolment
from archive_store.logistics.histories import MEALS
from archive_store.logistics.queries import decide_on_logistics
from archive_store.logistics.rules import days_overlap
from archive_store.logistics.steps import (
    POLICY,
    check_days,
    logistics_operation,
    of_student,
    require_in_sight,
    require_in_study,
    student_row,
    told_whole,
)
from archive_store.students.family import tell_family
from archive_store.students.merged import owners_of_merged
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope


class MealsEnrol(Payload):
    """Payload of `meals.enrol`; both days inclusive, an open enrolment has no last one."""

    enrolment_id: PydanticObjectId
    student_id: PydanticObjectId
    meals: Annotated[frozenset[Meal], Field(min_length=1)]
    from_day: date
    to_day: date | None = None


class MealsEnd(Payload):
    """Payload of `meals.end`: the last day, earlier than the one that it has."""

    enrolment_id: PydanticObjectId
    student_id: PydanticObjectId
    to_day: date


async def _judge(store: Store, payload: MealsEnrol, session: AsyncClientSession | None = None) -> None:
    check_days(store, payload.from_day, payload.to_day)
    student = await student_row(store, payload.student_id, session)
    require_in_study(student, payload.from_day, payload.to_day, school_day(store.clock.now()))
    own = await owners_of_merged(store, session, [payload.student_id])
    query = {"student_id": {"$in": sorted(own)}}
    rows = store.database.collection(MealEnrolment).find(query, session=session)
    for held in [MealEnrolment.model_validate(row) async for row in rows]:
        if days_overlap((payload.from_day, payload.to_day), (held.from_day, held.to_day)):
            raise RegistrarError(
                ErrorCode.DUPLICATE, field="student_id", rule=POLICY, others=MealEnrolment.subject_type
            )


async def _check_enrol(store: Store, viewer: Viewer, payload: MealsEnrol) -> None:
    await require_in_sight(store, viewer, payload.student_id)
    await _judge(store, payload)


async def _enrol(unit: UnitOfWork, payload: MealsEnrol) -> ObjectId:
    await unit.serialise(f"meals:{payload.student_id}")
    await _judge(unit.store, payload, unit.session)
    values = payload.model_dump(exclude={"enrolment_id", "meals"})
    enrolment = MealEnrolment(id=payload.enrolment_id, meals=sorted(payload.meals), **values)
    await unit.insert(enrolment)
    unit.audit(Subject(enrolment.subject_type, enrolment.key), "meals:enrol", told_whole(enrolment))
    await tell_family(unit, enrolment, enrolment.student_id, "meals:enrolled")
    return enrolment.key


def _require_shorter(held: MealEnrolment, payload: MealsEnd) -> None:
    if held.student_id != payload.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    if payload.to_day < held.from_day or (held.to_day is not None and payload.to_day >= held.to_day):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="to_day", rule=POLICY)


async def _check_end(store: Store, viewer: Viewer, payload: MealsEnd) -> None:
    await require_in_sight(store, viewer, payload.student_id)
    _require_shorter(await found(store, MealEnrolment, payload.enrolment_id, "id"), payload)


async def _end(unit: UnitOfWork, payload: MealsEnd) -> ObjectId:
    held = await unit.load(MealEnrolment, payload.enrolment_id)
    if held is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id", rule=POLICY)
    _require_shorter(held, payload)
    await unit.change_told(held, {"to_day": payload.to_day}, "meals:end")
    await tell_family(unit, held, held.student_id, "meals:ended")
    return held.key


async def meals_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[MealEnrolment] | Withheld]:
    """Enrolments of each student by day; why they are kept back where the viewer reads none."""
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    seen = {
        key for key, row in facts.items() if decide_on_logistics(scope, row, MealEnrolment).readable >= MEALS
    }
    query = {"student_id": {"$in": sorted(seen)}}
    held: dict[ObjectId, list[MealEnrolment]] = defaultdict(list)
    async for row in store.database.collection(MealEnrolment).find(query).sort("from_day", 1):
        held[row["student_id"]].append(MealEnrolment.model_validate(row))
    return [held[key] if key in seen else Withheld.NOT_PERMITTED for key in student_ids]


MEALS_ENROL = logistics_operation(
    "meals.enrol", MealEnrolment, MealsEnrol, "enrolment_id", _check_enrol, _enrol, concerns=of_student
)
MEALS_END = logistics_operation(
    "meals.end", MealEnrolment, MealsEnd, "enrolment_id", _check_end, _end, concerns=of_student
)
