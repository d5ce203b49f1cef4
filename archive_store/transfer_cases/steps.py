"""What the operations on a case share: sight, loading, and writing an answer with its history and its messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version
from archive_store.foundation.work_calendars import load_working_days
from archive_store.students.documents import Student
from archive_store.students.family import tell_family
from archive_store.students.scope import student_scope
from archive_store.transfer_cases.default_rules import default_rules
from archive_store.transfer_cases.documents import (
    CaseDirection,
    CaseState,
    StepOutcome,
    TransferCase,
    TransferRules,
)
from archive_store.transfer_cases.rules import OFFICE, answered, has_left, is_ours

_UNTOLD = frozenset({"_id", "revision", "created_at", "updated_at"})
_TEXTS = encrypted_paths(TransferCase)


async def rules_in_force(store: Store) -> TransferRules:
    """The routes in effect; version 0, the default, where the school has not set any."""
    return await newest_version(store, TransferRules, default=default_rules)


def is_family_of(viewer: Viewer, student_id: ObjectId | None) -> bool:
    return not viewer.is_service and student_id in viewer.own_student_ids | viewer.ward_ids


async def case_in_sight(store: Store, viewer: Viewer, key: ObjectId) -> TransferCase:
    """The whole case, for deciding on an operation; NOT_FOUND to who is neither of the office nor of the family."""
    row = await store.database.collection(TransferCase).find_one({"_id": key})
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    student_id = row.get("student_id")
    is_known = viewer.holds_any(OFFICE) or is_family_of(viewer, student_id)
    if not is_known or (student_id is not None and not await is_visible(store, viewer, student_id)):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    await store.cipher.decrypt_paths([row], _TEXTS)
    case: TransferCase = TransferCase.model_validate(row)
    return case


async def is_visible(store: Store, viewer: Viewer, student_id: ObjectId) -> bool:
    query = {"$and": [{"_id": student_id}, student_scope(viewer).visible]}
    return await store.database.collection(Student).find_one(query, {"_id": 1}) is not None


def require_others(viewer: Viewer, student_id: ObjectId | None) -> None:
    """SELF_APPROVAL for who would act on their own transfer or their child's."""
    if is_family_of(viewer, student_id):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="id", rule="policy §四(一)")


async def loaded_case(unit: UnitOfWork, key: ObjectId) -> TransferCase:
    case = await unit.load(TransferCase, key)
    if case is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return case


async def running_case(
    store: Store, student_id: ObjectId, session: AsyncClientSession | None = None
) -> TransferCase | None:
    """The case in process by which the student leaves; there is one at most."""
    query = {
        "student_id": student_id,
        "direction": CaseDirection.OUT.value,
        "state": CaseState.IN_PROCESS.value,
    }
    row = await store.database.collection(TransferCase).find_one(query, session=session)
    if row is None:
        return None
    await store.cipher.decrypt_paths([row], _TEXTS)
    case: TransferCase = TransferCase.model_validate(row)
    return case


def told_whole(case: TransferCase) -> list[FieldChange]:
    row = case.to_bson()
    return [
        FieldChange(name, None, value)
        for name, value in row.items()
        if name not in _UNTOLD and value not in (None, [])
    ]


async def write_case(unit: UnitOfWork, case: TransferCase, verb: str, values: Mapping[str, Any]) -> Subject:
    """Set fields and tell them."""
    before = case.to_bson()
    await unit.change(case, values)
    changes = [
        FieldChange(name, before[name], after)
        for name, value in values.items()
        if (after := bson_value(value)) != before[name]
    ]
    subject = Subject(TransferCase.subject_type, case.key)
    # Why a step was taken may speak of why the student leaves, so that it is read as the texts are.
    touched = _TEXTS | {change.field for change in changes}
    unit.audit(subject, f"transfer_case:{verb}", changes, touched=frozenset(touched))
    return subject


async def tell_applicant(unit: UnitOfWork, case: TransferCase, kind: str) -> None:
    """Notify the family, where the case has a record."""
    if case.student_id is not None:
        await tell_family(unit, case, case.student_id, kind)


async def write_answer(
    unit: UnitOfWork,
    case: TransferCase,
    outcome: StepOutcome,
    done_on: date,
    *,
    ground: str | None = None,
    change_request_id: ObjectId | None = None,
) -> ObjectId:
    """The awaited step is done; what follows begins to run, or the case is over. The family is told."""
    answer = {
        "outcome": outcome,
        "done_on": done_on,
        "ground": ground,
        "noted_by_name": unit.actor.name,
        "noted_at": unit.at,
        "change_request_id": change_request_id,
    }
    days = unit.store.settings.file_transfer_days
    # Written down late, the archive still has its days.
    file_due_on = max(done_on, school_day(unit.at)) + timedelta(days=days)
    values = answered(case, answer, await load_working_days(unit.store), file_due_on=file_due_on)
    subject = await write_case(unit, case, "record_step", values)
    state, awaited = values.get("state"), values["awaited"]
    if state is CaseState.REFUSED:
        kind = "transfer_case:refused"
    elif state is CaseState.COMPLETED:
        kind = "transfer_case:completed"
    else:
        kind = "transfer_case:went_on"
    await tell_applicant(unit, case, kind)
    if is_ours(case.direction, awaited):
        unit.notify(Post.INFORMATION_GROUP, "transfer_case:awaits_school", subject)
    elif state is not None:
        unit.notify(Post.INFORMATION_GROUP, kind, subject)
    if state is CaseState.COMPLETED and case.direction is CaseDirection.OUT:
        unit.notify(Post.ARCHIVE_GROUP, "transfer_case:file_due", subject)
    if state is CaseState.REFUSED and has_left(case):
        tell_of_record(unit, subject)
    return case.key


def tell_of_record(unit: UnitOfWork, subject: Subject) -> None:
    """The record says that the student left, and the transfer did not come about: somebody has to correct it."""
    for post in (Post.INFORMATION_GROUP, Post.DIRECTOR):
        unit.notify(post, "transfer_case:record_to_correct", subject)
