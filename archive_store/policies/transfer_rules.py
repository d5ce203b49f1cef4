"""`transfer_rules.replace`: new routes of transfers (转学办理规则), decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from bson import ObjectId
from pydantic import Field

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.policies.versions import RulesReplace, ask_for_version, check_first_day, rules_operation
from archive_store.transfer_cases.documents import CaseRoute, TransferRoute, TransferRules
from archive_store.transfer_cases.steps import rules_in_force

ROUTES_LIMIT = len(CaseRoute)


class TransferRulesReplace(RulesReplace):
    """Payload of `transfer_rules.replace`: all routes anew, each once, and the day (in China) from which they hold."""

    rules: Annotated[tuple[TransferRoute, ...], Field(min_length=1, max_length=ROUTES_LIMIT)]


async def changed_routes(store: Store, rules: Sequence[TransferRoute]) -> list[CaseRoute]:
    """The routes that there would be anew, otherwise, or no longer."""
    before = {held.route: held for held in (await rules_in_force(store)).rules}
    after = {held.route: held for held in rules}
    return [route for route in CaseRoute if before.get(route) != after.get(route)]


async def replace_transfer_rules(
    store: Store,
    viewer: Viewer,
    *,
    rules: Sequence[Mapping[str, Any]],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[CaseRoute], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which routes would be others.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: TransferRulesReplace) -> list[CaseRoute]:
        return await changed_routes(store, payload.rules)

    return await ask_for_version(
        store, viewer, TRANSFER_RULES_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


async def _check(store: Store, viewer: Viewer, payload: TransferRulesReplace) -> None:
    check_first_day(store, payload.effective_from)
    if len({held.route for held in payload.rules}) < len(payload.rules):
        raise RegistrarError(ErrorCode.DUPLICATE, field="rules", others="TransferRoute")
    if not await changed_routes(store, payload.rules):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


TRANSFER_RULES_REPLACE = rules_operation("transfer_rules", TransferRules, TransferRulesReplace, _check)
