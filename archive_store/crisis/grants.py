"""What an active team opens for its members: retrieval grants (调阅授权), written beside the team's own change.

Lent posts need none: sign-in reads them from the team while it is active.
"""

from __future__ import annotations

from collections.abc import Iterable

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.approvals.rules import POLICY_SECTION
from archive_store.crisis.documents import CrisisTeam, MemberRetrieval, TeamMember
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.foundation.working_days import end_of_day
from archive_store.people.lent_posts import team_purpose

Given = tuple[PydanticObjectId, MemberRetrieval]


async def align_grants(
    unit: UnitOfWork, team: CrisisTeam, members: Iterable[TeamMember], giver_id: ObjectId | None = None
) -> None:
    """End the team's grants that these members are no longer given, and begin those that never were.

    What the team has given once it does not give again, also where that was revoked, used up or taken back: only
    another retrieval, such as one of other views, begins a grant. SELF_APPROVAL where one would begin for the giver.
    """
    names = {member.person_id: member.name for member in members}
    wanted = [(member.person_id, given) for member in members for given in member.retrievals]
    once: set[Given] = set()
    for grant in await _grants(unit, team):
        held = (grant.grantee_id, _given_by(grant))
        once.add(held)
        if held not in wanted and grant.expires_at > unit.at:
            await _end(unit, grant)
    begun = [held for held in wanted if held not in once]
    if any(person_id == giver_id for person_id, _ in begun):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="members", rule=POLICY_SECTION)
    assert team.valid_to is not None  # noqa: S101 - an active team's
    grants = [
        RetrievalGrant(
            grantee_id=person_id,
            grantee_name=names[person_id],
            secrecy=given.secrecy,
            purpose=team_purpose(team.title),
            student_id=given.student_id,
            document_type=given.document_type,
            expires_at=end_of_day(team.valid_to),
            views_allowed=given.views,
            team_id=team.key,
        )
        for person_id, given in begun
    ]
    await unit.insert(*grants)
    told = ("grantee_id", "secrecy", "student_id", "document_type", "expires_at", "views_allowed", "team_id")
    for grant in grants:
        changes = [FieldChange(field, None, bson_value(getattr(grant, field))) for field in told]
        unit.audit(Subject(RetrievalGrant.subject_type, grant.key), "retrieval_grant:give", changes)


async def end_grants(unit: UnitOfWork, team: CrisisTeam) -> None:
    """At this moment, not at the end of the day."""
    for grant in await _grants(unit, team):
        if grant.expires_at > unit.at:
            await _end(unit, grant)


async def _grants(unit: UnitOfWork, team: CrisisTeam) -> list[RetrievalGrant]:
    """All that were ever given, ended ones too."""
    rows = unit.store.database.collection(RetrievalGrant).find({"team_id": team.key}, session=unit.session)
    return [await unit.decrypted(RetrievalGrant, row) for row in await rows.to_list()]


async def _end(unit: UnitOfWork, grant: RetrievalGrant) -> None:
    await unit.change(grant, {"expires_at": unit.at})
    change = FieldChange("expires_at", grant.expires_at, unit.at)
    unit.audit(Subject(RetrievalGrant.subject_type, grant.key), "retrieval_grant:revoke", [change])


def _given_by(grant: RetrievalGrant) -> MemberRetrieval:
    return MemberRetrieval(
        secrecy=grant.secrecy,
        student_id=grant.student_id,
        document_type=grant.document_type,
        views=grant.views_allowed,
    )
