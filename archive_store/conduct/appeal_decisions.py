"""`appeal.decide`, `appeal.record_provincial` and `appeal.record_answer`: 复查决定, 省级申诉 and its answer (答复).

What the committee, or after it the province, decides about the sanction is done in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation
from archive_store.conduct.appeals import (
    ANY_POST,
    AppealPayload,
    appeal_operation,
    appeal_to_move,
    require_on,
)
from archive_store.conduct.documents import (
    Appeal,
    AppealOutcome,
    AppealStatus,
    Sanction,
    SanctionKind,
    SanctionStatus,
)
from archive_store.conduct.expulsions import restore_status
from archive_store.conduct.rules import (
    ASKERS,
    RULE,
    WRITERS_DOWN,
    AppealAction,
    check_day,
    check_outcome,
    filed_as,
    is_family,
    last_day,
    months_after,
    require_chair,
)
from archive_store.conduct.steps import (
    Line,
    Text,
    change_told,
    decisions_for,
    loaded,
    policy_in_force,
    require_same,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.students.family import tell_family


class AppealDecide(AppealPayload):
    """Payload of `appeal.decide`; `kind` and `months` are what a changed sanction becomes."""

    outcome: AppealOutcome
    decision_reason: Text
    kind: SanctionKind | None = None
    months: int | None = None


class AppealRecordProvincial(AppealPayload):
    """Payload of `appeal.record_provincial`: that the province was appealed to, when, and under which number."""

    provincial_filed_on: date
    provincial_number: Line | None = None


class AppealRecordAnswer(AppealPayload):
    """Payload of `appeal.record_answer`: what the province decided, and when; a request, as of a sanction."""

    student_id: PydanticObjectId
    provincial_outcome: AppealOutcome
    provincial_answered_on: date
    kind: SanctionKind | None = None
    months: int | None = None


_Outcome = AppealDecide | AppealRecordAnswer


async def _check_decide(store: Store, viewer: Viewer, payload: AppealDecide) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.DECIDE)
    require_chair(appeal, viewer.person_id)
    await _check_sanction(store, appeal, payload.outcome, payload)


async def _check_sanction(store: Store, appeal: Appeal, outcome: AppealOutcome, payload: _Outcome) -> None:
    row = await store.database.collection(Sanction).find_one({"_id": appeal.sanction_id})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await store.cipher.decrypt_paths([row], frozenset({"reason"}))
    rules = (await policy_in_force(store)).rules
    check_outcome(Sanction.model_validate(row), outcome, payload.kind, payload.months, rules)


async def _decide(unit: UnitOfWork, payload: AppealDecide) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.DECIDE)
    require_chair(appeal, unit.actor.person_id)
    rules = (await policy_in_force(unit.store)).rules
    today = school_day(unit.at)
    await _settle(unit, appeal, payload.outcome, payload)
    values = {
        "status": AppealStatus.DECIDED,
        "outcome": payload.outcome,
        "decision_reason": payload.decision_reason,
        "decided_on": today,
        "decided_by_name": unit.actor.name,
        "provincial_until": last_day(today, rules.provincial_days, await load_working_days(unit.store)),
    }
    await change_told(unit, appeal, values, "appeal:decide")
    subject = Subject(Appeal.subject_type, appeal.key)
    for post in (Post.DIRECTOR, Post.INFORMATION_GROUP, Post.VICE_PRINCIPAL):
        unit.notify(post, "appeal:decided", subject)
    await tell_family(unit, appeal, appeal.student_id, "appeal:decided")
    return appeal.key


async def _settle(unit: UnitOfWork, appeal: Appeal, outcome: AppealOutcome, payload: _Outcome) -> None:
    """Do with the sanction what was decided; one that is revoked already stays so.

    An expulsion that is taken back gives back the status. Where that was ended otherwise, the information group is
    told, who can ask for REINSTATE.
    """
    sanction = await loaded(unit, Sanction, appeal.sanction_id)
    rules = (await policy_in_force(unit.store)).rules
    check_outcome(sanction, outcome, payload.kind, payload.months, rules)
    was_expelled = sanction.kind is SanctionKind.EXPULSION
    if outcome is AppealOutcome.REVOKED and sanction.status is not SanctionStatus.REVOKED:
        revoked = {"status": SanctionStatus.REVOKED, "revoked_on": school_day(unit.at)}
        await change_told(unit, sanction, revoked, "sanction:revoke")
    elif outcome is AppealOutcome.CHANGED:
        await change_told(unit, sanction, _changed(sanction, payload), "sanction:change")
    else:
        return
    if was_expelled and not await restore_status(unit, sanction):
        subject = Subject(Sanction.subject_type, sanction.key)
        unit.notify(Post.INFORMATION_GROUP, "sanction:status_to_restore", subject)


def _changed(sanction: Sanction, payload: _Outcome) -> dict[str, Any]:
    assert payload.months is not None  # noqa: S101 - nothing is changed to an expulsion
    return {
        "kind": payload.kind,
        "months": payload.months,
        "ends_on": months_after(sanction.decided_on, payload.months),
    }


async def _check_provincial(store: Store, viewer: Viewer, payload: AppealRecordProvincial) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.RECORD_PROVINCIAL)
    if filed_as(viewer, appeal.student_id) is None:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
    _check_provincial_day(appeal, payload.provincial_filed_on, school_day(store.clock.now()))


def _check_provincial_day(appeal: Appeal, day: date, today: date) -> None:
    assert appeal.decided_on is not None and appeal.provincial_until is not None  # noqa: S101 - it is decided
    check_day(day, appeal.decided_on, min(today, appeal.provincial_until), "provincial_filed_on")


async def _record_provincial(unit: UnitOfWork, payload: AppealRecordProvincial) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.RECORD_PROVINCIAL)
    _check_provincial_day(appeal, payload.provincial_filed_on, school_day(unit.at))
    values = {
        "status": AppealStatus.PROVINCIAL,
        "provincial_filed_on": payload.provincial_filed_on,
        "provincial_number": payload.provincial_number,
    }
    await change_told(unit, appeal, values, "appeal:record_provincial")
    subject = Subject(Appeal.subject_type, appeal.key)
    for post in (Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL):
        unit.notify(post, "appeal:provincial", subject)
    return appeal.key


async def _check_answer(store: Store, viewer: Viewer, payload: AppealRecordAnswer) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.RECORD_ANSWER)
    require_same(payload.student_id, appeal.student_id)
    _check_answered_on(appeal, payload.provincial_answered_on, school_day(store.clock.now()))
    await _check_sanction(store, appeal, payload.provincial_outcome, payload)


def _check_answered_on(appeal: Appeal, day: date, today: date) -> None:
    assert appeal.provincial_filed_on is not None  # noqa: S101 - the province was appealed to
    check_day(day, appeal.provincial_filed_on, today, "provincial_answered_on")


async def _record_answer(unit: UnitOfWork, payload: AppealRecordAnswer) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.RECORD_ANSWER)
    _check_answered_on(appeal, payload.provincial_answered_on, school_day(unit.at))
    await _settle(unit, appeal, payload.provincial_outcome, payload)
    values = {
        "status": AppealStatus.ANSWERED,
        "provincial_outcome": payload.provincial_outcome,
        "provincial_answered_on": payload.provincial_answered_on,
    }
    await change_told(unit, appeal, values, "appeal:record_answer")
    subject = Subject(Appeal.subject_type, appeal.key)
    for post in (Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL):
        unit.notify(post, "appeal:answered", subject)
    await tell_family(unit, appeal, appeal.student_id, "appeal:answered")
    return appeal.key


APPEAL_DECIDE = appeal_operation("appeal.decide", AppealDecide, ANY_POST, _check_decide, _decide)
APPEAL_RECORD_PROVINCIAL = appeal_operation(
    "appeal.record_provincial",
    AppealRecordProvincial,
    WRITERS_DOWN,
    _check_provincial,
    _record_provincial,
    also_open_to=is_family,
)


async def _current_answer(
    store: Store, session: AsyncClientSession | None, payload: AppealRecordAnswer
) -> Mapping[str, Any]:
    query, wanted = {"_id": payload.appeal_id}, {"_id": 0, **dict.fromkeys(_ANSWER, 1)}
    return await store.database.collection(Appeal).find_one(query, wanted, session=session) or {}


_ANSWER = frozenset({"provincial_outcome", "provincial_answered_on", "student_id"})
# The one end of a sanction that rests on what somebody says came from outside, so that it is signed as it was.
APPEAL_RECORD_ANSWER = Operation(
    name="appeal.record_answer",
    record_type=Appeal,
    payload=AppealRecordAnswer,
    requesters=ASKERS,
    subject=lambda payload: Subject(Appeal.subject_type, payload.appeal_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _ANSWER},
    fields=lambda payload: _ANSWER,
    current=_current_answer,
    decisions=decisions_for(Appeal),
    reason_fields=frozenset({"grounds"}),
    check=_check_answer,
    apply=_record_answer,
    concerns=lambda payload: frozenset({payload.student_id}),
)
