"""Code tables (代码表) as data: `code_tables.json` beside this file, each table with its source and version."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

_DATA = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """A code with its labels; `also` are other spellings found in rosters."""

    code: str
    zh: str
    en: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodeTable:
    name: str
    source: str
    version: str
    entries: tuple[CodeEntry, ...]

    @cached_property
    def _by_spelling(self) -> Mapping[str, str]:
        return {
            _squeezed(spelling): entry.code
            for entry in self.entries
            for spelling in (entry.code, entry.zh, *entry.also)
        }

    @cached_property
    def codes(self) -> frozenset[str]:
        return frozenset(entry.code for entry in self.entries)

    def code_of(self, text: str) -> str | None:
        """The code of a label, another spelling, or the code itself; None if the table has no such value."""
        return self._by_spelling.get(_squeezed(text))


def plain_text(text: str) -> str:
    """Full-width characters as plain ones, blanks at the ends away."""
    return unicodedata.normalize("NFKC", text).strip()


def _squeezed(text: str) -> str:
    """For look-up: names are typed with blanks inside, too (汉 族)."""
    return "".join(plain_text(text).split()).casefold()


@cache
def code_tables() -> Mapping[str, CodeTable]:
    """All tables by name."""
    held = json.loads(_DATA.read_text(encoding="utf-8"))
    return {
        name: CodeTable(
            name,
            table["source"],
            table["version"],
            tuple(CodeEntry(e["code"], e["zh"], e["en"], tuple(e.get("also", ()))) for e in table["entries"]),
        )
        for name, table in held.items()
    }


def code_table(name: str) -> CodeTable:
    return code_tables()[name]
