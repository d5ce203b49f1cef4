"""`sanction.impose`, `sanction.expel`, `sanction.serve`, `sanction.remove`: 处分, its receipt (送达), its end (解除).

An expulsion (开除学籍) is an operation of its own: it ends the student's status in the same transaction, and another
tier decides on it. Policy §三(一) 奖惩记录, decided by the vice principal (§四(一)). Periods and clocks are those of
the conduct policy.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Tier
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.conduct.documents import Sanction, SanctionKind, SanctionStatus
from archive_store.conduct.expulsions import end_status
from archive_store.conduct.rules import (
    ASKERS,
    RULE,
    check_day,
    check_period,
    check_stage,
    is_family,
    is_of_family,
    last_day,
    months_after,
    require_not_transferred,
    require_removable,
    require_servable,
)
from archive_store.conduct.steps import (
    Line,
    Text,
    chain_in,
    change_told,
    decisions_for,
    insert_told,
    involved_in,
    loaded,
    policy_in_force,
    require_same,
    visible,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.students.family import tell_family
from archive_store.students.operations import current_row
from archive_store.students.scope import student_scope
from archive_store.students.status import MATERIALS_LIMIT, standing_lock

_EARLIEST = date(1990, 1, 1)
# How the stage of students is told; the room of the structure stands beside this one, so the archive gives it.
StagesOf = Callable[
    [Store, AsyncClientSession | None, Collection[ObjectId]], Awaitable[Mapping[ObjectId, SchoolStage]]
]


class SanctionImpose(Payload):
    """Payload of `sanction.impose` and `sanction.expel`.

    `months` is left out of an expulsion, and only there; `materials` are the scans that an expulsion rests on.
    """

    sanction_id: PydanticObjectId
    student_id: PydanticObjectId
    kind: SanctionKind
    reason: Text
    document_number: Line
    decided_on: date
    months: int | None = None
    materials: Annotated[tuple[PydanticObjectId, ...], Field(max_length=MATERIALS_LIMIT)] = ()


# Raises what the rules of status changes have against the end of the status; `chain` is whose signatures it has.
RequireExpellable = Callable[
    [Store, AsyncClientSession | None, SanctionImpose, Sequence[Tier] | None], Awaitable[None]
]


class SanctionServe(Payload):
    """Payload of `sanction.serve`: the day on which the decision was received."""

    sanction_id: PydanticObjectId
    student_id: PydanticObjectId
    served_on: date


class SanctionRemove(Payload):
    """Payload of `sanction.remove`; the application is the reason of the request."""

    sanction_id: PydanticObjectId
    student_id: PydanticObjectId


_IMPOSED = frozenset(SanctionImpose.model_fields) - {"sanction_id", "materials"}


def imposing_operation(kind: SanctionKind) -> str:
    """The name of the operation that asks for a sanction of the kind."""
    return "sanction.expel" if kind is SanctionKind.EXPULSION else "sanction.impose"


def sanction_impose(stages_of: StagesOf) -> Operation[SanctionImpose]:
    """Every kind but an expulsion."""

    async def require(store: Store, session: AsyncClientSession | None, payload: SanctionImpose) -> None:
        if payload.materials:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="materials",
                rule=RULE,
                detail_zh="仅开除学籍时填写",
                detail_en="given only of an expulsion",
            )

    return _imposing("sanction.impose", stages_of, require)


def sanction_expel(stages_of: StagesOf, require_expellable: RequireExpellable) -> Operation[SanctionImpose]:
    """开除学籍: the sanction, and the status EXPELLED from the day of the decision on."""

    async def require(store: Store, session: AsyncClientSession | None, payload: SanctionImpose) -> None:
        await require_expellable(store, session, payload, None)

    async def expel(unit: UnitOfWork, payload: SanctionImpose) -> None:
        await require_expellable(unit.store, unit.session, payload, await chain_in(unit))
        await end_status(unit, payload.student_id, payload.decided_on, payload.document_number)

    return _imposing("sanction.expel", stages_of, require, expel)


def _imposing(
    name: str,
    stages_of: StagesOf,
    require: Callable[[Store, AsyncClientSession | None, SanctionImpose], Awaitable[None]],
    and_also: Callable[[UnitOfWork, SanctionImpose], Awaitable[None]] | None = None,
) -> Operation[SanctionImpose]:
    """By how the stage of a student is told, since some bar an expulsion (ConductRules), and what is done beside it."""

    async def require_allowed(
        store: Store, session: AsyncClientSession | None, payload: SanctionImpose
    ) -> None:
        if imposing_operation(payload.kind) != name:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field="kind",
                rule=RULE,
                detail_zh="开除学籍须另行申请",
                detail_en="an expulsion is asked for by an operation of its own",
            )
        rules = (await policy_in_force(store)).rules
        check_period(payload.kind, payload.months, rules)
        if payload.kind is SanctionKind.EXPULSION:
            stages = await stages_of(store, session, [payload.student_id])
            check_stage(payload.kind, stages.get(payload.student_id), rules)

    async def check(store: Store, viewer: Viewer, payload: SanctionImpose) -> None:
        row = await current_row(store, None, payload.student_id, frozenset(), student_scope(viewer).visible)
        require_not_transferred(row["status"])
        check_day(payload.decided_on, _EARLIEST, school_day(store.clock.now()), "decided_on")
        await require_allowed(store, None, payload)
        await require(store, None, payload)

    async def apply(unit: UnitOfWork, payload: SanctionImpose) -> ObjectId:
        await require_allowed(unit.store, unit.session, payload)
        row = await current_row(unit.store, unit.session, payload.student_id, frozenset(), {})
        require_not_transferred(row["status"])
        await standing_lock(unit, payload.student_id)
        if and_also is not None:
            await and_also(unit, payload)
        months = payload.months
        sanction = Sanction(
            id=payload.sanction_id,
            imposed_at=unit.at,
            involved_ids=await involved_in(unit),
            policy_version=(await policy_in_force(unit.store)).version,
            ends_on=None if months is None else months_after(payload.decided_on, months),
            **payload.model_dump(exclude={"sanction_id", "materials"}),
        )
        await insert_told(unit, sanction, "sanction:impose")
        await tell_family(unit, sanction, sanction.student_id, "sanction:imposed")
        return sanction.key

    return Operation(
        name=name,
        record_type=Sanction,
        payload=SanctionImpose,
        requesters=ASKERS,
        subject=lambda payload: Subject(Sanction.subject_type, payload.sanction_id),
        requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _IMPOSED},
        fields=lambda payload: _IMPOSED,
        decisions=decisions_for(Sanction),
        check=check,
        apply=apply,
        concerns=lambda payload: frozenset({payload.student_id}),
    )


async def _check_serve(store: Store, viewer: Viewer, payload: SanctionServe) -> None:
    sanction = await visible(store, viewer, Sanction, payload.sanction_id)
    require_same(payload.student_id, sanction.student_id)
    require_servable(sanction)
    check_day(payload.served_on, sanction.decided_on, school_day(store.clock.now()), "served_on")


async def _serve(unit: UnitOfWork, payload: SanctionServe) -> ObjectId:
    sanction = await loaded(unit, Sanction, payload.sanction_id)
    require_servable(sanction)
    rules = (await policy_in_force(unit.store)).rules
    working_days = await load_working_days(unit.store)
    values = {
        "served_on": payload.served_on,
        "appeal_until": last_day(payload.served_on, rules.appeal_days, working_days),
    }
    await change_told(unit, sanction, values, "sanction:serve")
    await tell_family(unit, sanction, sanction.student_id, "sanction:served")
    return sanction.key


async def _check_remove(store: Store, viewer: Viewer, payload: SanctionRemove) -> None:
    sanction = await visible(store, viewer, Sanction, payload.sanction_id)
    require_same(payload.student_id, sanction.student_id)
    if not viewer.holds_any(ASKERS) and not is_of_family(viewer, sanction.student_id):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
    require_removable(sanction, school_day(store.clock.now()))


async def _remove(unit: UnitOfWork, payload: SanctionRemove) -> ObjectId:
    sanction = await loaded(unit, Sanction, payload.sanction_id)
    today = school_day(unit.at)
    require_removable(sanction, today)
    values = {"status": SanctionStatus.REMOVED, "removed_on": today}
    await change_told(unit, sanction, values, "sanction:remove")
    await tell_family(unit, sanction, sanction.student_id, "sanction:removed")
    return sanction.key


def _on_sanction(
    name: str,
    payload: type[AnyPayload],
    fields: frozenset[str],
    requested: Callable[[AnyPayload], Mapping[str, Any]],
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    **more: Any,
) -> Operation[AnyPayload]:
    async def current(store: Store, session: AsyncClientSession | None, asked: Any) -> Mapping[str, Any]:
        wanted = {"_id": 0, **dict.fromkeys(fields, 1)}
        query = {"_id": asked.sanction_id}
        return await store.database.collection(Sanction).find_one(query, wanted, session=session) or {}

    return Operation(
        name=name,
        record_type=Sanction,
        payload=payload,
        requesters=ASKERS,
        subject=lambda asked: Subject(Sanction.subject_type, asked.sanction_id),  # type: ignore[attr-defined]
        requested_values=requested,
        fields=lambda asked: fields,
        current=current,
        decisions=decisions_for(Sanction),
        reason_fields=frozenset({"reason"}),
        check=check,
        apply=apply,
        concerns=lambda asked: frozenset({asked.student_id}),  # type: ignore[attr-defined]
        **more,
    )


SANCTION_SERVE = _on_sanction(
    "sanction.serve",
    SanctionServe,
    frozenset({"served_on", "student_id"}),
    lambda payload: {"served_on": bson_value(payload.served_on), "student_id": payload.student_id},
    _check_serve,
    _serve,
)
# By application (解除申请): of the student or a guardian, or of the department for them.
SANCTION_REMOVE = _on_sanction(
    "sanction.remove",
    SanctionRemove,
    frozenset({"status", "student_id"}),
    lambda payload: {"status": SanctionStatus.REMOVED.value, "student_id": payload.student_id},
    _check_remove,
    _remove,
    also_open_to=is_family,
)
