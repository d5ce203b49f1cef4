"""Searching the audit history of all records, for auditors: newest first, by who, what, when and which record.

No condition is on a value, and what an auditor may not know of is not among the entries: pages are filled with those
that they may, so that neither their length nor their cursors tell of others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bson import ObjectId

from archive_store.access.policy import ACCESS_RULE
from archive_store.access.viewer import Viewer
from archive_store.approvals.queries import change_requests_by_id
from archive_store.audit.documents import ENTRIES
from archive_store.audit.entries import open_entries
from archive_store.audit.histories import record_entries_read
from archive_store.audit.queries import HistoryEntry, SubjectRights, entry_of
from archive_store.audit.readings import GrantExhaustedError
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.paging import Cursor, Page, check_page_size, foreign_cursor
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import Subject
from archive_store.oversight.histories import HISTORIES, SubjectType

NAME_LIMIT = 100
_ORDER = "NEWEST"
NEWEST = [("at", -1), ("_id", -1)]
_MOST_AT_ONCE = 1_000
_EPOCH, _TICK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_Place = tuple[datetime, ObjectId]
_Held = tuple[Row, SubjectRights]


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Conditions that all hold; `since` inclusive, `until` not. `change_request_id` is of the request applied."""

    subject: Subject | None = None
    subject_type: SubjectType | None = None
    actor_id: ObjectId | None = None
    operation: str | None = None
    kind: str | None = None
    change_request_id: ObjectId | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryPage:
    page: Page[HistoryEntry]
    cursors: Sequence[str]


async def search_entries(
    store: Store,
    viewer: Viewer,
    *,
    first: int,
    after: str | None = None,
    where: EntryFilter | None = None,
) -> EntryPage:
    """A page of entries about whatever the viewer may know of, newest first, each redacted by its subject's class.

    FORBIDDEN to who is no auditor. INVALID_ARGUMENT for a bad page, cursor or span of time.
    """
    check_page_size(first, store.settings.page_size_limit)
    if not viewer.audits:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)
    where = where or EntryFilter()
    conditions = conditions_of(where)
    place = None if after is None else _place_of(after)
    if where.change_request_id is not None:
        (request,) = await change_requests_by_id(store, viewer, [where.change_request_id])
        if request is None or request.applied_at is None:
            return EntryPage(Page([], has_next=False), [])
        # What a request led to is entered at one moment; by which request is encrypted.
        conditions.append({"at": request.applied_at})
    while True:
        held = await _held(store, viewer, conditions, where, place, first + 1)
        shown = held[:first]
        await open_entries(store, [row for row, _ in shown])
        entries = [entry_of(row, viewer, _type_of(row), rights) for row, rights in shown]
        try:
            read = [
                (_type_of(row), rights, entry) for (row, rights), entry in zip(shown, entries, strict=True)
            ]
            await record_entries_read(store, viewer, read)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        else:
            page = Page(entries, len(held) > first)
            return EntryPage(page, [_cursor_of(entry) for entry in entries])


def _type_of(row: Row) -> type[Record]:
    return HISTORIES[SubjectType(row["subject_type"])].record_type


def conditions_of(where: EntryFilter) -> list[Row]:
    for name in ("operation", "kind"):
        check_text(getattr(where, name), field=f"where.{name}", limit=NAME_LIMIT)
    if where.since is not None and where.until is not None and where.since > where.until:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="where.to",
            detail_zh="结束时间早于开始时间",
            detail_en="it ends before it begins",
        )
    told: Row = {
        "subject_id": where.subject.id if where.subject else None,
        "actor_id": where.actor_id,
        "operation": where.operation,
        "kind": where.kind,
    }
    conditions: list[Row] = [{name: value} for name, value in told.items() if value is not None]
    types = {where.subject.type} if where.subject else set()
    types |= {where.subject_type.value} if where.subject_type else set()
    conditions += [{"subject_type": name} for name in sorted(types)]
    if where.since is not None:
        conditions.append({"at": {"$gte": where.since}})
    if where.until is not None:
        conditions.append({"at": {"$lt": where.until}})
    return conditions


async def _held(
    store: Store,
    viewer: Viewer,
    conditions: Sequence[Row],
    where: EntryFilter,
    place: _Place | None,
    wanted: int,
) -> list[_Held]:
    """So many rows that the viewer may know of, with their rights to the subjects; fewer where there are no more."""
    reach = [kind for kind, history in HISTORIES.items() if history.in_reach(viewer)]
    if len(reach) < len(HISTORIES):
        conditions = [*conditions, {"subject_type": {"$in": [kind.value for kind in reach]}}]
    held: list[_Held] = []
    at_once = wanted
    while len(held) < wanted:
        rows = await _rows(store, conditions, place, at_once)
        rights = await _rights(store, viewer, rows)
        seen = [(row, rights[subject]) for row in rows if (subject := _subject_of(row)) in rights]
        if where.change_request_id is not None:
            await open_entries(store, [row for row, _ in seen])
            seen = [one for one in seen if one[0]["sealed"]["change_request"] == where.change_request_id]
        held += seen
        if len(rows) < at_once:
            break
        place = (rows[-1]["at"], rows[-1]["_id"])
        at_once = min(at_once * 2, _MOST_AT_ONCE)
    return held[:wanted]


async def _rows(store: Store, conditions: Sequence[Row], place: _Place | None, at_once: int) -> list[Row]:
    found = store.database.mongo[ENTRIES].find(query_of(conditions, place)).sort(NEWEST).limit(at_once)
    return await found.to_list()


def query_of(conditions: Sequence[Row], place: _Place | None) -> Row:
    """The filter of the entries behind the place. Its first part bounds the index, the second breaks ties."""
    behind: list[Row] = []
    if place is not None:
        at, key = place
        behind = [{"at": {"$lte": at}}, {"$or": [{"at": {"$lt": at}}, {"_id": {"$lt": key}}]}]
    parts = [*conditions, *behind]
    return {"$and": parts} if parts else {}


async def _rights(store: Store, viewer: Viewer, rows: Sequence[Row]) -> Mapping[Subject, SubjectRights]:
    ids: dict[str, dict[ObjectId, None]] = defaultdict(dict)
    for row in rows:
        ids[row["subject_type"]][row["subject_id"]] = None
    found: dict[Subject, SubjectRights] = {}
    for name, keys in ids.items():
        # A type that a newer version of the program writes is nobody's yet.
        if name in HISTORIES:
            rights = await HISTORIES[SubjectType(name)].rights(store, viewer, list(keys))
            found |= {Subject(name, key): held for key, held in rights.items()}
    return found


def _subject_of(row: Row) -> Subject:
    return Subject(row["subject_type"], row["subject_id"])


def _cursor_of(entry: HistoryEntry) -> str:
    return Cursor(_ORDER, str((entry.at - _EPOCH) // _TICK), entry.id).encode()


def _place_of(text: str) -> _Place:
    cursor = Cursor.decode(text, order=_ORDER)
    try:
        return _EPOCH + int(cursor.value or "") * _TICK, cursor.key
    except (ValueError, OverflowError):
        raise foreign_cursor() from None
