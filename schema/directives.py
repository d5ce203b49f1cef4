"""The directives of a governed field: its class and what a change of it takes, and Federation's `@policy`.

They tell people and routers. Nothing of ours decides by them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import strawberry
from pydantic import BaseModel
from strawberry.federation.schema_directive import schema_directive
from strawberry.federation.schema_directives import Policy
from strawberry.schema_directive import Location

from archive_store.approvals.changeability import change_rules
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.foundation.field_classes import ENCRYPTED_CLASSES, field_classes
from archive_store.operation_table import OPERATIONS
from schema.enums import FieldClass, Tier

SPECIFICATION = "https://registrar.example/spec/access/v0.1"


@schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="fieldClass",
    description="The class that says who may read it; and the tiers that by the default approval policy decide on "
    "a change of it: none where a change applies at once, left out where no operation changes it.",
    compose=True,
    import_url=SPECIFICATION,
)
class FieldClassDirective:
    is_: FieldClass = strawberry.directive_field(name="is")
    change_tiers: list[Tier] | None = strawberry.UNSET


def directives_of(record_type: type[BaseModel], path: str) -> list[Any]:
    """The directives of a field that shows the leaf at `path` of the record type."""
    held = field_classes(record_type)[path]
    # An embedded document is changed with its whole list.
    tiers = _default_tiers().get((record_type.__name__, path.partition(".")[0]), strawberry.UNSET)
    directives: list[Any] = [FieldClassDirective(is_=held, change_tiers=tiers)]
    if held in ENCRYPTED_CLASSES:
        directives.append(Policy(policies=[[f"field-class-{held}"]]))
    return directives


@cache
def _default_tiers() -> dict[tuple[str, str], list[Tier]]:
    """Record type and field to the longest chain that one of its operations needs."""
    policy = ApprovalPolicy.model_construct(rules=DEFAULT_APPROVAL_RULES)
    found: dict[tuple[str, str], list[Tier]] = {}
    for rule in change_rules(OPERATIONS, policy):
        tiers = [Tier(name) for name in rule.tiers]
        found[rule.record_type, rule.path] = max(found.get((rule.record_type, rule.path), []), tiers, key=len)
    return found
