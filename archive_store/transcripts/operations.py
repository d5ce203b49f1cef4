"""`transcript.issue` and `transcript.revoke` (撤销). Policy 引言: families have what is on record of them.

Who reads all grades of a student has them certified at once, since nobody is told more by the paper. A revocation takes
back what was given out, so the department head signs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import orjson
from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.academics.queries import decide_on_grade, grades_of_students, reads
from archive_store.access.policy import Withheld
from archive_store.access.viewer import PURPOSE_LIMIT, Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.certificates.making import school_name
from archive_store.certificates.rules import new_code
from archive_store.certificates.status_lists import draw_places, signing
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope
from archive_store.transcripts.credentials import transcript_credential
from archive_store.transcripts.documents import Transcript, TranscriptCapacity, TranscriptState
from archive_store.transcripts.queries import request_decisions, transcripts_by_id
from archive_store.transcripts.rules import OF_ALL, OF_ONE_STUDENT, RULE, new_number, new_reading_key
from archive_store.transcripts.stating import statement_of

# Their work it is to read grades; whoever else reads all of a student's may ask, too.
REQUESTERS = frozenset({Post.ACADEMIC_AFFAIRS, Post.DIRECTOR, Post.TEACHER})
REVOKERS = frozenset({Post.ACADEMIC_AFFAIRS})
_Purpose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=PURPOSE_LIMIT)]
# What its history does not tell: codes and keys open it, and the signed text repeats the grades.
_TOLD = ("student_id", "number", "issued_on", "requested_by_name", "capacity", "purpose", "state", "digest")


class TranscriptIssue(Payload):
    """Payload of `transcript.issue`; `purpose` (用途) is needed of whoever is not family, as `capacity_of` tells."""

    transcript_id: PydanticObjectId
    student_id: PydanticObjectId
    capacity: TranscriptCapacity
    purpose: _Purpose | None = None


class TranscriptRevoke(Payload):
    """Payload of `transcript.revoke`, of whose transcript it is; why is the reason of the request."""

    transcript_id: PydanticObjectId
    student_id: PydanticObjectId


def capacity_of(viewer: Viewer, student_id: ObjectId) -> TranscriptCapacity:
    """As what the viewer asks for a transcript of the student."""
    if student_id in viewer.own_student_ids:
        return TranscriptCapacity.SELF
    return TranscriptCapacity.GUARDIAN if student_id in viewer.ward_ids else TranscriptCapacity.SCHOOL


def _is_person(viewer: Viewer) -> bool:
    return not viewer.is_service


def _reader(viewer: Viewer, purpose: str | None) -> Viewer:
    """The viewer, reading for the purpose of the transcript."""
    if purpose is None:
        return viewer
    reader = viewer.for_purpose(purpose)
    reader.reading.grants_used = viewer.reading.grants_used
    return reader


async def _check(store: Store, viewer: Viewer, payload: TranscriptIssue) -> None:
    facts = (await facts_by_id(store, viewer, [payload.student_id])).get(payload.student_id)
    if facts is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id")
    reader = _reader(viewer, payload.purpose)
    held = decide_on_grade(student_scope(reader), facts)
    for_purpose = held.decision.why_withheld(FieldClass.F3) is Withheld.PURPOSE_REQUIRED
    capacity = capacity_of(viewer, payload.student_id)
    if not (reads(held) or for_purpose) or capacity is not payload.capacity:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="student_id", rule=RULE)
    is_stated = payload.purpose is not None and reader.reading.purpose is not None
    if for_purpose or (capacity is TranscriptCapacity.SCHOOL and not is_stated):
        raise RegistrarError(ErrorCode.PURPOSE_REQUIRED, field="purpose", rule=RULE)
    signing(store)
    await school_name(store)
    await _require_within_limits(store, viewer.person_id, payload.student_id)
    (grades,) = await grades_of_students(store, reader, [payload.student_id])
    if grades is None or not grades.are_all:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="student_id", rule=RULE)
    if not grades.grades:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="student_id", rule=RULE, state="NO_GRADES")


async def _require_within_limits(
    store: Store, person_id: ObjectId, student_id: ObjectId, session: AsyncClientSession | None = None
) -> None:
    """TOO_OFTEN where the person has asked for so many today, of the student or in all."""
    today = school_day(store.clock.now()).isoformat()
    asked = {"requested_by": person_id, "issued_on": today}
    collection = store.database.collection(Transcript)
    for query, limit in (({**asked, "student_id": student_id}, OF_ONE_STUDENT), (asked, OF_ALL)):
        if await collection.count_documents(query, limit=limit, session=session) >= limit:
            raise RegistrarError(
                ErrorCode.TOO_OFTEN, field="student_id", rule=RULE, limit=limit, per_zh="天", per_en="a day"
            )


async def _issue(unit: UnitOfWork, payload: TranscriptIssue) -> ObjectId:
    asker = unit.actor.person_id
    assert asker is not None  # noqa: S101 - people ask
    await unit.serialise(f"transcripts:{asker}")
    await _require_within_limits(unit.store, asker, payload.student_id, unit.session)
    public_url, key = signing(unit.store)
    issued_on: date = school_day(unit.at)
    number = new_number(issued_on)
    statement = await statement_of(unit, payload.student_id, number=number, issued_on=issued_on)
    ((status_list, index),) = await draw_places(unit, Transcript, 1)
    signed = transcript_credential(
        public_url, key, told=statement.told, status_list=status_list, status_index=index, at=unit.at
    )
    text = orjson.dumps(signed)
    transcript = Transcript(
        id=payload.transcript_id,
        student_id=payload.student_id,
        number=number,
        name=statement.told["name"],
        school_name=statement.told["schoolName"],
        issued_on=issued_on,
        requested_by=PydanticObjectId(asker),
        requested_by_name=unit.actor.name,
        capacity=payload.capacity,
        purpose=payload.purpose,
        stated=list(statement.grades),
        digest=hashlib.sha256(text).hexdigest(),
        code=new_code(),
        status_list=status_list,
        status_index=index,
        reading_key=new_reading_key(),
        credential=text.decode(),
    )
    await unit.insert(transcript)
    row = transcript.to_bson()
    changes = [FieldChange(name, None, row[name]) for name in _TOLD if row[name] is not None]
    unit.audit(Subject(transcript.subject_type, transcript.key), "transcript:issue", changes)
    return transcript.key


async def student_of(store: Store, viewer: Viewer, transcript_id: ObjectId) -> ObjectId:
    """Whose transcript it is, for the payload; FORBIDDEN without a post that asks, NOT_FOUND without one in sight."""
    TRANSCRIPT_REVOKE.require_asker(viewer)
    (view,) = await transcripts_by_id(store, viewer, [transcript_id])
    if view is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="transcript_id", rule=RULE)
    return view.student_id


async def _check_revoke(store: Store, viewer: Viewer, payload: TranscriptRevoke) -> None:
    if await student_of(store, viewer, payload.transcript_id) != payload.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="transcript_id", rule=RULE)
    row = await store.database.collection(Transcript).find_one({"_id": payload.transcript_id}, {"state": 1})
    if row is None or row["state"] != TranscriptState.VALID.value:
        raise RegistrarError(
            ErrorCode.WRONG_STATE, field="transcript_id", rule=RULE, state=TranscriptState.REVOKED
        )


async def _revoke(unit: UnitOfWork, payload: TranscriptRevoke) -> ObjectId:
    held = await unit.load(Transcript, payload.transcript_id)
    if held is None or held.student_id != payload.student_id:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="transcript_id", rule=RULE)
    if held.state is not TranscriptState.VALID:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="transcript_id", rule=RULE, state=held.state)
    values = {"state": TranscriptState.REVOKED, "ended_on": school_day(unit.at)}
    await unit.change_told(held, values, "transcript:revoke")
    return held.key


async def _current(
    store: Store, session: AsyncClientSession | None, payload: TranscriptRevoke
) -> Mapping[str, Any]:
    row = await store.database.collection(Transcript).find_one(
        {"_id": payload.transcript_id}, {"state": 1}, session=session
    )
    return {"state": row["state"] if row else None}


TRANSCRIPT_ISSUE = Operation(
    name="transcript.issue",
    record_type=Transcript,
    payload=TranscriptIssue,
    requesters=REQUESTERS,
    subject=lambda payload: Subject(Transcript.subject_type, payload.transcript_id),
    requested_values=lambda payload: {"student_id": payload.student_id},
    fields=lambda payload: frozenset({"student_id"}),
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check,
    apply=_issue,
    # Its grades are decrypted nowhere but in the transcript: no request holds them.
    applies_at_once=True,
    also_open_to=_is_person,
)
TRANSCRIPT_REVOKE = Operation(
    name="transcript.revoke",
    record_type=Transcript,
    payload=TranscriptRevoke,
    requesters=REVOKERS,
    subject=lambda payload: Subject(Transcript.subject_type, payload.transcript_id),
    requested_values=lambda payload: {"state": TranscriptState.REVOKED.value},
    fields=lambda payload: frozenset({"state"}),
    current=_current,
    changes=frozenset({"state"}),
    decisions=request_decisions,
    # Why it is taken back may speak of the grades.
    reason_fields=frozenset({"credential"}),
    concerns=lambda payload: frozenset({payload.student_id}),
    check=_check_revoke,
    apply=_revoke,
)
