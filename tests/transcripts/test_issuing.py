"""Issue and revocation of transcripts: who may ask, what is stated, what stays."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from bson import ObjectId

from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.documents import Student
from archive_store.transcripts.documents import Transcript, TranscriptCapacity, TranscriptState
from archive_store.transcripts.queries import transcripts_of_students
from archive_store.transcripts.rules import OF_ONE_STUDENT
from archive_store.transcripts.wording import OMITS_MERGED, person_lines
from tests.academics.terms import SECOND, correct, enter, scores, students_of
from tests.certificates.papers import child_of
from tests.organisation.test_graphql import run
from tests.retrieval.test_grants import given
from tests.school import School
from tests.transcripts.papers import graded, issue, revoke, stored


async def refused(school: School, doing: Any) -> tuple[ErrorCode, str | None]:
    """What it is refused with; nothing is written."""
    before = await school.counts()
    with pytest.raises(RegistrarError) as told:
        await doing
    assert await school.counts() == before
    return told.value.code, told.value.field


async def test_a_student_has_the_grades_certified_at_once(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    made = await stored(school, key)
    student = await school.student()
    assert (made.student_id, made.capacity, made.purpose) == (held.student, TranscriptCapacity.SELF, None)
    assert made.state is TranscriptState.VALID
    assert made.issued_on == school_day(school.store.clock.now())
    assert made.digest == hashlib.sha256(made.credential.encode()).hexdigest()
    told = json.loads(made.credential)["credentialSubject"]
    assert told["name"] == student.name
    assert told["studentNumber"] == student.auxiliary_number
    assert told["transcriptNumber"] == made.number
    line = {"schoolYear": 2025, "term": 1, "kind": "REGULAR", "status": "ENTERED"}
    assert told["courses"] == [
        {**line, "code": "MATH", "name": "数学", "credits": "4", "scheme": "PERCENT", "score": "85.5"},
        {**line, "code": "MUSIC", "name": "音乐", "credits": "0.5", "scheme": "FIVE_LEVEL", "score": "A"},
    ]
    # (4 × 3.7 + 0.5 × 4) ÷ 4.5
    assert told["average"] == {"value": "3.73", "credits": "4.5", "scale": 0}
    for secret in (student.identity_number, str(student.birth_date), str(held.student), made.code):
        assert secret
        assert secret not in made.credential
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_what_is_stored_is_encrypted(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student, "parent", "留学申请")
    raw = await school.store.database.collection(Transcript).find_one({"_id": key})
    assert raw is not None
    made = await stored(school, key)
    assert (made.capacity, made.purpose) == (TranscriptCapacity.GUARDIAN, "留学申请")
    for secret in ("85.5", "数学", "留学申请", made.reading_key):
        assert secret not in repr(raw)
    for row in (await school.documents())["audit_entries"]:
        assert made.reading_key not in repr(row)
        assert "留学申请" not in repr(row)


@pytest.mark.parametrize("subject", ["director", "academic-affairs", "teacher"])
async def test_others_who_read_the_grades_state_a_purpose(school: School, subject: str) -> None:
    held = await graded(school)
    told = await refused(school, issue(school, held.student, subject))
    assert told == (ErrorCode.PURPOSE_REQUIRED, "purpose")
    # Letters that nobody sees state nothing.
    told = await refused(school, issue(school, held.student, subject, "\u3164"))
    assert told == (ErrorCode.PURPOSE_REQUIRED, "purpose")
    before = (await school.counts()).get("access_events", 0)
    made = await stored(school, await issue(school, held.student, subject, "奖学金评审"))
    assert (made.capacity, made.purpose) == (TranscriptCapacity.SCHOOL, "奖学金评审")
    events = await school.store.database.mongo["access_events"].find().sort("_id", 1).to_list()
    assert len(events) == before + 1
    assert events[-1]["purpose"] is not None
    assert events[-1]["read_type"] == "GradeRecord"


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("information", ErrorCode.FORBIDDEN),
        ("vice-principal", ErrorCode.FORBIDDEN),
        ("archive", ErrorCode.FORBIDDEN),
        ("logistics", ErrorCode.FORBIDDEN),
        ("analysis", ErrorCode.NOT_FOUND),
    ],
)
async def test_who_does_not_read_the_grades_gets_none(school: School, subject: str, why: ErrorCode) -> None:
    held = await graded(school)
    assert await refused(school, issue(school, held.student, subject, "核对")) == (why, "student_id")


async def test_a_family_has_its_own_only(school: School) -> None:
    held = await graded(school)
    for subject in ("pupil", "parent"):
        told = await refused(school, issue(school, held.classmate, subject, "核对"))
        assert told == (ErrorCode.NOT_FOUND, "student_id")
        assert await refused(school, issue(school, ObjectId(), subject)) == told


async def test_who_teaches_a_class_gets_none_of_it(school: School) -> None:
    held = await graded(school)
    (other, *_) = await students_of(school, SECOND)
    told = await refused(school, issue(school, other, "teacher", "核对"))
    assert told == (ErrorCode.FORBIDDEN, "student_id")
    assert held.student != other


async def test_nobody_asks_as_somebody_else(school: School) -> None:
    held = await graded(school)
    told = issue(school, held.student, "director", "核对", capacity=TranscriptCapacity.SELF)
    assert await refused(school, told) == (ErrorCode.FORBIDDEN, "student_id")


async def test_a_grant_for_transcripts_opens_one(school: School) -> None:
    held = await graded(school)
    await given(school, "archive", "director", student_id=held.student, document_type="成绩单", views=1)
    assert await stored(school, await issue(school, held.student, "archive", "调档"))
    told = await refused(school, issue(school, held.classmate, "archive", "调档"))
    assert told == (ErrorCode.FORBIDDEN, "student_id")
    # Its view was taken.
    assert await refused(school, issue(school, held.student, "archive", "调档")) == told


async def test_without_grades_there_is_none(school: School) -> None:
    held = await graded(school)
    (*_, last) = await students_of(school, "2023级1班")
    told = await refused(school, issue(school, last, "academic-affairs", "核对"))
    assert told == (ErrorCode.WRONG_STATE, "student_id")
    assert last not in (held.student, held.classmate)


async def test_so_many_a_day_also_at_once(school: School) -> None:
    held = await graded(school)
    told = await asyncio.gather(
        *(issue(school, held.student) for _ in range(OF_ONE_STUDENT + 2)), return_exceptions=True
    )
    faults = [one for one in told if isinstance(one, RegistrarError)]
    assert [(fault.code, fault.status) for fault in faults] == [(ErrorCode.TOO_OFTEN, 429)] * 2
    assert await school.store.database.collection(Transcript).count_documents({}) == OF_ONE_STUDENT
    # The guardian has a day's own.
    assert await issue(school, held.student, "parent")


async def test_a_correction_changes_nothing_that_was_issued_and_is_told(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    before = await stored(school, key)

    async def is_corrected() -> bool:
        pupil = await school.viewer("pupil", None)
        (views,) = await transcripts_of_students(school.store, pupil, [held.student])
        assert isinstance(views, list)
        return {view.id: view.corrected_since for view in views}[key]

    # A new grade is no correction of what it tells.
    assert await enter(school, held.arrangement, scores((held.classmate,), "70"), dry_run=True)
    assert not await is_corrected()
    request = await correct(school, held.student, score="90")
    assert not await is_corrected()
    await school.approve("director", request)
    assert await is_corrected()
    assert await stored(school, key) == before
    newer = await stored(school, await issue(school, held.student))
    assert json.loads(newer.credential)["credentialSubject"]["courses"][0]["score"] == "90"


async def test_the_head_signs_a_revocation(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    for subject in ("information", "pupil", "teacher", "director"):
        told = await refused(school, revoke(school, key, held.student, subject))
        assert told[0] is ErrorCode.FORBIDDEN, subject
    told = await refused(school, revoke(school, key, held.classmate))
    assert told == (ErrorCode.NOT_FOUND, "transcript_id")
    request = await revoke(school, key, held.student)
    assert (await stored(school, key)).state is TranscriptState.VALID
    await school.approve("director", request)
    made = await stored(school, key)
    assert (made.state, made.ended_on) == (TranscriptState.REVOKED, school_day(school.store.clock.now()))
    told = await refused(school, revoke(school, key, held.student))
    assert told == (ErrorCode.WRONG_STATE, "transcript_id")
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_nobody_signs_for_the_transcript_of_their_child(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    await child_of(school, held.student, "director")
    request = await revoke(school, key, held.student)
    told = await refused(school, school.approve("director", request))
    assert told[0] is ErrorCode.SELF_APPROVAL
    assert (await stored(school, key)).state is TranscriptState.VALID


async def test_an_earlier_correction_is_not_told(school: School) -> None:
    held = await graded(school)
    await school.approve("director", await correct(school, held.student, score="99"))
    made = await stored(school, await issue(school, held.student))
    told = json.loads(made.credential)["credentialSubject"]
    assert {line["status"] for line in told["courses"]} == {"ENTERED"}
    assert "CORRECTED" not in made.credential


async def test_grades_of_a_merged_record_are_told_to_be_left_out(school: School) -> None:
    held = await graded(school)
    first = json.loads((await stored(school, await issue(school, held.student))).credential)
    assert "omitsMerged" not in first["credentialSubject"]
    students = school.store.database.collection(Student)
    await students.update_one({"_id": held.classmate}, {"$set": {"merged_into": held.student}})
    told = json.loads((await stored(school, await issue(school, held.student))).credential)[
        "credentialSubject"
    ]
    assert told["omitsMerged"] is True
    assert len(told["courses"]) == len(first["credentialSubject"]["courses"])
    assert OMITS_MERGED in person_lines(told)


async def test_who_knows_of_no_transcript_learns_nothing_by_its_revocation(school: School) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    await revoke(school, key, held.student)
    query = (
        "{ changeRequests(first: 5) { edges { node { operation reason changes { field before after } } } } }"
    )
    told = {}
    for subject in ("information", "vice-principal", "director"):
        data, _ = await run(school, subject, query)
        nodes = [edge["node"] for edge in data["changeRequests"]["edges"]]
        (told[subject],) = [node for node in nodes if node["operation"] == "transcript.revoke"]
    assert told["director"]["reason"] == "误发" and "REVOKED" in str(told["director"])
    for subject in ("information", "vice-principal"):
        assert told[subject]["reason"] is None and "REVOKED" not in str(told[subject])
