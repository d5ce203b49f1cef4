"""Reading student records: projected raw documents, only the fields asked for and allowed.

Rows are plain dicts in the stored shape, decrypted. A path the viewer may not read is left out of the
projection, so the value is never loaded; `withheld` names it. Sensitive and sealed values are opened only once it
is recorded who reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bson import ObjectId
from bson.min_key import MinKey

from archive_store.access.policy import ACCESS_RULE, FieldDecision, Withheld, refuse_field
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths, field_classes
from archive_store.foundation.paging import Cursor, Page, check_page_size, rows_after
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.people.documents import IdentifierKind
from archive_store.people.identifiers import persons_by_lookup
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import (
    RELATIONSHIP_FACTS,
    RowDecision,
    StudentScope,
    student_scope,
    withheld_paths,
)

FILTER_TEXT_LIMIT = 100


class StudentOrder(Enum):
    """(field, direction); each has an index that ends in the key."""

    STUDENT_NUMBER = ("auxiliary_number", 1)
    STUDENT_NUMBER_DESCENDING = ("auxiliary_number", -1)
    NAME = ("name_pinyin", 1)
    NAME_DESCENDING = ("name_pinyin", -1)


@dataclass(frozen=True, slots=True)
class StudentFilter:
    """Conditions that all hold. `name_prefix` and the others match stored text; the number by blind index."""

    name_prefix: str | None = None
    class_name: str | None = None
    grade: str | None = None
    status: StudentStatus | None = None
    auxiliary_number: str | None = None
    identity_number: str | None = None


# Filter attribute -> the field whose right it needs.
FILTER_FIELDS = {
    "name_prefix": "name",
    "class_name": "class_name",
    "grade": "grade",
    "status": "status",
    "auxiliary_number": "auxiliary_number",
    "identity_number": "identity_number",
}


@dataclass(frozen=True, slots=True)
class StudentRows:
    """Rows in order, the paths asked for but kept back on some row and why, and whether more rows follow."""

    rows: Sequence[Row]
    withheld: Mapping[str, Withheld]
    has_next: bool = False


@dataclass(frozen=True, slots=True)
class StudentPage:
    page: Page[Row]
    cursors: Sequence[str]
    withheld: Mapping[str, Withheld]


async def students_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], paths: frozenset[str]
) -> tuple[list[Row | None], Mapping[str, Withheld]]:
    """Rows in the order of the ids, None where the viewer sees none, and what was kept back."""
    found = await _rows(store, viewer, {"_id": {"$in": list(ids)}}, None, len(ids), paths)
    by_id = {row["_id"]: row for row in found.rows}
    return [by_id.get(student_id) for student_id in ids], found.withheld


async def find_student(
    store: Store, viewer: Viewer, student_id: ObjectId, paths: frozenset[str]
) -> StudentRows:
    """One student, or no row when there is none to see."""
    return await _rows(store, viewer, {"_id": student_id}, None, 1, paths)


async def facts_by_id(store: Store, viewer: Viewer, ids: Sequence[ObjectId]) -> dict[ObjectId, Row]:
    """`RELATIONSHIP_FACTS` of the visible students among the ids."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, student_scope(viewer).visible]}
    rows = store.database.collection(Student).find(query, dict.fromkeys(RELATIONSHIP_FACTS, 1))
    return {row["_id"]: row async for row in rows}


async def decisions_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> dict[ObjectId, RowDecision]:
    """The decision on the record of each visible student among the ids."""
    scope = student_scope(viewer)
    return {key: scope.decide(row) for key, row in (await facts_by_id(store, viewer, ids)).items()}


async def list_students(
    store: Store,
    viewer: Viewer,
    paths: frozenset[str],
    *,
    first: int,
    after: str | None = None,
    order: StudentOrder | None = None,
    where: StudentFilter | None = None,
    page_limit: int | None = None,
) -> StudentPage:
    """A page of visible students, by student number where the viewer may read it and else by name.

    A filter or order by a field that may not be read is refused by name. `page_limit` stands in for the setting
    where the page is not a client's to choose.
    """
    check_page_size(first, page_limit or store.settings.page_size_limit)
    scope = student_scope(viewer)
    if order is None:
        numbered = "auxiliary_number" in scope.filterable
        order = StudentOrder.STUDENT_NUMBER if numbered else StudentOrder.NAME
    field, direction = order.value
    _require_filterable(scope, field, "orderBy")
    where = where or StudentFilter()
    query = await _condition(store, scope, where)
    if where.name_prefix is not None:
        # Every value is, and so the names in the index of the order are looked at, not the records.
        query = {"$and": [query, {field: {"$gte": MinKey()}}]}
    if after is not None:
        query = {"$and": [query, rows_after(field, direction, Cursor.decode(after, order=order.name))]}
    sort = [(field, direction), ("_id", direction)]
    found = await _rows(store, viewer, query, sort, first, paths | {field})
    rows = found.rows
    if where.identity_number is not None:
        keys = [row["_id"] for row in rows]
        looked_for = ReadRows(frozenset({"identity_number"}), keys, scope.grants_to_look_up)
        try:
            await record_reading(store, viewer, Student, [looked_for])
        except GrantExhaustedError as error:
            left = viewer.without_grants(error.grant_ids)
            return await list_students(
                store,
                left,
                paths,
                first=first,
                after=after,
                order=order,
                where=where,
                page_limit=page_limit,
            )
    cursors = [Cursor(order.name, row.get(field), row["_id"]).encode() for row in rows]
    withheld = {path: reason for path, reason in found.withheld.items() if path in paths}
    return StudentPage(Page(rows, found.has_next), cursors, withheld)


def _require_filterable(scope: StudentScope, path: str, argument: str) -> None:
    if scope.sees_nobody or path in scope.filterable:
        return
    base = scope.viewer.decide(Student)
    if base.why_withheld(field_classes(Student)[path]) is Withheld.PURPOSE_REQUIRED:
        raise RegistrarError(ErrorCode.PURPOSE_REQUIRED, field=argument, rule=ACCESS_RULE)
    raise refuse_field(argument)


def check_filter(scope: StudentScope, where: StudentFilter) -> dict[str, Any]:
    """The conditions that are set, by attribute; refused by name where the field may not be read."""
    told = {name: value for name in FILTER_FIELDS if (value := getattr(where, name)) is not None}
    for attribute, value in told.items():
        _require_filterable(scope, FILTER_FIELDS[attribute], f"where.{attribute}")
        check_text(value, field=f"where.{attribute}", limit=FILTER_TEXT_LIMIT)
    return told


async def _condition(store: Store, scope: StudentScope, where: StudentFilter) -> Row:
    query: Row = {}
    for attribute, value in check_filter(scope, where).items():
        if attribute == "name_prefix":
            query["name"] = {"$regex": f"^{re.escape(value)}"}
        elif attribute == "identity_number":
            query["person_id"] = await _person_with_identity_number(store, value)
        else:
            query[FILTER_FIELDS[attribute]] = value.value if isinstance(value, Enum) else value
    return query


async def _person_with_identity_number(store: Store, number: str) -> ObjectId | None:
    lookup = store.cipher.blind_index(IdentifierKind.IDENTITY_NUMBER, number.strip().upper())
    return (await persons_by_lookup(store, [lookup])).get(lookup)


@dataclass(slots=True)
class _Group:
    """Rows whose fields are read by the same right."""

    decision: FieldDecision
    grant_ids: frozenset[ObjectId]
    ids: list[ObjectId]


async def _rows(
    store: Store,
    viewer: Viewer,
    query: Row,
    sort: list[tuple[str, int]] | None,
    limit: int,
    paths: frozenset[str],
) -> StudentRows:
    while True:
        try:
            return await _rows_once(store, student_scope(viewer), query, sort, limit, paths)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)


async def _rows_once(
    store: Store,
    scope: StudentScope,
    query: Row,
    sort: list[tuple[str, int]] | None,
    limit: int,
    paths: frozenset[str],
) -> StudentRows:
    if scope.sees_nobody:
        return StudentRows([], {})
    query = {"$and": [query, scope.visible]} if scope.visible else query
    if (decision := scope.decide_for_all(paths)) is not None:
        rows = await _find(store, query, paths & decision.readable, sort, limit + 1)
        # The row that tells of a next page is not shown, so it is neither opened nor recorded.
        rows, has_next = rows[:limit], len(rows) > limit
        groups = [_Group(decision, frozenset(), [row["_id"] for row in rows])] if rows else []
    else:
        # Rights differ by row: tell how the viewer stands to each, then load each group's own fields.
        facts = await _find(store, query, frozenset(RELATIONSHIP_FACTS), sort, limit + 1)
        facts, has_next = facts[:limit], len(facts) > limit
        groups = _groups(scope, facts, paths)
        loaded: dict[ObjectId, Row] = {}
        for group in groups:
            for row in await _find(
                store, {"_id": {"$in": group.ids}}, paths & group.decision.readable, None, len(group.ids)
            ):
                loaded[row["_id"]] = row
        rows = [loaded[row["_id"]] for row in facts if row["_id"] in loaded]
    sensitive = encrypted_paths(Student) & paths
    read = [ReadRows(sensitive & group.decision.readable, group.ids, group.grant_ids) for group in groups]
    await record_reading(store, scope.viewer, Student, read)
    await store.cipher.decrypt_paths(rows, sensitive)
    return StudentRows(rows, withheld_paths(paths, [group.decision for group in groups]), has_next)


def _groups(scope: StudentScope, facts: Sequence[Row], paths: frozenset[str]) -> list[_Group]:
    groups: dict[tuple[frozenset[str], frozenset[ObjectId]], _Group] = {}
    for row in facts:
        held = scope.decide(row)
        grant_ids = held.grants_for(paths)
        key = (paths & held.decision.readable, grant_ids)
        groups.setdefault(key, _Group(held.decision, grant_ids, [])).ids.append(row["_id"])
    return list(groups.values())


async def _find(
    store: Store, query: Row, paths: frozenset[str], sort: list[tuple[str, int]] | None, limit: int
) -> list[Row]:
    projection = {"_id": 1, **dict.fromkeys(paths, 1)}
    cursor = store.database.collection(Student).find(query, projection).limit(limit)
    return await (cursor.sort(sort) if sort else cursor).to_list()
