"""Reading campaigns and items: what stands in an item is read by the rights on its student's record.

Campaigns are open to all who are signed in. Items and counts are for overseers, the homeroom teacher of the class and
the family, as `rules.sees_item` decides by the class that the student is in now; outside of it nothing is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, field_classes, leaves_of
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.semester_verification.counts import Progress, by_class, total_of
from archive_store.semester_verification.documents import (
    ROLL,
    ItemState,
    VerificationCampaign,
    VerificationItem,
)
from archive_store.semester_verification.rules import HANDLERS, oversees, sees_item
from archive_store.students.documents import Student
from archive_store.students.scope import student_scope

HANDLING = "学期核验 handling a mismatch"
_TEXTS = frozenset({FieldClass.F0, FieldClass.F1, FieldClass.F3})
_FACTS = ("class_name", "status", "revision")
_CLASS_NAME_LIMIT = 100
_NONE: Row = {"_id": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item in sight without its encrypted texts, and the facts of its student's record as of now.

    `record` is the decision on the record, by which found values are shown; `by_ties` is `decision` without what
    handlers and reporters read beside it.
    """

    row: Row
    facts: Row
    by_ties: FieldDecision
    decision: FieldDecision
    record: FieldDecision
    purpose: str | None

    @property
    def id(self) -> ObjectId:
        key: ObjectId = self.row["_id"]
        return key

    @property
    def student_id(self) -> ObjectId:
        key: ObjectId = self.row["student_id"]
        return key

    @property
    def class_name(self) -> str:
        return str(self.facts["class_name"])

    @property
    def state(self) -> ItemState:
        return ItemState(self.row["state"])

    @property
    def has_changed_since(self) -> bool:
        """Whether the record was changed after it was verified or resolved."""
        revision = self.row["record_revision"]
        is_done = self.state in (ItemState.VERIFIED, ItemState.RESOLVED)
        return is_done and revision is not None and bool(self.facts["revision"] != revision)

    def value(self, name: str) -> Any:
        """A stored leaf of no text; None where it may not be read."""
        return self.row.get(name) if name in self.decision.readable else None

    def shows_found(self, field: str) -> bool:
        return set(leaves_of(Student, field)) <= self.record.readable

    def why_withheld(self, paths: frozenset[str]) -> dict[str, Withheld]:
        classes = field_classes(VerificationItem)
        return {path: self.decision.why_withheld(classes[path]) for path in paths - self.decision.readable}

    def why_found_withheld(self, field: str) -> Withheld:
        hidden = set(leaves_of(Student, field)) - self.record.readable
        reasons = {self.record.why_withheld(field_classes(Student)[path]) for path in hidden}
        return max(reasons, key=lambda reason: reason is Withheld.NOT_PERMITTED)


async def campaigns_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> list[VerificationCampaign | None]:
    """In the order of the ids, None where there is none to see."""
    if viewer.is_service:
        return [None] * len(ids)
    rows = store.database.collection(VerificationCampaign).find({"_id": {"$in": list(ids)}})
    found = {row["_id"]: VerificationCampaign.model_validate(row) async for row in rows}
    return [found.get(key) for key in ids]


async def list_campaigns(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[VerificationCampaign]:
    """Campaigns, newest first."""
    check_page_size(first, store.settings.page_size_limit)
    collection = store.database.collection(VerificationCampaign)
    query = _NONE if viewer.is_service else {}
    page = await page_of_newest(collection, query, {}, first=first, after=after)
    return Page([VerificationCampaign.model_validate(row) for row in page.rows], page.has_next)


async def items_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], session: AsyncClientSession | None = None
) -> list[ItemView | None]:
    """In the order of the ids, None where there is none to see."""
    rows = store.database.mongo[ROLL].find({"_id": {"$in": list(ids)}}, session=session)
    views = {view.id: view for view in await _views(store, viewer, await rows.to_list(), session)}
    return [views.get(key) for key in ids]


async def list_items(
    store: Store,
    viewer: Viewer,
    campaign_id: ObjectId,
    *,
    first: int,
    after: ObjectId | None = None,
    class_name: str | None = None,
    state: ItemState | None = None,
) -> Page[ItemView]:
    """The items of a campaign that are in sight, in the order in which they were listed."""
    check_page_size(first, store.settings.page_size_limit)
    check_text(class_name, field="class_name", limit=_CLASS_NAME_LIMIT)
    conditions: list[Row] = [{"campaign_id": campaign_id}, _perhaps_visible(viewer)]
    if class_name is not None:
        conditions.append({"class_name": class_name})
    if state is not None:
        conditions.append({"state": state.value})
    found: list[ItemView] = []
    # Who left the class since the clock listed them is none to see, so that a page may take another look.
    while len(found) <= first:
        place = [{"_id": {"$gt": after}}] if after is not None else []
        cursor = store.database.mongo[ROLL].find({"$and": conditions + place})
        rows = await cursor.sort("_id", 1).limit(first + 1).to_list()
        seen = await _views(store, viewer, rows)
        found += [view for view in seen if class_name is None or view.class_name == class_name]
        if len(rows) <= first:
            break
        after = rows[-1]["_id"]
    return Page(found[:first], len(found) > first)


async def progress(
    store: Store, viewer: Viewer, campaign_id: ObjectId, *, first: int, after: str | None = None
) -> Page[Progress]:
    """Counts of the classes in sight, in order of their names."""
    check_page_size(first, store.settings.page_size_limit)
    query = {"$and": [{"campaign_id": campaign_id}, _counted(viewer)]}
    if after is not None:
        query["$and"].append({"class_name": {"$gt": after}})
    rows = await by_class(store, query, limit=first + 1)
    return Page(rows[:first], len(rows) > first)


async def total(store: Store, viewer: Viewer, campaign_id: ObjectId) -> Progress:
    """Counts of all classes in sight together."""
    return await total_of(store, {"$and": [{"campaign_id": campaign_id}, _counted(viewer)]})


async def pending_of(store: Store, viewer: Viewer, campaign_id: ObjectId) -> int:
    """How many records await the viewer as homeroom teacher or of the family."""
    if viewer.is_service:
        return 0
    query = {"campaign_id": campaign_id, "state": ItemState.PENDING.value, **_tied(viewer)}
    return await store.database.mongo[ROLL].count_documents(query)


def _tied(viewer: Viewer) -> Row:
    ties: list[Row] = []
    if viewer.homeroom_class_names:
        ties.append({"class_name": {"$in": sorted(viewer.homeroom_class_names)}})
    if own := viewer.own_student_ids | viewer.ward_ids:
        ties.append({"student_id": {"$in": sorted(own)}})
    return {"$or": ties} if ties else _NONE


def _perhaps_visible(viewer: Viewer) -> Row:
    if viewer.is_service:
        return _NONE
    return {} if oversees(viewer) else _tied(viewer)


def _counted(viewer: Viewer) -> Row:
    if oversees(viewer):
        return {}
    if viewer.is_service or not viewer.homeroom_class_names:
        return _NONE
    return {"class_name": {"$in": sorted(viewer.homeroom_class_names)}}


def _without_texts() -> Row:
    """All but the encrypted leaves; in `has`, whether there is a note and an answer."""
    plain = {
        name: 1 for name in VerificationItem.model_fields if name not in {"id", "found", "note", "answer"}
    }
    has = {name: {"$ne": [{"$type": f"${name}"}, "null"]} for name in ("note", "answer")}
    return {**plain, "found.field": 1, "has": has}


# As `_without_texts` gives an item, of a row of the roll about which nobody has said a word.
_UNSAID: Row = dict.fromkeys(VerificationItem.model_fields) | {
    "state": ItemState.PENDING.value,
    "found": [],
    "verified_fields": [],
    "has": {"note": False, "answer": False},
}


async def _views(
    store: Store, viewer: Viewer, rows: Sequence[Row], session: AsyncClientSession | None = None
) -> list[ItemView]:
    students = store.database.collection(Student).find(
        {"_id": {"$in": [row["student_id"] for row in rows]}}, dict.fromkeys(_FACTS, 1), session=session
    )
    facts = {row["_id"]: row for row in await students.to_list()}
    items = store.database.collection(VerificationItem).find(
        {"_id": {"$in": [row["_id"] for row in rows]}}, _without_texts(), session=session
    )
    said = {item["_id"]: item for item in await items.to_list()}
    return [
        _view(viewer, said.get(row["_id"]) or _UNSAID | row, held)
        for row in rows
        if (held := facts.get(row["student_id"])) is not None
        and sees_item(viewer, held["_id"], held["class_name"])
    ]


def _view(viewer: Viewer, row: Row, facts: Row) -> ItemView:
    scope = student_scope(viewer)
    is_reporter = row["reported_by"] == viewer.person_id
    handles = row["state"] == ItemState.MISMATCH and viewer.holds_any(HANDLERS)
    # What was written for the handlers, and what was answered to whoever reported.
    granted, purpose = (_TEXTS, HANDLING) if is_reporter or handles else (frozenset[FieldClass](), None)
    ties = scope.relationships(facts)
    by_ties = viewer.decide(VerificationItem, ties)
    decision = viewer.decide(VerificationItem, ties, granted)
    # A retrieval grant opens the record, not what is said of it here.
    record = scope.decide(facts).without_grants
    return ItemView(row, facts, by_ties, decision, record, purpose)
