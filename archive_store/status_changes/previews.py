"""What a status change would meet, before anything is submitted: the rules, who decides, and by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy, Tier
from archive_store.approvals.rules import route_of, rule_of
from archive_store.conduct.documents import Sanction
from archive_store.foundation.clock import school_day
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.foundation.work_calendars import load_working_days
from archive_store.foundation.working_days import due_after
from archive_store.status_changes.facts import FACT_FIELDS, rules_in_force
from archive_store.status_changes.operations import judged, operation_of
from archive_store.status_changes.rules import OF_SANCTIONS, Finding
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.operations import current_row
from archive_store.students.scope import student_scope
from archive_store.students.status import StatusChange


@dataclass(frozen=True, slots=True)
class Preview:
    """Every requirement, who would sign in order, until when each step waits, and the clock of a transfer's parties.

    `steps_due` counts each step in full; `parties_due` is the day by which each party of a transfer has to be done.
    """

    findings: list[Finding]
    tiers: list[Tier]
    steps_due: list[datetime]
    parties_due: date | None

    @property
    def is_allowed(self) -> bool:
        return all(finding.is_met for finding in self.findings)


async def preview_change(store: Store, viewer: Viewer, kind: ChangeKind, payload: StatusChange) -> Preview:
    """FORBIDDEN for who may not ask for it, NOT_FOUND for a student or a paper out of sight."""
    operation = operation_of(kind)
    operation.require_asker(viewer)
    row = await current_row(store, None, payload.student_id, FACT_FIELDS, student_scope(viewer).visible)
    found, facts = await judged(store, kind, payload, row)
    policy = await newest_version(store, ApprovalPolicy)
    route = route_of(rule_of(policy, operation.name, operation.fields(payload)), viewer.posts)
    calendar = await load_working_days(store)
    steps_due: list[datetime] = []
    begins = store.clock.now()
    for _ in route:
        begins = due_after(begins, policy.step_period, calendar)
        steps_due.append(begins)
    rules = (await rules_in_force(store)).of(kind, facts.stage)
    days = [rule.party_working_days for rule in rules if rule.party_working_days is not None]
    today = school_day(store.clock.now())
    # Whether there is one is told to who reads of sanctions; the others learn of it by asking.
    if "status" not in student_scope(viewer).decide(row, Sanction).without_grants.readable:
        found = [held for held in found if held.requirement not in OF_SANCTIONS]
    return Preview(
        findings=found,
        tiers=[step.tier for step in route if step.tier is not None],
        steps_due=steps_due,
        parties_due=calendar.working_day_after(today, min(days)) if days else None,
    )
