"""`policy.replace`: a new version of the field-access policy, decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.rules import AccessRules, FieldAccessPolicy
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.conduct.documents import Appeal, Award, Sanction
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version
from archive_store.policies.rules import AccessDifference, access_differences, check_rules
from archive_store.policies.versions import (
    REQUESTERS,
    ask_for_version,
    check_first_day,
    current_version,
    next_version,
    write_version,
)
from archive_store.scans.documents import Scan
from archive_store.students.documents import Student, StudentStatus

# What the school's people read; the rules speak of no other types.
GOVERNED_TYPES = (Student, Scan, Award, Sanction, Appeal)


class PolicyReplace(Payload):
    """Payload of `policy.replace`: the whole new content, and the day (in China) from which it holds."""

    policy_id: PydanticObjectId
    effective_from: date
    rules: AccessRules


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a replacement would change, and the request for it; None of a dry run."""

    differences: tuple[AccessDifference, ...]
    change_request_id: ObjectId | None


async def replace_policy(
    store: Store,
    viewer: Viewer,
    *,
    rules: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> Replacement:
    """Ask for a new version, or with `dry_run` only say who would gain or lose which fields.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad rules an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: PolicyReplace) -> list[AccessDifference]:
        current = (await newest_version(store, FieldAccessPolicy)).rules
        return access_differences(current, payload.rules, GOVERNED_TYPES)

    found, request_id = await ask_for_version(
        store, viewer, POLICY_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )
    return Replacement(tuple(found), request_id)


async def _check(store: Store, viewer: Viewer, payload: PolicyReplace) -> None:
    check_first_day(store, payload.effective_from)
    check_rules(payload.rules, GOVERNED_TYPES, StudentStatus)
    if payload.rules == (await newest_version(store, FieldAccessPolicy)).rules:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


async def _apply(unit: UnitOfWork, payload: PolicyReplace) -> ObjectId:
    policy = FieldAccessPolicy(
        id=payload.policy_id,
        rules=payload.rules,
        **await next_version(unit, FieldAccessPolicy, payload.effective_from),
    )
    return await write_version(unit, policy, "field_access_policy", ["rules"])


POLICY_REPLACE = Operation(
    name="policy.replace",
    record_type=FieldAccessPolicy,
    payload=PolicyReplace,
    requesters=REQUESTERS,
    subject=lambda payload: Subject(FieldAccessPolicy.subject_type, payload.policy_id),
    requested_values=lambda payload: {
        "effective_from": bson_value(payload.effective_from),
        "rules": bson_value(payload.rules),
    },
    fields=lambda payload: frozenset({"effective_from", "rules"}),
    current=current_version(FieldAccessPolicy),
    check=_check,
    apply=_apply,
)
