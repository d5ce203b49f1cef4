"""Whether a sanction may expel a student: the rules of EXPEL (开除学籍), as of any change of status."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.approvals.documents import ApprovalPolicy, Tier
from archive_store.approvals.rules import chain_of
from archive_store.conduct.sanctions import SanctionImpose, imposing_operation
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.status_changes.facts import FACT_FIELDS
from archive_store.status_changes.operations import judged
from archive_store.status_changes.rules import Requirement, refusal
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.operations import current_row
from archive_store.students.status import StatusChange

_FIELDS = {"effective_from": "decided_on", "status": "student_id"}


async def require_expellable(
    store: Store,
    session: AsyncClientSession | None,
    asked: SanctionImpose,
    chain: Sequence[Tier] | None,
) -> None:
    """The first requirement of EXPEL that is not met is raised; `chain` is None of one that is still to be signed."""
    if chain is None:
        policy = await newest_version(store, ApprovalPolicy)
        fields = frozenset(SanctionImpose.model_fields)
        chain = chain_of(policy, imposing_operation(asked.kind), fields)
    change = StatusChange(
        student_id=asked.student_id,
        effective_from=asked.decided_on,
        materials=asked.materials,
    )
    row = await current_row(store, session, asked.student_id, FACT_FIELDS, {})
    found, facts = await judged(store, ChangeKind.EXPEL, change, row, session, chain)
    # It is the sanction itself that is asked for.
    found = [held for held in found if held.requirement is not Requirement.EXPULSION]
    if error := refusal(found, facts):
        error.field = _FIELDS.get(error.field or "", error.field)
        raise error
