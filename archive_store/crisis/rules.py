"""Crisis teams, pure: who may do what in which state, and what can be lent. Policy §四(一)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bson import ObjectId

from archive_store.approvals.rules import POLICY_SECTION
from archive_store.crisis.documents import CrisisTeam, CrisisTeamStatus, MemberRetrieval, TeamMember
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.unit_of_work import Actor

FORMERS = frozenset({Post.VICE_PRINCIPAL, Post.PRINCIPAL})
# Who sees every team, beside those it concerns.
TEAM_READERS = FORMERS | {Post.DIRECTOR}
# Never one that decides. The analysis group reads no single record, a deputy needs a line and a teacher classes.
LENDABLE_POSTS = frozenset(
    {Post.INFORMATION_GROUP, Post.ARCHIVE_GROUP, Post.ACADEMIC_AFFAIRS, Post.ADMISSIONS, Post.LOGISTICS}
)
MEMBERS_LIMIT = 30
RETRIEVALS_LIMIT = 200  # of a team: each becomes a retrieval grant in one transaction


class TeamAction(StrEnum):
    ACTIVATE = "ACTIVATE"
    CHANGE_MEMBERS = "CHANGE_MEMBERS"
    STAND_DOWN = "STAND_DOWN"
    MARK_REVIEW_DUE = "MARK_REVIEW_DUE"  # the clock's
    SUBMIT_REVIEW = "SUBMIT_REVIEW"
    CLOSE = "CLOSE"


_FORMED, _ACTIVE, _STOOD_DOWN, _REVIEW_DUE, _CLOSED = CrisisTeamStatus

# From which state to which.
_MOVES: Mapping[TeamAction, Mapping[CrisisTeamStatus, CrisisTeamStatus]] = {
    TeamAction.ACTIVATE: {_FORMED: _ACTIVE},
    TeamAction.CHANGE_MEMBERS: {_FORMED: _FORMED, _ACTIVE: _ACTIVE},
    TeamAction.STAND_DOWN: {_ACTIVE: _STOOD_DOWN},
    TeamAction.MARK_REVIEW_DUE: {_STOOD_DOWN: _REVIEW_DUE},
    TeamAction.SUBMIT_REVIEW: {_STOOD_DOWN: _STOOD_DOWN, _REVIEW_DUE: _REVIEW_DUE},
    TeamAction.CLOSE: {_STOOD_DOWN: _CLOSED, _REVIEW_DUE: _CLOSED},
}


@dataclass(frozen=True, slots=True)
class InOffice:
    """Whether who formed the team still holds a post that forms one, and its leader any post."""

    former: bool = True
    leader: bool = True


def after(status: CrisisTeamStatus, action: TeamAction) -> CrisisTeamStatus:
    """The state that the action leads to; WRONG_STATE where it is none of this state's."""
    moves = _MOVES[action]
    if status not in moves:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=POLICY_SECTION, state=status)
    return moves[status]


def sees_team(actor: Actor, team: CrisisTeam) -> bool:
    return actor.person_id in team.person_ids or not TEAM_READERS.isdisjoint(actor.posts)


def answers_for(actor: Actor, team: CrisisTeam) -> bool:
    """Whether its texts are this person's business: those it concerns, and the principal, who may close it.

    Nobody's any longer who has left the staff.
    """
    return bool(actor.posts) and (actor.person_id in team.person_ids or Post.PRINCIPAL in actor.posts)


def require(team: CrisisTeam, actor: Actor, action: TeamAction, office: InOffice) -> CrisisTeamStatus:
    """The state that it leads to; FORBIDDEN, SELF_APPROVAL, WRONG_STATE, or REQUIRED to close without a review."""
    if not _may(team, actor, action, office):
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=POLICY_SECTION)
    status = after(team.status, action)
    if action is TeamAction.CLOSE:
        if not team.reviews:
            raise RegistrarError(ErrorCode.REQUIRED, field="review", rule=POLICY_SECTION)
        _require_another(team, actor, office)
    return status


def _may(team: CrisisTeam, actor: Actor, action: TeamAction, office: InOffice) -> bool:
    is_leader = actor.person_id == team.leader_id
    is_former = actor.person_id == team.formed_by and not FORMERS.isdisjoint(actor.posts)
    is_principal = Post.PRINCIPAL in actor.posts
    match action:
        case TeamAction.STAND_DOWN:
            return is_leader or is_former or is_principal
        case TeamAction.SUBMIT_REVIEW:
            # Somebody must be left who can: a leader may have gone, and after them who formed it.
            stands_in = is_former or (is_principal and not office.former)
            return is_leader or (stands_in and not office.leader)
        case TeamAction.MARK_REVIEW_DUE:
            return False
    return is_former or is_principal


def _require_another(team: CrisisTeam, actor: Actor, office: InOffice) -> None:
    """SELF_APPROVAL where an author would close the team and somebody else could."""
    authors = {review.author_id for review in team.reviews}
    if actor.person_id not in authors:
        return
    former_could = office.former and team.formed_by not in authors
    if Post.PRINCIPAL not in actor.posts or former_could:
        raise RegistrarError(ErrorCode.SELF_APPROVAL, rule=POLICY_SECTION)


def check_members(members: Sequence[TeamMember], most_views: int) -> None:
    """What is lent can be lent."""
    retrievals = sum(len(member.retrievals) for member in members)
    for field, count, least, most in (
        ("members", len(members), 1, MEMBERS_LIMIT),
        ("members.retrievals", retrievals, 0, RETRIEVALS_LIMIT),
    ):
        if not least <= count <= most:
            raise RegistrarError(
                ErrorCode.OUT_OF_RANGE, field=field, rule=POLICY_SECTION, least=least, most=most
            )
    seen: set[ObjectId] = set()
    for position, member in enumerate(members):
        field = f"members.{position}"
        if member.person_id in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=f"{field}.person_id", others=field)
        seen.add(member.person_id)
        if not LENDABLE_POSTS.issuperset(member.posts):
            raise RegistrarError(ErrorCode.FORBIDDEN, field=f"{field}.posts", rule=POLICY_SECTION)
        for retrieval in member.retrievals:
            _check_retrieval(retrieval, f"{field}.retrievals", most_views)


def require_no_gain(
    members: Sequence[TeamMember], before: Sequence[TeamMember], giver_id: ObjectId | None
) -> None:
    """SELF_APPROVAL where the giver would be lent what they were not lent before."""
    for position, member in enumerate(members):
        if member.person_id == giver_id and _gains(member, before):
            raise RegistrarError(ErrorCode.SELF_APPROVAL, field=f"members.{position}", rule=POLICY_SECTION)


def _check_retrieval(retrieval: MemberRetrieval, field: str, most_views: int) -> None:
    if retrieval.student_id is None and retrieval.document_type is None:
        raise RegistrarError(ErrorCode.REQUIRED, field=f"{field}.student_id", rule=POLICY_SECTION)
    if not 0 < retrieval.views <= most_views:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field=f"{field}.views", rule=POLICY_SECTION, least=1, most=most_views
        )


def _gains(member: TeamMember, before: Sequence[TeamMember]) -> bool:
    held = [old for old in before if old.person_id == member.person_id]
    posts = {post for old in held for post in old.posts}
    retrievals = {retrieval for old in held for retrieval in old.retrievals}
    return not (posts.issuperset(member.posts) and retrievals.issuperset(member.retrievals))


def is_review_overdue(team: CrisisTeam, today: date) -> bool:
    return team.review_due is not None and team.review_due < today and not team.reviews
