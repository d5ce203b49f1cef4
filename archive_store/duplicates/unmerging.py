"""`student.unmerge`: what a merge made one record becomes two again, by the same signatures.

Restores what both records said before. Where one says something else by now, it is a CONFLICT that names the field,
and nothing is reversed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.duplicates.documents import MergeCase, MergeStatus
from archive_store.duplicates.merging import MERGERS, RULE, VOIDED_FIELDS, require_whole, write_student
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.identifiers import replace_identifier
from archive_store.students.changes import StudentChanges, StudentUpdate
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.operations import (
    STUDENT_UPDATE,
    current_row,
    load_student,
    request_decisions,
)
from archive_store.students.registration import STUDENT_NUMBERS
from archive_store.students.status_periods import restored


class StudentUnmerge(Payload):
    """Payload of `student.unmerge`."""

    merge_id: PydanticObjectId
    survivor_id: PydanticObjectId
    merged_id: PydanticObjectId


async def unmerge_students(store: Store, viewer: Viewer, merge_id: ObjectId, asking: Asking) -> Outcome:
    """Ask for the reversal of a merge; NOT_FOUND where there is none to see."""
    viewer.require_any(MERGERS, rule="operation student.unmerge")
    row = await store.database.collection(MergeCase).find_one(
        {"_id": merge_id}, {"survivor_id": 1, "merged_id": 1}
    )
    if row is None or "survivor_id" not in viewer.decide(MergeCase).readable:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    values = {"merge_id": merge_id, "survivor_id": row["survivor_id"], "merged_id": row["merged_id"]}
    return await perform(store, viewer, "student.unmerge", payload_of(StudentUnmerge, values), asking=asking)


async def _check_unmerge(store: Store, viewer: Viewer, payload: StudentUnmerge) -> None:
    row = await store.database.collection(MergeCase).find_one({"_id": payload.merge_id})
    if row is None or (row["survivor_id"], row["merged_id"]) != (payload.survivor_id, payload.merged_id):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    if row["status"] != MergeStatus.MERGED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=row["status"])
    survivor = await current_row(store, None, payload.survivor_id, VOIDED_FIELDS, {})
    require_whole(survivor["status"], survivor.get("merged_into"), "survivor_id")


async def _current_unmerge(
    store: Store, session: AsyncClientSession | None, payload: StudentUnmerge
) -> Mapping[str, Any]:
    merged = await current_row(store, session, payload.merged_id, VOIDED_FIELDS, {})
    return {"status": merged["status"], "merged_into": merged.get("merged_into")}


def _require_unchanged(merged: Student, sealed: Mapping[str, Any], survivor_id: ObjectId) -> None:
    """CONFLICT where the merged record says something else than the merge left it with."""
    left = {"status": StudentStatus.VOIDED.value, "merged_into": survivor_id, **sealed["numbers"]}
    if "auxiliary_number" in sealed["merged"]:
        left["auxiliary_number"] = None
    held = merged.to_bson()
    if changed := sorted(name for name, value in left.items() if held[name] != value):
        raise RegistrarError(ErrorCode.CONFLICT, field=changed[0], rule=RULE, fields=", ".join(changed))


async def _require_latest(unit: UnitOfWork, case: MergeCase) -> None:
    """CONFLICT where a later merge gave the survivor a value that this one gave it before."""
    later = await unit.store.database.collection(MergeCase).find_one(
        {
            "survivor_id": case.survivor_id,
            "status": MergeStatus.MERGED.value,
            "merged_at": {"$gt": bson_value(case.merged_at)},
            "fields": {"$in": case.fields},
        },
        {"fields": 1},
        session=unit.session,
    )
    if later is not None:
        changed = sorted(set(case.fields) & set(later["fields"]))
        raise RegistrarError(ErrorCode.CONFLICT, field=changed[0], rule=RULE, fields=", ".join(changed))


async def _apply_unmerge(unit: UnitOfWork, payload: StudentUnmerge) -> ObjectId:
    case = await unit.load(MergeCase, payload.merge_id)
    if case is None or case.status is not MergeStatus.MERGED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=MergeStatus.REVERSED.value)
    survivor = await load_student(unit, case.survivor_id)
    # One that went into a third record took its values along: that merge is reversed first.
    require_whole(survivor.status, survivor.merged_into, "survivor_id")
    merged = await load_student(unit, case.merged_id)
    sealed = case.sealed
    _require_unchanged(merged, sealed, case.survivor_id)
    await _require_latest(unit, case)
    if sealed["changes"]:
        update = StudentUpdate(
            student_id=case.survivor_id, changes=StudentChanges.model_validate(sealed["changes"])
        )
        assert STUDENT_UPDATE.reverse is not None  # noqa: S101
        await STUDENT_UPDATE.reverse(unit, update, sealed["before"], school_day(unit.at))
    for name, number in sealed["numbers"].items():
        await replace_identifier(unit, merged.person_id, STUDENT_NUMBERS[name], number)
    held = dict(sealed["merged"])
    earlier = [StatusPeriod.model_validate(period) for period in held["status_periods"]]
    back = held | {"status_periods": restored(merged.status_periods, earlier, unit.at)}
    await write_student(unit, merged, back, "student:unmerge:restore")
    await unit.change(case, {"status": MergeStatus.REVERSED, "reversed_at": unit.at})
    change = FieldChange("status", case.status.value, MergeStatus.REVERSED.value)
    unit.audit(Subject(MergeCase.subject_type, case.key), "merge:reverse", [change])
    survived = Subject(Student.subject_type, case.survivor_id)
    unit.audit(survived, "student:unmerge", note=str(case.merged_id))
    unit.notify(Post.DIRECTOR, "student:unmerged", survived)
    return case.key


STUDENT_UNMERGE = Operation(
    name="student.unmerge",
    record_type=Student,
    payload=StudentUnmerge,
    requesters=MERGERS,
    subject=lambda payload: Subject(Student.subject_type, payload.merged_id),
    requested_values=lambda payload: {"merged_into": None},
    fields=lambda payload: VOIDED_FIELDS,
    current=_current_unmerge,
    decisions=request_decisions,
    check=_check_unmerge,
    apply=_apply_unmerge,
    concerns=lambda payload: frozenset({payload.survivor_id, payload.merged_id}),
)
