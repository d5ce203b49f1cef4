"""Transfer cases, pure: whose step it is, when it is due, and what follows from an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from archive_store.conduct.rules import months_after
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.working_days import WorkingDays
from archive_store.transfer_cases.documents import (
    CaseDirection,
    CaseState,
    CaseStep,
    Party,
    StepAct,
    StepOutcome,
    TransferCase,
)

RULE = "教基〔2025〕1号 第十五条"
# §二(一): the information group keeps the records; director and deputies may ask as well.
OPENERS = frozenset({Post.INFORMATION_GROUP})
WRITERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
# The department, and who signs. Beside them the family sees its own case; teachers do not.
OFFICE = WRITERS | {Post.ARCHIVE_GROUP, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
# What binds the school is signed; a publicity or a filing only tells what was done.
SIGNED_ACTS = frozenset({StepAct.CONSENT, StepAct.DECISION, StepAct.TRANSFER})
OURS = {CaseDirection.IN: Party.RECEIVING_SCHOOL, CaseDirection.OUT: Party.SENDING_SCHOOL}


def is_ours(direction: CaseDirection, party: Party | None) -> bool:
    """Whether the party is this school."""
    return party is OURS[direction]


def awaited_place(case: TransferCase) -> int:
    """The place of the step that is awaited; WRONG_STATE of a case that is over."""
    require_in_process(case)
    return next(place for place, step in enumerate(case.steps) if step.outcome is None)


def require_awaited(case: TransferCase, step: int) -> None:
    """WRONG_STATE where another step than that of this place is awaited."""
    if awaited_place(case) != step:
        raise RegistrarError(
            ErrorCode.WRONG_STATE, field="step", rule=RULE, state=case.steps[awaited_place(case)].party
        )


def awaited_step(case: TransferCase) -> CaseStep:
    return case.steps[awaited_place(case)]


def require_in_process(case: TransferCase) -> None:
    if case.state is not CaseState.IN_PROCESS:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=case.state)


def leaves_with(case: TransferCase, step: CaseStep) -> bool:
    """Whether agreeing to the step is a change of status of our record."""
    return case.direction is CaseDirection.OUT and step.act is StepAct.TRANSFER


def has_left(case: TransferCase) -> bool:
    """Whether our record says already that the student left."""
    return any(leaves_with(case, step) and step.outcome is StepOutcome.AGREED for step in case.steps)


def is_signed(case: TransferCase, step: CaseStep) -> bool:
    """Whether the answer is our school's, and so is given by its signatures."""
    return is_ours(case.direction, step.party) and step.act in SIGNED_ACTS


def begun(step: CaseStep, day: date, calendar: WorkingDays) -> CaseStep:
    """The step as it runs from a day, which is not counted itself."""
    due = None
    if step.working_days is not None:
        due = calendar.working_day_after(day, step.working_days)
    elif step.months is not None:
        due = months_after(day, step.months)
    return step.model_copy(update={"begun_on": day, "due_on": due})


def check_done_on(step: CaseStep, done_on: date, today: date) -> None:
    """INVALID_DATE for a day to come, or one before the step began."""
    if done_on > today or (step.begun_on is not None and done_on < step.begun_on):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="done_on", rule=RULE)


def answered(
    case: TransferCase, answer: Mapping[str, Any], calendar: WorkingDays, *, file_due_on: date
) -> dict[str, Any]:
    """What the case says once its awaited step has this outcome on this day."""
    place = awaited_place(case)
    steps = list(case.steps)
    steps[place] = step = steps[place].model_copy(update=dict(answer))
    ended: dict[str, Any] = {"steps": steps, "awaited": None, "due_on": None, "ended_on": step.done_on}
    if step.outcome is StepOutcome.REFUSED:
        return ended | {"state": CaseState.REFUSED}
    if place + 1 == len(steps):
        due = file_due_on if case.direction is CaseDirection.OUT else None
        return ended | {"state": CaseState.COMPLETED, "file_due_on": due}
    assert step.done_on is not None  # noqa: S101 - an answer has its day
    steps[place + 1] = following = begun(steps[place + 1], step.done_on, calendar)
    # A day that two steps share is told of for each.
    untold = {"reminded_for": None, "told_late_for": None}
    return {"steps": steps, "awaited": following.party, "due_on": following.due_on, **untold}


def is_overdue(case: TransferCase, today: date) -> bool:
    """Whether a party is late."""
    return case.state is CaseState.IN_PROCESS and case.due_on is not None and case.due_on < today


def is_file_overdue(case: TransferCase, today: date) -> bool:
    """Whether the archive of who left has not been sent in its time."""
    return (
        case.state is CaseState.COMPLETED
        and case.file_transfer_id is None
        and case.file_due_on is not None
        and case.file_due_on < today
    )
