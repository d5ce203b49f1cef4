"""What every operation on a crisis team shares: who may, moving it on, telling its people, and its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.crisis.documents import CrisisTeam, CrisisTeamStatus
from archive_store.crisis.grants import end_grants
from archive_store.crisis.queries import load_team, offices
from archive_store.crisis.rules import FORMERS, TeamAction, require, sees_team
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

# Of a leader: whose team it is, `require` decides.
ANY_POST = frozenset(Post)


class TeamPayload(Payload):
    """Payload of whatever is done with one team."""

    team_id: PydanticObjectId


async def require_on(store: Store, viewer: Viewer, team_id: ObjectId, action: TeamAction) -> CrisisTeam:
    """The team; NOT_FOUND where it is out of sight, and what `require` refuses."""
    team = await load_team(store, team_id)
    if team is None or not sees_team(viewer.actor, team):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    require(team, viewer.actor, action, (await offices(store, [team]))[team.key])
    return team


async def move(
    unit: UnitOfWork, team_id: ObjectId, action: TeamAction
) -> tuple[CrisisTeam, CrisisTeamStatus]:
    """The team as of this transaction, and the state that its actor brings it to."""
    team = await unit.load(CrisisTeam, team_id)
    if team is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    office = (await offices(unit.store, [team], unit.session))[team_id]
    return team, require(team, unit.actor, action, office)


async def write(
    unit: UnitOfWork,
    team: CrisisTeam,
    verb: str,
    told: str,
    values: Mapping[str, Any],
    *,
    also_told: frozenset[ObjectId] = frozenset(),
) -> None:
    """Change the team, say so in its history, and tell its people."""
    await unit.change(team, values)
    changes = [
        FieldChange(field, bson_value(getattr(team, field)), bson_value(value))
        for field, value in values.items()
    ]
    tell(unit, team, verb, told, changes, also_told=also_told)


def tell(
    unit: UnitOfWork,
    team: CrisisTeam,
    verb: str,
    told: str,
    changes: Sequence[FieldChange],
    *,
    also_told: frozenset[ObjectId] = frozenset(),
) -> None:
    """In the history what was done, in the notifications of its people and of those who form teams what it is now."""
    subject = Subject(CrisisTeam.subject_type, team.key)
    unit.audit(subject, f"crisis_team:{verb}", changes)
    # Who formed it is told by the post they formed it in.
    people = {team.leader_id, *(member.person_id for member in team.members)}
    for person_id in sorted(people | also_told):
        unit.notify(person_id, f"crisis_team:{told}", subject)
    for post in sorted(FORMERS):
        unit.notify(post, f"crisis_team:{told}", subject)


async def end_team(unit: UnitOfWork, team: CrisisTeam, status: CrisisTeamStatus) -> None:
    """What the team lent ends with it, in the same transaction; the days of its review begin."""
    due = school_day(unit.at) + timedelta(days=unit.store.settings.crisis_review_days)
    values = {"status": status, "stood_down_at": unit.at, "review_due": due}
    await write(unit, team, "stand_down", "stood_down", values)
    await end_grants(unit, team)


def allowed(action: TeamAction) -> Callable[[Store, Viewer, Any], Awaitable[None]]:
    """A check that asks no more than whether the viewer may."""

    async def check(store: Store, viewer: Viewer, payload: TeamPayload) -> None:
        await require_on(store, viewer, payload.team_id, action)

    return check


def team_operation(
    name: str,
    payload: type[AnyPayload],
    requesters: frozenset[Post],
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
) -> Operation[AnyPayload]:
    fields = frozenset(payload.model_fields) - {"team_id"}
    return Operation(
        name=name,
        record_type=CrisisTeam,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(CrisisTeam.subject_type, asked.team_id),  # type: ignore[attr-defined]
        requested_values=lambda asked: {field: bson_value(getattr(asked, field)) for field in fields},
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        applies_at_once=True,
    )
