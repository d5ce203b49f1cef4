"""`student.merge`: two records of one person become one; `unmerging` makes them two again.

A major operation (policy §四(一) 重大操作): endorsed by the department head, decided by the vice principal. The record
that goes on takes the values that were named; the other is voided (注销) and points to it. Nothing is removed: both
keep their history, their papers and their accounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import ACCESS_RULE
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.duplicates.documents import MergeCase
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.identifiers import replace_identifier
from archive_store.students.changes import StudentChanges, StudentUpdate, check_values
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.operations import (
    STUDENT_UPDATE,
    current_row,
    load_student,
    request_decisions,
)
from archive_store.students.registration import STUDENT_NUMBERS
from archive_store.students.scope import student_scope
from archive_store.students.status import standing_lock
from archive_store.students.status_periods import in_force, with_status

RULE = "policy §四(一)"
MERGERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
VOIDED_FIELDS = frozenset({"merged_into", "status"})
_IDENTITY = frozenset({"identity_number", "identity_document_type", "birth_date", "gender"})


class StudentMerge(Payload):
    """Payload of `student.merge`: which record goes into which, and the values that it takes with it."""

    merge_id: PydanticObjectId
    survivor_id: PydanticObjectId
    merged_id: PydanticObjectId
    changes: StudentChanges

    @property
    def update(self) -> StudentUpdate:
        return StudentUpdate(student_id=self.survivor_id, changes=self.changes)


async def merge_students(
    store: Store,
    viewer: Viewer,
    *,
    survivor_id: ObjectId,
    merged_id: ObjectId,
    fields: Sequence[str],
    asking: Asking,
) -> Outcome:
    """Ask for the merge; `fields` of the merged record are taken as they are now.

    FORBIDDEN for a field that the asker may not read on both: the request would show them what either says.
    """
    viewer.require_any(MERGERS, rule="operation student.merge")
    if unknown := sorted(set(fields) - set(StudentChanges.model_fields)):
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field="fields", name=unknown[0][:50])
    scope = student_scope(viewer)
    row = await current_row(store, None, merged_id, frozenset(fields), scope.visible)
    readable = scope.decide(row).without_grants.readable
    if fields:
        survivor = await current_row(store, None, survivor_id, frozenset(), scope.visible)
        readable &= scope.decide(survivor).without_grants.readable
    leaves = {name: frozenset(leaves_of(Student, name)) - {"guardians.person_id"} for name in fields}
    for name, needed in leaves.items():
        if not needed <= readable:
            raise RegistrarError(ErrorCode.FORBIDDEN, field=f"fields.{name}", rule=ACCESS_RULE)
    read = frozenset().union(*leaves.values()) & encrypted_paths(Student)
    await record_reading(store, viewer, Student, [ReadRows(read, [merged_id])], purpose="student.merge")
    payload = payload_of(
        StudentMerge,
        {
            "merge_id": ObjectId(),
            "survivor_id": survivor_id,
            "merged_id": merged_id,
            "changes": {name: _taken(row.get(name)) for name in fields},
        },
    )
    return await perform(store, viewer, "student.merge", payload, asking=asking)


def _taken(value: Any) -> Any:
    """A stored value as a change spells it."""
    if isinstance(value, list):
        return [{name: held for name, held in item.items() if name != "person_id"} for item in value]
    return value


async def _check_merge(store: Store, viewer: Viewer, payload: StudentMerge) -> None:
    if payload.survivor_id == payload.merged_id:
        raise RegistrarError(ErrorCode.INVALID_ARGUMENT, field="merged_id", rule=RULE, **_THE_SAME)
    visible = student_scope(viewer).visible
    statuses: list[str] = []
    for field, key in (("survivor_id", payload.survivor_id), ("merged_id", payload.merged_id)):
        try:
            row = await current_row(store, None, key, VOIDED_FIELDS, visible)
        except RegistrarError:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=field) from None
        require_whole(row["status"], row.get("merged_into"), field)
        statuses.append(row["status"])
    _require_expulsion_kept(*statuses)
    if payload.update.fields:
        merged = await current_row(store, None, payload.merged_id, payload.update.fields, {})
        _require_taken(payload, merged)
        await _check_fits(store, viewer, payload.update)


async def _check_fits(store: Store, viewer: Viewer, update: StudentUpdate) -> None:
    """What cannot stand together on one record is refused before anybody signs, as for any change."""
    scope, touched = student_scope(viewer), update.values
    row = await current_row(store, None, update.student_id, update.fields | _IDENTITY, scope.visible)
    readable = scope.decide(row).without_grants.readable
    # As in `student.update`: whether a number fits another type of document tells of the number.
    retypes = touched.keys() & {"identity_document_type", "identity_number"} == {"identity_document_type"}
    with error_fields_under("fields"):
        check_values(touched, row | touched, checks_identity=not retypes or "identity_number" in readable)


_THE_SAME = {"detail_zh": "须为另一份学籍", "detail_en": "it must be another record"}


def require_whole(status: str, merged_into: ObjectId | None, field: str) -> None:
    """WRONG_STATE of a record that is void, by a merge or otherwise."""
    if status == StudentStatus.VOIDED or merged_into is not None:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=field, rule=RULE, state=StudentStatus.VOIDED.value)


def _require_expulsion_kept(survivor: str, merged: str) -> None:
    """WRONG_STATE where an expulsion would be gone with the record that bears it: an appeal or 恢复学籍 ends one."""
    if merged == StudentStatus.EXPELLED and survivor != StudentStatus.EXPELLED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="merged_id", rule=RULE, state=merged)


def _require_taken(payload: StudentMerge, merged: Mapping[str, Any]) -> None:
    """CONFLICT where the merged record says something else by now."""
    values = payload.update.values
    changed = sorted(name for name, value in values.items() if bson_value(_taken(merged.get(name))) != value)
    if changed:
        raise RegistrarError(ErrorCode.CONFLICT, field=changed[0], rule=RULE, fields=", ".join(changed))


async def _current(
    store: Store, session: AsyncClientSession | None, payload: StudentMerge
) -> Mapping[str, Any]:
    """What the survivor says in the fields taken, and what becomes of the other."""
    merged = await current_row(store, session, payload.merged_id, VOIDED_FIELDS, {})
    now = {"status": merged["status"], "merged_into": merged.get("merged_into")}
    fields = payload.update.fields
    if fields:
        survivor = await current_row(store, session, payload.survivor_id, fields, {})
        now |= {name: survivor.get(name) for name in fields}
    return now


async def _apply_merge(unit: UnitOfWork, payload: StudentMerge) -> ObjectId:
    survivor = await load_student(unit, payload.survivor_id)
    merged = await load_student(unit, payload.merged_id)
    for field, student in (("survivor_id", survivor), ("merged_id", merged)):
        require_whole(student.status, student.merged_into, field)
    _require_expulsion_kept(survivor.status, merged.status)
    await standing_lock(unit, survivor.key, merged.key)
    fields = payload.update.fields
    held = merged.to_bson()
    _require_taken(payload, held)
    before = {name: survivor.to_bson()[name] for name in fields}
    numbers = {name: held[name] for name in STUDENT_NUMBERS if name in fields and held[name] is not None}
    voided = {
        "status": StudentStatus.VOIDED,
        "status_periods": with_status(
            merged.status_periods, StudentStatus.VOIDED, _first_day(unit, merged), unit.at
        ),
        "merged_into": PydanticObjectId(survivor.key),
    }
    if "auxiliary_number" in fields:
        voided["auxiliary_number"] = None  # one record bears it
    await write_student(unit, merged, voided, "student:merge:void")
    for name in numbers:
        # One person bears it.
        await replace_identifier(unit, merged.person_id, STUDENT_NUMBERS[name], None)
    if fields:
        await STUDENT_UPDATE.apply(unit, payload.update)
    case = MergeCase(
        id=payload.merge_id,
        survivor_id=payload.survivor_id,
        merged_id=payload.merged_id,
        fields=sorted(fields),
        sealed={
            "changes": bson_value(payload.changes.model_dump(exclude_unset=True)),
            "before": before,
            "merged": {name: held[name] for name in voided},
            "numbers": numbers,
        },
        merged_at=unit.at,
    )
    await unit.insert(case)
    told = ("survivor_id", "merged_id", "fields", "status")
    subject = Subject(MergeCase.subject_type, case.key)
    unit.audit(
        subject, "merge:apply", [FieldChange(name, None, bson_value(getattr(case, name))) for name in told]
    )
    survived = Subject(Student.subject_type, survivor.key)
    unit.audit(survived, "student:merge", note=str(merged.key))
    unit.notify(Post.DIRECTOR, "student:merged", survived)
    return case.key


def _first_day(unit: UnitOfWork, student: Student) -> date:
    """Today, or the day on which a status begins that is still to come."""
    running = [period.effective_from for period in in_force(student.status_periods)]
    return max([school_day(unit.at), *running])


async def write_student(unit: UnitOfWork, student: Student, values: Mapping[str, Any], kind: str) -> None:
    """The record with its audit entry; the numbers of its person are not touched."""
    before, after = student.to_bson(), {name: bson_value(value) for name, value in values.items()}
    await unit.change(student, after)
    changes = [FieldChange(name, before[name], value) for name, value in after.items()]
    subject = Subject(Student.subject_type, student.key)
    unit.audit(subject, kind, changes, touched=frozenset(after))


STUDENT_MERGE = Operation(
    name="student.merge",
    record_type=Student,
    payload=StudentMerge,
    requesters=MERGERS,
    subject=lambda payload: Subject(Student.subject_type, payload.merged_id),
    requested_values=lambda payload: {
        "status": StudentStatus.VOIDED.value,
        "merged_into": payload.survivor_id,
        **payload.update.values,
    },
    fields=lambda payload: VOIDED_FIELDS | payload.update.fields,
    current=_current,
    decisions=request_decisions,
    check=_check_merge,
    apply=_apply_merge,
    concerns=lambda payload: frozenset({payload.survivor_id, payload.merged_id}),
)
