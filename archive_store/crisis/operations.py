"""`crisis_team.form`, `…change_members`, `…activate` and `…stand_down`.

Policy §四(一): 危机处理时,可成立临时小组,直接执行相关决策. All apply at once; who formed the team answers for it, and
nobody lends to themself. The review is in `reviews.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.viewer import Viewer
from archive_store.approvals.rules import POLICY_SECTION
from archive_store.crisis.documents import CrisisTeam, CrisisTeamStatus, MemberRetrieval, TeamMember
from archive_store.crisis.grants import align_grants
from archive_store.crisis.rules import FORMERS, TeamAction, check_members, require_no_gain
from archive_store.crisis.steps import (
    ANY_POST,
    TeamPayload,
    allowed,
    end_team,
    move,
    require_on,
    team_operation,
    tell,
    write,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, UnitOfWork
from archive_store.people.queries import names_of_people, posts_in_force
from archive_store.students.queries import facts_by_id

TITLE_LIMIT = 100
OCCASION_LIMIT = 2_000

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TITLE_LIMIT)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=OCCASION_LIMIT)]


class RetrievalLent(BaseModel):
    """What a member may view; a student, a document type, or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secrecy: Secrecy
    student_id: PydanticObjectId | None = None
    document_type: Line | None = None
    views: int


class MemberNamed(BaseModel):
    """A member and whatever they are lent, each post and retrieval by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    person_id: PydanticObjectId
    posts: tuple[Post, ...] = ()
    retrievals: tuple[RetrievalLent, ...] = ()


class CrisisTeamForm(TeamPayload):
    """Payload of `crisis_team.form`; `days` count from its activation, the day of it not counted."""

    title: Line
    occasion: Text
    leader_id: PydanticObjectId
    members: tuple[MemberNamed, ...]
    days: Annotated[int, Field(ge=1)]


class CrisisTeamChangeMembers(TeamPayload):
    """Payload of `crisis_team.change_members`: the whole new list, and who leads."""

    leader_id: PydanticObjectId
    members: tuple[MemberNamed, ...]


async def _named(
    store: Store,
    viewer: Viewer,
    payload: CrisisTeamForm | CrisisTeamChangeMembers,
    formed_by: ObjectId,
    before: Sequence[TeamMember] = (),
) -> None:
    """Members and leader are of the staff, the students are on record, and what is lent can be lent."""
    members = members_of(payload, {})
    check_members(members, viewer.policy.rules.grant_views)
    require_no_gain(members, before, viewer.person_id)
    people = [member.person_id for member in members]
    posts = await posts_in_force(store, {*people, payload.leader_id}, school_day(store.clock.now()))
    names = await names_of_people(store, posts)
    for position, member in enumerate(members):
        if member.person_id not in names:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=f"members.{position}.person_id")
        # §二(一): who works on pseudonymised rows must not hold the records beside them.
        if Post.ANALYSIS_GROUP in posts[member.person_id] and (member.posts or member.retrievals):
            raise RegistrarError(ErrorCode.FORBIDDEN, field=f"members.{position}", rule="policy §二(一)")
    if payload.leader_id not in names:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="leader_id")
    if payload.leader_id not in {*people, formed_by}:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="leader_id",
            detail_zh="组长须为小组成员或组建人",
            detail_en="the leader is a member or who formed the team",
        )
    students = {
        retrieval.student_id for member in members for retrieval in member.retrievals if retrieval.student_id
    }
    known = await facts_by_id(store, viewer, sorted(students)) if students else {}
    if not students <= known.keys():
        raise RegistrarError(ErrorCode.NOT_FOUND, field="members.retrievals.student_id")


def members_of(
    payload: CrisisTeamForm | CrisisTeamChangeMembers, names: Mapping[ObjectId, str]
) -> list[TeamMember]:
    return [
        TeamMember(
            person_id=member.person_id,
            name=names.get(member.person_id, ""),
            posts=sorted(set(member.posts)),
            retrievals=[MemberRetrieval(**dict(lent)) for lent in dict.fromkeys(member.retrievals)],
        )
        for member in payload.members
    ]


async def _check_form(store: Store, viewer: Viewer, payload: CrisisTeamForm) -> None:
    most = viewer.policy.rules.grant_days
    if payload.days > most:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="days", rule=POLICY_SECTION, least=1, most=most)
    await _named(store, viewer, payload, viewer.person_id)


async def _form(unit: UnitOfWork, payload: CrisisTeamForm) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people form teams
    people = {member.person_id for member in payload.members} | {payload.leader_id}
    names = await names_of_people(unit.store, people, unit.session)
    team = CrisisTeam(
        id=payload.team_id,
        title=payload.title,
        occasion=payload.occasion,
        formed_by=PydanticObjectId(unit.actor.person_id),
        formed_by_name=unit.actor.name,
        leader_id=payload.leader_id,
        leader_name=names[payload.leader_id],
        members=members_of(payload, names),
        days=payload.days,
        formed_at=unit.at,
    )
    await unit.insert(team)
    told = ("title", "occasion", "leader_id", "members", "days")
    tell(unit, team, "form", "formed", [FieldChange(f, None, bson_value(getattr(team, f))) for f in told])
    return team.key


async def _check_change_members(store: Store, viewer: Viewer, payload: CrisisTeamChangeMembers) -> None:
    team = await require_on(store, viewer, payload.team_id, TeamAction.CHANGE_MEMBERS)
    await _named(store, viewer, payload, team.formed_by, team.members)


async def _change_members(unit: UnitOfWork, payload: CrisisTeamChangeMembers) -> ObjectId:
    team, status = await move(unit, payload.team_id, TeamAction.CHANGE_MEMBERS)
    people = {member.person_id for member in payload.members} | {payload.leader_id}
    names = await names_of_people(unit.store, people, unit.session)
    members = members_of(payload, names)
    require_no_gain(members, team.members, unit.actor.person_id)
    values = {"leader_id": payload.leader_id, "leader_name": names[payload.leader_id], "members": members}
    await write(unit, team, "change_members", "members_changed", values, also_told=frozenset(people))
    if status is CrisisTeamStatus.ACTIVE:
        await align_grants(unit, team, members, unit.actor.person_id)
    return team.key


async def _activate(unit: UnitOfWork, payload: TeamPayload) -> ObjectId:
    team, status = await move(unit, payload.team_id, TeamAction.ACTIVATE)
    values = {
        "status": status,
        "activated_at": unit.at,
        "valid_to": school_day(unit.at) + timedelta(days=team.days),
    }
    await write(unit, team, "activate", "activated", values)
    await align_grants(unit, team.model_copy(update=values), team.members)
    return team.key


async def _stand_down(unit: UnitOfWork, payload: TeamPayload) -> ObjectId:
    team, status = await move(unit, payload.team_id, TeamAction.STAND_DOWN)
    await end_team(unit, team, status)
    return team.key


CRISIS_TEAM_FORM = team_operation("crisis_team.form", CrisisTeamForm, FORMERS, _check_form, _form)
CRISIS_TEAM_CHANGE_MEMBERS = team_operation(
    "crisis_team.change_members", CrisisTeamChangeMembers, FORMERS, _check_change_members, _change_members
)
CRISIS_TEAM_ACTIVATE = team_operation(
    "crisis_team.activate", TeamPayload, FORMERS, allowed(TeamAction.ACTIVATE), _activate
)
CRISIS_TEAM_STAND_DOWN = team_operation(
    "crisis_team.stand_down", TeamPayload, ANY_POST, allowed(TeamAction.STAND_DOWN), _stand_down
)
