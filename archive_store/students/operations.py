"""Changes of student records: `student.update`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Values
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.identifiers import rename_person, replace_identifier
from archive_store.students.changes import StudentChanges, StudentUpdate, check_values
from archive_store.students.documents import Student
from archive_store.students.queries import decisions_by_id
from archive_store.students.registration import STUDENT_NUMBERS
from archive_store.students.scope import RELATIONSHIP_FACTS, student_scope
from archive_store.students.status_periods import first_day

_RULE = "policy §三(一)"


async def current_row(
    store: Store,
    session: AsyncClientSession | None,
    student_id: ObjectId,
    fields: frozenset[str],
    visible: Row,
) -> Row:
    """These fields of a student in sight, decrypted, and `RELATIONSHIP_FACTS`."""
    row = await store.database.collection(Student).find_one(
        {"$and": [{"_id": student_id}, visible]},
        dict.fromkeys(fields | set(RELATIONSHIP_FACTS), 1),
        session=session,
    )
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    await store.cipher.decrypt_paths([row], encrypted_paths(Student))
    return row


async def load_student(unit: UnitOfWork, student_id: ObjectId) -> Student:
    """The whole record as of the transaction; NOT_FOUND without one."""
    student = await unit.load(Student, student_id)
    if student is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    return student


async def _check_update(store: Store, viewer: Viewer, payload: StudentUpdate) -> None:
    await _check(store, viewer, payload, None)


async def _check(store: Store, viewer: Viewer, payload: StudentUpdate, past: date | None) -> None:
    """As of `past`, if the change shall hold from a day that is over (追溯更正)."""
    if not payload.fields:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="changes")
    scope = student_scope(viewer)
    identity = {"identity_number", "identity_document_type", "birth_date", "gender"}
    fields = payload.fields | identity | {"status_periods"}
    row = await current_row(store, None, payload.student_id, fields, scope.visible)
    touched = payload.values
    # A grant opens the record, not what is asked of it.
    readable = scope.decide(row).without_grants.readable
    # Whether a stored number fits another type of document tells of the number; who approves is told of it then.
    retypes = touched.keys() & {"identity_document_type", "identity_number"} == {"identity_document_type"}
    with error_fields_under("changes"):
        check_values(touched, row | touched, checks_identity=not retypes or "identity_number" in readable)
    if past is not None:
        # A refusal tells of the first day: where the asker may not know it, the day is checked when it applies.
        if "status_periods.effective_from" in readable:
            _check_first_day(store, row["status_periods"], past)
        # What the record says already may still hold from another day.
        return
    # Saying "no change" of a value the asker may not read would confirm a guess at it.
    leaves = frozenset(path for field in touched for path in leaves_of(Student, field))
    if leaves <= readable and all(
        same_value(field, row.get(field), value) for field, value in touched.items()
    ):
        # To whoever may read it, it confirms the value.
        read = ReadRows(leaves & encrypted_paths(Student), [payload.student_id])
        await record_reading(store, viewer, Student, [read])
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="changes")


def _check_first_day(store: Store, periods: Sequence[Row], day: date) -> None:
    """OUT_OF_RANGE before the record's first day: nothing of it held then."""
    first = first_day(periods)
    if first is not None and day < first:
        today = school_day(store.clock.now())
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field="effective_from", rule=_RULE, least=first, most=today
        )


def same_value(field: str, stored: Any, asked: Any) -> bool:
    if field == "guardians":
        stored = [{name: held for name, held in item.items() if name != "person_id"} for item in stored or []]
    return bool(stored == asked)


async def _current_values(
    store: Store, session: AsyncClientSession | None, payload: StudentUpdate
) -> Mapping[str, Any]:
    row = await current_row(store, session, payload.student_id, payload.fields, {})
    return {field: row.get(field) for field in payload.fields}


async def request_decisions(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """How the viewer stands to the students that requests are about."""
    # A retrieval grant opens the record, not the requests about it.
    decisions = await decisions_by_id(store, viewer, student_ids)
    return {key: held.without_grants for key, held in decisions.items()}


async def _apply_update(unit: UnitOfWork, payload: StudentUpdate) -> ObjectId:
    student = await load_student(unit, payload.student_id)
    before = student.to_bson()
    values = payload.values
    # Again, on the record as it is now: another field may have changed since the request was made.
    check_values(values, before | values)
    since = unit.effective_from
    first = first_day(before["status_periods"])
    if since is not None and since < school_day(unit.at) and first is not None and since < first:
        # Without the limit: who decides need not read it.
        raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=_RULE)
    await _write(unit, student, _to_store(values, before), "student:update", since)
    return student.key


async def _reverse_update(unit: UnitOfWork, payload: StudentUpdate, before: Values, since: date) -> None:
    student = await load_student(unit, payload.student_id)
    held, written = student.to_bson(), _to_store(payload.values, before)
    if changed := sorted(field for field in written if held[field] != written[field]):
        raise RegistrarError(ErrorCode.CONFLICT, field=changed[0], fields=", ".join(changed))
    # From the day of what is reversed: for no day does it hold any more.
    await _write(unit, student, {field: before[field] for field in written}, "student:update:reverse", since)


def _to_store(values: Mapping[str, Any], before: Values) -> dict[str, Any]:
    """The values as an update of a record that had these before stores them."""
    if not values.get("guardians"):
        return dict(values)
    return {**values, "guardians": _with_accounts(values["guardians"], before["guardians"])}


async def _write(
    unit: UnitOfWork, student: Student, values: Mapping[str, Any], kind: str, since: date | None
) -> None:
    before = student.to_bson()
    # A sensitive value is listed although it stays: its absence would tell a guesser that they were right.
    sensitive = {path.partition(".")[0] for path in encrypted_paths(Student)}
    changes = [
        FieldChange(field, before[field], value)
        for field, value in values.items()
        # A value that stays may hold from another day now.
        if before[field] != value or field in sensitive or since is not None
    ]
    await unit.change(student, values)
    subject = Subject(Student.subject_type, student.key)
    unit.audit(subject, kind, changes, touched=frozenset(values), effective_from=since)
    if "name" in values:
        await rename_person(unit, student.person_id, values["name"])
    for field, identifier in STUDENT_NUMBERS.items():
        if field in values and values[field] != before[field]:
            await replace_identifier(unit, student.person_id, identifier, values[field])


def _with_accounts(asked: Sequence[Row], stored: Sequence[Row]) -> list[Row]:
    """Guardians who stay keep their account, each account goes to one: by name and relation, else by phone and one of
    these."""
    unclaimed = [held for held in stored if held.get("person_id") is not None]
    kept: list[Row] = [{"person_id": None, **new} for new in asked]
    for alike in (
        lambda new, held: (new["name"], new["relation"]) == (held["name"], held["relation"]),
        # A family shares telephones: the number alone does not make another person the account's.
        lambda new, held: (
            new["phone"] is not None
            and new["phone"] == held["phone"]
            and (new["name"] == held["name"] or new["relation"] == held["relation"])
        ),
    ):
        for new in kept:
            held = next((held for held in unclaimed if new["person_id"] is None and alike(new, held)), None)
            if held is not None:
                new["person_id"] = held["person_id"]
                unclaimed.remove(held)
    return kept


STUDENT_UPDATE = Operation(
    name="student.update",
    record_type=Student,
    payload=StudentUpdate,
    # Policy §二(一): the information group updates records; the director and deputies may ask as well.
    requesters=frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR}),
    subject=lambda payload: Subject(Student.subject_type, payload.student_id),
    requested_values=lambda payload: payload.values,
    fields=lambda payload: payload.fields,
    current=_current_values,
    changes=frozenset(StudentChanges.model_fields),
    decisions=request_decisions,
    check=_check_update,
    check_past=_check,
    apply=_apply_update,
    reverse=_reverse_update,
)
