"""Reading student records: projected raw documents, only the fields asked for and allowed.

Rows are plain dicts in the stored shape, decrypted. A path the viewer may not read is left out of the
projection, so the value is never loaded; `withheld` names it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bson import ObjectId

from archive_store.access.policy import FieldDecision, Relationship
from archive_store.access.viewer import Viewer
from archive_store.audit.queries import HistoryEntry, histories_of
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.paging import Cursor, Page, check_page_size, rows_after
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.people.documents import IdentifierKind, Person
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.scope import (
    RELATIONSHIP_FACTS,
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
_FILTER_FIELDS = {
    "name_prefix": "name",
    "class_name": "class_name",
    "grade": "grade",
    "status": "status",
    "auxiliary_number": "auxiliary_number",
    "identity_number": "identity_number",
}


@dataclass(frozen=True, slots=True)
class StudentRows:
    """Rows in order, and the paths that were asked for but kept back on some row."""

    rows: Sequence[Row]
    withheld: frozenset[str]


@dataclass(frozen=True, slots=True)
class StudentPage:
    page: Page[Row]
    cursors: Sequence[str]
    withheld: frozenset[str]


async def students_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], paths: frozenset[str]
) -> list[Row | None]:
    """Rows in the order of the ids, None where the viewer sees none."""
    found = await _rows(store, student_scope(viewer), {"_id": {"$in": list(ids)}}, None, len(ids), paths)
    by_id = {row["_id"]: row for row in found.rows}
    return [by_id.get(student_id) for student_id in ids]


async def find_student(
    store: Store, viewer: Viewer, student_id: ObjectId, paths: frozenset[str]
) -> StudentRows:
    """One student, or no row when there is none to see."""
    return await _rows(store, student_scope(viewer), {"_id": student_id}, None, 1, paths)


async def list_students(
    store: Store,
    viewer: Viewer,
    paths: frozenset[str],
    *,
    first: int,
    after: str | None = None,
    order: StudentOrder | None = None,
    where: StudentFilter | None = None,
) -> StudentPage:
    """A page of visible students, by student number where the viewer may read it and else by name.

    A filter or order by a field that may not be read is refused by name.
    """
    check_page_size(first, store.settings.page_size_limit)
    scope = student_scope(viewer)
    if order is None:
        numbered = "auxiliary_number" in scope.readable_everywhere
        order = StudentOrder.STUDENT_NUMBER if numbered else StudentOrder.NAME
    field, direction = order.value
    _require_readable(scope, field, "orderBy")
    query = await _condition(store, scope, where or StudentFilter())
    if after is not None:
        query = {"$and": [query, rows_after(field, direction, Cursor.decode(after, order=order.name))]}
    sort = [(field, direction), ("_id", direction)]
    found = await _rows(store, scope, query, sort, first + 1, paths | {field})
    rows = found.rows[:first]
    cursors = [Cursor(order.name, row.get(field), row["_id"]).encode() for row in rows]
    return StudentPage(Page(rows, len(found.rows) > first), cursors, found.withheld & paths)


def _require_readable(scope: StudentScope, path: str, argument: str) -> None:
    if scope.decisions and path not in scope.readable_everywhere:
        raise RegistrarError(ErrorCode.FORBIDDEN, field=argument, rule="field-access policy 字段权限")


async def _condition(store: Store, scope: StudentScope, where: StudentFilter) -> Row:
    query: Row = {}
    for attribute, path in _FILTER_FIELDS.items():
        value = getattr(where, attribute)
        if value is None:
            continue
        _require_readable(scope, path, f"where.{attribute}")
        check_text(value, field=f"where.{attribute}", limit=FILTER_TEXT_LIMIT)
        if attribute == "name_prefix":
            query["name"] = {"$regex": f"^{re.escape(value)}"}
        elif attribute == "identity_number":
            query["person_id"] = await _person_with_identity_number(store, value)
        else:
            query[path] = value.value if isinstance(value, Enum) else value
    return query


async def _person_with_identity_number(store: Store, number: str) -> ObjectId | None:
    lookup = store.cipher.blind_index(IdentifierKind.IDENTITY_NUMBER, number.strip().upper())
    person = await store.database.collection(Person).find_one({"identifier_lookups": lookup}, {"_id": 1})
    return person["_id"] if person else None


async def _rows(
    store: Store,
    scope: StudentScope,
    query: Row,
    sort: list[tuple[str, int]] | None,
    limit: int,
    paths: frozenset[str],
) -> StudentRows:
    decisions = list(scope.decisions.values())
    if not decisions:
        return StudentRows([], frozenset())
    collection = store.database.collection(Student)
    query = {"$and": [query, scope.visible]} if scope.visible else query
    withheld = withheld_paths(paths, decisions)
    if scope.is_uniform or not withheld:
        projection = _projection(paths & decisions[0].readable)
        rows = await _find(store, query, projection, sort, limit)
        return StudentRows(rows, withheld if rows else frozenset())
    # Rights differ by row: tell the relationships first, then load each group's own fields.
    facts = dict.fromkeys(RELATIONSHIP_FACTS, 1)
    cursor = collection.find(query, facts).limit(limit)
    keys = await (cursor.sort(sort) if sort else cursor).to_list()
    groups: dict[Relationship, list[ObjectId]] = defaultdict(list)
    for row in keys:
        groups[scope.relationship(row)].append(row["_id"])
    loaded: dict[ObjectId, Row] = {}
    for relationship, ids in groups.items():
        projection = _projection(paths & scope.decisions[relationship].readable)
        for row in await _find(store, {"_id": {"$in": ids}}, projection, None, len(ids)):
            loaded[row["_id"]] = row
    met: list[FieldDecision] = [scope.decisions[relationship] for relationship in groups]
    rows = [loaded[row["_id"]] for row in keys if row["_id"] in loaded]
    return StudentRows(rows, withheld_paths(paths, met))


def _projection(paths: frozenset[str]) -> Row:
    return {"_id": 1, **dict.fromkeys(paths, 1)}


async def _find(
    store: Store, query: Row, projection: Row, sort: list[tuple[str, int]] | None, limit: int
) -> list[Row]:
    cursor = store.database.collection(Student).find(query, projection).limit(limit)
    rows = await (cursor.sort(sort) if sort else cursor).to_list()
    await store.cipher.decrypt_paths(rows, encrypted_paths(Student) & projection.keys())
    return rows


async def student_histories(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], *, first: int, after: int | None = None
) -> list[Page[HistoryEntry] | None]:
    """The audit history of each student, newest first, in the order of the ids.

    None for a student who is not visible, and where the viewer reads no internal (F1) field of it.
    """
    check_page_size(first, store.settings.page_size_limit)
    scope = student_scope(viewer)
    facts = dict.fromkeys(RELATIONSHIP_FACTS, 1)
    visible = store.database.collection(Student).find(
        {"$and": [{"_id": {"$in": list(student_ids)}}, scope.visible]}, facts
    )
    decisions = {row["_id"]: scope.decision(row) for row in await visible.to_list()}
    readable = {key: held.readable for key, held in decisions.items() if FieldClass.F1 in held.classes}
    pages = await histories_of(store, Student, readable, first=first, after=after) if readable else {}
    return [pages.get(student_id) for student_id in student_ids]
