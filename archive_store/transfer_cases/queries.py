"""Transfer cases as they are read: by the office and by the family of the student, each leaf by its class.

A teacher is not told of them. A retrieval grant opens the record, not these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import encrypted_paths, field_classes
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope
from archive_store.transfer_cases.documents import CaseDirection, CaseState, TransferCase
from archive_store.transfer_cases.rules import OFFICE, RULE
from archive_store.transfer_cases.steps import is_family_of

_CLASSES = field_classes(TransferCase)
_SEALED = encrypted_paths(TransferCase)
LEAST = "state"  # whoever reads it knows that there is a case


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case in sight with the leaves that may be read, and why others that were asked for are withheld."""

    row: Row
    withheld: Mapping[str, Withheld]

    @property
    def id(self) -> ObjectId:
        key: ObjectId = self.row["_id"]
        return key

    def value(self, name: str) -> Any:
        return self.row.get(name)


async def decisions_on(store: Store, viewer: Viewer, rows: Sequence[Row]) -> dict[ObjectId, FieldDecision]:
    """How the viewer stands to each of these cases; nothing of those that they may not know of."""
    facts = await facts_by_id(store, viewer, [row["student_id"] for row in rows if row.get("student_id")])
    scope, is_office = student_scope(viewer), viewer.holds_any(OFFICE)
    found: dict[ObjectId, FieldDecision] = {}
    for row in rows:
        student_id = row.get("student_id")
        if not is_office and not is_family_of(viewer, student_id):
            continue
        if student_id is None:
            decision = viewer.decide(TransferCase)
        elif (held := facts.get(student_id)) is not None:
            decision = scope.decide(held, TransferCase).without_grants
        else:
            continue
        if LEAST in decision.readable:
            found[row["_id"]] = decision
    return found


async def cases_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], paths: frozenset[str]
) -> list[list[CaseView] | None]:
    """Cases of each student, newest first, in the order of the ids; None where the viewer may not know of them."""
    facts = await facts_by_id(store, viewer, student_ids)
    scope, is_office = student_scope(viewer), viewer.holds_any(OFFICE)
    known = {
        key
        for key, row in facts.items()
        if (is_office or is_family_of(viewer, key))
        and LEAST in scope.decide(row, TransferCase).without_grants.readable
    }
    query = {"student_id": {"$in": sorted(known)}}
    rows = await store.database.collection(TransferCase).find(query).sort("_id", -1).to_list()
    found: defaultdict[ObjectId, list[CaseView]] = defaultdict(list)
    for view in await _views(store, viewer, rows, paths):
        found[view.row["student_id"]].append(view)
    return [found[key] if key in known else None for key in student_ids]


async def case_by_id(
    store: Store, viewer: Viewer, key: ObjectId, paths: frozenset[str] = frozenset()
) -> CaseView | None:
    """None where there is none to see."""
    rows = await store.database.collection(TransferCase).find({"_id": key}).to_list()
    views = await _views(store, viewer, rows, paths)
    return views[0] if views else None


async def whole_cases(store: Store, viewer: Viewer, keys: Sequence[ObjectId]) -> list[TransferCase | None]:
    """The cases in sight in the order of the keys, for telling what may be done with them, and not for showing."""
    rows = await store.database.collection(TransferCase).find({"_id": {"$in": list(keys)}}).to_list()
    decisions = await decisions_on(store, viewer, rows)
    known = [row for row in rows if row["_id"] in decisions]
    await store.cipher.decrypt_paths(known, _SEALED)
    cases = {row["_id"]: TransferCase.model_validate(row) for row in known}
    return [cases.get(key) for key in keys]


async def case_board(
    store: Store,
    viewer: Viewer,
    paths: frozenset[str],
    *,
    state: CaseState | None = None,
    overdue: bool | None = None,
    first: int,
    after: ObjectId | None = None,
) -> Page[CaseView]:
    """A page of cases, newest first; FORBIDDEN to who is not of the office.

    `overdue` are those of which a party is late, or whose archive was not sent in its time.
    """
    viewer.require_any(OFFICE, rule=RULE)
    check_page_size(first, store.settings.page_size_limit)
    conditions: list[Row] = [] if state is None else [{"state": state.value}]
    if overdue is not None:
        late = _late(school_day(store.clock.now()))
        conditions.append(late if overdue else {"$nor": [late]})
    query = {"$and": conditions} if conditions else {}
    page = await page_of_newest(store.database.collection(TransferCase), query, {}, first=first, after=after)
    return Page(await _views(store, viewer, page.rows, paths), page.has_next)


def _late(today: date) -> Row:
    step = {"state": CaseState.IN_PROCESS.value, "due_on": {"$lt": today.isoformat()}}
    file = {
        "state": CaseState.COMPLETED.value,
        "direction": CaseDirection.OUT.value,
        "file_transfer_id": None,
        "file_due_on": {"$lt": today.isoformat()},
    }
    return {"$or": [step, file]}


async def _views(store: Store, viewer: Viewer, rows: Sequence[Row], paths: frozenset[str]) -> list[CaseView]:
    """What is asked for of each case in sight; a sensitive value that is opened is recorded as read."""
    decisions = await decisions_on(store, viewer, rows)
    views, read = [], []
    for row in rows:
        if (decision := decisions.get(row["_id"])) is None:
            continue
        opened = paths & _SEALED & decision.readable
        if opened:
            read.append(ReadRows(opened, [row.get("student_id") or row["_id"]]))
        withheld = {
            path: decision.why_withheld(_CLASSES[path]) for path in paths if path not in decision.readable
        }
        views.append(CaseView(_shown(row, decision.readable - (_SEALED - opened)), withheld))
    await store.cipher.decrypt_paths([view.row for view in views], _SEALED)
    await record_reading(store, viewer, TransferCase, read)
    return views


def _shown(row: Row, readable: frozenset[str]) -> Row:
    """The leaves that may be read; of steps, theirs."""
    steps = {path.removeprefix("steps.") for path in readable if path.startswith("steps.")}
    shown = {name: value for name, value in row.items() if name in readable}
    shown["steps"] = [{name: value for name, value in step.items() if name in steps} for step in row["steps"]]
    return shown | {"_id": row["_id"], "student_id": row.get("student_id"), "state": row["state"]}
