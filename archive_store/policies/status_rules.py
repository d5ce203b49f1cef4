"""`status_rules.replace`: new rules of status changes (学籍异动规则), decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from bson import ObjectId
from pydantic import Field

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.policies.versions import RulesReplace, ask_for_version, check_first_day, rules_operation
from archive_store.status_changes.documents import RULES_LIMIT, ChangeRule, RulePack, StatusRules
from archive_store.status_changes.facts import rules_in_force
from archive_store.students.change_kinds import ChangeKind


class StatusRulesReplace(RulesReplace):
    """Payload of `status_rules.replace`: all rules anew, and the day (in China) from which they hold."""

    rules: Annotated[tuple[ChangeRule, ...], Field(min_length=1, max_length=RULES_LIMIT)]


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """A rule that there would be, or would no longer be."""

    is_gained: bool
    pack: RulePack
    change: ChangeKind
    article: str


def rule_differences(before: Sequence[ChangeRule], after: Sequence[ChangeRule]) -> list[RuleDifference]:
    """One for each rule that only one of them has; a rule that says something else is lost and gained."""
    lost = [
        RuleDifference(False, rule.pack, rule.change, rule.article) for rule in before if rule not in after
    ]
    gained = [
        RuleDifference(True, rule.pack, rule.change, rule.article) for rule in after if rule not in before
    ]
    return lost + gained


async def replace_status_rules(
    store: Store,
    viewer: Viewer,
    *,
    rules: Sequence[Mapping[str, Any]],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[RuleDifference], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which rules would be others.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: StatusRulesReplace) -> list[RuleDifference]:
        return rule_differences((await rules_in_force(store)).rules, payload.rules)

    return await ask_for_version(
        store, viewer, STATUS_RULES_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


async def _check(store: Store, viewer: Viewer, payload: StatusRulesReplace) -> None:
    check_first_day(store, payload.effective_from)
    if not rule_differences((await rules_in_force(store)).rules, payload.rules):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


STATUS_RULES_REPLACE = rules_operation("status_rules", StatusRules, StatusRulesReplace, _check)
