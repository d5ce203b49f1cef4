"""Students at moments (time travel): what their history says, by the viewer's rights of now.

The past is read as the record is: the same fields, purposes, grants and readings. Since one who asks day by day learns
when something changed, it is read by those who may read a history; for others, every value of it is kept back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.entries import entries_of, open_entries
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes
from archive_store.foundation.records import plain_value
from archive_store.foundation.store import Store
from archive_store.students.documents import Student
from archive_store.students.queries import facts_by_id
from archive_store.students.replay import Moment, at_moment, known_by
from archive_store.students.scope import RowDecision, student_scope, withheld_paths

FIRST_DAY = date(1900, 1, 1)
# What two moments can differ in. An account is no part of what the record says of a guardian.
COMPARED_PATHS = frozenset(
    path
    for path in field_classes(Student)
    if path.partition(".")[0] not in Student.bookkeeping and path != "guardians.person_id"
)


@dataclass(frozen=True, slots=True)
class MomentsKey:
    """A student at several moments, and the leaves asked for."""

    student_id: ObjectId
    moments: tuple[Moment, ...]
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class StudentMoments:
    """A row for each moment, None before the student was recorded; and what was kept back, by rights alone.

    Where the viewer may not `follow` the history, each row is the key alone, whenever it was recorded.
    """

    rows: tuple[Row | None, ...]
    withheld: Mapping[str, Withheld]
    follows: bool


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that says something else at another moment, as far as the viewer may read it."""

    field: str
    before: Any
    after: Any


def moment_at(store: Store, as_of: date | None, known_at: datetime | None) -> Moment:
    """The moment asked for, by default today and now.

    OUT_OF_RANGE for a day or time to come, of which nothing is recorded, and for a day before 1900; INVALID_ARGUMENT
    for a time without its offset.
    """
    now = store.clock.now()
    today = school_day(now)
    if as_of is not None and not FIRST_DAY <= as_of <= today:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="as_of", least=FIRST_DAY, most=today)
    if known_at is not None:
        if known_at.tzinfo is None:
            raise RegistrarError(ErrorCode.INVALID_ARGUMENT, field="known_at", **_NO_OFFSET)
        if known_at > now:
            raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="known_at", least=FIRST_DAY, most=now)
    return Moment(as_of or today, known_at)


_NO_OFFSET = {
    "detail_zh": "时间须带时区,如 Z 或 +08:00",
    "detail_en": "a time needs its offset, such as Z or +08:00",
}


async def students_at(
    store: Store, viewer: Viewer, asked: Sequence[MomentsKey]
) -> list[StudentMoments | None]:
    """Each student at the moments asked for, in order; None for who is not in sight."""
    ids = list({key.student_id for key in asked})
    entries: dict[ObjectId, list[Row]] | None = None
    while True:
        scope = student_scope(viewer)
        facts = {} if scope.sees_nobody else await facts_by_id(store, viewer, ids)
        held = {key: scope.decide(row) for key, row in facts.items()}
        open_ids = [key for key, decision in held.items() if _may_follow(viewer, decision)]
        if entries is None:
            entries = await entries_of(store, Student, open_ids)
        read = [
            ReadRows(paths, [key], held[key].grants_for(paths))
            for key, paths in _read_paths(asked, held, open_ids, entries).items()
        ]
        try:
            await record_reading(store, viewer, Student, read)
            break
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
    needed = [entry for key in asked if key.student_id in open_ids for entry in _needed(key, entries)]
    await open_entries(store, list({entry["_id"]: entry for entry in needed}.values()))
    return [
        _shown(key, held[key.student_id], entries.get(key.student_id, []), key.student_id in open_ids)
        if key.student_id in held
        else None
        for key in asked
    ]


def _may_follow(viewer: Viewer, held: RowDecision) -> bool:
    """When what changed is internal (F1), as in the audit history."""
    return viewer.has_scope(Scope.AUDIT_READ) and FieldClass.F1 in held.decision.classes


def _needed(key: MomentsKey, entries: Mapping[ObjectId, list[Row]]) -> Sequence[Row]:
    known = [known_by(entries.get(key.student_id, []), moment.known_at) for moment in key.moments]
    return max(known, key=len, default=[])


def _read_paths(
    asked: Sequence[MomentsKey],
    held: Mapping[ObjectId, RowDecision],
    open_ids: Collection[ObjectId],
    entries: Mapping[ObjectId, list[Row]],
) -> dict[ObjectId, frozenset[str]]:
    """The sensitive and sealed leaves that are shown of each student, at any of the moments."""
    paths: dict[ObjectId, frozenset[str]] = {}
    for key in asked:
        if key.student_id in open_ids and _needed(key, entries):
            read = key.paths & held[key.student_id].decision.readable & encrypted_paths(Student)
            paths[key.student_id] = paths.get(key.student_id, frozenset()) | read
    return paths


def _shown(key: MomentsKey, held: RowDecision, entries: list[Row], follows: bool) -> StudentMoments:
    if not follows:
        kept = dict.fromkeys(key.paths, Withheld.NOT_PERMITTED)
        return StudentMoments(tuple({"_id": key.student_id} for _ in key.moments), kept, follows)
    readable = key.paths & held.decision.readable
    rows = []
    for moment in key.moments:
        record = at_moment(entries, moment)
        rows.append(None if record is None else {"_id": key.student_id, **_projected(record, readable)})
    return StudentMoments(tuple(rows), withheld_paths(key.paths, [held.decision]), follows)


def _projected(record: Row, paths: frozenset[str]) -> Row:
    """What a query with these paths would have loaded of the record."""
    shown: Row = {}
    for path in paths:
        field, _, leaf = path.partition(".")
        if not leaf:
            shown[field] = record.get(field)
            continue
        items = record.get(field) or []
        into = shown.setdefault(field, [{} for _ in items])
        for item, held in zip(into, items, strict=True):
            item[leaf] = held.get(leaf)
    return shown


def differences(before: Row | None, after: Row | None) -> list[FieldDifference]:
    """The fields in which two rows of a student differ, by name; all that have a value where one is None.

    Compared is what was shown, so that nothing else can tell.
    """
    one, other = before or {}, after or {}
    return [
        FieldDifference(field, plain_value(one.get(field)), plain_value(other.get(field)))
        for field in sorted((one.keys() | other.keys()) - {"_id"})
        if _told(one.get(field)) != _told(other.get(field))
    ]


def _told(value: Any) -> Any:
    """An empty list says no more than a record that was not there yet."""
    return None if value == [] else value
