"""Reading change requests, with their values redacted by the field-access policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.policy import FieldDecision
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import OPEN_STATUSES, ChangeRequest, RequestStatus
from archive_store.approvals.operation import Operation
from archive_store.approvals.rules import REQUEST_READERS, may_see, seat_of
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.paging import Page, page_of_newest
from archive_store.foundation.records import plain_value
from archive_store.foundation.store import Store


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """One field of a request. Where `withheld`, `before` is None, and `after` too unless the viewer asked for it."""

    field: str
    before: Any
    after: Any
    withheld: bool


@dataclass(frozen=True, slots=True)
class RequestContent:
    """What a request asks for, as far as the viewer may know."""

    changes: tuple[RequestedChange, ...]
    reason: str | None
    sees_text: bool  # reason and comments


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
    query: Row = _visible(viewer)
    if status is not None:
        query["status"] = status.value
    if target_id is not None:
        query["target_id"] = target_id
    if awaiting_me:
        query = {"$and": [query, _awaiting(viewer)]}
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


def _awaiting(viewer: Viewer) -> Row:
    """Open requests with a seat of the viewer's, as `rules.seat_of` says of one."""
    seats: list[Row] = [
        {"awaited_person": viewer.person_id},
        {"awaited_posts": {"$in": sorted(viewer.posts)}},
        {"escalated_posts": {"$in": sorted(viewer.posts)}},
    ]
    for held in viewer.delegations:
        seat: Row = {
            "awaited_posts": held.post.value,
            "requested_by": {"$ne": held.delegator_id},
            "$expr": {"$not": [_signed_by(held.delegator_id)]},
        }
        if held.operations is not None:
            seat["operation"] = {"$in": sorted(held.operations)}
        seats.append(seat)
    uninvolved = [viewer.person_id, *(held.delegator_id for held in viewer.delegations)]
    return {
        "status": {"$in": [status.value for status in OPEN_STATUSES]},
        "requested_by": {"$nin": uninvolved},
        "target_id": {"$nin": [viewer.person_id, *viewer.ward_ids, *viewer.own_student_ids]},
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
    if any(step.decided_by == viewer.person_id for step in request.steps):
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
    by_operation: dict[str, list[ChangeRequest]] = defaultdict(list)
    for request in requests:
        by_operation[request.operation].append(request)
    contents: dict[ObjectId, RequestContent] = {}
    for name, alike in by_operation.items():
        operation = store.operations[name]
        decisions = await _decisions(store, viewer, operation, [request.target_id for request in alike])
        read = []
        for request in alike:
            content, shown = _content(viewer, operation, request, decisions.get(request.target_id))
            contents[request.key] = content
            read.append(ReadRows(shown & encrypted_paths(operation.record_type), [request.target_id]))
        purpose = "变更审批 deciding on a change request"
        await record_reading(store, viewer, operation.record_type, read, purpose=purpose)
    return [contents[request.key] for request in requests]


async def _decisions(
    store: Store, viewer: Viewer, operation: Operation[Any], targets: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    if operation.decisions is not None:
        return await operation.decisions(store, viewer, targets)
    return dict.fromkeys(targets, viewer.decide(operation.record_type))


def _content(
    viewer: Viewer, operation: Operation[Any], request: ChangeRequest, decision: FieldDecision | None
) -> tuple[RequestContent, frozenset[str]]:
    """The content, and the leaves of which it shows the stored value."""
    if not may_see(viewer, request):
        return RequestContent((), None, False), frozenset()
    readable = decision.readable if decision else frozenset()
    decides = _decides(viewer, request)
    is_requester = viewer.person_id == request.requested_by
    before: Row = request.sealed["current"]
    after: Mapping[str, Any] = operation.requested_values(
        operation.payload.model_validate(request.sealed["payload"])
    )
    changes, shown = [], set()
    for field in request.fields:
        leaves = leaves_of(operation.record_type, field)
        may_read = decides or all(path in readable for path in leaves)
        if may_read:
            shown.update(leaves)
        changes.append(
            RequestedChange(
                field,
                plain_value(before.get(field)) if may_read else None,
                plain_value(after.get(field)) if may_read or is_requester else None,
                withheld=not may_read,
            )
        )
    # Free text can hold anything, so it is as sensitive as the most sensitive field it may speak of.
    sees_text = decides or is_requester or not any(change.withheld for change in changes)
    reason = request.sealed["reason"] if sees_text else None
    return RequestContent(tuple(changes), reason, sees_text), frozenset(shown)
