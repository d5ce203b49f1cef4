"""Conduct, pure: periods and clocks, who may do what in which state, and what an appeal may change.

Sources are the school policy (§三(一), §四(一)) and what a version of `ConductRules` names as its `source`.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date, timedelta
from enum import StrEnum

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.conduct.documents import (
    Appeal,
    AppealOutcome,
    AppealStatus,
    ConductRules,
    FiledAs,
    Sanction,
    SanctionKind,
    SanctionStatus,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.working_days import WorkingDays
from archive_store.students.documents import StudentStatus

RULE = "policy §四(一) 奖惩记录"
# §二(一): the information group keeps the records; director and deputies may ask as well.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
WRITERS_DOWN = frozenset({Post.INFORMATION_GROUP})  # of appeals and answers that come on paper
APPOINTERS = frozenset({Post.VICE_PRINCIPAL, Post.PRINCIPAL})
COMMITTEE_MOST = 20
KINDS = tuple(SanctionKind)
OPEN_APPEALS = frozenset({AppealStatus.FILED, AppealStatus.UNDER_REVIEW})


class AppealAction(StrEnum):
    APPOINT = "APPOINT"
    EXTEND = "EXTEND"
    DECIDE = "DECIDE"
    RECORD_PROVINCIAL = "RECORD_PROVINCIAL"
    RECORD_ANSWER = "RECORD_ANSWER"


_FROM = {
    AppealAction.APPOINT: OPEN_APPEALS,
    AppealAction.EXTEND: frozenset({AppealStatus.UNDER_REVIEW}),
    AppealAction.DECIDE: frozenset({AppealStatus.UNDER_REVIEW}),
    AppealAction.RECORD_PROVINCIAL: frozenset({AppealStatus.DECIDED}),
    AppealAction.RECORD_ANSWER: frozenset({AppealStatus.PROVINCIAL}),
}


def months_after(day: date, months: int) -> date:
    """The same day so many months on, or the last one of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def last_day(start: date, days: int, working_days: WorkingDays) -> date:
    """The last day of a clock of calendar days: its first is not counted, and it never ends on a day off.

    民法典 art. 201 ¶1 and art. 203 ¶1.
    """
    day = start + timedelta(days=days)
    while not working_days.is_working_day(day):
        day += timedelta(days=1)
    return day


def check_period(kind: SanctionKind, months: int | None, rules: ConductRules, field: str = "months") -> None:
    """OUT_OF_RANGE, REQUIRED, or INVALID_ARGUMENT for an expulsion with a period."""
    if kind is SanctionKind.EXPULSION:
        if months is not None:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field=field,
                rule=rules.source,
                detail_zh="开除学籍不设期限",
                detail_en="an expulsion has no period",
            )
        return
    if months is None:
        raise RegistrarError(ErrorCode.REQUIRED, field=field, rule=rules.source)
    if not rules.period_months_least <= months <= rules.period_months_most:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE,
            field=field,
            rule=rules.source,
            least=rules.period_months_least,
            most=rules.period_months_most,
        )


def check_stage(kind: SanctionKind, stage: SchoolStage | None, rules: ConductRules) -> None:
    """WRONG_STATE for an expulsion in a stage that bars it, or in one that nobody knows."""
    if kind is not SanctionKind.EXPULSION or not rules.no_expulsion_stages:
        return
    if stage is None or stage in rules.no_expulsion_stages:
        state = "STAGE_UNKNOWN" if stage is None else stage.value
        raise RegistrarError(ErrorCode.WRONG_STATE, field="kind", rule=rules.source, state=state)


def require_in_force(sanction: Sanction) -> None:
    if sanction.status is not SanctionStatus.IN_FORCE:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=sanction.status)


def require_servable(sanction: Sanction) -> None:
    """WRONG_STATE unless it is in force and its receipt is not recorded."""
    require_in_force(sanction)
    if sanction.served_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="SERVED")


def require_not_transferred(status: str) -> None:
    """WRONG_STATE of one who has transferred out: under a sanction they would not have been let go."""
    if status == StudentStatus.TRANSFERRED_OUT:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state=status)


def require_removable(sanction: Sanction, today: date) -> None:
    """WRONG_STATE unless it is in force, has a period, and that is over."""
    require_in_force(sanction)
    if sanction.ends_on is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=sanction.kind)
    if today < sanction.ends_on:
        state = f"IN_FORCE, {sanction.ends_on.isoformat()}"
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=state)


def require_appealable(sanction: Sanction, filed_on: date) -> None:
    """WRONG_STATE where it is not in force, OUT_OF_RANGE outside of the clock; before receipt no clock runs."""
    require_in_force(sanction)
    last = sanction.appeal_until
    if filed_on < sanction.decided_on or (last is not None and filed_on > last):
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE,
            field="filed_on",
            rule=RULE,
            least=sanction.decided_on.isoformat(),
            most=last.isoformat() if last else "-",
        )


def check_day(day: date, least: date, today: date, field: str) -> None:
    """OUT_OF_RANGE for a day to come, or one before what it follows."""
    if not least <= day <= today:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field=field, rule=RULE, least=least.isoformat(), most=today.isoformat()
        )


def require_step(appeal: Appeal, action: AppealAction) -> None:
    """WRONG_STATE where the action is none of the appeal's state."""
    if appeal.status not in _FROM[action]:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=appeal.status)
    if action is AppealAction.EXTEND and appeal.extended_on is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="EXTENDED")


def is_chair(appeal: Appeal, person_id: ObjectId | None) -> bool:
    return bool(appeal.committee) and appeal.committee[0].person_id == person_id


def sits(appeal: Appeal, person_id: ObjectId | None) -> bool:
    return any(member.person_id == person_id for member in appeal.committee)


def require_chair(appeal: Appeal, person_id: ObjectId | None) -> None:
    """FORBIDDEN to anybody but who speaks for the committee."""
    if not is_chair(appeal, person_id):
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)


def check_committee(members: Collection[ObjectId], barred: Collection[ObjectId], rules: ConductRules) -> None:
    """OUT_OF_RANGE for too few, DUPLICATE, SELF_APPROVAL for who was involved in the decision or is of the family."""
    if not rules.committee_least <= len(members) <= COMMITTEE_MOST:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE,
            field="member_ids",
            rule=rules.source,
            least=rules.committee_least,
            most=COMMITTEE_MOST,
        )
    seen: set[ObjectId] = set()
    for place, key in enumerate(members):
        field = f"member_ids.{place}"
        if key in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=field, others="member_ids")
        if key in barred:
            raise RegistrarError(ErrorCode.SELF_APPROVAL, field=field, rule=rules.source)
        seen.add(key)


def check_outcome(
    sanction: Sanction,
    outcome: AppealOutcome,
    kind: SanctionKind | None,
    months: int | None,
    rules: ConductRules,
) -> None:
    """An appeal never makes it worse: a change is to a lighter kind, or to a shorter period of the same one."""
    if outcome is not AppealOutcome.CHANGED:
        for field, value in (("kind", kind), ("months", months)):
            if value is not None:
                raise RegistrarError(
                    ErrorCode.INVALID_ARGUMENT,
                    field=field,
                    rule=RULE,
                    detail_zh="仅在变更处分时填写",
                    detail_en="given only where the sanction is changed",
                )
        return
    if kind is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="kind", rule=RULE)
    check_period(kind, months, rules)
    before, after = KINDS.index(sanction.kind), KINDS.index(kind)
    is_shorter = after == before and None not in (months, sanction.months) and months < sanction.months  # type: ignore[operator]
    if not (after < before or is_shorter):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="kind",
            rule=RULE,
            detail_zh="申诉不得加重处分",
            detail_en="an appeal does not make a sanction heavier",
        )


def is_overdue(appeal: Appeal, today: date) -> bool:
    return appeal.status in OPEN_APPEALS and today > appeal.decide_by


def is_family(viewer: Viewer) -> bool:
    """Whether there is a record that is the viewer's own or their ward's."""
    return not viewer.is_service and bool(viewer.own_student_ids | viewer.ward_ids)


def is_of_family(viewer: Viewer, student_id: ObjectId) -> bool:
    return not viewer.is_service and student_id in viewer.own_student_ids | viewer.ward_ids


def filed_as(viewer: Viewer, student_id: ObjectId) -> FiledAs | None:
    """As what the viewer would file an appeal; None where it is not theirs to file."""
    if viewer.is_service:
        return None
    if student_id in viewer.own_student_ids:
        return FiledAs.SELF
    if student_id in viewer.ward_ids:
        return FiledAs.GUARDIAN
    return FiledAs.INFORMATION_GROUP if viewer.holds_any(WRITERS_DOWN) else None
