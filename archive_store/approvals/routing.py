"""What submitting, deciding and revising share: the digest that signatures are bound to, moving on, applying."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import (
    OPEN_STATUSES,
    ApprovalPolicy,
    ChangeRequest,
    Evidence,
    RequestStatus,
)
from archive_store.approvals.operation import Operation, Payload
from archive_store.approvals.rules import POLICY_SECTION, Progress, may_see
from archive_store.audit.notifications import AWAITS_DECISION
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import leaves_of
from archive_store.foundation.records import Record, bson_value, plain_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.foundation.working_days import due_after

# What deciders read for, who need not state it.
DECIDING = "变更审批 deciding on a change request"


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that changed since it was asked to change: as it was then, as it is now, and as it was to become."""

    field: str
    before: Any
    current: Any
    requested: Any
    leaves: tuple[str, ...] = ()  # of the field


class ConflictError(RegistrarError):
    """CONFLICT with both changes, for those who decide on the request."""

    def __init__(
        self, conflicts: Sequence[FieldConflict], record_type: type[Record], target_id: ObjectId
    ) -> None:
        self.conflicts = tuple(conflicts)
        self.record_type, self.target_id = record_type, target_id
        names = ", ".join(conflict.field for conflict in conflicts)
        super().__init__(ErrorCode.CONFLICT, field=conflicts[0].field, rule=POLICY_SECTION, fields=names)


def payload_content(payload: Payload) -> dict[str, Any]:
    content: dict[str, Any] = bson_value(payload.model_dump(exclude_unset=True))
    return content


def digest_of(
    store: Store,
    request: tuple[ObjectId, int],
    content: Mapping[str, Any],
    evidence: Sequence[Evidence] = (),
    effective_from: date | None = None,
) -> str:
    """Keyed digest of what is asked for, 64 hex digits: payload, evidence by content, and day.

    Of this request (key and round) alone: two that ask for the same must not tell so to who reads neither.
    """
    papers = [[str(paper.scan_id), paper.sha256] for paper in evidence]
    asked = {
        "request": [str(part) for part in request],
        "payload": content,
        "evidence": papers,
        "effective_from": effective_from,
    }
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS, default=str)
    return hmac.new(store.keyring.audit, b"request\0" + canonical, hashlib.sha256).hexdigest()


def digest_of_request(store: Store, request: ChangeRequest) -> str:
    this = (request.key, request.round)
    return digest_of(store, this, request.sealed["payload"], request.evidence, request.effective_from)


def notify_awaited(
    unit: UnitOfWork, subject: Subject, progress: Progress, kind: str = AWAITS_DECISION
) -> None:
    """Tell those whose signature is awaited."""
    if progress.awaited_person is not None:
        unit.notify(progress.awaited_person, kind, subject)
    for post in progress.awaited_posts:
        unit.notify(post, kind, subject)


async def placed(unit: UnitOfWork, policy: ApprovalPolicy, progress: Progress) -> dict[str, Any]:
    """Where a request stands, as it is stored: a step that is newly awaited has its own time."""
    is_awaited = bool(progress.awaited_posts or progress.awaited_person)
    due = None
    if is_awaited and progress.status in OPEN_STATUSES:
        due = due_after(unit.at, policy.step_period, await load_working_days(unit.store))
    return {
        "position": progress.position,
        "awaited_posts": list(progress.awaited_posts),
        "awaited_person": progress.awaited_person,
        "due_at": due,
        "reminded_at": None,
        "escalated_at": None,
        "escalated_posts": [],
    }


async def policy_of(unit: UnitOfWork, version: int) -> ApprovalPolicy:
    """The version by which a request was last submitted, and which it keeps."""
    row = await unit.store.database.collection(ApprovalPolicy).find_one(
        {"version": version}, session=unit.session
    )
    policy: ApprovalPolicy = ApprovalPolicy.model_validate(row)
    return policy


async def load_visible(unit: UnitOfWork, viewer: Viewer, request_id: ObjectId) -> ChangeRequest:
    """The request; NOT_FOUND where the viewer may not know of it."""
    request = await unit.load(ChangeRequest, request_id)
    if request is None or not may_see(viewer, request):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    return request


async def apply_request(unit: UnitOfWork, request: ChangeRequest) -> None:
    """Apply what was approved, and nothing else; ConflictError where the record changed meanwhile."""
    operation: Operation[Any] = unit.store.operations[request.operation]
    content = request.sealed["payload"]
    if not hmac.compare_digest(digest_of_request(unit.store, request), request.digest) or any(
        step.digest != request.digest for step in request.signatures
    ):
        raise AssertionError(f"what {request.id} asks for is not what was approved")
    payload = operation.payload.model_validate(content)
    current = bson_value(dict(await operation.current(unit.store, unit.session, payload)))
    before: Mapping[str, Any] = request.sealed["current"]
    asked: Mapping[str, Any] = operation.requested_values(payload)
    if changed := sorted(name for name in current if current[name] != before.get(name)):
        raise ConflictError(
            [
                FieldConflict(
                    name,
                    *_differing(before.get(name), current.get(name), asked.get(name)),
                    tuple(leaves_of(operation.record_type, name)),
                )
                for name in changed
            ],
            operation.record_type,
            request.target_id,
        )
    unit.change_request = request.key
    unit.reason = request.sealed["reason"]
    unit.effective_from = request.effective_from
    await operation.apply(unit, payload)
    await _supersede(unit, request)


async def tell_not_applied(unit: UnitOfWork, request: ChangeRequest, status: RequestStatus) -> None:
    """Tell whatever waits for the request that it was rejected, returned or withdrawn."""
    operation: Operation[Any] = unit.store.operations[request.operation]
    await operation.not_applied(unit, request, status)


def _differing(before: Any, current: Any, asked: Any) -> tuple[Any, Any, Any]:
    """The three values as they are shown; of values by key, those that differ."""
    if isinstance(before, Mapping) and isinstance(current, Mapping) and isinstance(asked, Mapping):
        keys = [key for key in before if current.get(key) != before[key]]
        before, current, asked = ({key: held.get(key) for key in keys} for held in (before, current, asked))
    return plain_value(before), plain_value(current), plain_value(asked)


async def _supersede(unit: UnitOfWork, request: ChangeRequest) -> None:
    """Applied requests whose every field this one changed anew are history now."""
    rows = unit.store.database.collection(ChangeRequest).find(
        {
            "target_id": request.target_id,
            "operation": request.operation,
            "status": RequestStatus.APPLIED.value,
            "_id": {"$ne": request.key},
            "fields": {"$not": {"$elemMatch": {"$nin": request.fields}}},
        },
        session=unit.session,
    )
    for row in await rows.to_list():
        earlier = await unit.decrypted(ChangeRequest, row)
        await unit.change(earlier, {"status": RequestStatus.SUPERSEDED, "superseded_by": request.key})
        unit.audit(Subject(ChangeRequest.subject_type, earlier.key), "change_request:supersede")
