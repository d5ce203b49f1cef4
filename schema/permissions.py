"""`viewerCan`: whether an action is allowed, and else why not and how to obtain it."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.operation import Operation
from archive_store.approvals.permissions import Permission as StoredPermission
from archive_store.approvals.permissions import may_ask
from archive_store.foundation.versioned import newest_version
from schema.context import Request
from schema.enums import Post, Tier
from schema.errors import UserError, user_error


@strawberry.type(description="Whether the viewer may do something.")
class Permission:
    allowed: bool
    reason: UserError | None = strawberry.field(description="What trying it would answer.")
    tiers: list[Tier] = strawberry.field(description="Whose approval it needs, in order.")
    posts: list[Post] = strawberry.field(description="How to obtain it: the posts whose holders may.")
    operation: str | None = strawberry.field(
        description="How to obtain it: the operation that asks for the right."
    )


def permission(held: StoredPermission) -> Permission:
    return Permission(
        allowed=held.refusal is None,
        reason=None if held.refusal is None else user_error(held.refusal),
        tiers=list(held.tiers),
        posts=sorted(held.posts),
        operation=held.operation,
    )


async def asking(
    info: Request, operation: Operation[Any], fields: frozenset[str] = frozenset()
) -> Permission:
    """Whether the viewer may ask for an operation."""
    policy = await newest_version(info.context.store, ApprovalPolicy)
    return permission(may_ask(policy, info.context.viewer, operation, fields))
