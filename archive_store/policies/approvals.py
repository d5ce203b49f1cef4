"""`approval_policy.replace`: a new version of who signs what, decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ApprovalPolicy, ApprovalRule, EmergencyRule, Tier
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.rules import UngovernedOperationError, rule_of
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.versioned import newest_version
from archive_store.foundation.working_days import Period
from archive_store.policies.rules import RULE
from archive_store.policies.versions import (
    REQUESTERS,
    ask_for_version,
    check_first_day,
    current_version,
    next_version,
    write_version,
)

# What changes school policy, or destroys papers, is the principal's to decide, whatever a version says.
PRINCIPALS_OWN = frozenset(
    {"approval_policy.replace", "policy.replace", "retention_table.replace", "scan.dispose"}
)
RULES_LIMIT = 200


class ApprovalContent(BaseModel):
    """The content of one version, as `ApprovalPolicy` has it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    rules: Annotated[tuple[ApprovalRule, ...], Field(min_length=1, max_length=RULES_LIMIT)]
    step_period: Period
    reminder_hours: Annotated[StrictInt, Field(ge=1, le=24 * 31)]
    emergency: Annotated[tuple[EmergencyRule, ...], Field(max_length=RULES_LIMIT)]
    emergency_hours: Annotated[StrictInt, Field(ge=1, le=24 * 31)]


def content_of(policy: ApprovalPolicy) -> ApprovalContent:
    return ApprovalContent(**{name: getattr(policy, name) for name in ApprovalContent.model_fields})


class ApprovalPolicyReplace(Payload):
    """Payload of `approval_policy.replace`: the whole new content, and the day (in China) from which it holds."""

    policy_id: PydanticObjectId
    effective_from: date
    content: ApprovalContent


@dataclass(frozen=True, slots=True)
class RouteDifference:
    """Who signed and who will sign an operation; where `fields` are named, when it touches one of them."""

    operation: str
    fields: tuple[str, ...]
    joint_before: tuple[Post, ...]
    tiers_before: tuple[Tier, ...]
    joint_after: tuple[Post, ...]
    tiers_after: tuple[Tier, ...]


Signers = tuple[tuple[Post, ...], tuple[Tier, ...]]


def route_differences(
    before: ApprovalContent, after: ApprovalContent, operations: Mapping[str, Operation[Any]]
) -> list[RouteDifference]:
    """One difference for each operation, and for each of its groups of fields, whose signers change."""
    found: dict[tuple[str, Signers, Signers], list[str]] = defaultdict(list)
    for name, operation in operations.items():
        for field in ("", *sorted(operation.changes)):
            had, has = (_signers(content, name, field) for content in (before, after))
            if had != has:
                found[name, had, has].append(field)
    return [
        RouteDifference(name, () if "" in fields else tuple(fields), *had, *has)
        for (name, had, has), fields in found.items()
    ]


def _signers(content: ApprovalContent, operation: str, field: str) -> Signers:
    policy = ApprovalPolicy.model_construct(rules=content.rules)
    try:
        rule = rule_of(policy, operation, frozenset({field}) if field else frozenset())
    except UngovernedOperationError:  # of a version that is older than the operation
        return (), ()
    return rule.joint, rule.chain


def check_content(content: ApprovalContent, operations: Mapping[str, Operation[Any]]) -> None:
    """Refuse, by place, a version under which something could not be done, or could be done without its signatures."""
    for position, rule in enumerate(content.rules):
        place = f"content.rules.{position}"
        operation = operations.get(rule.operation)
        if operation is None:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=f"{place}.operation", rule=RULE)
        if operation.applies_at_once and (rule.chain or rule.joint):
            raise _refused(f"{place}.chain", "此操作不能等待审批", "it cannot wait for approval")
        if rule.operation in PRINCIPALS_OWN and (not rule.chain or rule.chain[-1] is not Tier.PRINCIPAL):
            raise _refused(
                f"{place}.chain",
                "学校政策的调整和档案销毁由校长决定",
                "school policy and disposal are decided by the principal",
            )
        if list(rule.chain) != [tier for tier in Tier if tier in rule.chain]:
            raise _refused(f"{place}.chain", "审批级别须依次上升", "the tiers must rise")
    everywhere = {rule.operation for rule in content.rules if rule.fields is None}
    if ungoverned := sorted(operations.keys() - everywhere):
        raise _refused(
            "content.rules", f"缺少操作 {ungoverned[0]} 的规则", f"there is no rule for {ungoverned[0]}"
        )
    for position, emergency in enumerate(content.emergency):
        place = f"content.emergency.{position}"
        operation = operations.get(emergency.operation)
        if operation is None or operation.reverse is None:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=f"{place}.operation", rule=RULE)
        if emergency.fields is not None and not emergency.fields <= operation.changes:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=f"{place}.fields", rule=RULE)


def _refused(field: str, zh: str, en: str) -> RegistrarError:
    return RegistrarError(ErrorCode.INVALID_ARGUMENT, field=field, rule=RULE, detail_zh=zh, detail_en=en)


@dataclass(frozen=True, slots=True)
class ApprovalReplacement:
    """What a replacement would change, and the request for it; None of a dry run."""

    differences: tuple[RouteDifference, ...]
    change_request_id: ObjectId | None


async def replace_approval_policy(
    store: Store,
    viewer: Viewer,
    *,
    content: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> ApprovalReplacement:
    """Ask for a new version, or with `dry_run` only say whose signatures would change."""
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "content": content}

    async def differences(payload: ApprovalPolicyReplace) -> list[RouteDifference]:
        current = content_of(await newest_version(store, ApprovalPolicy))
        return route_differences(current, payload.content, store.operations)

    found, request_id = await ask_for_version(
        store, viewer, APPROVAL_POLICY_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )
    return ApprovalReplacement(tuple(found), request_id)


async def _check(store: Store, viewer: Viewer, payload: ApprovalPolicyReplace) -> None:
    check_first_day(store, payload.effective_from)
    check_content(payload.content, store.operations)
    if payload.content == content_of(await newest_version(store, ApprovalPolicy)):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="content")


async def _apply(unit: UnitOfWork, payload: ApprovalPolicyReplace) -> ObjectId:
    policy = ApprovalPolicy(
        id=payload.policy_id,
        **await next_version(unit, ApprovalPolicy, payload.effective_from),
        **{name: getattr(payload.content, name) for name in ApprovalContent.model_fields},
    )
    return await write_version(unit, policy, "approval_policy", ApprovalContent.model_fields)


APPROVAL_POLICY_REPLACE = Operation(
    name="approval_policy.replace",
    record_type=ApprovalPolicy,
    payload=ApprovalPolicyReplace,
    requesters=REQUESTERS,
    subject=lambda payload: Subject(ApprovalPolicy.subject_type, payload.policy_id),
    requested_values=lambda payload: {
        "effective_from": bson_value(payload.effective_from),
        **{name: bson_value(getattr(payload.content, name)) for name in ApprovalContent.model_fields},
    },
    fields=lambda payload: frozenset({"effective_from", *ApprovalContent.model_fields}),
    current=current_version(ApprovalPolicy),
    check=_check,
    apply=_apply,
)
