"""Crisis teams (临时小组) and their after-action reviews (复盘) as stored, policy §四(一)."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.access.retrieval_grants import Secrecy
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.people.lent_posts import CRISIS_TEAMS

F0, F1, F2, F3, F4 = FieldClass


class CrisisTeamStatus(StrEnum):
    FORMED = "FORMED"  # 已组建: named, and nothing lent yet
    ACTIVE = "ACTIVE"  # 处置中: the only state in which something is lent
    STOOD_DOWN = "STOOD_DOWN"  # 已解散
    REVIEW_DUE = "REVIEW_DUE"  # 待复盘: the last day for the review has come
    CLOSED = "CLOSED"  # 已结案


class MemberRetrieval(BaseModel):
    """What a member may view for the time: material of a student, of a document type, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secrecy: Annotated[Secrecy, F0]
    student_id: Annotated[PydanticObjectId | None, F1] = None
    document_type: Annotated[str | None, F1] = None
    views: Annotated[int, F0]


class TeamMember(BaseModel):
    """A member and what they are lent: posts, and retrievals that become retrieval grants."""

    person_id: Annotated[PydanticObjectId, F0]
    name: Annotated[str, F0]
    posts: Annotated[list[Post], F0] = Field(default_factory=list)
    retrievals: list[MemberRetrieval] = Field(default_factory=list)


class AfterActionReview(BaseModel):
    """复盘: one version of it; an amendment is another one."""

    timeline: Annotated[str | None, F3] = None
    findings: Annotated[str, F3]
    lessons: Annotated[str, F3]
    measures: Annotated[str | None, F3] = None
    author_id: Annotated[PydanticObjectId, F0]
    author_name: Annotated[str, F0]
    submitted_at: Annotated[datetime, F0]


# They may have several lines.
REVIEW_TEXTS = frozenset({"timeline", "findings", "lessons", "measures"})


class CrisisTeam(Record):
    """A temporary team. What it lends ends when it stands down, and on `valid_to` whatever happens.

    `valid_to` and `review_due` are days in China, inclusive. The newest of `reviews` holds.
    """

    subject_type: ClassVar[str] = "CrisisTeam"

    title: Annotated[str, F1]
    occasion: Annotated[str, F3]  # it may speak of a student
    formed_by: Annotated[PydanticObjectId, F0]
    formed_by_name: Annotated[str, F0]
    leader_id: Annotated[PydanticObjectId, F0]
    leader_name: Annotated[str, F0]
    members: list[TeamMember]
    days: Annotated[int, F0]
    status: Annotated[CrisisTeamStatus, F0] = CrisisTeamStatus.FORMED
    formed_at: Annotated[datetime, F0]
    activated_at: Annotated[datetime | None, F0] = None
    valid_to: Annotated[date | None, F0] = None
    stood_down_at: Annotated[datetime | None, F0] = None
    review_due: Annotated[date | None, F0] = None
    reviews: list[AfterActionReview] = Field(default_factory=list)
    closed_at: Annotated[datetime | None, F0] = None

    class Settings:
        name = CRISIS_TEAMS
        indexes = [  # noqa: RUF012
            IndexModel([("members.person_id", 1), ("status", 1)]),
            IndexModel([("status", 1), ("review_due", 1)]),
        ]

    @property
    def person_ids(self) -> frozenset[PydanticObjectId]:
        """Members, leader and who formed it."""
        return frozenset({self.formed_by, self.leader_id, *(member.person_id for member in self.members)})
