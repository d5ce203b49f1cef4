"""Versions of the policies: each replacement is the next one, and never holds before its day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Tier
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.policies.rules import RULE

Differences = TypeVar("Differences")

REQUESTERS = frozenset({Post.DIRECTOR, Post.DEPUTY_DIRECTOR})


def _require_may_ask(viewer: Viewer, operation: str, *, dry_run: bool) -> None:
    """FORBIDDEN without a post that may ask or, for a dry run, that decides."""
    posts = REQUESTERS | (frozenset(tier.post for tier in Tier) if dry_run else frozenset())
    viewer.require_any(posts, rule=f"operation {operation}")


async def ask_for_version(
    store: Store,
    viewer: Viewer,
    operation: Operation[AnyPayload],
    values: Mapping[str, Any],
    tell: Callable[[AnyPayload], Awaitable[Differences]],
    *,
    reason: str | None,
    dry_run: bool,
) -> tuple[Differences, ObjectId | None]:
    """What `tell` tells of a replacement that passed its check, and the request for it; None of a dry run.

    FORBIDDEN without a post that may ask (or, for a dry run, that decides), and whatever its check refuses.
    """
    _require_may_ask(viewer, operation.name, dry_run=dry_run)
    payload = payload_of(operation.payload, values)
    await operation.check(store, viewer, payload)
    differences = await tell(payload)
    if dry_run:
        return differences, None
    outcome = await perform(store, viewer, operation.name, payload, reason=reason)
    return differences, outcome.change_request_id


def current_version(
    policy_type: type[Record],
) -> Callable[[Store, AsyncClientSession | None, Any], Awaitable[Mapping[str, Any]]]:
    """What a replacement replaces, for `Operation.current`."""

    async def current(store: Store, session: AsyncClientSession | None, _: Any) -> Mapping[str, Any]:
        return {"version": await version_in_store(store, session, policy_type)}

    return current


def check_first_day(store: Store, effective_from: date) -> None:
    """INVALID_DATE for a day that is over in China."""
    if effective_from < school_day(store.clock.now()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="effective_from", rule=RULE)


async def version_in_store(
    store: Store, session: AsyncClientSession | None, policy_type: type[Record]
) -> int:
    """The highest version there is, in effect or not yet; two replacements of the same one conflict."""
    newest = await store.database.collection(policy_type).find_one(
        {}, {"version": 1}, sort=[("version", -1)], session=session
    )
    return newest["version"] if newest else 0


async def next_version(unit: UnitOfWork, policy_type: type[Record], effective_from: date) -> dict[str, Any]:
    """Number and first day of the version that is written now; never in the past, however long approval took."""
    version = await version_in_store(unit.store, unit.session, policy_type) + 1
    return {"version": version, "effective_from": max(effective_from, school_day(unit.at))}


async def write_version(unit: UnitOfWork, policy: Record, kind: str, content: Iterable[str]) -> ObjectId:
    """Insert the version, with its fields `content` in the history, and tell the three tiers. Returns its key."""
    await unit.insert(policy)
    told = ("version", "effective_from", *content)
    changes = [FieldChange(field, None, bson_value(getattr(policy, field))) for field in told]
    subject = Subject(policy.subject_type, policy.key)
    unit.audit(subject, f"{kind}:replace", changes)
    for tier in Tier:
        unit.notify(tier.post, f"{kind}:replaced", subject)
    return policy.key


def changed_names(before: BaseModel, after: BaseModel) -> list[str]:
    """The fields of two contents of one type that say something else, in order."""
    return [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]


class RulesReplace(Payload):
    """Payload of a `rules_operation`: all rules anew, and the day (in China) from which they hold."""

    policy_id: PydanticObjectId
    effective_from: date
    rules: Any


AnyRules = TypeVar("AnyRules", bound=RulesReplace)


def rules_operation(
    kind: str,
    record_type: type[Record],
    payload: type[AnyRules],
    check: Callable[[Store, Viewer, AnyRules], Awaitable[None]],
) -> Operation[AnyRules]:
    """`KIND.replace`, of a record type that holds nothing but `rules` and its version."""

    async def apply(unit: UnitOfWork, asked: AnyRules) -> ObjectId:
        version = await next_version(unit, record_type, asked.effective_from)
        policy = record_type(id=asked.policy_id, rules=asked.rules, **version)
        return await write_version(unit, policy, kind, ["rules"])

    return Operation(
        name=f"{kind}.replace",
        record_type=record_type,
        payload=payload,
        requesters=REQUESTERS,
        subject=lambda asked: Subject(record_type.subject_type, asked.policy_id),
        requested_values=lambda asked: {
            "effective_from": bson_value(asked.effective_from),
            "rules": bson_value(asked.rules),
        },
        fields=lambda asked: frozenset({"effective_from", "rules"}),
        current=current_version(record_type),
        check=check,
        apply=apply,
    )
