"""What an operation changes, as far as a viewer may know: values redacted by the field-access policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from archive_store.access.policy import FieldDecision
from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
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


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation on one record, opened, and how the viewer stands to it.

    Nothing is shown unless `is_visible`. `is_own`: the viewer entered it. `decides`: it is theirs to decide, or they
    did.
    """

    operation: str
    target_id: ObjectId
    fields: Sequence[str]
    payload: Mapping[str, Any]
    before: Mapping[str, Any]
    reason: str | None
    is_visible: bool
    is_own: bool
    decides: bool


async def contents_of(
    store: Store, viewer: Viewer, asked: Sequence[Asked], *, purpose: str
) -> list[RequestContent]:
    """The contents in order. Sensitive values shown are recorded as read, for the purpose where none is stated."""
    by_operation: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(asked):
        by_operation[one.operation].append(position)
    contents: dict[int, RequestContent] = {}
    for name, positions in by_operation.items():
        operation: Operation[Any] = store.operations[name]
        targets = [asked[position].target_id for position in positions]
        decisions = await _decisions(store, viewer, operation, targets)
        read = []
        for position in positions:
            one = asked[position]
            contents[position], shown = _content(operation, one, decisions.get(one.target_id))
            read.append(ReadRows(shown & encrypted_paths(operation.record_type), [one.target_id]))
        await record_reading(store, viewer, operation.record_type, read, purpose=purpose)
    return [contents[position] for position in range(len(asked))]


async def _decisions(
    store: Store, viewer: Viewer, operation: Operation[Any], targets: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    if operation.decisions is not None:
        return await operation.decisions(store, viewer, targets)
    return dict.fromkeys(targets, viewer.decide(operation.record_type))


def _content(
    operation: Operation[Any], asked: Asked, decision: FieldDecision | None
) -> tuple[RequestContent, frozenset[str]]:
    """The content, and the leaves of which it shows the stored value."""
    if not asked.is_visible:
        return RequestContent((), None, False), frozenset()
    readable = decision.readable if decision else frozenset()
    after = operation.requested_values(operation.payload.model_validate(asked.payload))
    changes, shown = [], set()
    for field in asked.fields:
        leaves = leaves_of(operation.record_type, field)
        may_read = asked.decides or all(path in readable for path in leaves)
        if may_read:
            shown.update(leaves)
        changes.append(
            RequestedChange(
                field,
                plain_value(asked.before.get(field)) if may_read else None,
                plain_value(after.get(field)) if may_read or asked.is_own else None,
                withheld=not may_read,
            )
        )
    # Free text can hold anything, so it is as sensitive as the most sensitive field it may speak of.
    told = [leaf for field in operation.reason_fields for leaf in leaves_of(operation.record_type, field)]
    reads_all = not any(change.withheld for change in changes) and readable.issuperset(told)
    sees_text = asked.decides or asked.is_own or reads_all
    if sees_text and not asked.is_own:
        shown.update(told)
    return RequestContent(tuple(changes), asked.reason if sees_text else None, sees_text), frozenset(shown)
