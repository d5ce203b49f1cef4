"""Undoing a batch: what its rows entered is taken out again, row by row, where nothing depends on it.

The history keeps all: each record's chain ends with an entry that tells every field it held. A row's numbers are free
again. What was changed since, or has papers, requests, grants, holds or a case, stays, and refuses the undoing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.admission.applicants import stored_values
from archive_store.admission.documents import AdmissionCase, CaseStatus
from archive_store.approvals.documents import WITHDRAWABLE_STATUSES, ChangeRequest, RequestStatus
from archive_store.approvals.requests import withdraw_in
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, Message, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import HEADS, Actor, FieldChange, Subject, UnitOfWork, head_id
from archive_store.imports.batch_steps import RULE, load_batch, subject_of, write
from archive_store.imports.dependents import dependents_of
from archive_store.imports.documents import ROWS, BatchStatus, ImportBatch, RowOutcome, UndoObstacle
from archive_store.people.documents import Person
from archive_store.students.documents import Student
from archive_store.students.replay import REGISTRATION_UNDONE

UNDO_ROWS = 250
Kind = TypeVar("Kind", bound=Record)
_TO_UNDO = {"$in": [RowOutcome.ADDED.value, RowOutcome.UPDATED.value]}
MESSAGES = {
    UndoObstacle.CHANGED: Message("记录已变更", "the record was changed"),
    UndoObstacle.ARCHIVE_FILE: Message("已有归档材料", "papers are filed"),
    UndoObstacle.UPLOAD: Message("有正在上传的材料", "papers are being uploaded"),
    UndoObstacle.CHANGE_REQUEST: Message("有变更申请", "there is a change request"),
    UndoObstacle.UPDATE_APPLIED: Message("变更申请已生效", "the change that it asked for was made"),
    UndoObstacle.RETRIEVAL_GRANT: Message("有调阅授权", "there is a retrieval grant"),
    UndoObstacle.LEGAL_HOLD: Message("有冻结", "there is a legal hold"),
    UndoObstacle.ADMISSION_CASE: Message("有入学办理", "there is an admission case"),
    UndoObstacle.CASE_WENT_ON: Message("入学办理已变更或已提交", "the admission case was changed or went on"),
    UndoObstacle.CRISIS_TEAM: Message("临时小组涉及该生", "a crisis team is about the student"),
    UndoObstacle.MERGE: Message("已合并或已核对重复", "it was merged, or held to another record"),
    UndoObstacle.VERIFICATION: Message("已有学期核验结果", "a semester verification says something of it"),
    UndoObstacle.CONDUCT: Message("已有奖惩记录", "there are awards or sanctions"),
    UndoObstacle.GRADES: Message("已有成绩、出勤或成绩单", "there are grades, attendance or transcripts"),
    UndoObstacle.LOGISTICS: Message("已有住宿或用餐登记", "there are beds or meals"),
    UndoObstacle.TRANSFER_CASE: Message("有转学办理", "there is a transfer case"),
    UndoObstacle.OBJECTION: Message("有更正申请", "there is an objection"),
    UndoObstacle.GONE: Message("记录已不存在", "the record is gone"),
}


def depended_on(row: int, obstacle: UndoObstacle) -> RegistrarError:
    message = MESSAGES[obstacle]
    told = {"row": row, "what_zh": message.zh, "what_en": message.en}
    return RegistrarError(ErrorCode.DEPENDED_ON, field="id", rule=RULE, **told)


async def first_obstacle(store: Store, batch_id: ObjectId) -> tuple[int, UndoObstacle] | None:
    """The first row of the sheet that cannot be undone, and why."""
    pending: list[Row] = []
    rows = store.database.mongo[ROWS].find({"batch_id": batch_id, "outcome": _TO_UNDO}).sort("sheet_row", 1)
    async for row in rows:
        pending.append(row)
        if len(pending) == UNDO_ROWS:
            if found := await _first_of(store, pending):
                return found
            pending = []
    return await _first_of(store, pending)


async def _first_of(store: Store, rows: Sequence[Row]) -> tuple[int, UndoObstacle] | None:
    held = await _Held.of(store, None, rows)
    return next(((row["sheet_row"], why) for row in rows if (why := held.obstacle(row))), None)


async def undo_some(store: Store, batch: ImportBatch) -> None:
    """Take out some rows; the batch ends when there is none left, or one that something depends on."""

    async def undo(unit: UnitOfWork) -> None:
        held = await load_batch(unit, batch.key)
        if held.status is not BatchStatus.UNDOING:
            return
        rows = (
            await store.database.mongo[ROWS]
            .find({"batch_id": batch.key, "outcome": _TO_UNDO}, session=unit.session)
            .sort("sheet_row", 1)
            .limit(UNDO_ROWS)
            .to_list()
        )
        await _undo(unit, held, rows)

    actor = Actor(batch.run_by, batch.run_by_name or "", tuple(batch.run_by_posts))
    await governed_transaction(store, actor, "import.undo", undo)


async def _undo(unit: UnitOfWork, batch: ImportBatch, rows: Sequence[Row]) -> None:
    found = await _Held.of(unit.store, unit.session, rows)
    unit.heads |= found.heads
    free = [row for row in rows if found.obstacle(row) is None]
    obstacle = next(((row["sheet_row"], why) for row in rows if (why := found.obstacle(row))), None)
    entered = [row for row in free if row["outcome"] == RowOutcome.ADDED]
    await _remove_students(
        unit,
        await _records(unit, Student, entered, "student_id"),
        await _records(unit, Person, entered, "person_id"),
    )
    await _remove_cases(unit, await _records(unit, AdmissionCase, entered, "case_id"))
    for request in await _records(unit, ChangeRequest, free, "request_id"):
        if request.status in WITHDRAWABLE_STATUSES:
            await withdraw_in(unit, request)
    if free:
        done = [
            UpdateOne({"_id": row["_id"]}, {"$set": {"outcome": RowOutcome.UNDONE.value}}) for row in free
        ]
        await unit.store.database.mongo[ROWS].bulk_write(done, session=unit.session)  # house-rule: no record
    outcomes = Counter(row["outcome"] for row in free)
    values: dict[str, Any] = {
        "added": batch.added - outcomes[RowOutcome.ADDED],
        "updated": batch.updated - outcomes[RowOutcome.UPDATED],
        "undone": batch.undone + len(free),
    }
    if obstacle is not None:
        status, (values["obstacle_row"], values["obstacle"]) = BatchStatus.PARTLY_UNDONE, obstacle
    elif len(rows) < UNDO_ROWS:
        status = batch.ends_as or BatchStatus.UNDONE
    else:
        status = BatchStatus.UNDOING
    if status is not BatchStatus.UNDOING:
        values |= {"status": status, "ended_at": unit.at}
        unit.notify(Post.DIRECTOR, "roster:undone", subject_of(batch))
    await write(unit, batch, "undo", values)


async def _remove_students(unit: UnitOfWork, students: Sequence[Student], persons: Sequence[Person]) -> None:
    await unit.remove(*students)
    await unit.remove(*persons)
    for student in students:
        held = student.to_bson()
        told = [
            FieldChange(field, value, None)
            for field, value in held.items()
            if field not in Student.bookkeeping and value not in (None, [])
        ]
        unit.audit(Subject(Student.subject_type, student.key), REGISTRATION_UNDONE, told)
    for person in persons:
        unit.audit(Subject(Person.subject_type, person.key), "person:register:undo")


async def _remove_cases(unit: UnitOfWork, cases: Sequence[AdmissionCase]) -> None:
    await unit.remove(*cases)
    for case in cases:
        told = [FieldChange(n, bson_value(getattr(case, n)), None) for n in ("stage", "cohort", "batch")]
        values = stored_values(case.applicant)
        told += [FieldChange(f"applicant.{name}", value, None) for name, value in values.items()]
        unit.audit(Subject(AdmissionCase.subject_type, case.key), "admission:supply:undo", told)


class _Held:
    """How what rows entered stands now, with nothing of it opened, and what depends on it."""

    students: dict[ObjectId, Row]
    persons: dict[ObjectId, Row]
    cases: dict[ObjectId, Row]
    requests: dict[ObjectId, Row]
    heads: dict[Subject, Row | None]
    dependents: dict[ObjectId, UndoObstacle]

    @classmethod
    async def of(cls, store: Store, session: AsyncClientSession | None, rows: Sequence[Row]) -> _Held:
        held = cls()
        entered = [row for row in rows if row["outcome"] == RowOutcome.ADDED]
        held.students = await _standings(store, session, Student, entered, "student_id")
        held.persons = await _standings(store, session, Person, entered, "person_id")
        held.cases = await _standings(store, session, AdmissionCase, entered, "case_id")
        held.requests = await _standings(store, session, ChangeRequest, rows, "request_id")
        subjects = [
            Subject(kind.subject_type, key)
            for kind, found in ((Student, held.students), (Person, held.persons), (AdmissionCase, held.cases))
            for key in found
        ]
        held.heads = await _heads(store, session, subjects)
        cases = {case["student_id"] for case in held.cases.values()}
        held.dependents = await dependents_of(store, session, list(held.students), cases)
        return held

    def obstacle(self, row: Row) -> UndoObstacle | None:
        if row["outcome"] == RowOutcome.UPDATED:
            request = self.requests.get(row["request_id"]) if row.get("request_id") else None
            is_applied = request is None or request["status"] == RequestStatus.APPLIED
            return UndoObstacle.UPDATE_APPLIED if is_applied else None
        if "case_id" in row:
            case = self.cases.get(row["case_id"])
            if case is None:
                return UndoObstacle.GONE
            if case["status"] != CaseStatus.COLLECTING or self._went_on(AdmissionCase, case):
                return UndoObstacle.CASE_WENT_ON
            return self.dependents.get(case["student_id"])
        student, person = self.students.get(row["student_id"]), self.persons.get(row["person_id"])
        if student is None or person is None:
            return UndoObstacle.GONE
        # First what says more than that there is an entry about it.
        if why := self.dependents.get(student["_id"]):
            return why
        went_on = self._went_on(Student, student) or self._went_on(Person, person)
        return UndoObstacle.CHANGED if went_on else None

    def _went_on(self, kind: type[Record], row: Row) -> bool:
        head = self.heads[Subject(kind.subject_type, row["_id"])]
        return head is None or head["sequence"] != 1 or row["revision"] != 1


def _keys(rows: Sequence[Row], field: str) -> list[ObjectId]:
    return [row[field] for row in rows if row.get(field) is not None]


async def _standings(
    store: Store, session: AsyncClientSession | None, kind: type[Record], rows: Sequence[Row], field: str
) -> dict[ObjectId, Row]:
    if not (keys := _keys(rows, field)):
        return {}
    told = {"revision": 1, "status": 1} | ({"student_id": 1} if kind is AdmissionCase else {})
    found = store.database.collection(kind).find({"_id": {"$in": keys}}, told, session=session)
    return {row["_id"]: row async for row in found}


async def _records(unit: UnitOfWork, kind: type[Kind], rows: Sequence[Row], field: str) -> list[Kind]:
    """Those that the rows name, opened, in the order of the rows."""
    if not (keys := _keys(rows, field)):
        return []
    collection = unit.store.database.collection(kind)
    found = await collection.find({"_id": {"$in": keys}}, session=unit.session).to_list()
    await unit.store.cipher.decrypt_paths(found, encrypted_paths(kind))
    by_key = {row["_id"]: kind.model_validate(row) for row in found}
    return [by_key[key] for key in keys if key in by_key]


async def _heads(
    store: Store, session: AsyncClientSession | None, subjects: Sequence[Subject]
) -> dict[Subject, Row | None]:
    by_id = {head_id(subject): subject for subject in subjects}
    found = store.database.mongo[HEADS].find({"_id": {"$in": list(by_id)}}, session=session)
    heads: dict[Subject, Row | None] = dict.fromkeys(by_id.values())
    return heads | {by_id[head["_id"]]: head async for head in found}
