"""`appeal.decide` and `appeal.record_provincial`: the committee's decision (复查决定), and the appeal after it.

What the committee decides about the sanction is done in the same transaction.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
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
from archive_store.conduct.rules import (
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
from archive_store.conduct.steps import Line, Text, change_told, loaded, policy_in_force, tell_family
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days


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


async def _check_decide(store: Store, viewer: Viewer, payload: AppealDecide) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.DECIDE)
    require_chair(appeal, viewer.person_id)
    row = await store.database.collection(Sanction).find_one({"_id": appeal.sanction_id})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await store.cipher.decrypt_paths([row], frozenset({"reason"}))
    rules = (await policy_in_force(store)).rules
    check_outcome(Sanction.model_validate(row), payload.outcome, payload.kind, payload.months, rules)


async def _decide(unit: UnitOfWork, payload: AppealDecide) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.DECIDE)
    require_chair(appeal, unit.actor.person_id)
    sanction = await loaded(unit, Sanction, appeal.sanction_id)
    rules = (await policy_in_force(unit.store)).rules
    check_outcome(sanction, payload.outcome, payload.kind, payload.months, rules)
    today = school_day(unit.at)
    if payload.outcome is AppealOutcome.REVOKED:
        revoked = {"status": SanctionStatus.REVOKED, "revoked_on": today}
        await change_told(unit, sanction, revoked, "sanction:revoke")
    elif payload.outcome is AppealOutcome.CHANGED:
        await change_told(unit, sanction, _changed(sanction, payload), "sanction:change")
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


def _changed(sanction: Sanction, payload: AppealDecide) -> dict[str, Any]:
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


APPEAL_DECIDE = appeal_operation("appeal.decide", AppealDecide, ANY_POST, _check_decide, _decide)
APPEAL_RECORD_PROVINCIAL = appeal_operation(
    "appeal.record_provincial",
    AppealRecordProvincial,
    WRITERS_DOWN,
    _check_provincial,
    _record_provincial,
    also_open_to=is_family,
)
