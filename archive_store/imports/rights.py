"""Who imports, who undoes, and who sees batches: the information group and the director, 招生办 their candidates'."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.imports.batch_steps import read_batch
from archive_store.imports.documents import ImportBatch, ImportKind

IMPORTERS = frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR})
UNDOERS = IMPORTERS


def may_begin(viewer: Viewer, kind: ImportKind) -> None:
    """FORBIDDEN unless the viewer may import for this."""
    posts = IMPORTERS | ({Post.ADMISSIONS} if kind is ImportKind.ADMISSION else frozenset())
    viewer.require_any(posts, rule="operation roster.import")


def visible_batches(viewer: Viewer) -> dict[str, Any] | None:
    """The condition of the batches in sight; None where there is none."""
    if viewer.is_service:
        return None
    if viewer.holds_any(IMPORTERS):
        return {}
    if viewer.holds_any(frozenset({Post.ADMISSIONS})):
        return {"kind": ImportKind.ADMISSION.value}
    return None


async def visible_batch(store: Store, viewer: Viewer, batch_id: ObjectId) -> ImportBatch:
    """FORBIDDEN without a right to any batch, NOT_FOUND for one that is out of sight."""
    if (visible := visible_batches(viewer)) is None:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule="operation roster.import")
    batch = await read_batch(store, batch_id)
    if any(getattr(batch, field) != value for field, value in visible.items()):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return batch
