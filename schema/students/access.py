"""What the viewer may do with a student record: `viewerCan` and `fieldAccess`."""

from __future__ import annotations

from enum import Enum

import strawberry

from archive_store.access.policy import FieldDecision
from archive_store.approvals.documents import Tier as StoredTier
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import field_classes
from archive_store.students.documents import Student as StoredStudent
from archive_store.students.operations import STUDENT_UPDATE
from schema.access import GovernedType
from schema.context import Request
from schema.enums import FieldClass, Tier, Withheld
from schema.errors import snake_case
from schema.permissions import Permission, asking


@strawberry.enum(description="What can be asked for about a student.")
class StudentAction(Enum):
    STUDENT_UPDATE = "student.update"
    STUDENT_SUSPEND = "student.suspend"
    STUDENT_RESUME = "student.resume"
    SCAN_FILE = "scan.file"
    RETRIEVAL_GRANT = "retrieval_grant.give"
    RETRIEVAL_GRANT_SEALED = "retrieval_grant.give_sealed"


@strawberry.type(description="What the viewer may do with one field of this record.")
class FieldAccess:
    field: str = strawberry.field(description="Field name; below a list as `guardians.phone`.")
    field_class: FieldClass
    readable: bool
    reason: Withheld | None = strawberry.field(description="Why it is not readable.")
    filterable: bool = strawberry.field(description="Whether it may stand in `where` and `orderBy`.")
    changeable: bool = strawberry.field(description="Whether the viewer may ask for a change.")
    operation: str | None = strawberry.field(description="The operation that changes it.")
    change_tiers: list[Tier] = strawberry.field(description="Whose approval a change needs, in order.")


async def student_permission(info: Request, action: StudentAction, fields: list[str] | None) -> Permission:
    """Whether the viewer may; `fields` are those that `studentUpdate` shall change."""
    named = frozenset(snake_case(name) for name in fields or ())
    if unknown := sorted(named - STUDENT_UPDATE.changes):
        raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field="fields", name=unknown[0])
    return await asking(info, info.context.store.operations[action.value], named)


def field_accesses(governed: GovernedType, decision: FieldDecision, prefix: str = "") -> list[FieldAccess]:
    """One line for each governed field, nested ones included."""
    lines = [_field_access(f"{prefix}{name}", path, decision) for name, path in governed.leaves.items()]
    for name, nested in governed.lists.items():
        lines += field_accesses(nested, decision, f"{prefix}{name}.")
    return lines


def _field_access(name: str, path: str, decision: FieldDecision) -> FieldAccess:
    held = field_classes(StoredStudent)[path]
    readable = path in decision.readable
    change = decision.changeable.get(path.partition(".")[0])
    return FieldAccess(
        field=name,
        field_class=held,
        readable=readable,
        reason=None if readable else decision.why_withheld(held),
        filterable=path in decision.filterable,
        changeable=change is not None,
        operation=change.operation if change else None,
        change_tiers=[StoredTier(tier) for tier in change.tiers] if change else [],
    )
