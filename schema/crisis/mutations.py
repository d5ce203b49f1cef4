"""`crisisTeamForm` and what is done with a crisis team afterwards."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.crisis.documents import REVIEW_TEXTS
from archive_store.crisis.operations import CrisisTeamChangeMembers, CrisisTeamForm
from archive_store.crisis.reviews import CrisisTeamSubmitReview
from archive_store.crisis.steps import TeamPayload
from schema.context import Request
from schema.crisis.types import CrisisTeam
from schema.enums import Post, Secrecy
from schema.errors import UserError, typed_errors
from schema.nodes import key_of


@strawberry.input(description="What a member may view. Give a student, a document type, or both.")
class CrisisTeamRetrievalInput:
    secrecy: Secrecy
    student_id: strawberry.ID | None = None
    document_type: str | None = None
    views: int


@strawberry.input(description="A member, with each post and each retrieval that they are lent.")
class CrisisTeamMemberInput:
    person_id: strawberry.ID
    posts: list[Post] = strawberry.field(default_factory=list, description="Never one that decides.")
    retrievals: list[CrisisTeamRetrievalInput] = strawberry.field(default_factory=list)


@strawberry.input(description="Input of `crisisTeamForm`.")
class CrisisTeamFormInput:
    title: str = strawberry.field(description="It names no student: it stands in every reading's purpose.")
    occasion: str = strawberry.field(description="Why it is formed; kept as a sensitive value.")
    leader_id: strawberry.ID = strawberry.field(description="A member, or who forms it.")
    members: list[CrisisTeamMemberInput]
    days: int = strawberry.field(description="For how many days it may lend, from its activation on.")


@strawberry.input(description="Input of `crisisTeamChangeMembers`: the whole new list.")
class CrisisTeamChangeMembersInput:
    id: strawberry.ID
    leader_id: strawberry.ID
    members: list[CrisisTeamMemberInput]
    reason: str


@strawberry.input(description="Input of `crisisTeamActivate`.")
class CrisisTeamActivateInput:
    id: strawberry.ID


@strawberry.input(description="Input of `crisisTeamStandDown`.")
class CrisisTeamStandDownInput:
    id: strawberry.ID
    reason: str | None = None


@strawberry.input(description="Input of `crisisTeamSubmitReview`.")
class CrisisTeamSubmitReviewInput:
    id: strawberry.ID
    timeline: str | None = strawberry.field(default=None, description="What happened, in order (经过).")
    findings: str = strawberry.field(description="What was found (发现).")
    lessons: str = strawberry.field(description="What was learnt (经验教训).")
    measures: str | None = strawberry.field(default=None, description="What shall be done (改进措施).")


@strawberry.input(description="Input of `crisisTeamClose`.")
class CrisisTeamCloseInput:
    id: strawberry.ID


@strawberry.type(description="Result of whatever is done with a crisis team.")
class CrisisTeamPayload:
    crisis_team: CrisisTeam | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


def _members(members: list[CrisisTeamMemberInput]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "person_id": key_of(member.person_id, "Person", field=f"members.{position}.person_id"),
            "posts": tuple(member.posts),
            "retrievals": tuple(_retrieval(lent) for lent in member.retrievals),
        }
        for position, member in enumerate(members)
    )


def _retrieval(lent: CrisisTeamRetrievalInput) -> dict[str, Any]:
    student = lent.student_id
    return {
        "secrecy": lent.secrecy,
        "student_id": None
        if student is None
        else key_of(student, "Student", field="members.retrievals.student_id"),
        "document_type": lent.document_type,
        "views": lent.views,
    }


async def _perform(
    info: Request, name: str, key: ObjectId, payload: Payload, reason: str | None = None
) -> CrisisTeamPayload:
    context = info.context
    await perform(context.store, context.viewer, name, payload, reason=reason)
    view = await context.loaders.crisis_teams.load(key)
    return CrisisTeamPayload(crisis_team=view)  # type: ignore[arg-type]


def _key(text: strawberry.ID) -> ObjectId:
    return key_of(text, "CrisisTeam", field="id")


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_form(info: Request, input: CrisisTeamFormInput) -> CrisisTeamPayload:  # noqa: A002
    key = ObjectId()
    payload = payload_of(
        CrisisTeamForm,
        {
            "team_id": key,
            "title": input.title,
            "occasion": input.occasion,
            "leader_id": key_of(input.leader_id, "Person", field="leaderId"),
            "members": _members(input.members),
            "days": input.days,
        },
        long_texts=frozenset({"occasion"}),
    )
    return await _perform(info, "crisis_team.form", key, payload)


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_change_members(
    info: Request,
    input: CrisisTeamChangeMembersInput,  # noqa: A002
) -> CrisisTeamPayload:
    key = _key(input.id)
    payload = payload_of(
        CrisisTeamChangeMembers,
        {
            "team_id": key,
            "leader_id": key_of(input.leader_id, "Person", field="leaderId"),
            "members": _members(input.members),
        },
    )
    return await _perform(info, "crisis_team.change_members", key, payload, input.reason)


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_activate(
    info: Request,
    input: CrisisTeamActivateInput,  # noqa: A002
) -> CrisisTeamPayload:
    key = _key(input.id)
    return await _perform(info, "crisis_team.activate", key, TeamPayload(team_id=key))


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_stand_down(
    info: Request,
    input: CrisisTeamStandDownInput,  # noqa: A002
) -> CrisisTeamPayload:
    key = _key(input.id)
    return await _perform(info, "crisis_team.stand_down", key, TeamPayload(team_id=key), input.reason)


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_submit_review(
    info: Request,
    input: CrisisTeamSubmitReviewInput,  # noqa: A002
) -> CrisisTeamPayload:
    key = _key(input.id)
    texts = {name: getattr(input, name) for name in REVIEW_TEXTS}
    payload = payload_of(CrisisTeamSubmitReview, {"team_id": key, **texts}, long_texts=REVIEW_TEXTS)
    return await _perform(info, "crisis_team.submit_review", key, payload)


@typed_errors(CrisisTeamPayload)
async def resolve_crisis_team_close(info: Request, input: CrisisTeamCloseInput) -> CrisisTeamPayload:  # noqa: A002
    key = _key(input.id)
    return await _perform(info, "crisis_team.close", key, TeamPayload(team_id=key))
