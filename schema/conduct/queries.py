"""`sanction`, `appeal`, `appeals` and `conductPolicy`."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from archive_store.conduct.queries import list_appeals
from archive_store.conduct.steps import policy_in_force
from archive_store.foundation.records import bson_value
from schema.conduct.enums import AppealStatus
from schema.conduct.types import Appeal, Award, Sanction, appeal_node, award_node, sanction_node
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of
from schema.scalars import Day


@strawberry.type(description="奖惩规则: periods and clocks, a version of them.")
class ConductPolicy:
    version: int = strawberry.field(description="0 is the default, where the school has not set any.")
    effective_from: Day
    rules: JSON = strawberry.field(description="In the shape that `conductPolicyReplace` takes.")


async def resolve_award(info: Request, id: strawberry.ID) -> Award | None:  # noqa: A002
    """One award; null when there is none to see."""
    return await award_node(info, key_of(id, "Award", field="id"))  # type: ignore[return-value]


async def resolve_sanction(info: Request, id: strawberry.ID) -> Sanction | None:  # noqa: A002
    """One sanction; null when there is none to see."""
    return await sanction_node(info, key_of(id, "Sanction", field="id"))  # type: ignore[return-value]


async def resolve_appeal(info: Request, id: strawberry.ID) -> Appeal | None:  # noqa: A002
    """One appeal; null when there is none to see."""
    return await appeal_node(info, key_of(id, "Appeal", field="id"))  # type: ignore[return-value]


async def resolve_appeals(
    info: Request, first: int = 20, after: str | None = None, status: AppealStatus | None = None
) -> Connection[Appeal]:
    """Appeals in sight, newest first."""
    page = await list_appeals(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Appeal", field="after"),
        status=status,
    )
    cursors = [global_id("Appeal", view.id) for view in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_conduct_policy(info: Request) -> ConductPolicy:
    policy = await policy_in_force(info.context.store)
    return ConductPolicy(
        version=policy.version,
        effective_from=policy.effective_from,  # type: ignore[arg-type]
        rules=bson_value(policy.rules),
    )


@strawberry.type
class ConductQueries:
    """Read of conduct. Awards and sanctions of a student are read from the student."""

    appeals: Connection[Appeal] = strawberry.field(
        resolver=resolve_appeals,
        description="申诉, newest first: all to those who read personal values of every student, else one's own "
        "family's and those before whose committee one sits.",
    )
    conduct_policy: ConductPolicy = strawberry.field(
        resolver=resolve_conduct_policy, description="奖惩规则 in effect."
    )
