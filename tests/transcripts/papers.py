"""A school that signs, and a student of its first class with two grades, whose own account and guardian's there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.academics.documents import GradingScheme
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.transcripts.documents import Transcript
from archive_store.transcripts.operations import TranscriptIssue, TranscriptRevoke, capacity_of
from tests.academics.terms import arrange, arranged, enter, open_course, scores
from tests.conduct.cases import family
from tests.organisation.structure import done as done_in_structure
from tests.school import School

SCHOOL = {"name": "示范中学", "code": "3132000001", "division": "320102"}


@dataclass(frozen=True)
class Graded:
    """The student with accounts `pupil` and `parent`, a classmate, and the terms and courses."""

    student: ObjectId
    classmate: ObjectId
    term: ObjectId
    arrangement: ObjectId


async def graded(school: School) -> Graded:
    await done_in_structure(school, "school.set_up", {"school_id": ObjectId(), **SCHOOL})
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "85.5", "60"))
    music = await open_course(school, "MUSIC", name="音乐", credits=0.5, scheme=GradingScheme.FIVE_LEVEL)
    lessons = await arrange(school, held.term, music)
    await enter(school, lessons, scores(held.students, "A"))
    first = await school.student()
    assert first.key == held.students[0]
    await family(school)
    return Graded(held.students[0], held.students[1], held.term, held.arrangement)


async def issue(
    school: School, student: ObjectId, subject: str = "pupil", purpose: str | None = None, **more: Any
) -> ObjectId:
    viewer = await school.viewer(subject, more.pop("header", None))
    told = {"transcript_id": ObjectId(), "student_id": student, "capacity": capacity_of(viewer, student)}
    payload = payload_of(TranscriptIssue, {**told, "purpose": purpose, **more})
    return (await perform(school.store, viewer, "transcript.issue", payload)).result  # type: ignore[no-any-return]


async def revoke(school: School, key: ObjectId, student: ObjectId, subject: str = "academic-affairs") -> Any:
    payload = payload_of(TranscriptRevoke, {"transcript_id": key, "student_id": student})
    viewer = await school.viewer(subject)
    outcome = await perform(school.store, viewer, "transcript.revoke", payload, reason="误发")
    return outcome.change_request_id


async def stored(school: School, key: ObjectId) -> Transcript:
    row = await school.store.database.collection(Transcript).find_one({"_id": key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(Transcript))
    return Transcript.model_validate(row)
