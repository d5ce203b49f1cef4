"""The audit histories of persons, role grants and delegations.

A person's name and numbers change with a record's, whose reasons speak of that record. A delegation (委托) is open
inside the school (F0): to the two it is between, and to auditors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.audit.histories import SubjectHistory, by_class, of_no_leaf, text_of
from archive_store.audit.queries import SubjectRights
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.store import Store
from archive_store.people.delegations import Delegation, delegations_by_id
from archive_store.people.documents import Person, RoleGrant


async def _delegation_rights(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, SubjectRights]:
    text = text_of(viewer.decide(Delegation).classes)
    rights = SubjectRights(frozenset(field_classes(Delegation)) | text)
    if viewer.audits:
        return dict.fromkeys(ids, rights)
    seen = await delegations_by_id(store, viewer, ids)
    return {held.key: rights for held in seen if held is not None}


DELEGATION_HISTORY = SubjectHistory(Delegation, _delegation_rights)
PERSON_HISTORY = by_class(Person, texts=of_no_leaf)
ROLE_GRANT_HISTORY = by_class(RoleGrant)
