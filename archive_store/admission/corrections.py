"""`admission.correct`: answers to objections, and the change of the record that they ask for. Policy §三(一) 及时更正.

The record is changed as ever: `student.update` inside, with its rules and the signatures that its fields need. The case
moves in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionCase, CaseStatus
from archive_store.admission.entry import family_of
from archive_store.admission.rules import RULE, AdmissionAction, posts_for
from archive_store.admission.steps import case_to_move, require_on, write
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import REASON_LIMIT, Outcome, payload_of, perform
from archive_store.audit.clock_work import change_each
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.changes import StudentChanges, StudentUpdate
from archive_store.students.documents import Student
from archive_store.students.operations import STUDENT_UPDATE, request_decisions

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class ObjectionAnswer(BaseModel):
    """The answer to the open objection to a field: it is corrected by `changes`, or stands, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    field: str
    is_corrected: bool
    answer: _Text | None = None


class AdmissionCorrect(Payload):
    """Payload of `admission.correct`: an answer to each open objection, and the changes of the record.

    `objections` is how many the case had, open or not: what is raised later is no answer's business.
    """

    case_id: PydanticObjectId
    student_id: PydanticObjectId
    changes: StudentChanges
    objections: int
    answers: Annotated[tuple[ObjectionAnswer, ...], Field(min_length=1, max_length=40)]

    @property
    def update(self) -> StudentUpdate:
        return StudentUpdate(student_id=self.student_id, changes=self.changes)


def _check_answers(case: AdmissionCase, payload: AdmissionCorrect) -> None:
    """Refuse, by place, an answer that fits no open objection, and an objection without an answer.

    CONFLICT where another was raised since: it may be to the same field, and say something else.
    """
    if payload.objections != len(case.objections):
        raise RegistrarError(ErrorCode.CONFLICT, field="answers", rule=RULE, fields="objections")
    objected = {held.field for held in case.open_objections}
    seen: set[str] = set()
    for place, answer in enumerate(payload.answers):
        at = f"answers.{place}"
        if answer.field not in objected or answer.field in seen:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=f"{at}.field")
        seen.add(answer.field)
        if answer.is_corrected and answer.field not in payload.update.fields:
            raise RegistrarError(ErrorCode.REQUIRED, field=f"changes.{answer.field}", rule=RULE)
        if not answer.is_corrected and answer.answer is None:
            raise RegistrarError(ErrorCode.REQUIRED, field=f"{at}.answer", rule=RULE)
    if left := objected - seen:
        raise RegistrarError(ErrorCode.REQUIRED, field=f"answers.{min(left)}", rule=RULE)
    corrected = {answer.field for answer in payload.answers if answer.is_corrected}
    if others := sorted(payload.update.fields - corrected):
        # What nobody objected to is changed by a request of its own.
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field=f"changes.{others[0]}", name=others[0])


async def _check(store: Store, viewer: Viewer, payload: AdmissionCorrect) -> None:
    case = await require_on(store, viewer, payload.case_id, AdmissionAction.CORRECT)
    if case.student_id != payload.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    _check_answers(case, payload)
    if payload.update.fields:
        await STUDENT_UPDATE.check(store, viewer, payload.update)


async def _current(
    store: Store, session: AsyncClientSession | None, payload: AdmissionCorrect
) -> Mapping[str, Any]:
    return await STUDENT_UPDATE.current(store, session, payload.update) if payload.update.fields else {}


async def _apply(unit: UnitOfWork, payload: AdmissionCorrect) -> ObjectId:
    case = await case_to_move(unit, payload.case_id, AdmissionAction.CORRECT)
    _check_answers(case, payload)
    if payload.update.fields:
        await STUDENT_UPDATE.apply(unit, payload.update)
    answers = {answer.field: answer for answer in payload.answers}
    objections = [
        held
        if not held.is_open or (answer := answers.get(held.field)) is None
        else held.model_copy(
            update={
                "is_corrected": answer.is_corrected,
                "answer": answer.answer,
                "answered_by_name": unit.actor.name,
                "answered_at": unit.at,
            }
        )
        for held in case.objections
    ]
    answered = [held for held in objections if held.answered_at == unit.at]
    values = {
        "status": CaseStatus.CORRECTED,
        "objections": objections,
        "due_at": None,
        "overdue_told_at": None,
    }
    changes = [
        FieldChange("status", case.status.value, CaseStatus.CORRECTED.value),
        FieldChange("objections", None, bson_value(answered)),
        FieldChange("due_at", case.due_at, None),
    ]
    people = await family_of(unit, case)
    await write(unit, case, "correct", values, changes=changes, told="awaits_confirmation", people=people)
    return case.key


async def correct(
    store: Store,
    viewer: Viewer,
    case_id: ObjectId,
    *,
    changes: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    reason: str,
) -> Outcome:
    """Answer the open objections of a case, and ask for the changes that the answers make.

    Whoever approves sees the changes as of any request; the answers stand in its reason, so that they see these too.
    """
    case = await require_on(store, viewer, case_id, AdmissionAction.CORRECT)
    values = {
        "case_id": case_id,
        "student_id": case.student_id,
        "objections": len(case.objections),
        "changes": changes,
        "answers": list(answers),
    }
    payload = payload_of(AdmissionCorrect, values)
    told = [reason.strip()] + [
        f"{answer.field}: {'更正 corrected' if answer.is_corrected else f'不予更正 stands: {answer.answer}'}"
        for answer in payload.answers
    ]
    return await perform(
        store,
        viewer,
        "admission.correct",
        payload,
        reason="\n".join(told)[:REASON_LIMIT] if reason.strip() else "",
    )


ADMISSION_CORRECT = Operation(
    name="admission.correct",
    record_type=Student,
    payload=AdmissionCorrect,
    requesters=posts_for(AdmissionAction.CORRECT),
    subject=lambda payload: Subject(Student.subject_type, payload.student_id),
    requested_values=lambda payload: payload.update.values,
    fields=lambda payload: payload.update.fields,
    current=_current,
    decisions=request_decisions,
    # The answers may speak of what was objected to, whichever field that is.
    reason_fields=frozenset(StudentChanges.model_fields),
    check=_check,
    apply=_apply,
)


async def tell_overdue(store: Store, now: datetime) -> int:
    """The clock's job: the director and the information group learn, once, that a correction is late."""
    late = {"status": CaseStatus.OBJECTED.value, "due_at": {"$lte": now}, "overdue_told_at": None}

    async def tell(unit: UnitOfWork, case: AdmissionCase) -> None:
        await write(unit, case, "overdue", {"overdue_told_at": unit.at}, told="overdue")
        unit.notify(Post.DIRECTOR, "admission:overdue", Subject(AdmissionCase.subject_type, case.key))

    return await change_each(store, "admission.tell_overdue", AdmissionCase, late, tell)
