"""Code tables (代码表) as versioned data: those of `code_tables.json` beside this file, and those that were loaded.

A table is looked up per cell of a roster, so that look-ups are synchronous: what was loaded here is a snapshot of the
process, renewed by `refresh_code_tables` (code_table_versions.py). A loaded version takes precedence over the shipped
ones from its day on. An abolished code keeps its label; it is not among the `codes` that may be given any more.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from archive_store.foundation.clock import school_day

_DATA = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """A code with its labels; `also` are other spellings, as found in rosters.

    Abolished codes have `until`, the last day on which they could be given.
    """

    code: str
    zh: str
    en: str
    also: tuple[str, ...] = ()
    until: date | None = None

    def is_abolished(self, day: date) -> bool:
        return self.until is not None and self.until < day


@dataclass(frozen=True)
class CodeTable:
    """A version of a table as it holds on `day`. `loaded` counts what was loaded here; None of a shipped version."""

    name: str
    title_zh: str
    title_en: str
    standard: str | None
    source: str
    version: str
    valid_from: date | None  # None: not known
    entries: tuple[CodeEntry, ...]
    is_fixed: bool = False  # the program itself writes or reads its codes
    loaded: int | None = None
    day: date = date.max

    @cached_property
    def _by_spelling(self) -> Mapping[str, str]:
        """What is in force comes first, then labels before other spellings, the English one last."""
        found: dict[str, str] = {}
        for entry in sorted(self.entries, key=lambda entry: entry.is_abolished(self.day)):
            for spelling in (entry.code, entry.zh, *entry.also):
                found.setdefault(squeezed(spelling), entry.code)
        for entry in self.entries:
            found.setdefault(squeezed(entry.en), entry.code)
        return found

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes that may be given on the day; stored ones can be others."""
        return frozenset(entry.code for entry in self.entries if not entry.is_abolished(self.day))

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The Chinese label of every code, abolished ones, too."""
        return {entry.code: entry.zh for entry in self.entries}

    def code_of(self, text: str) -> str | None:
        """The code of a label, another spelling, or the code itself; None if the table has no such value.

        Also where two of them stand together and say the same: 汉族(HA), 01-汉族, 1男. An abolished code is read, too:
        whether it may be given is for `codes` to say.
        """
        key = squeezed(text)
        if (code := self._by_spelling.get(key)) is not None:
            return code
        found = _PARTS.fullmatch(key) or _CODE_IN_FRONT.fullmatch(key)
        if found is None:
            return None
        codes = {self._by_spelling.get(part) for part in found.groups()}
        return codes.pop() if len(codes) == 1 else None


# After NFKC, so that brackets and colons are plain ones.
_PARTS = re.compile(r"([^()]+)\(([^()]+)\)")
_CODE_IN_FRONT = re.compile(r"([0-9a-z]+)[-_:.、]?(.+)")


def plain_text(text: str) -> str:
    """Full-width characters as plain ones, blanks at the ends away."""
    return unicodedata.normalize("NFKC", text).strip()


def squeezed(text: str) -> str:
    """For look-up: names are typed with blanks inside, too (汉 族)."""
    return "".join(plain_text(text).split()).casefold()


def entry_of(held: Mapping[str, Any]) -> CodeEntry:
    """An entry as the file has it; a day may be a date or its text."""
    until = held.get("until")
    return CodeEntry(
        held["code"],
        held["zh"],
        held["en"],
        tuple(held.get("also") or ()),
        date.fromisoformat(until) if isinstance(until, str) else until,
    )


@cache
def shipped_versions() -> Mapping[str, Sequence[CodeTable]]:
    """All versions of all shipped tables by name, oldest first."""
    held = json.loads(_DATA.read_text(encoding="utf-8"))
    return {
        name: [
            CodeTable(
                name,
                table["title_zh"],
                table["title_en"],
                table["standard"],
                version["source"],
                version["version"],
                date.fromisoformat(version["valid_from"]) if version["valid_from"] else None,
                tuple(entry_of(entry) for entry in version["entries"]),
                is_fixed=table.get("fixed", False),
            )
            for version in table["versions"]
        ]
        for name, table in held.items()
    }


class _Snapshot:
    """What this process knows of loaded versions, and the tables that hold today."""

    def __init__(self) -> None:
        self.loaded: Mapping[str, Sequence[CodeTable]] = {}
        self.today: Mapping[str, CodeTable] = {}

    def renew(self, loaded: Mapping[str, Sequence[CodeTable]], day: date) -> None:
        self.loaded = loaded
        self.today = {name: _in_force(name, loaded, day) for name in shipped_versions()}


_SNAPSHOT = _Snapshot()


def install_loaded(tables: Iterable[CodeTable], day: date) -> None:
    """Take over the loaded versions, oldest first; `day` is today."""
    loaded: dict[str, list[CodeTable]] = {}
    for table in tables:
        loaded.setdefault(table.name, []).append(table)
    _SNAPSHOT.renew(loaded, day)


def code_tables() -> Mapping[str, CodeTable]:
    """The tables in force today by name."""
    if not _SNAPSHOT.today:
        _SNAPSHOT.renew({}, school_day(datetime.now(UTC)))
    return _SNAPSHOT.today


def code_table(name: str, on: date | None = None) -> CodeTable:
    """The version in force today, or on a day; the oldest one of a day before all. KeyError of an unknown name."""
    current = code_tables()
    return current[name] if on is None else _in_force(name, _SNAPSHOT.loaded, on)


def code_table_versions(name: str) -> list[CodeTable]:
    """All versions of a table, shipped ones first, then loaded ones by number. KeyError of an unknown name."""
    code_tables()
    shipped = shipped_versions()[name]
    return [*shipped, *sorted(_SNAPSHOT.loaded.get(name, ()), key=lambda table: table.loaded or 0)]


def _in_force(name: str, loaded: Mapping[str, Sequence[CodeTable]], day: date) -> CodeTable:
    for versions in (loaded.get(name, ()), shipped_versions()[name]):
        begun = [table for table in versions if table.valid_from is None or table.valid_from <= day]
        if begun:
            newest = max(begun, key=lambda table: (table.valid_from or date.min, table.loaded or 0))
            return replace(newest, day=day)
    return replace(shipped_versions()[name][0], day=day)
