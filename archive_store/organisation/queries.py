"""Reading the structure: what of it a viewer sees, leaf by leaf, and what an assignment of classes would lead to.

Who reads records by post sees every class; a teacher, a student and a guardian the classes that tie them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bson import ObjectId

from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.rules import Relationship
from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.paging import Cursor, Page, check_page_size, page_of_newest, rows_after
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.organisation.documents import Campus, Cohort, School, SchoolClass
from archive_store.organisation.rules import grade_on
from archive_store.students.documents import Student
from archive_store.students.scope import RELATIONSHIP_FACTS, student_scope

NAME_LIMIT = 100
_ORDER = "NAME"
_NONE: Row = {"_id": {"$exists": False}}


@dataclass(frozen=True, slots=True)
class ClassView:
    """A class in sight, with its cohort and campus; `grade` is today's. `counts` tells whether it may be counted."""

    school_class: SchoolClass
    cohort: Cohort
    campus: Campus | None
    grade: str
    decision: FieldDecision
    counts: bool

    @property
    def id(self) -> ObjectId:
        return self.school_class.key

    @property
    def reads_capacity(self) -> bool:
        return "capacity" in self.decision.readable

    @property
    def why_no_capacity(self) -> Withheld:
        return self.decision.why_withheld(field_classes(SchoolClass)["capacity"])


@dataclass(frozen=True, slots=True)
class ClassFilter:
    """Conditions that all hold; `is_open` is told of today."""

    cohort_id: ObjectId | None = None
    campus_id: ObjectId | None = None
    is_open: bool | None = None


def sees_structure(viewer: Viewer) -> bool:
    """School, campuses and cohorts are for whoever reads an open (F0) value of some class."""
    return viewer.reads_by_post or not student_scope(viewer).sees_nobody


async def the_school(store: Store, viewer: Viewer) -> School | None:
    if not sees_structure(viewer):
        return None
    row = await store.database.collection(School).find_one({})
    return None if row is None else School.model_validate(row)


async def all_campuses(store: Store, viewer: Viewer) -> list[Campus]:
    if not sees_structure(viewer):
        return []
    rows = store.database.collection(Campus).find({}).sort("name", 1)
    return [Campus.model_validate(row) async for row in rows]


async def campuses_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Campus | None]:
    found = {campus.key: campus for campus in await all_campuses(store, viewer)}
    return [found.get(key) for key in ids]


async def cohorts_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[Cohort | None]:
    if not sees_structure(viewer):
        return [None] * len(ids)
    found = await _by_key(store, ids)
    return [found.get(key) for key in ids]


async def list_cohorts(
    store: Store, viewer: Viewer, *, first: int, after: ObjectId | None = None
) -> Page[Cohort]:
    """Newest first."""
    check_page_size(first, store.settings.page_size_limit)
    if not sees_structure(viewer):
        return Page([], False)
    page = await page_of_newest(store.database.collection(Cohort), {}, {}, first=first, after=after)
    return Page([Cohort.model_validate(row) for row in page.rows], page.has_next)


async def _by_key(store: Store, ids: Collection[ObjectId]) -> dict[ObjectId, Cohort]:
    rows = store.database.collection(Cohort).find({"_id": {"$in": sorted(set(ids))}})
    return {row["_id"]: Cohort.model_validate(row) async for row in rows}


async def _ties(store: Store, viewer: Viewer) -> dict[str, set[Relationship]]:
    """The classes that tie the viewer, by name."""
    ties: defaultdict[str, set[Relationship]] = defaultdict(set)
    for names, tie in (
        (viewer.class_names, Relationship.TEACHER),
        (viewer.homeroom_class_names, Relationship.HOMEROOM_TEACHER),
    ):
        for name in names:
            ties[name].add(tie)
    family = dict.fromkeys(viewer.ward_ids, Relationship.GUARDIAN)
    family |= dict.fromkeys(viewer.own_student_ids, Relationship.SELF)
    if family:
        rows = store.database.collection(Student).find({"_id": {"$in": sorted(family)}}, {"class_name": 1})
        async for row in rows:
            ties[row["class_name"]].add(family[row["_id"]])
    return ties


async def _views(store: Store, viewer: Viewer, rows: Sequence[Row]) -> list[ClassView]:
    """Views in order, without the classes that the viewer does not see."""
    classes = [SchoolClass.model_validate(row) for row in rows]
    cohorts = await _by_key(store, {held.cohort_id for held in classes})
    campuses = {campus.key: campus for campus in await all_campuses(store, viewer)}
    ties = await _ties(store, viewer)
    teaches = viewer.class_names | viewer.homeroom_class_names
    today = school_day(store.clock.now())
    views = []
    for held in classes:
        decision = viewer.decide(SchoolClass, frozenset(ties.get(held.name, ())))
        if "name" not in decision.readable:
            continue
        views.append(
            ClassView(
                held,
                cohorts[held.cohort_id],
                campuses.get(held.campus_id) if held.campus_id else None,
                grade_on(cohorts[held.cohort_id], today),
                decision,
                viewer.reads_by_post or held.name in teaches,
            )
        )
    return views


async def _visible(store: Store, viewer: Viewer) -> Row:
    if viewer.reads_by_post:
        return {}
    names = sorted(await _ties(store, viewer))
    return {"name": {"$in": names}} if names else _NONE


async def list_classes(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: str | None = None,
    where: ClassFilter | None = None,
) -> tuple[Page[ClassView], list[str]]:
    """A page of the visible classes by name, and its cursors."""
    check_page_size(first, store.settings.page_size_limit)
    where = where or ClassFilter()
    conditions: list[Row] = [await _visible(store, viewer)]
    for field, key in (("cohort_id", where.cohort_id), ("campus_id", where.campus_id)):
        if key is not None:
            conditions.append({field: key})
    if where.is_open is not None:
        conditions.append(_open_on(school_day(store.clock.now()), where.is_open))
    if after is not None:
        conditions.append(rows_after("name", 1, Cursor.decode(after, order=_ORDER)))
    query: Row = {"$and": conditions}
    rows = store.database.collection(SchoolClass).find(query).sort([("name", 1), ("_id", 1)])
    found = await rows.limit(first + 1).to_list()
    views = await _views(store, viewer, found[:first])
    cursors = [Cursor(_ORDER, view.school_class.name, view.id).encode() for view in views]
    return Page(views, len(found) > first), cursors


def _open_on(day: date, is_open: bool) -> Row:
    today = day.isoformat()
    open_now: Row = {
        "opened_on": {"$lte": today},
        "$or": [{"closed_on": None}, {"closed_on": {"$gte": today}}],
    }
    return open_now if is_open else {"$nor": [open_now]}


async def classes_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> list[ClassView | None]:
    """In the order of the ids, None where the viewer sees none."""
    found = {view.id: view for view in await _found(store, viewer, {"_id": {"$in": list(ids)}})}
    return [found.get(key) for key in ids]


async def class_by_name(store: Store, viewer: Viewer, name: str) -> ClassView | None:
    check_text(name, field="name", limit=NAME_LIMIT)
    views = await _found(store, viewer, {"name": name})
    return views[0] if views else None


async def _found(store: Store, viewer: Viewer, query: Row) -> list[ClassView]:
    query = {"$and": [query, await _visible(store, viewer)]}
    return await _views(store, viewer, await store.database.collection(SchoolClass).find(query).to_list())


async def classes_of_students(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> list[ClassView | None]:
    """The class that each student's record names; None where the structure, or the viewer's sight, has none."""
    scope = student_scope(viewer)
    query = {"$and": [{"_id": {"$in": list(ids)}}, scope.visible]}
    rows = store.database.collection(Student).find(query, dict.fromkeys(RELATIONSHIP_FACTS, 1))
    names = {
        row["_id"]: row["class_name"]
        async for row in rows
        if "class_name" in scope.decide(row).decision.readable
    }
    classes = store.database.collection(SchoolClass)
    found = await classes.find({"name": {"$in": sorted(set(names.values()))}}).to_list()
    by_name = {view.school_class.name: view for view in await _views(store, viewer, found)}
    return [by_name.get(names.get(key, "")) for key in ids]


def one_of(given: Mapping[str, object]) -> None:
    """INVALID_ARGUMENT unless exactly one is given."""
    if sum(value is not None for value in given.values()) != 1:
        names = " / ".join(given)
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=next(iter(given)),
            detail_zh=f"须给出且只给出一项:{names}",
            detail_en=f"give exactly one of: {names}",
        )
