"""A certified transcript (成绩单) as stored. Whoever does not read the grades is not told that there is one."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class TranscriptState(StrEnum):
    """成绩单状态. It does not expire: it says what was on record on its day."""

    VALID = "VALID"
    REVOKED = "REVOKED"


class TranscriptCapacity(StrEnum):
    """As what somebody asked for it."""

    SELF = "SELF"  # 本人
    GUARDIAN = "GUARDIAN"  # 监护人
    SCHOOL = "SCHOOL"  # 校内: by post, tie or retrieval grant, for a stated purpose


class StatedGrade(BaseModel):
    """A grade that it tells, as of that revision."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grade_id: Annotated[PydanticObjectId, F1]
    revision: Annotated[int, F1]


class Transcript(Record):
    """成绩单, as issued; a later correction of a grade changes nothing of it.

    `credential` is the signed document as JSON text, kept as it was signed, `digest` its SHA-256 in hex.

    The code (验证码) opens the public check, which tells the grades to whoever has the reading key (查阅码) as well.
    Both are on the paper.
    """

    subject_type: ClassVar[str] = "Transcript"

    student_id: Annotated[PydanticObjectId, F0]
    number: Annotated[str, F1]
    name: Annotated[str, F0]
    school_name: Annotated[str, F0]
    issued_on: Annotated[date, F1]
    requested_by: Annotated[PydanticObjectId, F1]
    requested_by_name: Annotated[str, F1]
    capacity: Annotated[TranscriptCapacity, F1]
    purpose: Annotated[str | None, F3] = None
    stated: list[StatedGrade]
    state: Annotated[TranscriptState, F1] = TranscriptState.VALID
    ended_on: Annotated[date | None, F1] = None
    digest: Annotated[str, F2]
    code: Annotated[str, F2]
    status_list: Annotated[int, F2]
    status_index: Annotated[int, F2]
    reading_key: Annotated[str, F3]
    credential: Annotated[str, F3]

    class Settings:
        name = "transcripts"
        indexes = [  # noqa: RUF012
            IndexModel("number", unique=True),
            IndexModel("code", unique=True),
            IndexModel([("status_list", 1), ("status_index", 1)], unique=True),
            IndexModel([("status_list", 1), ("state", 1)]),
            IndexModel([("student_id", 1), ("_id", -1)]),
            IndexModel([("requested_by", 1), ("issued_on", 1)]),
        ]
