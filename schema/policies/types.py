"""The field-access policy (字段权限), which is open to all who are signed in."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from archive_store.access.rules import FieldAccessPolicy as StoredPolicy
from archive_store.approvals.documents import ApprovalPolicy as StoredApprovalPolicy
from archive_store.foundation.records import bson_value
from archive_store.foundation.versioned import newest_version
from archive_store.policies.approvals import content_of
from archive_store.scans.retention import retention_table, table_in_force
from schema.context import Request
from schema.enums import Post, Relationship, RetentionClass, StudentStatus, Tier
from schema.scalars import Day


@strawberry.type(description="字段权限: the version in effect.")
class FieldAccessPolicy:
    version: int
    effective_from: Day
    rules: JSON = strawberry.field(description="Its content, in the shape that `policyReplace` takes.")


@strawberry.type(description="What holders of a post, or people in a relationship, gain and lose.")
class AccessDifference:
    post: Post | None
    relationship: Relationship | None
    purpose_stated: bool = strawberry.field(
        description="Of readers who state a purpose, or of those who do not."
    )
    gains: list[str] = strawberry.field(description="Fields as `Type.path`, bytes as `Scan.content(type)`.")
    loses: list[str]


@strawberry.type(description="审批规则: the version in effect.")
class ApprovalPolicy:
    version: int
    effective_from: Day
    content: JSON = strawberry.field(description="In the shape that `approvalPolicyReplace` takes.")


@strawberry.type(description="Who signed and who will sign an operation, where that changes.")
class RouteDifference:
    operation: str
    fields: list[str] = strawberry.field(description="When it touches one of these; empty: always.")
    joint_before: list[Post]
    tiers_before: list[Tier]
    joint_after: list[Post]
    tiers_after: list[Tier]


@strawberry.type(
    description="保管期限表: for how long documents are kept, and which an archive file must hold."
)
class RetentionTable:
    version: int = strawberry.field(
        description="0 of the default table, which holds until the school sets one."
    )
    effective_from: Day
    content: JSON = strawberry.field(description="In the shape that `retentionTableReplace` takes.")


@strawberry.type(description="For how long documents of a type were and will be kept.")
class RetentionDifference:
    document_type: str | None = strawberry.field(description="Null: all that no rule names.")
    before: RetentionClass
    after: RetentionClass


@strawberry.type(
    description="Which documents the files of students in a status must, and must no longer, hold."
)
class RequirementDifference:
    status: StudentStatus
    gains: list[str]
    loses: list[str]


async def resolve_retention_table(info: Request, version: int | None = None) -> RetentionTable | None:
    """The version in effect today, or that of a number."""
    store = info.context.store
    table = await (table_in_force(store) if version is None else retention_table(store, version))
    if table is None:
        return None
    return RetentionTable(
        version=table.version,
        effective_from=Day(table.effective_from),
        content=bson_value(table.content),
    )


async def resolve_approval_policy(info: Request) -> ApprovalPolicy:
    """The version in effect today."""
    policy = await newest_version(info.context.store, StoredApprovalPolicy)
    return ApprovalPolicy(
        version=policy.version,
        effective_from=Day(policy.effective_from),
        content=bson_value(content_of(policy)),
    )


async def resolve_field_access_policy(info: Request) -> FieldAccessPolicy:
    """The version in effect today."""
    policy = await newest_version(info.context.store, StoredPolicy)
    return FieldAccessPolicy(
        version=policy.version, effective_from=Day(policy.effective_from), rules=bson_value(policy.rules)
    )
