"""Batched loads of the audit history, and of subjects that are shown beside an entry."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.approvals.documents import ChangeRequest
from archive_store.approvals.queries import change_requests_by_id, texts_for
from archive_store.audit.queries import HistoryEntry
from archive_store.foundation.paging import Page
from archive_store.foundation.unit_of_work import Subject
from archive_store.oversight.histories import HISTORIES, SubjectType
from archive_store.people.delegations import Delegation, delegations_by_id
from archive_store.people.queries import StaffMember, staff_by_id
from archive_store.retrieval.queries import grants_by_id
from schema.audit.proofs import InclusionProof, proofs_of_entries
from schema.context import Context


class HistoryKey(NamedTuple):
    """A page of a subject's history."""

    subject: Subject
    first: int
    after: int | None


class ChainKey(NamedTuple):
    """A change request whose signatures are asked for, and whether with their comments."""

    id: ObjectId
    with_comments: bool


class Chain(NamedTuple):
    """A request in sight, and whether its texts are."""

    request: ChangeRequest
    sees_text: bool


class GrantKey(NamedTuple):
    """A retrieval grant, and whether with its purpose, which is read."""

    id: ObjectId
    opens_purpose: bool


class AuditLoaders:
    """The loaders of one request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_histories(keys: list[HistoryKey]) -> list[Page[HistoryEntry] | None]:
            alike: defaultdict[tuple[str, int, int | None], list[HistoryKey]] = defaultdict(list)
            for key in dict.fromkeys(keys):
                alike[key.subject.type, key.first, key.after].append(key)
            found: dict[HistoryKey, Page[HistoryEntry] | None] = {}
            for (name, first, after), asked in alike.items():
                ids = [key.subject.id for key in asked]
                history = HISTORIES[SubjectType(name)]
                found |= zip(
                    asked, await history.pages(store, viewer, ids, first=first, after=after), strict=True
                )
            return [found[key] for key in keys]

        async def load_chains(keys: list[ChainKey]) -> list[Chain | None]:
            ids = list({key.id: None for key in keys})
            seen = {
                request.key: request
                for request in await change_requests_by_id(store, viewer, ids)
                if request is not None
            }
            read = [seen[key] for key in {key.id: None for key in keys if key.with_comments} if key in seen]
            texts = {
                request.key: sees
                for request, sees in zip(read, await texts_for(store, viewer, read), strict=True)
            }
            return [Chain(seen[key.id], texts.get(key.id, False)) if key.id in seen else None for key in keys]

        async def load_grants(keys: list[GrantKey]) -> list[RetrievalGrant | None]:
            found: dict[GrantKey, RetrievalGrant | None] = {}
            for opens in {key.opens_purpose for key in keys}:
                asked = list(dict.fromkeys(key for key in keys if key.opens_purpose == opens))
                ids = [key.id for key in asked]
                found |= zip(asked, await grants_by_id(store, viewer, ids, opens_purpose=opens), strict=True)
            return [found[key] for key in keys]

        async def load_delegations(ids: list[ObjectId]) -> list[Delegation | None]:
            return await delegations_by_id(store, viewer, ids)

        async def load_staff(ids: list[ObjectId]) -> list[StaffMember | None]:
            return await staff_by_id(store, viewer, ids)

        async def load_proofs(indexes: list[int]) -> list[InclusionProof | None]:
            return await proofs_of_entries(store, viewer, indexes)

        self.proofs: DataLoader[int, InclusionProof | None] = DataLoader(load_fn=load_proofs, cache=False)
        self.histories: DataLoader[HistoryKey, Page[HistoryEntry] | None] = DataLoader(
            load_fn=load_histories, cache=False
        )
        self.chains: DataLoader[ChainKey, Chain | None] = DataLoader(load_fn=load_chains, cache=False)
        self.grants: DataLoader[GrantKey, RetrievalGrant | None] = DataLoader(
            load_fn=load_grants, cache=False
        )
        self.delegations: DataLoader[ObjectId, Delegation | None] = DataLoader(
            load_fn=load_delegations, cache=False
        )
        self.staff: DataLoader[ObjectId, StaffMember | None] = DataLoader(load_fn=load_staff, cache=False)
