"""`graduation.decide` (毕业审批): up to 1,000 students as one request and one transaction, policy §四(一) 学历认证.

The audit is taken when it is asked for and again when it applies; no outcome goes beyond what it allows, and the whole
list applies or none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.graduation.audits import (
    ASKERS,
    STUDENTS_LIMIT,
    StudentAudit,
    audits_of,
    load_rows,
    rows_to_audit,
    rules_in_force,
)
from archive_store.graduation.documents import (
    OF_THE_RECORD,
    GraduationBatch,
    GraduationItem,
    GraduationOutcome,
    ShortText,
)
from archive_store.graduation.rules import unmet_for
from archive_store.status_changes.kinds import KINDS
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.status import REASON_FIELDS, STATUS_FIELDS, periods_of, standing_lock
from archive_store.students.status_periods import Cause, with_status

RULE = "policy §三(一)"
_KIND = {outcome: ChangeKind(outcome.value) for outcome in GraduationOutcome}


class Decided(BaseModel):
    """One student's outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    student_id: PydanticObjectId
    outcome: GraduationOutcome


class GraduationDecide(Payload):
    """Payload of `graduation.decide`."""

    batch_id: PydanticObjectId
    label: ShortText
    graduates_on: date
    decisions: Annotated[tuple[Decided, ...], Field(min_length=1, max_length=STUDENTS_LIMIT)]

    @property
    def student_ids(self) -> frozenset[ObjectId]:
        return frozenset(decided.student_id for decided in self.decisions)


async def _check(store: Store, viewer: Viewer, payload: GraduationDecide) -> None:
    keys = [decided.student_id for decided in payload.decisions]
    if len(set(keys)) != len(keys):
        raise RegistrarError(ErrorCode.DUPLICATE, field="decisions", others="decisions")
    rows = {row["_id"]: row for row in await rows_to_audit(store, viewer, student_ids=keys)}
    _require_met(payload, await audits_of(store, list(rows.values()), payload.graduates_on))
    for place, decided in enumerate(payload.decisions):
        _periods(rows[decided.student_id], decided, payload.graduates_on, place, store.clock.now())


def _require_met(payload: GraduationDecide, found: Mapping[ObjectId, StudentAudit]) -> None:
    """WRONG_STATE, or RULE_FORBIDS with the article, on the first student whose audit does not allow the outcome."""
    for place, decided in enumerate(payload.decisions):
        audit = found[decided.student_id]
        # Whatever the rules say or leave out.
        if audit.status not in KINDS[_KIND[decided.outcome]].before or audit.is_merged:
            state = "MERGED" if audit.is_merged else audit.status
            raise RegistrarError(
                ErrorCode.WRONG_STATE, field=f"decisions.{place}.student_id", rule=RULE, state=state
            )
        for held in audit.findings:
            if decided.outcome in held.outcomes and not held.is_met:
                raise RegistrarError(
                    ErrorCode.RULE_FORBIDS,
                    field=f"decisions.{place}.outcome",
                    rule=held.article,
                    article=held.article,
                )


async def _apply(unit: UnitOfWork, payload: GraduationDecide) -> ObjectId:
    if payload.graduates_on > school_day(unit.at):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="graduates_on", rule=RULE)
    rows = {
        row["_id"]: row
        for row in await load_rows(unit.store, {"_id": {"$in": sorted(payload.student_ids)}}, unit.session)
    }
    if rows.keys() != payload.student_ids:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="decisions")
    found = await audits_of(unit.store, list(rows.values()), payload.graduates_on, unit.session)
    _require_met(payload, found)
    await standing_lock(unit, *payload.student_ids)
    written = []
    for place, decided in enumerate(payload.decisions):
        written.append(_written(unit, rows[decided.student_id], decided, payload.graduates_on, place))
    await unit.change_many(written)
    batch = GraduationBatch(
        id=payload.batch_id,
        label=payload.label,
        graduates_on=payload.graduates_on,
        rules_version=(await rules_in_force(unit.store)).version,
        change_request_id=None if unit.change_request is None else PydanticObjectId(unit.change_request),
        decided_at=unit.at,
        items=[
            GraduationItem(
                student_id=decided.student_id,
                outcome=decided.outcome,
                unmet=[
                    requirement
                    for requirement in unmet_for(
                        found[decided.student_id].findings, GraduationOutcome.GRADUATE
                    )
                    if requirement in OF_THE_RECORD
                ],
            )
            for decided in payload.decisions
        ],
    )
    await unit.insert(batch)
    told = [
        FieldChange("label", None, batch.label),
        FieldChange("graduates_on", None, bson_value(batch.graduates_on)),
        FieldChange("rules_version", None, batch.rules_version),
    ]
    subject = Subject(GraduationBatch.subject_type, batch.key)
    unit.audit(subject, "graduation:decide", told)
    for post in (Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP):
        unit.notify(post, "graduation:decided", subject)
    return batch.key


def _periods(
    row: Row, decided: Decided, day: date, place: int, at: datetime, request: ObjectId | None = None
) -> list[StatusPeriod]:
    """The ledger as it will be; INVALID_DATE on the decision where the running period began after the day."""
    cause = Cause(_KIND[decided.outcome], request)
    try:
        return with_status(periods_of(row), _status(decided.outcome), day, at, cause)
    except RegistrarError as error:
        error.field, error.rule = f"decisions.{place}", RULE
        raise


def _written(
    unit: UnitOfWork, row: Row, decided: Decided, day: date, place: int
) -> tuple[Student, dict[str, Any]]:
    after = _status(decided.outcome)
    periods = _periods(row, decided, day, place, unit.at, unit.change_request)
    student: Student = Student.model_construct(
        id=row["_id"],
        revision=row["revision"],
        status=StudentStatus(row["status"]),
        status_periods=row["status_periods"],
    )
    values = {"status": after.value, "status_periods": bson_value(periods)}
    unit.audit(
        Subject(Student.subject_type, row["_id"]),
        KINDS[_KIND[decided.outcome]].entry_kind,
        [FieldChange(field, row[field], value) for field, value in values.items()],
        touched=STATUS_FIELDS | REASON_FIELDS,
        effective_from=day,
        # One text speaks of all of them.
        tells_reason=False,
    )
    return student, values


def _requested(payload: GraduationDecide) -> Mapping[str, Any]:
    """By student: what is told of a request is told field by field."""
    day = payload.graduates_on.isoformat()
    after = {str(decided.student_id): _status(decided.outcome).value for decided in payload.decisions}
    return {
        "status": after,
        "status_periods": {key: {"status": status, "effective_from": day} for key, status in after.items()},
    }


def _status(outcome: GraduationOutcome) -> StudentStatus:
    after = KINDS[_KIND[outcome]].after
    assert after is not None  # noqa: S101 - none of these is a correction
    return after


async def _current(
    store: Store, session: AsyncClientSession | None, payload: GraduationDecide
) -> Mapping[str, Any]:
    rows = await load_rows(store, {"_id": {"$in": sorted(payload.student_ids)}}, session)
    return {field: {str(row["_id"]): row[field] for row in rows} for field in sorted(STATUS_FIELDS)}


async def _decisions(
    store: Store, viewer: Viewer, targets: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """By posts alone: what ties a viewer to some of the students opens nothing of the others."""
    return dict.fromkeys(targets, viewer.decide(Student)) if viewer.reads_by_post else {}


GRADUATION_DECIDE = Operation(
    name="graduation.decide",
    # Values of students, by whose classes they are told.
    record_type=Student,
    payload=GraduationDecide,
    requesters=ASKERS,
    subject=lambda payload: Subject(GraduationBatch.subject_type, payload.batch_id),
    requested_values=_requested,
    fields=lambda payload: STATUS_FIELDS,
    current=_current,
    decisions=_decisions,
    reason_fields=REASON_FIELDS,
    concerns=lambda payload: payload.student_ids,
    check=_check,
    apply=_apply,
)
