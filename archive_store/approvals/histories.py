"""The audit histories of change requests and emergency actions, of those in sight.

Their entries name no values; their reasons are reason and comments of the request, seen by whoever sees those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals import emergency_queries
from archive_store.approvals.contents import Asked, TextRight, text_rights_of
from archive_store.approvals.documents import ChangeRequest
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.queries import asked_of, change_requests_by_id
from archive_store.approvals.routing import DECIDING
from archive_store.audit.histories import SubjectHistory, of_no_leaf
from archive_store.audit.queries import TEXT, SubjectRights, TextRead
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store

# The course of a request, for all who see it.
_COURSE = frozenset({FieldClass.F0, FieldClass.F1})


async def _request_rights(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    seen = [request for request in await change_requests_by_id(store, viewer, ids) if request is not None]
    asked = [asked_of(viewer, request) for request in seen]
    texts = await text_rights_of(store, viewer, asked)
    return dict(_rights([request.key for request in seen], ChangeRequest, asked, texts, DECIDING))


async def _emergency_rights(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    found = await emergency_queries.emergency_actions_by_id(store, viewer, ids)
    seen = [action for action in found if action is not None]
    asked = [emergency_queries.asked_of(viewer, action) for action in seen]
    texts = await text_rights_of(store, viewer, asked)
    purpose = emergency_queries.DECIDING
    return dict(_rights([action.key for action in seen], EmergencyAction, asked, texts, purpose))


def _rights(
    keys: Sequence[ObjectId],
    record_type: type[Record],
    asked: Sequence[Asked],
    texts: Sequence[TextRight],
    purpose: str,
) -> Iterator[tuple[ObjectId, SubjectRights]]:
    course = frozenset(path for path, held in field_classes(record_type).items() if held in _COURSE)
    for key, one, text in zip(keys, asked, texts, strict=True):
        yield (
            key,
            SubjectRights(
                course | ({TEXT} if text.sees_text else frozenset()),
                texts=_own_texts,
                # Only whoever decides need not state one.
                purpose=purpose if one.decides else None,
                text_read=TextRead(text.record_type, text.read),
            ),
        )


def _own_texts(record_type: type[Record], row: Row) -> frozenset[str] | None:
    # What another request did to this one has that one's reason, which speaks of that one's fields.
    is_own = row["sealed"]["change_request"] in (None, row["subject_id"])
    return of_no_leaf(record_type, row) if is_own else None


def _in_reach(viewer: Viewer) -> bool:
    return viewer.has_scope(Scope.CHANGE_REQUEST_READ)


CHANGE_REQUEST_HISTORY = SubjectHistory(ChangeRequest, _request_rights, _in_reach)
EMERGENCY_ACTION_HISTORY = SubjectHistory(EmergencyAction, _emergency_rights, _in_reach)
