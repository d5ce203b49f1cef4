"""The access policy in effect, together with what the approval policy says of changing each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.access.policy import AccessPolicy, FieldChangeRule
from archive_store.access.rules import FieldAccessPolicy
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.operation import Operation
from archive_store.approvals.rules import chain_of
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version


async def load_access_policy(store: Store) -> AccessPolicy:
    """The decisions in effect; the same object until one of the two policies has a new version."""
    access = await newest_version(store, FieldAccessPolicy)
    approval = await newest_version(store, ApprovalPolicy)
    versions = (access.version, approval.version)
    cached: tuple[tuple[int, int], AccessPolicy] | None = store.versions_seen.get(AccessPolicy)
    if cached is None or cached[0] != versions:
        rules = change_rules(store.operations, approval)
        cached = store.versions_seen[AccessPolicy] = (versions, AccessPolicy(access.rules, rules))
    return cached[1]


def change_rules(
    operations: Mapping[str, Operation[Any]], policy: ApprovalPolicy
) -> tuple[FieldChangeRule, ...]:
    """For each field that an operation changes: who may ask, and which tiers decide.

    A policy from before an operation was made does not name it, so that nobody may ask for it.
    """
    governed = {rule.operation for rule in policy.rules}
    return tuple(
        FieldChangeRule(
            operation.record_type.subject_type,
            path,
            operation.name,
            operation.requesters,
            tuple(tier.value for tier in chain_of(policy, operation.name, frozenset({path}))),
        )
        for operation in operations.values()
        if operation.name in governed
        for path in sorted(operation.changes)
    )
