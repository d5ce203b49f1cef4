"""Reading change requests, with their values redacted by the field-access policy."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.contents import Asked, RequestContent, contents_of, text_rights_of
from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest, RequestStatus
from archive_store.approvals.routing import DECIDING
from archive_store.approvals.rules import REQUEST_READERS, may_see, seat_of
from archive_store.audit.readings import record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store


async def change_requests_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> list[ChangeRequest | None]:
    """Requests in the order of the ids; None where there is none to see."""
    rows = store.database.collection(ChangeRequest).find({"_id": {"$in": list(ids)}, **_visible(viewer)})
    found = {request.key: request for request in await _open(store, await rows.to_list())}
    return [found.get(request_id) for request_id in ids]


async def visible_request_ids(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> frozenset[ObjectId]:
    """Those of the requests that the viewer may see; nothing of them is opened."""
    query = {"_id": {"$in": list(ids)}, **_visible(viewer)}
    return frozenset(
        [row["_id"] async for row in store.database.collection(ChangeRequest).find(query, {"_id": 1})]
    )


async def list_change_requests(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: ObjectId | None = None,
    status: RequestStatus | None = None,
    target_id: ObjectId | None = None,
    awaiting_me: bool = False,
) -> Page[ChangeRequest]:
    """Requests, newest first."""
    check_page_size(first, store.settings.page_size_limit)
    query: Row = _visible(viewer)
    if status is not None:
        query["status"] = status.value
    if target_id is not None:
        query["target_id"] = target_id
    if awaiting_me:
        query = {"$and": [query, awaiting_viewer(viewer)]}
    page = await page_of_newest(store.database.collection(ChangeRequest), query, {}, first=first, after=after)
    return Page(await _open(store, page.rows), page.has_next)


def _visible(viewer: Viewer) -> Row:
    """As `rules.may_see` says of one."""
    if not viewer.has_scope(Scope.CHANGE_REQUEST_READ):
        return {"_id": {"$exists": False}}
    submitted: Row = {"status": {"$ne": RequestStatus.DRAFT.value}}
    if not viewer.holds_any(REQUEST_READERS):
        asked: list[Row] = [
            {"route.posts": {"$in": sorted(viewer.posts)}},
            {"route.person_id": viewer.person_id},
        ]
        for held in viewer.delegations:
            operations = {} if held.operations is None else {"operation": {"$in": sorted(held.operations)}}
            asked.append({"route.posts": held.post.value, **operations})
        submitted["$or"] = asked
    return {"$or": [{"requested_by": viewer.person_id}, submitted]}


def awaiting_viewer(viewer: Viewer) -> Row:
    """Open requests with a seat of the viewer's, as `rules.seat_of` says of one."""
    if viewer.is_service:
        return {"_id": {"$exists": False}}
    seats: list[Row] = [
        *([{"awaited_person": viewer.person_id}] if viewer.posts else []),
        {"awaited_posts": {"$in": sorted(viewer.posts)}},
        {"escalated_posts": {"$in": sorted(viewer.posts)}},
    ]
    for held in viewer.delegations:
        seat: Row = {
            "awaited_posts": held.post.value,
            "route.posts": {"$nin": sorted(viewer.posts)},
            "requested_by": {"$ne": held.delegator_id},
            "concerns": {"$nin": sorted(held.concerned_ids)},
            "$expr": {"$not": [_signed_by(held.delegator_id)]},
        }
        if held.operations is not None:
            seat["operation"] = {"$in": sorted(held.operations)}
        seats.append(seat)
    uninvolved = [viewer.person_id, *(held.delegator_id for held in viewer.delegations)]
    return {
        "status": {"$in": [status.value for status in OPEN_STATUSES]},
        "requested_by": {"$nin": uninvolved},
        "concerns": {"$nin": [viewer.person_id, *viewer.ward_ids, *viewer.own_student_ids]},
        "$or": seats,
        "$expr": {"$not": [_signed_by(viewer.person_id)]},
    }


def _signed_by(person_id: ObjectId) -> Row:
    """Whether a signature of this round is theirs, or was given in their seat."""
    signed: Row = {
        "$and": [
            {"$eq": ["$$step.round", "$round"]},
            {"$in": [person_id, ["$$step.decided_by", "$$step.for_person_id"]]},
        ]
    }
    return {"$anyElementTrue": [{"$map": {"input": "$steps", "as": "step", "in": signed}}]}


async def _open(store: Store, rows: Sequence[Row]) -> list[ChangeRequest]:
    await store.cipher.decrypt_paths(rows, encrypted_paths(ChangeRequest))
    return [ChangeRequest.model_validate(row) for row in rows]


def _decides(viewer: Viewer, request: ChangeRequest) -> bool:
    if any(step.decided_by == viewer.person_id for step in request.signatures):
        return True
    try:
        seat_of(viewer, request)
    except RegistrarError:
        return False
    return True


async def contents_for(
    store: Store, viewer: Viewer, requests: Sequence[ChangeRequest]
) -> list[RequestContent]:
    """The changes asked for, in the order of the requests.

    Whoever decides the awaited step must see what is decided, and whoever decided one what they decided; the
    requester sees what they asked for; any other reader sees what the field-access policy lets them read.
    """
    asked = [asked_of(viewer, request) for request in requests]
    return await contents_of(store, viewer, asked, purpose=DECIDING)


async def texts_for(store: Store, viewer: Viewer, requests: Sequence[ChangeRequest]) -> list[bool]:
    """Whether the viewer sees reason and comments of each request; where they do, that is recorded as read."""
    rights = await text_rights_of(store, viewer, [asked_of(viewer, request) for request in requests])
    for record_type in {right.record_type for right in rights}:
        read = [right.read for right in rights if right.sees_text and right.record_type is record_type]
        await record_reading(store, viewer, record_type, read, purpose=DECIDING)
    return [right.sees_text for right in rights]


def asked_of(viewer: Viewer, request: ChangeRequest) -> Asked:
    return Asked(
        operation=request.operation,
        target_id=request.target_id,
        fields=request.fields,
        payload=request.sealed["payload"],
        before=request.sealed["current"],
        reason=request.sealed["reason"],
        is_visible=may_see(viewer, request),
        is_own=viewer.person_id == request.requested_by,
        decides=_decides(viewer, request),
        is_revised=request.round > 1,
    )
