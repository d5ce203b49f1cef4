"""Audit entries (审计) and notifications (通知) as a viewer may see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from strawberry.scalars import JSON

from archive_store.access.policy import Withheld
from archive_store.audit.notifications import Notification as StoredNotification
from archive_store.audit.queries import HistoryChange, HistoryEntry
from archive_store.foundation.paging import foreign_cursor
from archive_store.foundation.unit_of_work import Subject
from schema.approvals.steps import ApprovalStep, steps_of
from schema.audit.loaders import ChainKey, HistoryKey
from schema.audit.proofs import InclusionProof
from schema.context import Request
from schema.enums import AuditSubjectType, Post
from schema.errors import camel_case
from schema.nodes import Connection, Node, connection, global_id, key_of_source
from schema.scalars import Day
from schema.selection import selected_fields

AUDIT_HISTORY = (
    "审计历史: what happened to this record, newest first; null where the viewer may not read of that."
)

# Stored keys by field, each to the type of its global id.
_KEYS = {
    "arrangement_id": "CourseArrangement",
    "course_id": "Course",
    "delegate_id": "Person",
    "entry_id": "GradeEntry",
    "first_id": "Student",
    "grantee_id": "Person",
    "leader_id": "Person",
    "merged_id": "Student",
    "merged_into": "Student",
    "person_id": "Person",
    "sanction_id": "Sanction",
    "scan_id": "Scan",
    "scan_ids": "Scan",
    "second_id": "Student",
    "student_id": "Student",
    "survivor_id": "Student",
    "teacher_id": "Person",
    "team_id": "CrisisTeam",
    "term_id": "Term",
}


def _shown(name: str, value: Any) -> Any:
    """A stored value as the types spell it: records by global id, and persons inside of others not at all."""
    if isinstance(value, list):
        return [_shown(name, item) for item in value]
    if isinstance(value, dict):
        return {camel_case(key): _shown(key, item) for key, item in value.items() if key != "person_id"}
    if name in _KEYS and value is not None:
        return global_id(_KEYS[name], ObjectId(value))
    return value


@strawberry.type(description="One field's change. Values are null where `withheld`.")
class AuditChange:
    withheld: bool = strawberry.field(description="The viewer may not read this field.")

    @strawberry.field(description="Field name, as the type spells it.")
    def field(self) -> str:
        return camel_case(_change(self).field) or ""

    @strawberry.field(description="The value before; null where there was none.")
    def before(self) -> JSON | None:
        return JSON(_shown(_change(self).field, _change(self).before))

    @strawberry.field(description="The value after; null where it was cleared.")
    def after(self) -> JSON | None:
        return JSON(_shown(_change(self).field, _change(self).after))


@strawberry.type(description="审计条目: who did what, when and why.")
class AuditEntry:
    sequence: int = strawberry.field(description="1, 2, 3 … within the record.")
    at: datetime
    actor_name: str
    operation: str
    kind: str = strawberry.field(description="What happened, such as `student:update`.")
    reason: str | None = strawberry.field(description="Why; null where it could tell of a withheld value.")
    changes: list[AuditChange]
    effective_from: Day | None = strawberry.field(
        description="The day from which the changes hold, where one was named; else that of the entry."
    )
    hash: str = strawberry.field(description="The entry's link in the chain.")
    log_index: int | None = strawberry.field(
        description="Its place in the log (日志序号), from 0; null until it has one."
    )

    @strawberry.field(
        description="存在性证明: that it is in the log, under the newest checkpoint; null until one covers it."
    )
    async def proof(self, info: Request) -> InclusionProof | None:
        index = _entry(self).log_index
        return None if index is None else await info.context.loaders.audit.proofs.load(index)

    @strawberry.field(description="What kind of record it is about (对象类型).")
    def subject_type(self) -> AuditSubjectType:
        return AuditSubjectType(_entry(self).subject.type)

    @strawberry.field(
        description="The record it is about (对象); null where the viewer does not see that, or it is no node."
    )
    async def subject(self, info: Request) -> Node | None:
        # The types of subjects show entries themselves.
        from schema.audit.subjects import subject_node

        return await subject_node(info, _entry(self).subject)  # type: ignore[no-any-return]

    @strawberry.field(description="Who did it (操作人), by global id; told to auditors alone.")
    def actor_id(self) -> strawberry.ID | None:
        key = _entry(self).actor_id
        return None if key is None else strawberry.ID(global_id("Person", key))

    @strawberry.field(description="Posts the actor held then.")
    def actor_posts(self) -> list[Post]:
        return [Post(post) for post in _entry(self).actor_posts]

    @strawberry.field(description="The change request that was applied, if one was.")
    def change_request_id(self) -> strawberry.ID | None:
        key = _entry(self).change_request_id
        return None if key is None else strawberry.ID(global_id("ChangeRequest", key))

    @strawberry.field(
        description="审批链: the decisions on the change request that was applied, as that request shows them; "
        "null where none was, or the viewer does not see it."
    )
    async def approval_chain(self, info: Request) -> list[ApprovalStep] | None:
        key = _entry(self).change_request_id
        if key is None:
            return None
        with_comments = "comment" in {selection.name for selection in selected_fields(info)}
        chain = await info.context.loaders.audit.chains.load(ChainKey(key, with_comments))
        return None if chain is None else steps_of(chain.request, sees_text=chain.sees_text)


@strawberry.type(description="通知: that something happened, never what a value is.")
class Notification:
    kind: str = strawberry.field(description="What happened, such as `change_request:awaits_decision`.")
    at: datetime

    @strawberry.field(description="The same wherever it is told, so that it can be known again.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Notification", _notification(self).id))

    @strawberry.field(description="What it is about; null unless the viewer may see that now.")
    async def subject_id(self, info: Request) -> strawberry.ID | None:
        subject = _notification(self).subject
        if not await info.context.loaders.visible_subjects.load(subject):
            return None
        return strawberry.ID(global_id(subject.type, subject.id))


def _notification(source: Any) -> StoredNotification:
    assert isinstance(source, StoredNotification)  # noqa: S101
    return source


def _entry(source: Any) -> HistoryEntry:
    assert isinstance(source, HistoryEntry)  # noqa: S101
    return source


def _change(source: Any) -> HistoryChange:
    assert isinstance(source, HistoryChange)  # noqa: S101
    return source


async def resolve_audit_history(
    root: strawberry.Parent[Any], info: Request, first: int = 20, after: str | None = None
) -> Connection[AuditEntry] | None:
    """The history of any node; the cursor is the sequence number."""
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise foreign_cursor()
    name = info._raw_info.parent_type.name
    key = HistoryKey(Subject(name, key_of_source(root)), first, None if after is None else int(after))
    page = await info.context.loaders.audit.histories.load(key)
    if page is None:
        info.context.withhold({f"{name}.auditHistory": Withheld.NOT_PERMITTED})
        return None
    cursors = [str(entry.sequence) for entry in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]
