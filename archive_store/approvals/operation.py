"""`Operation`: a named command on the records, the only way to change one (policy 引言: no way around it)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar

from bson import ObjectId
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest, RequestStatus
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork


class Payload(BaseModel):
    """Input of an operation; unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True
    )


async def _none_yet(store: Store, session: AsyncClientSession | None, payload: Payload) -> Mapping[str, Any]:
    """Of an operation that creates: there is nothing that could have changed meanwhile."""
    return {}


async def _nobody(store: Store, payload: Payload) -> frozenset[Post]:
    return frozenset()


async def _goes_on(unit: UnitOfWork, request: ChangeRequest, status: RequestStatus) -> None:
    """Of an operation on which nothing else waits."""


Values = Mapping[str, Any]


def nobody_else(viewer: Viewer) -> bool:
    return False


def _no_one_else(payload: Payload) -> frozenset[ObjectId]:
    return frozenset()


Decisions = Callable[[Store, Viewer, Sequence[ObjectId]], Awaitable[Mapping[ObjectId, FieldDecision]]]
AnyPayload = TypeVar("AnyPayload", bound=Payload)


@dataclass(frozen=True)
class Operation(Generic[AnyPayload]):
    """One operation.

    `requesters` are the posts that may ask for it, and `also_open_to` tells who else may: a family of their own, or a
    service account that feeds. `fields` are the record fields it touches, which decide its
    chain of approval; `requested_values` what they would become; `current` what they are, kept with a request
    so that a later change of the record shows as a conflict. `changes` are the fields that it can change at all;
    `decisions` how a viewer stands to its targets, where that differs by record; `excluded_posts` the posts of
    those it is about, who sign no step of it; `concerns` the students it is about beside its subject. `check` raises
    `RegistrarError`; `apply` writes through the unit of work and may run more than once. `reverse` compensates for
    it: given the values of `current` before and the day on which it was applied, it restores what is unchanged since,
    and raises CONFLICT otherwise. `check_past` is `check` for a day that is over, from which what is asked for shall
    hold; without it, none can be named.
    `reason_fields` are fields whose values its reason may tell, beside those it touches. What `applies_at_once`
    cannot be given a chain. `not_applied` is told, in the same transaction, of a request that was rejected, returned or
    withdrawn.
    """

    name: str
    record_type: type[Record]  # of the subject
    payload: type[AnyPayload]
    requesters: frozenset[Post]
    subject: Callable[[AnyPayload], Subject]
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[Any]]
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]]
    requested_values: Callable[[AnyPayload], Mapping[str, Any]]
    fields: Callable[[AnyPayload], frozenset[str]]
    current: Callable[[Store, AsyncClientSession | None, AnyPayload], Awaitable[Mapping[str, Any]]] = (
        _none_yet
    )
    changes: frozenset[str] = frozenset()
    decisions: Decisions | None = None
    reason_fields: frozenset[str] = frozenset()
    reverse: Callable[[UnitOfWork, AnyPayload, Values, date], Awaitable[None]] | None = None
    check_past: Callable[[Store, Viewer, AnyPayload, date], Awaitable[None]] | None = None
    excluded_posts: Callable[[Store, AnyPayload], Awaitable[frozenset[Post]]] = _nobody
    concerns: Callable[[AnyPayload], frozenset[ObjectId]] = _no_one_else
    applies_at_once: bool = False
    also_open_to: Callable[[Viewer], bool] = nobody_else
    not_applied: Callable[[UnitOfWork, ChangeRequest, RequestStatus], Awaitable[None]] = _goes_on

    def require_asker(self, viewer: Viewer) -> None:
        """FORBIDDEN unless the viewer may ask for it at all."""
        if not self.also_open_to(viewer):
            viewer.require_any(self.requesters, rule=f"operation {self.name}")
