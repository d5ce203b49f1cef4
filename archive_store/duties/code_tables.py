"""`code_table.load`: a version of a code table (代码表), from the standard or the bureau's notice that it follows.

It changes no school policy, so it is a daily operation (policy §四(一)): the information group enters it and the
department head approves, since every record is checked and labelled by it. Stored codes stay, and keep their labels:
a code is abolished by its last day, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.code_table_versions import LABEL_LIMIT, CodeTableVersion, TableEntry
from archive_store.foundation.code_tables import CodeEntry, CodeTable, code_table, code_tables, squeezed
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

RULE = "代码表"
SOURCE_LIMIT = 300
ENTRIES_LIMIT = 1_000
_EARLIEST, _LATEST = date(1980, 1, 1), date(2100, 1, 1)
_NAMED = 10
_TOLD = ("table", "edition", "valid_from", "standard", "source", "entries")


class CodeTableLoad(Payload):
    """Payload of `code_table.load`: a table, whole, and the day (in China) from which it holds."""

    version_id: PydanticObjectId
    table: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    edition: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    valid_from: date
    standard: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    source: Annotated[str, StringConstraints(min_length=1, max_length=SOURCE_LIMIT)]
    entries: Annotated[tuple[TableEntry, ...], Field(min_length=1, max_length=ENTRIES_LIMIT)]


def entry_line(entry: TableEntry | CodeEntry) -> str:
    """An entry as whoever approves reads it."""
    also = f" ({', '.join(entry.also)})" if entry.also else ""
    return f"{entry.code} {entry.zh} {entry.en}{also}{f' until {entry.until}' if entry.until else ''}"


def check_entries(entries: tuple[TableEntry, ...], current: CodeTable, valid_from: date) -> None:
    """Refuse, by place, a table that says two things of one code or spelling, or that leaves out a code.

    Raises DUPLICATE or INVALID_ARGUMENT on `entries` or `entries.N`.
    """
    codes: set[str] = set()
    spellings: dict[str, str] = {}
    for position, entry in enumerate(entries):
        place = f"entries.{position}"
        for leaf, text in (("zh", entry.zh), ("en", entry.en), *(("also", text) for text in entry.also)):
            check_text(text, field=f"{place}.{leaf}", limit=LABEL_LIMIT)
        if entry.code.casefold() in codes:
            raise RegistrarError(ErrorCode.DUPLICATE, field=f"{place}.code", rule=RULE, others="entries")
        codes.add(entry.code.casefold())
        if entry.until is not None and entry.until < valid_from:
            continue
        for spelling in (entry.code, entry.zh, *entry.also):
            if spellings.setdefault(squeezed(spelling), entry.code) != entry.code:
                raise RegistrarError(ErrorCode.DUPLICATE, field=place, rule=RULE, others="entries")
    given = {entry.code for entry in entries}
    if missing := sorted(current.labels.keys() - given):
        raise _refused(
            f"缺少代码 {_some(missing)};废止的代码请注明 until",
            f"lacks {_some(missing)}; abolish a code by `until`",
        )
    is_changed = given != current.labels.keys() or any(entry.until for entry in entries)
    if current.is_fixed and is_changed:
        raise _refused(
            "程序使用此表的代码,只能改名称", "the program uses these codes; only their labels can change"
        )


def _some(codes: list[str]) -> str:
    return ", ".join(codes[:_NAMED]) + (" …" if len(codes) > _NAMED else "")


def _refused(zh: str, en: str) -> RegistrarError:
    return RegistrarError(ErrorCode.INVALID_ARGUMENT, field="entries", rule=RULE, detail_zh=zh, detail_en=en)


async def _check(store: Store, viewer: Viewer, payload: CodeTableLoad) -> None:
    if payload.table not in code_tables():
        raise RegistrarError(ErrorCode.NOT_FOUND, field="table")
    if not _EARLIEST <= payload.valid_from <= _LATEST:
        raise RegistrarError(ErrorCode.OUT_OF_RANGE, field="valid_from", least=_EARLIEST, most=_LATEST)
    for field, limit in (("edition", 50), ("standard", 100), ("source", SOURCE_LIMIT)):
        check_text(getattr(payload, field), field=field, limit=limit)
    versions = [await _loaded(store, None, payload.table), code_table(payload.table, payload.valid_from)]
    known = next(table for table in versions if table is not None)
    check_entries(payload.entries, known, payload.valid_from)
    if known.loaded and (known.valid_from, known.entries) == (
        payload.valid_from,
        tuple(entry.to_entry() for entry in payload.entries),
    ):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="entries")


async def _loaded(store: Store, session: AsyncClientSession | None, table: str) -> CodeTable | None:
    """The newest version that was loaded, in force or not yet."""
    row = await store.database.collection(CodeTableVersion).find_one(
        {"table": table}, sort=[("version", -1)], session=session
    )
    return None if row is None else CodeTableVersion.model_validate(row).to_table()


async def _current(
    store: Store, session: AsyncClientSession | None, payload: CodeTableLoad
) -> Mapping[str, Any]:
    """The newest version, so that whoever approves sees the difference."""
    found = await _loaded(store, session, payload.table) or code_table(payload.table)
    return {
        "table": found.name,
        "edition": found.version,
        "valid_from": bson_value(found.valid_from),
        "standard": found.standard,
        "source": found.source,
        "entries": [entry_line(entry) for entry in found.entries],
        "version": found.loaded,
    }


async def _apply(unit: UnitOfWork, payload: CodeTableLoad) -> ObjectId:
    newest = await _loaded(unit.store, unit.session, payload.table)
    held = CodeTableVersion(
        id=payload.version_id,
        table=payload.table,
        version=((newest.loaded or 0) if newest else 0) + 1,
        edition=payload.edition,
        valid_from=payload.valid_from,
        standard=payload.standard,
        source=payload.source,
        entries=list(payload.entries),
    )
    await unit.insert(held)
    changes = [FieldChange("version", None, held.version)]
    changes += [FieldChange(name, None, value) for name, value in _told(payload).items()]
    subject = Subject(CodeTableVersion.subject_type, held.key)
    unit.audit(subject, "code_table:load", changes)
    for post in (Post.INFORMATION_GROUP, Post.DIRECTOR):
        unit.notify(post, "code_table:loaded", subject)
    return held.key


def _told(payload: CodeTableLoad) -> dict[str, Any]:
    told = {name: bson_value(getattr(payload, name)) for name in _TOLD if name != "entries"}
    return {**told, "entries": [entry_line(entry) for entry in payload.entries]}


CODE_TABLE_LOAD = Operation(
    name="code_table.load",
    record_type=CodeTableVersion,
    payload=CodeTableLoad,
    requesters=frozenset({Post.INFORMATION_GROUP, Post.DIRECTOR}),
    subject=lambda payload: Subject(CodeTableVersion.subject_type, payload.version_id),
    requested_values=_told,
    fields=lambda payload: frozenset(_TOLD),
    current=_current,
    check=_check,
    apply=_apply,
)
