"""Reading crisis teams: by those they concern, and by the director, the vice principal and the principal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.approvals.permissions import Permission
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.crisis.documents import REVIEW_TEXTS, CrisisTeam, CrisisTeamStatus
from archive_store.crisis.rules import (
    FORMERS,
    TEAM_READERS,
    InOffice,
    TeamAction,
    answers_for,
    is_review_overdue,
    require,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Actor
from archive_store.people.lent_posts import team_purpose
from archive_store.people.queries import posts_in_force

F0, F1, F2, F3, F4 = FieldClass
# What is written for a team is for its people to read.
_OF_ONES_OWN_TEAM = frozenset({F0, F1, F3})
_NONE: Row = {"_id": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team in sight, its encrypted texts left empty; they are in the stored `row`, which `open_texts` opens."""

    team: CrisisTeam
    row: Row
    decision: FieldDecision
    office: InOffice
    is_review_overdue: bool

    @property
    def id(self) -> ObjectId:
        return self.team.key

    def may(self, viewer: Viewer, action: TeamAction) -> Permission:
        """What trying it would answer."""
        try:
            require(self.team, viewer.actor, action, self.office)
        except RegistrarError as refusal:
            return Permission(refusal)
        return Permission()

    def why_withheld(self, paths: frozenset[str]) -> dict[str, Withheld]:
        classes = field_classes(CrisisTeam)
        hidden = paths - self.decision.readable
        return {path: self.decision.why_withheld(classes[path]) for path in hidden}


async def load_team(store: Store, team_id: ObjectId) -> CrisisTeam | None:
    """The whole team, for deciding on an operation."""
    row = await store.database.collection(CrisisTeam).find_one({"_id": team_id})
    if row is None:
        return None
    await store.cipher.decrypt_paths([row], encrypted_paths(CrisisTeam))
    team: CrisisTeam = CrisisTeam.model_validate(row)
    return team


async def offices(
    store: Store, teams: Sequence[CrisisTeam], session: AsyncClientSession | None = None
) -> Mapping[ObjectId, InOffice]:
    """Of each team, whether who formed it and who leads it are still in office."""
    people = {team.formed_by for team in teams} | {team.leader_id for team in teams}
    posts = await posts_in_force(store, people, school_day(store.clock.now()), session)
    return {
        team.key: InOffice(
            former=not FORMERS.isdisjoint(posts.get(team.formed_by, ())), leader=team.leader_id in posts
        )
        for team in teams
    }


async def list_teams(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: ObjectId | None = None,
    status: CrisisTeamStatus | None = None,
    review_overdue: bool | None = None,
) -> Page[TeamView]:
    """Teams, newest first."""
    check_page_size(first, store.settings.page_size_limit)
    conditions = [_visible(viewer)]
    if status is not None:
        conditions.append({"status": status.value})
    if review_overdue is not None:
        overdue = _overdue(store.clock.now())
        conditions.append(overdue if review_overdue else {"$nor": [overdue]})
    collection = store.database.collection(CrisisTeam)
    page = await page_of_newest(collection, {"$and": conditions}, {}, first=first, after=after)
    return Page(await _views(store, viewer, page.rows), page.has_next)


async def teams_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[TeamView | None]:
    """In the order of the ids, None where there is none to see."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, _visible(viewer)]}
    rows = await store.database.collection(CrisisTeam).find(query).to_list()
    views = {view.id: view for view in await _views(store, viewer, rows)}
    return [views.get(key) for key in ids]


async def open_texts(
    store: Store, viewer: Viewer, wanted: Mapping[ObjectId, frozenset[str]]
) -> dict[ObjectId, Row]:
    """The encrypted leaves at these paths of the visible teams, as far as they may be read; the reading is recorded.

    Its people and the principal read them for the team; anybody else as the access policy says, for a stated purpose.
    """
    views = [view for view in await teams_by_id(store, viewer, list(wanted)) if view is not None]
    paths = {view.id: wanted[view.id] & view.decision.readable for view in views}
    groups: dict[tuple[frozenset[str], str | None], list[ObjectId]] = {}
    for view in views:
        purpose = purpose_of(viewer.actor, view.team)
        groups.setdefault((paths[view.id], purpose), []).append(view.id)
    for (read, purpose), ids in groups.items():
        await record_reading(store, viewer, CrisisTeam, [ReadRows(read, ids)], purpose=purpose)
    for view in views:
        await store.cipher.decrypt_paths([view.row], paths[view.id])
    return {view.id: view.row for view in views}


def purpose_of(actor: Actor, team: CrisisTeam) -> str | None:
    """What those it concerns read its texts for, without saying so; None for anybody else."""
    return team_purpose(team.title) if answers_for(actor, team) else None


def _visible(viewer: Viewer) -> Row:
    if viewer.is_service:
        return _NONE
    if viewer.holds_any(TEAM_READERS):
        return {}
    own = viewer.person_id
    return {"$or": [{"members.person_id": own}, {"leader_id": own}, {"formed_by": own}]}


def _overdue(now: datetime) -> Row:
    return {"review_due": {"$lt": school_day(now).isoformat()}, "reviews": []}


async def _views(store: Store, viewer: Viewer, rows: Sequence[Row]) -> list[TeamView]:
    today = school_day(store.clock.now())
    teams = [_without_texts(row) for row in rows]
    held = await offices(store, teams)
    return [
        TeamView(team, row, _decision(viewer, team), held[team.key], is_review_overdue(team, today))
        for team, row in zip(teams, rows, strict=True)
    ]


def _without_texts(row: Row) -> CrisisTeam:
    empty = dict.fromkeys(REVIEW_TEXTS, "")
    reviews = [review | empty for review in row["reviews"]]
    team: CrisisTeam = CrisisTeam.model_validate(row | {"occasion": "", "reviews": reviews})
    return team


def _decision(viewer: Viewer, team: CrisisTeam) -> FieldDecision:
    granted = _OF_ONES_OWN_TEAM if answers_for(viewer.actor, team) else frozenset()
    return viewer.decide(CrisisTeam, granted=granted)
