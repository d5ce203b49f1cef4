"""Retrieval grants (调阅授权) as their grantee and those who decide on them see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.access import retrieval_grants as stored
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.enums import Secrecy
from schema.nodes import Connection, Node, global_id


@strawberry.type(description="调阅授权: one person may view material until it ends or its views are taken.")
class RetrievalGrant(Node):
    grantee_name: str
    secrecy: Secrecy
    document_type: str | None = strawberry.field(description="Scans of this type only; null: any material.")
    expires_at: datetime
    views_allowed: int = strawberry.field(description="A view is what one request reads.")
    views_taken: int
    created_at: datetime
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="调阅目的; of other people's grants for a stated purpose only.")
    def purpose(self) -> str | None:
        return _grant(self).purpose or None

    @strawberry.field(description="Of this student only; null: of any student in sight.")
    def student_id(self) -> strawberry.ID | None:
        key = _grant(self).student_id
        return None if key is None else strawberry.ID(global_id("Student", key))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.RetrievalGrant)


def _grant(source: Any) -> stored.RetrievalGrant:
    assert isinstance(source, stored.RetrievalGrant)  # noqa: S101
    return source
