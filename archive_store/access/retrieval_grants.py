"""Retrieval grants (调阅授权) and access events (查阅记录) as stored, and when a grant is open. Pure.

Policy §三(二): sensitive files are for the department head and authorised persons; a grant is the authorisation.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, Field
from pymongo import IndexModel

from archive_store.access.viewer import HeldGrant
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class Secrecy(StrEnum):
    """How secret the material is that a grant opens."""

    SENSITIVE = "SENSITIVE"  # F3, decided by the department head
    SEALED = "SEALED"  # F4 as well, decided by the vice principal

    @property
    def classes(self) -> frozenset[FieldClass]:
        """The classes opened; who may read a sensitive value may know whose it is."""
        return frozenset({F0, F1, F3}) if self is Secrecy.SENSITIVE else frozenset({F0, F1, F3, F4})


class RetrievalGrant(Record):
    """One person may view material of a student, of a document type, or of a document type of a student.

    A view is what one request reads, or one viewing of a scan (`scans/viewings.py`). `views_allowed` of them may be
    taken until `expires_at`.
    """

    subject_type: ClassVar[str] = "RetrievalGrant"

    grantee_id: Annotated[PydanticObjectId, F0]
    grantee_name: Annotated[str, F0]
    secrecy: Annotated[Secrecy, F0]
    purpose: Annotated[str, F3]
    student_id: Annotated[PydanticObjectId | None, F1] = None
    document_type: Annotated[str | None, F1] = None
    expires_at: Annotated[datetime, F0]
    views_allowed: Annotated[int, F0]
    views_taken: Annotated[int, F0] = 0
    team_id: Annotated[PydanticObjectId | None, F0] = None  # of the crisis team for which it was given

    class Settings:
        name = "retrieval_grants"
        indexes = [  # noqa: RUF012
            IndexModel([("grantee_id", 1), ("expires_at", 1)]),
            IndexModel([("team_id", 1), ("expires_at", 1)]),
        ]

    def is_open(self, at: datetime) -> bool:
        return at < self.expires_at and self.views_taken < self.views_allowed

    def held(self) -> HeldGrant:
        """As its grantee's viewer carries it."""
        return HeldGrant(
            self.key,
            self.purpose,
            self.secrecy.classes,
            self.student_id,
            self.document_type,
            self.expires_at,
            self.team_id,
        )


class ReadGroup(BaseModel):
    """Fields that were read of each of the subjects."""

    fields: Annotated[list[str], F1]
    subject_ids: Annotated[list[PydanticObjectId], F1]


class AccessEvent(Record):
    """One reading of sensitive or sealed values: who, whose, which fields, what for. One a query, not one a row."""

    subject_type: ClassVar[str] = "AccessEvent"

    viewer_id: Annotated[PydanticObjectId, F1]
    viewer_name: Annotated[str, F1]
    viewer_posts: Annotated[list[str], F1]
    purpose: Annotated[str | None, F3]
    read_type: Annotated[str, F1]
    groups: list[ReadGroup]
    grant_ids: Annotated[list[PydanticObjectId], F1] = Field(default_factory=list)
    team_ids: Annotated[list[PydanticObjectId], F1] = Field(
        default_factory=list
    )  # crisis teams it was read for

    class Settings:
        name = "access_events"
        indexes = [  # noqa: RUF012
            IndexModel([("groups.subject_ids", 1), ("_id", -1)]),
            IndexModel([("viewer_id", 1), ("_id", -1)]),
            IndexModel([("team_ids", 1), ("_id", -1)]),
        ]
