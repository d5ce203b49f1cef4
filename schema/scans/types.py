"""Scans (扫描件): what is known of them. Their bytes go over HTTP, at `contentUrl`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.approvals.permissions import Permission as StoredPermission
from archive_store.foundation.clock import school_day
from archive_store.preservation.permissions import may_hold, may_propose
from archive_store.scans import documents as stored
from archive_store.scans.queries import ScanView
from archive_store.scans.retention import due_on, retention_rule
from schema.access import GovernedType, governed
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.enums import FieldClass, RetentionClass, ScanStatus
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import Day
from schema.scans.findings import ScanFinding


@strawberry.enum(description="What can be done with a scan.")
class ScanAction(Enum):
    DOWNLOAD = "DOWNLOAD"
    HOLD = "HOLD"
    PROPOSE_DISPOSAL = "PROPOSE_DISPOSAL"


@strawberry.federation.type(keys=["id"], authenticated=True, description="扫描件: a filed scan.")
class Scan(Node):
    document_type: str | None = governed(stored.Scan, "document_type", "文件类型")
    file_name: str | None = governed(stored.Scan, "file_name", "文件名, by the policy's naming §三(二)")
    media_type: str | None = governed(stored.Scan, "media_type", "type by content")
    size: float | None = governed(stored.Scan, "size", "bytes")
    page_count: int | None = governed(stored.Scan, "page_count", "pages, where they were counted")
    sha256: str | None = governed(stored.Scan, "sha256", "SHA-256 of the content, hex")
    status: ScanStatus | None = governed(stored.Scan, "status", "扫描件状态")
    retention: RetentionClass | None = governed(
        stored.Scan, "retention", "保管期限, as it was when it was filed"
    )
    locked_until: datetime | None = governed(
        stored.Scan, "locked_until", "until when the object store refuses to remove it"
    )
    disposed_at: datetime | None = governed(stored.Scan, "disposed_at", "when its key was destroyed (销毁)")
    uploaded_by_name: str | None = governed(stored.Scan, "uploaded_by_name", "who uploaded it")
    created_at: datetime | None = governed(stored.Scan, "created_at", "when it was filed")
    findings: list[ScanFinding] | None = governed(
        stored.Scan, "findings", "提示, what the checks of its upload found"
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="Class of the bytes, by document type: F3 sensitive, F4 sealed.")
    def content_class(self) -> FieldClass:
        return _view(self).content_class

    @strawberry.field(description="Path to download the content from; null where the viewer may not.")
    def content_url(self) -> str | None:
        return _path(_view(self), "content")

    @strawberry.field(
        description="Path of a small picture of the first page, which is a viewing (阅览) like the content; null where "
        "there is none, or the viewer may not."
    )
    def thumbnail_url(self) -> str | None:
        return _path(_view(self), "thumbnail") if _view(self).thumbnail else None

    @strawberry.field(description="As `thumbnailUrl`, of a picture to look at.")
    def preview_url(self) -> str | None:
        return _path(_view(self), "preview") if _view(self).preview else None

    @strawberry.field(
        description="The first day on which it may be disposed of by the retention table in force; null where it is "
        "kept for good."
    )
    async def retention_until(self, info: Request) -> Day | None:
        view = _view(self)
        if view.document_type is None or view.created_at is None:
            return None
        rule = await retention_rule(info.context.store, view.document_type)
        due = due_on(rule.retention, school_day(view.created_at))
        return None if due is None else Day(due)

    @strawberry.field(description="Whether the viewer may, and else why not and how to obtain it.")
    async def viewer_can(self, info: Request, action: ScanAction) -> Permission:
        view = _view(self)
        if action is not ScanAction.DOWNLOAD:
            may = may_hold if action is ScanAction.HOLD else may_propose
            return permission(await may(info.context.store, info.context.viewer, view))
        sealed = view.content_class is FieldClass.F4
        asks_for = "retrieval_grant.give_sealed" if sealed else "retrieval_grant.give"
        refusal = view.download_refusal
        return permission(StoredPermission(refusal, operation=asks_for if refusal else None))

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> ScanView | None:
        view = await info.context.loaders.scans.load(key)
        if view is not None:
            note_withheld(info, [view])
        return view

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, ScanView)


def _view(source: Any) -> ScanView:
    assert isinstance(source, ScanView)  # noqa: S101
    return source


def _path(view: ScanView, part: str) -> str | None:
    return f"/scans/{global_id('Scan', view.id)}/{part}" if view.download_refusal is None else None


SCAN = GovernedType(Scan)


def note_withheld(info: Request, views: Iterable[ScanView]) -> None:
    """Report what is kept back of the fields selected below the field being resolved."""
    selected = SCAN.selected(info)
    for view in views:
        info.context.withhold(SCAN.coordinates_of(view.withheld(selected)))
