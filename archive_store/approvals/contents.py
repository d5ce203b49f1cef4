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
from archive_store.foundation.records import Record, plain_value
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
    did. `is_revised`: it asked for something else before, of which its texts may still speak.
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
    is_revised: bool = False


@dataclass(frozen=True, slots=True)
class TextRight:
    """Whether the viewer sees reason and comments, and what is read of the record by seeing them."""

    sees_text: bool
    record_type: type[Record]
    read: ReadRows


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


async def text_rights_of(store: Store, viewer: Viewer, asked: Sequence[Asked]) -> list[TextRight]:
    """As `contents_of` decides on reason and comments, in order. Nothing is opened, so nothing is recorded."""
    rights = []
    decisions: dict[str, Mapping[ObjectId, FieldDecision]] = {}
    for name in {one.operation for one in asked}:
        targets = [one.target_id for one in asked if one.operation == name]
        decisions[name] = await _decisions(store, viewer, store.operations[name], targets)
    for one in asked:
        operation: Operation[Any] = store.operations[one.operation]
        sees_text = one.is_visible and _sees_text(operation, one, decisions[one.operation].get(one.target_id))
        sensitive = _text_leaves(operation, one) & encrypted_paths(operation.record_type)
        read = ReadRows(frozenset() if one.is_own else sensitive, [one.target_id])
        rights.append(TextRight(sees_text, operation.record_type, read))
    return rights


def _text_leaves(operation: Operation[Any], asked: Asked) -> frozenset[str]:
    """The leaves that reason and comments may speak of."""
    fields = {*asked.fields, *operation.reason_fields}
    leaves = frozenset(leaf for field in fields for leaf in leaves_of(operation.record_type, field))
    return leaves | encrypted_paths(operation.record_type) if asked.is_revised else leaves


def _sees_text(operation: Operation[Any], asked: Asked, decision: FieldDecision | None) -> bool:
    # Free text can hold anything, so it is as sensitive as the most sensitive field it may speak of.
    readable = decision.readable if decision else frozenset()
    return asked.decides or asked.is_own or readable.issuperset(_text_leaves(operation, asked))


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
    changes: list[RequestedChange] = []
    shown: set[str] = set()
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
    sees_text = _sees_text(operation, asked, decision)
    if sees_text and not asked.is_own:
        shown |= _text_leaves(operation, asked)
    return RequestContent(tuple(changes), asked.reason if sees_text else None, sees_text), frozenset(shown)
