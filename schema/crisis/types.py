"""Crisis teams (临时小组) as their people and those who decide see them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.crisis import documents as stored
from archive_store.crisis.queries import TeamView
from archive_store.crisis.rules import TeamAction
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.enums import CrisisTeamStatus, Post, Secrecy
from schema.loaders import TextsKey
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import Day
from schema.selection import selected_fields


@strawberry.enum(description="What can be done with a crisis team.")
class CrisisTeamAction(Enum):
    ACTIVATE = "ACTIVATE"
    CHANGE_MEMBERS = "CHANGE_MEMBERS"
    STAND_DOWN = "STAND_DOWN"
    SUBMIT_REVIEW = "SUBMIT_REVIEW"
    CLOSE = "CLOSE"


@strawberry.type(description="What a member may view while the team is active.")
class CrisisTeamRetrieval:
    secrecy: Secrecy
    student_id: strawberry.ID | None
    document_type: str | None
    views: int


@strawberry.type(description="A member and what they are lent while the team is active.")
class CrisisTeamMember:
    person_id: strawberry.ID
    name: str
    posts: list[Post]
    retrievals: list[CrisisTeamRetrieval]


@strawberry.type(
    description="复盘: one version of the after-action review. Its texts are null where withheld."
)
class AfterActionReview:
    timeline: str | None = strawberry.field(
        description="What happened, in order (经过).",
        directives=directives_of(stored.CrisisTeam, "reviews.timeline"),
    )
    findings: str | None = strawberry.field(
        description="What was found (发现).", directives=directives_of(stored.CrisisTeam, "reviews.findings")
    )
    lessons: str | None = strawberry.field(
        description="What was learnt (经验教训).",
        directives=directives_of(stored.CrisisTeam, "reviews.lessons"),
    )
    measures: str | None = strawberry.field(
        description="What shall be done (改进措施).",
        directives=directives_of(stored.CrisisTeam, "reviews.measures"),
    )
    author_name: str
    submitted_at: datetime


@strawberry.type(
    description="临时小组: temporary, lent what it names, and reviewed afterwards. Policy §四(一)."
)
class CrisisTeam(Node):
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(
        description="What it is called; names no student.",
        directives=directives_of(stored.CrisisTeam, "title"),
    )
    def title(self, info: Request) -> str | None:
        return _team(self).title if _reads(info, self, "title") else None

    @strawberry.field(
        description="Why it was formed.", directives=directives_of(stored.CrisisTeam, "occasion")
    )
    async def occasion(self, info: Request) -> str | None:
        view = _view(self)
        if not _reads(info, view, "occasion"):
            return None
        texts = await info.context.loaders.crisis_texts.load(TextsKey(view.id, frozenset({"occasion"})))
        return texts.get("occasion")

    @strawberry.field
    def status(self) -> CrisisTeamStatus:
        return _team(self).status

    @strawberry.field
    def formed_by_name(self) -> str:
        return _team(self).formed_by_name

    @strawberry.field
    def leader_name(self) -> str:
        return _team(self).leader_name

    @strawberry.field
    def members(self) -> list[CrisisTeamMember]:
        view = _view(self)
        return [
            CrisisTeamMember(
                person_id=strawberry.ID(global_id("Person", member.person_id)),
                name=member.name,
                posts=list(member.posts),
                retrievals=[_retrieval(view, held) for held in member.retrievals],
            )
            for member in view.team.members
        ]

    @strawberry.field(description="For how many days it may lend, from its activation on.")
    def days(self) -> int:
        return _team(self).days

    @strawberry.field
    def formed_at(self) -> datetime:
        return _team(self).formed_at

    @strawberry.field
    def activated_at(self) -> datetime | None:
        return _team(self).activated_at

    @strawberry.field(description="The last day on which it lends, if it does not stand down before.")
    def valid_to(self) -> Day | None:
        return _team(self).valid_to  # type: ignore[return-value]

    @strawberry.field(description="The moment at which all that it lent ended.")
    def stood_down_at(self) -> datetime | None:
        return _team(self).stood_down_at

    @strawberry.field(description="The last day for its review.")
    def review_due(self) -> Day | None:
        return _team(self).review_due  # type: ignore[return-value]

    @strawberry.field(description="The last day is over and there is no review.")
    def is_review_overdue(self) -> bool:
        return _view(self).is_review_overdue

    @strawberry.field(description="复盘, the first version first; the last one holds.")
    async def reviews(self, info: Request) -> list[AfterActionReview]:
        view = _view(self)
        names = stored.REVIEW_TEXTS & {selection.name for selection in selected_fields(info)}
        shown = {name for name in names if _reads(info, view, f"reviews.{name}")}
        texts: list[dict[str, Any]] = [{} for _ in view.team.reviews]
        if shown and texts:
            paths = frozenset(f"reviews.{name}" for name in shown)
            texts = (await info.context.loaders.crisis_texts.load(TextsKey(view.id, paths)))["reviews"]
        return [
            AfterActionReview(
                **{name: text.get(name) if name in shown else None for name in stored.REVIEW_TEXTS},
                author_name=review.author_name,
                submitted_at=review.submitted_at,
            )
            for review, text in zip(view.team.reviews, texts, strict=True)
        ]

    @strawberry.field
    def closed_at(self) -> datetime | None:
        return _team(self).closed_at

    @strawberry.field(description="Whether the viewer may, and else why not.")
    def viewer_can(self, info: Request, action: CrisisTeamAction) -> Permission:
        return permission(_view(self).may(info.context.viewer, TeamAction(action.value)))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, TeamView)


_COORDINATES = {"title": "CrisisTeam.title", "occasion": "CrisisTeam.occasion"} | {
    f"reviews.{name}": f"AfterActionReview.{name}" for name in stored.REVIEW_TEXTS
}


def _view(source: Any) -> TeamView:
    assert isinstance(source, TeamView)  # noqa: S101
    return source


def _team(source: Any) -> stored.CrisisTeam:
    return _view(source).team


def _reads(info: Request, source: Any, path: str) -> bool:
    """Whether the leaf may be read; what is kept back is noted."""
    withheld = _view(source).why_withheld(frozenset({path}))
    info.context.withhold({_COORDINATES[held]: why for held, why in withheld.items()})
    return not withheld


def _retrieval(view: TeamView, held: stored.MemberRetrieval) -> CrisisTeamRetrieval:
    known = "members.retrievals.student_id" in view.decision.readable
    return CrisisTeamRetrieval(
        secrecy=held.secrecy,
        student_id=_student(held.student_id) if known else None,
        document_type=held.document_type if known else None,
        views=held.views,
    )


def _student(key: ObjectId | None) -> strawberry.ID | None:
    return None if key is None else strawberry.ID(global_id("Student", key))
