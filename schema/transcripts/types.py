"""Transcripts (成绩单), to whoever reads the grades that they tell."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.transcripts import documents as stored
from archive_store.transcripts.documents import TranscriptCapacity, TranscriptState
from archive_store.transcripts.queries import TranscriptView
from schema.access import GovernedType
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.enum_names import name_enum
from schema.nodes import Connection, Node, global_id
from schema.scalars import Day

name_enum(TranscriptState, "成绩单状态.", {"VALID": "有效", "REVOKED": "已撤销"})
name_enum(
    TranscriptCapacity,
    "As what somebody asked for a transcript.",
    {"SELF": "本人", "GUARDIAN": "监护人", "SCHOOL": "校内, for a stated purpose"},
)


def _leaf(path: str, description: str) -> Any:
    """A leaf of a transcript, which is read whole or not at all."""

    def resolve(self: Any) -> Any:
        return _view(self).row[path]

    return strawberry.field(
        resolver=resolve,
        description=description,
        directives=directives_of(stored.Transcript, path),
        metadata={"path": path},
    )


@strawberry.type(description="成绩单: a certified transcript, as issued; a revoked one is kept.")
class Transcript(Node):
    number: str = _leaf("number", "成绩单编号.")
    state: TranscriptState = _leaf("state", "成绩单状态.")
    issued_on: Day = _leaf("issued_on", "签发日期.")
    ended_on: Day | None = _leaf("ended_on", "When it was revoked.")
    requested_by_name: str = _leaf("requested_by_name", "申请人.")
    capacity: TranscriptCapacity = _leaf("capacity", "As what they asked.")
    purpose: str | None = _leaf("purpose", "用途, where one was stated.")
    digest: str = _leaf("digest", "SHA-256 of the signed document, in hex.")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Whose it is.", directives=directives_of(stored.Transcript, "student_id"))
    def student_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Student", _view(self).student_id))

    @strawberry.field(description="Whether a grade that it tells was corrected after it was issued.")
    def corrected_since(self) -> bool:
        return _view(self).corrected_since

    @strawberry.field(description="Path of the paper as PDF.")
    def paper_url(self) -> str:
        return f"/transcripts/{global_id('Transcript', _view(self).id)}.pdf"

    @strawberry.field(description="Path of the signed document.")
    def document_url(self) -> str:
        return f"/transcripts/{global_id('Transcript', _view(self).id)}.json"

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, TranscriptView)


TRANSCRIPT = GovernedType(Transcript)


def wants_purpose(info: Request, *route: str) -> bool:
    """Whether the purpose, which is sensitive, is selected below the field being resolved."""
    return "purpose" in TRANSCRIPT.selected(info, *route)


def _view(source: Any) -> TranscriptView:
    assert isinstance(source, TranscriptView)  # noqa: S101
    return source
