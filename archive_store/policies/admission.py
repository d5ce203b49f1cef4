"""`admission_policy.replace`: new rules of admission, decided by the principal (policy §四(一)).

They say which papers a case must hold by stage, and how long the correction of an objection may take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import AdmissionPolicy, AdmissionRules, SchoolStage
from archive_store.admission.steps import policy_in_force
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.policies.rules import RULE
from archive_store.policies.versions import RulesReplace, ask_for_version, check_first_day, rules_operation


class AdmissionPolicyReplace(RulesReplace):
    """Payload of `admission_policy.replace`: the whole new content, and the day (in China) from which it holds."""

    rules: AdmissionRules


@dataclass(frozen=True, slots=True)
class EvidenceDifference:
    """Which papers a case of the stage must hold, and must no longer hold."""

    stage: SchoolStage
    gains: tuple[str, ...]
    loses: tuple[str, ...]


def evidence_differences(before: AdmissionRules, after: AdmissionRules) -> list[EvidenceDifference]:
    """One for each stage of which other papers are asked."""
    found = []
    for stage in SchoolStage:
        had, has = before.required_of(stage), after.required_of(stage)
        if had != has:
            found.append(EvidenceDifference(stage, tuple(sorted(has - had)), tuple(sorted(had - has))))
    return found


async def replace_admission_policy(
    store: Store,
    viewer: Viewer,
    *,
    rules: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[EvidenceDifference], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which papers would be asked for.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: AdmissionPolicyReplace) -> list[EvidenceDifference]:
        return evidence_differences((await policy_in_force(store)).rules, payload.rules)

    return await ask_for_version(
        store, viewer, ADMISSION_POLICY_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


async def _check(store: Store, viewer: Viewer, payload: AdmissionPolicyReplace) -> None:
    check_first_day(store, payload.effective_from)
    seen: set[SchoolStage] = set()
    for place, held in enumerate(payload.rules.evidence):
        if held.stage in seen:
            raise RegistrarError(
                ErrorCode.DUPLICATE, field=f"rules.evidence.{place}.stage", rule=RULE, others="rules.evidence"
            )
        seen.add(held.stage)
    if payload.rules == (await policy_in_force(store)).rules:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


ADMISSION_POLICY_REPLACE = rules_operation(
    "admission_policy", AdmissionPolicy, AdmissionPolicyReplace, _check
)
