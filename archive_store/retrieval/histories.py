"""The audit history of retrieval grants: for those who see the grant, and auditors, who oversee who was given what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, of_no_leaf, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.retrieval.queries import grantees_in_sight

_PURPOSE = frozenset({"purpose"})
# Where no approval is needed; a crisis team gives by operations of its own.
_GIVING = frozenset({"retrieval_grant.give", "retrieval_grant.give_sealed"})


async def _rights(
    store: Store, viewer: Viewer, grant_ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    decision = viewer.decide(RetrievalGrant)
    grantees = await grantees_in_sight(store, viewer, grant_ids)
    text = text_of(decision.classes)
    held = {
        key: SubjectRights(_shown_with(viewer, grantee) | text, _texts, own=_own(viewer, grantee))
        for key, grantee in grantees.items()
    }
    if viewer.audits and FieldClass.F1 in decision.classes:
        rights = SubjectRights(decision.readable | text, _texts)
        held |= {key: rights for key in grant_ids if key not in held}
    return held


def _own(viewer: Viewer, grantee_id: ObjectId) -> frozenset[str]:
    return _PURPOSE if grantee_id == viewer.person_id else frozenset()


def _shown_with(viewer: Viewer, grantee_id: ObjectId) -> frozenset[str]:
    """As `queries` shows a grant: all of one's own, the purpose of others' for a stated one."""
    shows_purpose = grantee_id == viewer.person_id or viewer.reading.purpose is not None
    leaves = frozenset(field_classes(RetrievalGrant))
    return leaves if shows_purpose else leaves - _PURPOSE


def _texts(record_type: type[Record], row: Row) -> frozenset[str]:
    # What a grant was given for is its purpose; why it ended, or what else was decided with it, may be anything.
    was_asked_for = row["sealed"]["change_request"] is not None or row["operation"] in _GIVING
    is_giving = row["kind"] == "retrieval_grant:give" and was_asked_for
    return _PURPOSE if is_giving else of_no_leaf(record_type, row)


RETRIEVAL_GRANT_HISTORY = SubjectHistory(RetrievalGrant, _rights)
