"""Reading awards, sanctions and appeals, by the rights on the student whom they are about.

An award is in sight of whoever reads internal values (F1) of the student, a sanction and its appeals of whoever reads
personal ones (F2). A retrieval grant opens the record, not these. Who sits on the committee of an appeal sees it and
its sanction, and reads their texts while it is under review; whose signature a request about one awaits reads its texts
until it is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.conduct.documents import (
    Appeal,
    AppealStatus,
    Award,
    Sanction,
)
from archive_store.conduct.seats import seats_of
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope

_NONE: Row = {"_id": {"$exists": False}}
# The class without which nobody knows that there is one.
LEAST: dict[type[Record], FieldClass] = {
    Award: FieldClass.F1,
    Sanction: FieldClass.F2,
    Appeal: FieldClass.F2,
}


@dataclass(frozen=True, slots=True)
class ConductView:
    """A record in sight without its encrypted texts. `by_ties` is `decision` without what a seat opens."""

    record_type: ClassVar[type[Record]]

    row: Row
    by_ties: FieldDecision
    decision: FieldDecision
    purpose: str | None

    @property
    def id(self) -> ObjectId:
        key: ObjectId = self.row["_id"]
        return key

    @property
    def student_id(self) -> ObjectId:
        key: ObjectId = self.row["student_id"]
        return key

    def value(self, name: str) -> Any:
        """A stored leaf of no text; None where it may not be read."""
        return self.row.get(name) if name in self.decision.readable else None

    def has_text(self, name: str) -> bool:
        return bool(self.row["has"][name])

    def why_withheld(self, path: str) -> Withheld:
        return self.decision.why_withheld(field_classes(self.record_type)[path])


class AwardView(ConductView):
    """奖励 in sight."""

    record_type = Award


class SanctionView(ConductView):
    """处分 in sight."""

    record_type = Sanction


class AppealView(ConductView):
    """申诉 in sight."""

    record_type = Appeal


AnyView = TypeVar("AnyView", bound=ConductView)


async def awards_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[AwardView] | None]:
    """Awards of each student, newest first; None where the viewer may not know of them."""
    return await _by_student(store, viewer, AwardView, student_ids)


async def sanctions_by_student(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId]
) -> list[list[SanctionView] | None]:
    """Sanctions of each student, newest first; None where the viewer may not know of them."""
    return await _by_student(store, viewer, SanctionView, student_ids)


async def awards_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], session: AsyncClientSession | None = None
) -> list[AwardView | None]:
    """In the order of the ids, None where there is none to see."""
    return await _by_id(store, viewer, AwardView, ids, session)


async def sanctions_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], session: AsyncClientSession | None = None
) -> list[SanctionView | None]:
    """In the order of the ids, None where there is none to see."""
    return await _by_id(store, viewer, SanctionView, ids, session)


async def appeals_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], session: AsyncClientSession | None = None
) -> list[AppealView | None]:
    """In the order of the ids, None where there is none to see."""
    return await _by_id(store, viewer, AppealView, ids, session)


async def appeals_of_sanctions(
    store: Store, viewer: Viewer, sanction_ids: Sequence[ObjectId]
) -> list[AppealView | None]:
    """The appeal against each sanction, None where there is none to see."""
    rows = await _find(store, Appeal, {"sanction_id": {"$in": list(sanction_ids)}}, None)
    views = {view.row["sanction_id"]: view for view in await _views(store, viewer, AppealView, rows, None)}
    return [views.get(key) for key in sanction_ids]


async def list_appeals(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: ObjectId | None = None,
    status: AppealStatus | None = None,
) -> Page[AppealView]:
    """Appeals, newest first: all to whoever reads personal values by post, else one's own and those one sits on."""
    check_page_size(first, store.settings.page_size_limit)
    conditions: list[Row] = [_listed(viewer)]
    if status is not None:
        conditions.append({"status": status.value})
    collection = store.database.collection(Appeal)
    page = await page_of_newest(
        collection, {"$and": conditions}, _projection(Appeal), first=first, after=after
    )
    return Page(await _views(store, viewer, AppealView, page.rows, None), page.has_next)


def _listed(viewer: Viewer) -> Row:
    if viewer.is_service:
        return _NONE
    if viewer.reads_by_post and LEAST[Appeal] in viewer.decide(Appeal).classes:
        return {}
    own = sorted(viewer.own_student_ids | viewer.ward_ids)
    ties: list[Row] = [{"student_id": {"$in": own}}] if own else []
    if viewer.posts:
        ties.append({"committee.person_id": viewer.person_id})
    return {"$or": ties} if ties else _NONE


def _projection(record_type: type[Record]) -> Row:
    """All but the encrypted leaves; in `has`, which of these there are."""
    texts = encrypted_paths(record_type)
    plain = {name: 1 for name in record_type.model_fields if name not in {"id", "revision_id", *texts}}
    has = {name: {"$ne": [{"$type": f"${name}"}, "null"]} for name in sorted(texts)}
    return {**plain, "has": has} if has else plain


async def _find(
    store: Store, record_type: type[Record], query: Row, session: AsyncClientSession | None
) -> list[Row]:
    cursor = store.database.collection(record_type).find(query, _projection(record_type), session=session)
    return await cursor.sort("_id", -1).to_list()


async def _by_student(
    store: Store, viewer: Viewer, kind: type[AnyView], student_ids: Sequence[ObjectId]
) -> list[list[AnyView] | None]:
    decisions = await decisions_on(store, viewer, kind.record_type, student_ids)
    rows = await _find(store, kind.record_type, {"student_id": {"$in": list(decisions)}}, None)
    found: dict[ObjectId, list[AnyView]] = defaultdict(list)
    for view in await _views(store, viewer, kind, rows, None):
        found[view.student_id].append(view)
    least = LEAST[kind.record_type]
    knows = {key for key, decision in decisions.items() if least in decision.classes}
    return [found[key] if key in knows else None for key in student_ids]


async def _by_id(
    store: Store,
    viewer: Viewer,
    kind: type[AnyView],
    ids: Sequence[ObjectId],
    session: AsyncClientSession | None,
) -> list[AnyView | None]:
    rows = await _find(store, kind.record_type, {"_id": {"$in": list(ids)}}, session)
    views = {view.id: view for view in await _views(store, viewer, kind, rows, session)}
    return [views.get(key) for key in ids]


async def decisions_on(
    store: Store, viewer: Viewer, record_type: type[Record], student_ids: Sequence[ObjectId]
) -> dict[ObjectId, FieldDecision]:
    """What may be read of records of the type about each student in sight."""
    scope = student_scope(viewer)
    facts = await facts_by_id(store, viewer, list(student_ids))
    return {key: scope.decide(row, record_type).without_grants for key, row in facts.items()}


async def _views(
    store: Store,
    viewer: Viewer,
    kind: type[AnyView],
    rows: Sequence[Row],
    session: AsyncClientSession | None,
) -> list[AnyView]:
    record_type, least = kind.record_type, LEAST[kind.record_type]
    by_student = await decisions_on(store, viewer, record_type, [row["student_id"] for row in rows])
    seats = await seats_of(store, viewer, record_type, rows, session)
    nothing = viewer.decide(record_type) if seats else None
    views = []
    for row in rows:
        by_ties = by_student.get(row["student_id"])
        decision = by_ties or nothing
        if decision is None:
            continue
        seat = seats.get(row["_id"])
        if seat is not None:
            decision = _with(viewer, record_type, decision, seat.classes)
        if least in decision.classes:
            purpose = None if seat is None else seat.purpose
            views.append(kind(row, by_ties or viewer.decide(record_type), decision, purpose))
    return views


def _with(
    viewer: Viewer, record_type: type[Record], decision: FieldDecision, granted: frozenset[FieldClass]
) -> FieldDecision:
    """The decision, and what a seat opens."""
    classes = decision.classes | granted
    readable = frozenset(path for path, held in field_classes(record_type).items() if held in classes)
    return FieldDecision(
        classes,
        decision.for_purpose - granted,
        readable,
        readable & record_type.filterable_paths,
        decision.changeable,
    )
