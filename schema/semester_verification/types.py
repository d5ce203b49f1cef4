"""Campaigns of semester verification (学期核验), and the items that a viewer verifies or oversees."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.foundation.paging import Cursor
from archive_store.semester_verification import queries as store
from archive_store.semester_verification.counts import Progress
from archive_store.semester_verification.documents import VerificationCampaign as StoredCampaign
from archive_store.semester_verification.documents import VerificationItem as StoredItem
from archive_store.semester_verification.queries import ItemView
from archive_store.semester_verification.rules import oversees
from schema.approvals.types import ChangeRequest
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.enums import StudentStatus
from schema.errors import camel_case
from schema.nodes import Connection, Node, connection, global_id, key_of
from schema.scalars import Day
from schema.selection import selected_fields
from schema.semester_verification.enums import (
    VerificationCampaignStatus,
    VerificationCapacity,
    VerificationItemState,
    VerificationMismatchKind,
    VerificationMismatchOutcome,
)
from schema.students.types import Student

_PROGRESS = "CLASS_NAME"


def _of_item(path: str, description: str) -> Any:
    """A leaf of the item that is no text; null where the viewer may not read it."""
    directives = directives_of(StoredItem, path)

    def resolve(root: Any, info: Request) -> Any:
        if path not in root.decision.readable:
            coordinate = f"VerificationItem.{camel_case(path)}"
            info.context.withhold({coordinate: root.why_withheld(frozenset({path}))[path]})
        return root.value(path)

    return strawberry.field(resolver=resolve, description=description, directives=directives)


@strawberry.type(description="What was found to be right in place of a value of the record.")
class VerificationFound:
    field: str = strawberry.field(
        description="Field of the student record.", directives=directives_of(StoredItem, "found.field")
    )
    value: str | None = strawberry.field(
        description="To those who read that field of the record.",
        directives=directives_of(StoredItem, "found.value"),
    )


@strawberry.type(description="核验进度 of a class, or of all classes that the viewer may know of.")
class VerificationProgress:
    class_name: str | None = strawberry.field(description="班级; null of all together.")
    total: int
    verified: int = strawberry.field(description="已核验.")
    mismatch: int = strawberry.field(description="不符, not yet handled.")
    resolved: int = strawberry.field(description="Mismatches that were handled.")
    pending: int = strawberry.field(description="待核验.")

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, Progress)


@strawberry.type(
    description="核验项: one student in one campaign, read by the rights on the student's record."
)
class VerificationItem(Node):
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )
    verified_by_name: str | None = _of_item("verified_by_name", "who verified it last")
    verified_as: VerificationCapacity | None = _of_item("verified_as", "as what")
    verified_at: datetime | None = _of_item("verified_at", "when")
    record_revision: int | None = _of_item(
        "record_revision", "the record's revision that was verified, or reported on"
    )
    kind: VerificationMismatchKind | None = _of_item("kind", "of the last mismatch that was reported")
    reported_by_name: str | None = _of_item("reported_by_name", "who reported it")
    reported_as: VerificationCapacity | None = _of_item("reported_as", "as what")
    reported_at: datetime | None = _of_item("reported_at", "when")
    outcome: VerificationMismatchOutcome | None = _of_item("outcome", "what became of it")
    handled_by_name: str | None = _of_item("handled_by_name", "who handled it")
    handled_at: datetime | None = _of_item("handled_at", "when")

    @strawberry.field
    def state(self) -> VerificationItemState:
        return _view(self).state

    @strawberry.field(description="班级 of the student now.")
    def class_name(self) -> str:
        return _view(self).class_name

    @strawberry.field(description="学籍, by the viewer's rights on it.")
    async def student(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, _view(self).student_id)  # type: ignore[return-value]

    @strawberry.field(
        description="The campaign's fields that whoever verified it may read.",
        directives=directives_of(StoredItem, "verified_fields"),
    )
    def verified_fields(self) -> list[str] | None:
        names = _view(self).value("verified_fields")
        return None if names is None else [camel_case(name) or "" for name in names]

    @strawberry.field(description="The record was changed after it was verified or resolved.")
    def changed_since(self) -> bool:
        return _view(self).has_changed_since

    @strawberry.field(description="What was found, field by field.")
    async def found(self, info: Request) -> list[VerificationFound] | None:
        view = _view(self)
        fields = [held["field"] for held in view.row["found"]]
        if "found.field" not in view.decision.readable:
            info.context.withhold({"VerificationItem.found": Withheld.NOT_PERMITTED})
            return None
        values: dict[str, str] = {}
        if fields and any(selection.name == "value" for selection in selected_fields(info)):
            opened = await info.context.loaders.verification_texts.load((view.id, "found.value"))
            values = dict(opened.found) if opened else {}
            for field in fields:
                if not view.shows_found(field):
                    info.context.withhold({"VerificationFound.value": view.why_found_withheld(field)})
        return [VerificationFound(field=camel_case(name) or "", value=values.get(name)) for name in fields]

    @strawberry.field(
        description="What the reporter wrote, for those who handle it.",
        directives=directives_of(StoredItem, "note"),
    )
    async def note(self, info: Request) -> str | None:
        return await _text(info, _view(self), "note")

    @strawberry.field(
        description="How it was settled, for the reporter.", directives=directives_of(StoredItem, "answer")
    )
    async def answer(self, info: Request) -> str | None:
        return await _text(info, _view(self), "answer")

    @strawberry.field(description="变更申请 that the mismatch became, where the viewer sees it.")
    async def change_request(self, info: Request) -> ChangeRequest | None:
        key = _view(self).value("request_id")
        return None if key is None else await info.context.loaders.change_requests.load(key)

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> ItemView | None:
        return await info.context.loaders.verification_items.load(key)

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, ItemView)


async def _text(info: Request, view: ItemView, name: str) -> str | None:
    if name not in view.decision.readable:
        why = view.why_withheld(frozenset({name}))[name]
        info.context.withhold({f"VerificationItem.{name}": why})
        return None
    if not view.row["has"][name]:
        return None
    opened = await info.context.loaders.verification_texts.load((view.id, name))
    return None if opened is None else getattr(opened, name)


def _view(source: Any) -> ItemView:
    assert isinstance(source, ItemView)  # noqa: S101
    return source


async def _items(
    root: Any,
    info: Request,
    first: int = 20,
    after: str | None = None,
    class_name: str | None = None,
    state: VerificationItemState | None = None,
) -> Connection[VerificationItem]:
    page = await store.list_items(
        info.context.store,
        info.context.viewer,
        root.key,
        first=first,
        after=None if after is None else key_of(after, "VerificationItem", field="after"),
        class_name=class_name,
        state=state,
    )
    cursors = [global_id("VerificationItem", view.id) for view in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def _progress(
    root: Any, info: Request, first: int = 50, after: str | None = None
) -> Connection[VerificationProgress]:
    place = None if after is None else Cursor.decode(after, order=_PROGRESS).value
    page = await store.progress(info.context.store, info.context.viewer, root.key, first=first, after=place)
    cursors = [Cursor(_PROGRESS, row.class_name, root.key).encode() for row in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@strawberry.type(
    description="学期核验: the verification of every record in study, once a semester. 教基〔2025〕1号 art. 25."
)
class VerificationCampaign(Node):
    title: str
    school_year: int = strawberry.field(description="The year in which the school year (学年) begins.")
    term: int = strawberry.field(description="学期, 1 or 2.")
    opens_on: Day
    closes_on: Day = strawberry.field(description="The last day, inclusive.")
    statuses: list[StudentStatus] = strawberry.field(description="学籍状态 of those who are verified.")
    grades: list[str] = strawberry.field(description="年级 of those who are verified; all where empty.")
    status: VerificationCampaignStatus
    opened_by_name: str
    begun_at: datetime | None = strawberry.field(description="When its students had been listed.")
    closed_at: datetime | None
    closed_by_name: str | None
    items: Connection[VerificationItem] = strawberry.field(
        resolver=_items, description="Those in sight: of overseers all, else of one's own class or family."
    )
    progress: Connection[VerificationProgress] = strawberry.field(
        resolver=_progress, description="By class, of the classes that the viewer may know of."
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Fields of the record that are verified.")
    def fields(self) -> list[str]:
        return [camel_case(name) or "" for name in _campaign(self).fields]

    @strawberry.field(description="Of all classes that the viewer may know of, together.")
    async def total(self, info: Request) -> VerificationProgress:
        context = info.context
        return await store.total(context.store, context.viewer, _campaign(self).key)  # type: ignore[return-value]

    @strawberry.field(description="How many records await the viewer as 班主任, or of the family.")
    async def viewer_pending(self, info: Request) -> int:
        return await store.pending_of(info.context.store, info.context.viewer, _campaign(self).key)

    @strawberry.field(
        description="待核验 that were left when it closed.",
        directives=directives_of(StoredCampaign, "left_pending"),
    )
    def left_pending(self, info: Request) -> int | None:
        return _campaign(self).left_pending if oversees(info.context.viewer) else None

    @strawberry.field(
        description="不符 that were left when it closed.",
        directives=directives_of(StoredCampaign, "left_mismatches"),
    )
    def left_mismatches(self, info: Request) -> int | None:
        return _campaign(self).left_mismatches if oversees(info.context.viewer) else None

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> StoredCampaign | None:
        return await info.context.loaders.verification_campaigns.load(key)

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, StoredCampaign)


def _campaign(source: Any) -> StoredCampaign:
    assert isinstance(source, StoredCampaign)  # noqa: S101
    return source
