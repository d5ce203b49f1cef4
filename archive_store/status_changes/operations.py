"""The operations of status changes (学籍异动, policy §三(一)): `student.suspend` (休学), `student.resume` (复学), …

One for each kind. What is asked is held against the rules when it is asked for and again when it applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Tier
from archive_store.approvals.operation import Operation, Values
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.organisation.names import class_lock
from archive_store.status_changes.documents import ChangeRule, StatusRules
from archive_store.status_changes.facts import (
    FACT_FIELDS,
    chain_of_request,
    facts_of,
    has_valid_certificate,
    major_on,
    place_on,
    rules_in_force,
    stays_possible,
)
from archive_store.status_changes.kinds import GRADUATION_STATUSES, KINDS, KindFacts
from archive_store.status_changes.rules import (
    EXPULSION_ARTICLE,
    RULE,
    Finding,
    RecordFacts,
    Requirement,
    findings,
    refusal,
)
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.operations import current_row, load_student, request_decisions
from archive_store.students.scope import student_scope
from archive_store.students.status import (
    MAJOR_FIELDS,
    PLACE_FIELDS,
    REASON_FIELDS,
    STATUS_FIELDS,
    StatusChange,
    periods_of,
    reverse_status,
    standing_lock,
    write_status,
)
from archive_store.students.status_periods import Cause, with_correction, with_status


async def judged(
    store: Store,
    kind: ChangeKind,
    payload: StatusChange,
    row: Row,
    session: AsyncClientSession | None = None,
    chain: Sequence[Tier] | None = None,
) -> tuple[list[Finding], RecordFacts]:
    """Every requirement of the change, held against a record whose `FACT_FIELDS` are loaded.

    `chain` is whose signatures it had, None of one that is still to be asked for. WRONG_STATE of a merged record.
    """
    if row.get("merged_into") is not None:
        # It stands twice (重复学籍); what it says next is said by the end of the merge.
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state="MERGED")
    facts = await facts_of(store, kind, payload, row, session, chain)
    held = await rules_in_force(store)
    rules = [*held.of(kind, facts.stage), *_imitated(held, kind, payload, facts.stage)]
    found = findings(kind, facts, rules, day=payload.effective_from, until=payload.until)
    if StudentStatus.EXPELLED in (KINDS[kind].after, payload.status):
        # Nobody is expelled but by a sanction, against which there is an appeal.
        found.append(Finding(Requirement.EXPULSION, facts.has_expulsion, EXPULSION_ARTICLE))
    return found, facts


def _imitated(
    rules: StatusRules, kind: ChangeKind, payload: StatusChange, stage: SchoolStage | None
) -> list[ChangeRule]:
    """What is asked of the changes that a correction would stand for, but from where they go and for how long."""
    if kind is not ChangeKind.CORRECT or payload.status in (None, StudentStatus.ENROLLED):
        return []
    imitated = [other for other, facts in KINDS.items() if facts.after is payload.status]
    blank: dict[str, Any] = {"from_statuses": frozenset(), "longest_months": None, "party_working_days": None}
    return [rule.model_copy(update=blank) for other in imitated for rule in rules.of(other, stage)]


@dataclass(frozen=True, slots=True)
class _Change:
    """What the operation of one kind does."""

    kind: ChangeKind

    @property
    def facts(self) -> KindFacts:
        return KINDS[self.kind]

    def moves(self, payload: StatusChange) -> bool:
        return self.facts.moves or (self.facts.changes_major and payload.to_class is not None)

    def fields(self, payload: StatusChange) -> frozenset[str]:
        place = PLACE_FIELDS if self.moves(payload) else frozenset()
        return STATUS_FIELDS | place | (MAJOR_FIELDS if self.facts.changes_major else frozenset())

    def after(self, payload: StatusChange) -> StudentStatus:
        """REQUIRED where a correction does not say it; INVALID_ARGUMENT for what its kind does not have."""
        if payload.to_class is not None and not self.moves(payload):
            raise _not_asked("to_class")
        if payload.to_major is not None and not self.facts.changes_major:
            raise _not_asked("to_major")
        if self.facts.after is not None:
            if payload.status is not None:
                raise _not_asked("status")
            return self.facts.after
        if payload.status is None:
            raise RegistrarError(ErrorCode.REQUIRED, field="status", rule=RULE)
        if payload.status in GRADUATION_STATUSES:
            raise _by_graduation("status")
        return payload.status

    async def check(self, store: Store, viewer: Viewer, payload: StatusChange) -> None:
        """NOT_FOUND out of sight, and the first requirement that is not met."""
        row = await current_row(store, None, payload.student_id, FACT_FIELDS, student_scope(viewer).visible)
        await self._require(store, payload, row, None)

    async def _require(
        self,
        store: Store,
        payload: StatusChange,
        row: Row,
        session: AsyncClientSession | None,
        chain: Sequence[Tier] | None = None,
    ) -> dict[str, str | None] | None:
        """Where the student goes on, of a change that moves, and their new major.

        The first requirement that is not met is raised.
        """
        after = self.after(payload)
        found, facts = await judged(store, self.kind, payload, row, session, chain)
        if error := refusal(found, facts):
            raise error
        if self.kind is ChangeKind.CORRECT and after is facts.status and _is_running(facts, payload):
            raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="status")
        if facts.status in GRADUATION_STATUSES and await has_valid_certificate(
            store, payload.student_id, session
        ):
            raise RegistrarError(ErrorCode.WRONG_STATE, field="status", rule=RULE, state="CERTIFIED")
        major: dict[str, str | None] = {}
        if self.facts.changes_major:
            code = await major_on(store, payload.to_major, payload.effective_from, facts.stage, session)
            if code == row.get("major_code"):
                raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="to_major")
            major = {"major_code": code}
            if payload.to_class is None and not await stays_possible(store, row["class_name"], code, session):
                raise RegistrarError(ErrorCode.REQUIRED, field="to_class")
        if not self.moves(payload):
            return major or None
        of_major = major.get("major_code", row.get("major_code"))
        place = await place_on(
            store, payload.to_class, payload.effective_from, facts.stage, of_major, session
        )
        if place["class_name"] == row["class_name"]:
            raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="to_class")
        return place | major

    def requested(self, payload: StatusChange) -> Mapping[str, Any]:
        after = self.facts.after or payload.status
        status = None if after is None else after.value
        told: dict[str, Any] = {"status": status, "effective_from": bson_value(payload.effective_from)}
        for name, leaf in (
            ("until", "planned_to"),
            ("counterpart", "counterpart"),
            ("document_number", "document_number"),
        ):
            if (value := getattr(payload, name)) is not None:
                told[leaf] = bson_value(value)
        place = {"class_name": payload.to_class, "class_seat_number": None} if self.moves(payload) else {}
        if self.facts.changes_major:
            place["major_code"] = payload.to_major
        return {"status": status, "status_periods": [told | {"cause": self.kind.value}], **place}

    def periods(
        self, held: list[StatusPeriod], payload: StatusChange, unit: UnitOfWork
    ) -> list[StatusPeriod]:
        write = with_correction if self.kind is ChangeKind.CORRECT else with_status
        cause = Cause(
            self.kind,
            unit.change_request,
            document_number=payload.document_number,
            counterpart=payload.counterpart,
            planned_to=payload.until,
        )
        return write(held, self.after(payload), payload.effective_from, unit.at, cause)

    async def apply(self, unit: UnitOfWork, payload: StatusChange) -> ObjectId:
        student = await load_student(unit, payload.student_id)
        if payload.effective_from > school_day(unit.at):
            # The record says what holds; a day to come is waited for by the request.
            raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=RULE)
        if payload.to_class is not None:
            # What is found of its places must still hold at the end.
            await class_lock(unit, payload.to_class)
        chain = await chain_of_request(unit)
        place = await self._require(unit.store, payload, student.to_bson(), unit.session, chain)
        await standing_lock(unit, student.key)
        await write_status(
            unit,
            student,
            self.periods(student.status_periods, payload, unit),
            self.facts.entry_kind,
            payload.effective_from,
            status=self.after(payload),
            place=place,
        )
        return student.key

    async def reverse(self, unit: UnitOfWork, payload: StatusChange, before: Values, _: date) -> None:
        student = await load_student(unit, payload.student_id)
        if student.status is not self.after(payload):
            raise RegistrarError(ErrorCode.CONFLICT, field="status", rule=RULE, fields="status")
        written = self.periods(periods_of(before), payload, unit)
        await reverse_status(unit, student, before, written, self.facts.entry_kind, payload.effective_from)

    async def current(
        self, store: Store, session: AsyncClientSession | None, payload: StatusChange
    ) -> Mapping[str, Any]:
        row = await current_row(store, session, payload.student_id, self.fields(payload), {})
        return {field: row.get(field) for field in sorted(self.fields(payload))}


def _by_graduation(field: str) -> RegistrarError:
    return RegistrarError(
        ErrorCode.RULE_FORBIDS, field=field, rule=RULE, article="学历审核 graduation.decide"
    )


def _is_running(facts: RecordFacts, payload: StatusChange) -> bool:
    running = next((p for p in facts.periods if p.superseded_at is None and p.effective_to is None), None)
    return running is not None and running.effective_from == payload.effective_from


def _not_asked(field: str) -> RegistrarError:
    return RegistrarError(
        ErrorCode.INVALID_ARGUMENT,
        field=field,
        rule=RULE,
        detail_zh="此类异动不填写该项",
        detail_en="a change of this kind does not have it",
    )


def _operation(kind: ChangeKind) -> Operation[StatusChange]:
    change = _Change(kind)
    return Operation(
        name=change.facts.operation,
        record_type=Student,
        payload=StatusChange,
        requesters=frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR}),
        subject=lambda payload: Subject(Student.subject_type, payload.student_id),
        requested_values=change.requested,
        fields=change.fields,
        current=change.current,
        # Of one field by itself: what it should have been.
        changes=frozenset({"status"} if kind is ChangeKind.CORRECT else ()),
        decisions=request_decisions,
        reason_fields=REASON_FIELDS,
        check=change.check,
        apply=change.apply,
        reverse=change.reverse,
    )


STATUS_CHANGES: Mapping[ChangeKind, Operation[StatusChange]] = {
    kind: _operation(kind) for kind, facts in KINDS.items() if not facts.by_graduation
}


def operation_of(kind: ChangeKind) -> Operation[StatusChange]:
    """RULE_FORBIDS for what only the decision on a graduation leads to."""
    if (operation := STATUS_CHANGES.get(kind)) is None:
        raise _by_graduation("kind")
    return operation
