"""Reading emergency actions, with their values redacted by the field-access policy."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.contents import Asked, RequestContent, contents_of
from archive_store.approvals.emergency_documents import (
    UNRATIFIED_STATUSES,
    EmergencyAction,
    EmergencyStatus,
)
from archive_store.approvals.emergency_rules import READERS, REPORT_POSTS, deciding_seat, may_see
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store

DECIDING = "应急处置 deciding on an emergency action"


async def emergency_actions_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> list[EmergencyAction | None]:
    """Actions in the order of the ids; None where there is none to see."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, _visible(viewer)]}
    rows = await store.database.collection(EmergencyAction).find(query).to_list()
    found = {action.key: action for action in await _open(store, rows)}
    return [found.get(action_id) for action_id in ids]


async def visible_emergency_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> frozenset[ObjectId]:
    """Those of the actions that the viewer may see; nothing of them is opened."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, _visible(viewer)]}
    rows = store.database.collection(EmergencyAction).find(query, {"_id": 1})
    return frozenset([row["_id"] async for row in rows])


async def list_emergency_actions(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: ObjectId | None = None,
    status: EmergencyStatus | None = None,
    is_overdue: bool | None = None,
) -> Page[EmergencyAction]:
    """Actions, newest first. Overdue is what nobody ratified or reversed in time."""
    check_page_size(first, store.settings.page_size_limit)
    conditions = [_visible(viewer)]
    if status is not None:
        conditions.append({"status": status.value})
    if is_overdue is not None:
        overdue: Row = {
            "status": {"$in": [held.value for held in UNRATIFIED_STATUSES]},
            "due_at": {"$lt": store.clock.now()},
        }
        conditions.append(overdue if is_overdue else {"$nor": [overdue]})
    collection = store.database.collection(EmergencyAction)
    page = await page_of_newest(collection, {"$and": conditions}, {}, first=first, after=after)
    return Page(await _open(store, page.rows), page.has_next)


def _visible(viewer: Viewer) -> Row:
    """As `emergency_rules.may_see` says of one."""
    if not viewer.has_scope(Scope.CHANGE_REQUEST_READ):
        return {"_id": {"$exists": False}}
    if viewer.holds_any(READERS):
        return {}
    seen: list[Row] = [{"executed_by": viewer.person_id}]
    for held in viewer.delegations:
        if held.post not in (*REPORT_POSTS, Post.PRINCIPAL):
            continue
        seat: Row = {} if held.operations is None else {"operation": {"$in": sorted(held.operations)}}
        if held.post is Post.PRINCIPAL:
            seat["escalated_at"] = {"$ne": None}
        seen.append(seat)
    return {"$or": seen}


async def _open(store: Store, rows: Sequence[Row]) -> list[EmergencyAction]:
    await store.cipher.decrypt_paths(rows, encrypted_paths(EmergencyAction))
    return [EmergencyAction.model_validate(row) for row in rows]


async def emergency_contents_for(
    store: Store, viewer: Viewer, actions: Sequence[EmergencyAction]
) -> list[RequestContent]:
    """What was changed, in the order of the actions.

    Who executed it sees what they entered, not what it replaced; who decides on it, or did, sees both; any other
    reader sees what the field-access policy lets them read.
    """
    asked = [asked_of(viewer, action) for action in actions]
    return await contents_of(store, viewer, asked, purpose=DECIDING)


def asked_of(viewer: Viewer, action: EmergencyAction) -> Asked:
    return Asked(
        operation=action.operation,
        target_id=action.target_id,
        fields=action.fields,
        payload=action.sealed["payload"],
        before=action.sealed["before"],
        reason=action.sealed["reason"],
        is_visible=may_see(viewer, action),
        is_own=viewer.person_id == action.executed_by,
        decides=_decides(viewer, action),
    )


def _decides(viewer: Viewer, action: EmergencyAction) -> bool:
    if action.ruling is not None and action.ruling.decided_by == viewer.person_id:
        return True
    try:
        deciding_seat(viewer, action)
    except RegistrarError:
        return False
    return True
