"""`conduct_policy.replace`: new periods and clocks of sanctions, decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.conduct.documents import ConductPolicy, ConductRules
from archive_store.conduct.steps import policy_in_force
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.policies.rules import RULE
from archive_store.policies.versions import (
    RulesReplace,
    ask_for_version,
    changed_names,
    check_first_day,
    rules_operation,
)


class ConductPolicyReplace(RulesReplace):
    """Payload of `conduct_policy.replace`: the whole new content, and the day (in China) from which it holds."""

    rules: ConductRules


async def replace_conduct_policy(
    store: Store,
    viewer: Viewer,
    *,
    rules: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[str], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which rules would change.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: ConductPolicyReplace) -> list[str]:
        return changed_names((await policy_in_force(store)).rules, payload.rules)

    return await ask_for_version(
        store, viewer, CONDUCT_POLICY_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


async def _check(store: Store, viewer: Viewer, payload: ConductPolicyReplace) -> None:
    check_first_day(store, payload.effective_from)
    least, most = payload.rules.period_months_least, payload.rules.period_months_most
    if least > most:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field="rules.period_months_least", rule=RULE, least=1, most=most
        )
    if payload.rules == (await policy_in_force(store)).rules:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


CONDUCT_POLICY_REPLACE = rules_operation("conduct_policy", ConductPolicy, ConductPolicyReplace, _check)
