"""`transfer_case.open`, `.record_step` and `.answer` (转学办理).

What another party answered is written down; what our own school answers is signed as a transfer is (`.answer`), and
where it makes the student leave it is the change of status itself (`leaving.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import starts_formula
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.organisation.stages import stages_of_students
from archive_store.status_changes.kinds import KINDS
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import student_scope
from archive_store.transfer_cases.documents import (
    STEPS_LIMIT,
    CaseDirection,
    CaseRoute,
    CaseState,
    CaseStep,
    StepOutcome,
    TransferCase,
    TransferReason,
    TransferRoute,
)
from archive_store.transfer_cases.rules import (
    OPENERS,
    RULE,
    WRITERS,
    awaited_step,
    begun,
    check_done_on,
    is_signed,
    leaves_with,
    require_awaited,
)
from archive_store.transfer_cases.steps import (
    case_in_sight,
    loaded_case,
    require_others,
    rules_in_force,
    tell_applicant,
    told_whole,
    write_answer,
)

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]
# What a case is held against of a record.
ARRIVAL = dict.fromkeys(("status", "merged_into", "name", "birth_date"), 1)
_BEFORE = {
    CaseDirection.OUT: KINDS[ChangeKind.TRANSFER_OUT].before,
    CaseDirection.IN: KINDS[ChangeKind.TRANSFER_IN].before,
}


class CaseOpen(Payload):
    """Payload of `transfer_case.open`. Who comes is named, or is a student who was here before."""

    case_id: PydanticObjectId
    direction: CaseDirection
    route: CaseRoute
    student_id: PydanticObjectId | None = None
    applicant_name: Line | None = None
    birth_date: date | None = None
    other_school: Line
    other_school_code: Line | None = None
    applied_on: date
    reason_kind: TransferReason
    reason_text: Text | None = None


class CaseAnswer(Payload):
    """Payload of `transfer_case.record_step` and of `.answer`; a refusal has its ground.

    `step` is the place of the step that is answered, so that an answer that is sent twice is of that step alone.
    `student_id` is that of the case, if it has one: those tied to the student sign nothing of it.
    """

    case_id: PydanticObjectId
    student_id: PydanticObjectId | None = None
    step: Annotated[int, Field(ge=0, lt=STEPS_LIMIT)]
    outcome: StepOutcome
    done_on: date
    ground: Text | None = None


async def student_row(store: Store, viewer: Viewer, key: ObjectId) -> Row:
    query = {"$and": [{"_id": key}, student_scope(viewer).visible]}
    row = await store.database.collection(Student).find_one(query, ARRIVAL)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    if row.get("merged_into") is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state="MERGED")
    return row


async def route_for(store: Store, route: CaseRoute, student_id: ObjectId | None) -> TransferRoute:
    """UNKNOWN_CODE for a route that the rules do not have, RULE_FORBIDS for one of another stage."""
    held = (await rules_in_force(store)).of(route)
    if held is None:
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field="route")
    if student_id is not None:
        stage = (await stages_of_students(store, None, [student_id])).get(student_id)
        if stage is not None and held.stages and stage not in held.stages:
            raise RegistrarError(
                ErrorCode.RULE_FORBIDS, field="route", rule=held.article, article=held.article
            )
    return held


async def _check_open(store: Store, viewer: Viewer, payload: CaseOpen) -> None:
    for field in ("applicant_name", "other_school", "other_school_code"):
        if (text := getattr(payload, field)) is not None and starts_formula(text):
            raise RegistrarError(ErrorCode.FORMULA, field=field)
    today = school_day(store.clock.now())
    for field in ("applied_on", "birth_date"):
        if (day := getattr(payload, field)) is not None and day > today:
            raise RegistrarError(ErrorCode.INVALID_DATE, field=field, rule=RULE)
    _check_who(payload)
    if payload.student_id is not None:
        row = await student_row(store, viewer, payload.student_id)
        require_others(viewer, payload.student_id)
        _require_before(payload.direction, row)
        running = {"student_id": payload.student_id, "state": CaseState.IN_PROCESS.value}
        if await store.database.collection(TransferCase).find_one(running, {"_id": 1}) is not None:
            raise RegistrarError(
                ErrorCode.DUPLICATE, field="student_id", rule=RULE, others=TransferCase.subject_type
            )
    await route_for(store, payload.route, payload.student_id)


def _check_who(payload: CaseOpen) -> None:
    """REQUIRED for a case of nobody; INVALID_ARGUMENT where a student is named beside their record."""
    if payload.student_id is None:
        field = "student_id" if payload.direction is CaseDirection.OUT else "applicant_name"
        if payload.direction is CaseDirection.OUT or payload.applicant_name is None:
            raise RegistrarError(ErrorCode.REQUIRED, field=field, rule=RULE)
    elif payload.applicant_name is not None or payload.birth_date is not None:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="applicant_name",
            rule=RULE,
            detail_zh="已有学籍者不另填姓名、出生日期",
            detail_en="who has a record is named by it",
        )


def _require_before(direction: CaseDirection, row: Row) -> None:
    if StudentStatus(row["status"]) not in _BEFORE[direction]:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state=row["status"])


async def _open(unit: UnitOfWork, payload: CaseOpen) -> ObjectId:
    route = await route_for(unit.store, payload.route, payload.student_id)
    if payload.student_id is not None:
        row = await unit.store.database.collection(Student).find_one(
            {"_id": payload.student_id}, {"status": 1}, session=unit.session
        )
        if row is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
        _require_before(payload.direction, row)
    steps = [CaseStep(**step.model_dump()) for step in route.steps]
    steps[0] = begun(steps[0], payload.applied_on, await load_working_days(unit.store))
    case = TransferCase(
        id=payload.case_id,
        **payload.model_dump(exclude={"case_id"}),
        article=route.article,
        rules_version=(await rules_in_force(unit.store)).version,
        reminder_days=route.reminder_days,
        steps=steps,
        awaited=steps[0].party,
        due_on=steps[0].due_on,
    )
    await unit.insert(case)
    subject = Subject(TransferCase.subject_type, case.key)
    unit.audit(subject, "transfer_case:open", told_whole(case))
    await tell_applicant(unit, case, "transfer_case:opened")
    return case.key


def _check_answer(case: TransferCase, payload: CaseAnswer, today: date, *, is_own: bool) -> None:
    """RULE_FORBIDS for an answer that is not given this way; WRONG_STATE for one to a step that is not awaited."""
    if payload.student_id != case.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    step = awaited_step(case)
    require_awaited(case, payload.step)
    if step.change_request_id is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="REQUESTED")
    leaves = leaves_with(case, step) and payload.outcome is StepOutcome.AGREED
    if is_signed(case, step) is not is_own or leaves:
        raise RegistrarError(ErrorCode.RULE_FORBIDS, field="id", rule=case.article, article=case.article)
    check_done_on(step, payload.done_on, today)
    if payload.outcome is StepOutcome.REFUSED and payload.ground is None:
        raise RegistrarError(ErrorCode.REQUIRED, field="ground", rule=RULE)


def _answering(name: str, *, is_own: bool) -> Operation[CaseAnswer]:
    async def check(store: Store, viewer: Viewer, payload: CaseAnswer) -> None:
        case = await case_in_sight(store, viewer, payload.case_id)
        require_others(viewer, case.student_id)
        _check_answer(case, payload, school_day(store.clock.now()), is_own=is_own)

    async def apply(unit: UnitOfWork, payload: CaseAnswer) -> ObjectId:
        case = await loaded_case(unit, payload.case_id)
        _check_answer(case, payload, school_day(unit.at), is_own=is_own)
        return await write_answer(
            unit,
            case,
            payload.outcome,
            payload.done_on,
            ground=payload.ground,
            change_request_id=unit.change_request,
        )

    def told(payload: CaseAnswer) -> Mapping[str, Any]:
        step = {"outcome": payload.outcome, "done_on": payload.done_on, "ground": payload.ground}
        return {"steps": [bson_value(step)]}

    return case_operation(
        name, CaseAnswer, WRITERS, frozenset({"steps"}), told, check, apply, concerns=_of_student
    )


def _of_student(payload: CaseAnswer) -> frozenset[ObjectId]:
    return frozenset() if payload.student_id is None else frozenset({payload.student_id})


def case_operation(
    name: str,
    payload: type[AnyPayload],
    requesters: frozenset[Post],
    fields: frozenset[str],
    told: Any,
    check: Any,
    apply: Any,
    **more: Any,
) -> Operation[AnyPayload]:
    return Operation(
        name=f"transfer_case.{name}",
        record_type=TransferCase,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(TransferCase.subject_type, asked.case_id),  # type: ignore[attr-defined]
        requested_values=told,
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        **more,
    )


_OPENED = frozenset(CaseOpen.model_fields) - {"case_id"}
CASE_OPEN = case_operation(
    "open",
    CaseOpen,
    OPENERS,
    _OPENED,
    lambda asked: bson_value(asked.model_dump(exclude={"case_id"}, exclude_unset=True)),
    _check_open,
    _open,
)
CASE_RECORD_STEP = _answering("record_step", is_own=False)
CASE_ANSWER = _answering("answer", is_own=True)
