"""Walking a part of a workbook as XML, piece by piece, with limits on all that could take memory or time.

What the elements mean is not known here.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from xml.parsers import expat

from archive_store.foundation.errors import ErrorCode, RegistrarError

PIECE = 64 * 1024
# A sheet of 50,000 rows and 80 columns has 12 million, if each cell has its text inside.
ELEMENTS_LIMIT = 12_000_000
DEPTH_LIMIT = 100
# Distinct names of elements and attributes; the parser keeps each.
NAMES_LIMIT = 10_000
# No tag holds `<`, so none is longer than the longest stretch without one. The texts of a roster are far shorter.
_STRETCH_LIMIT = 1024 * 1024
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# What is kept of a piece for the shortcut, which takes whole elements only.
_KEPT_LIMIT = 256 * 1024

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]
# Takes the elements at a place of the bytes that it knows, and says where they end.
Take = Callable[[bytes, int], int]


class Walk:
    """A walk through a part, as UTF-8 whatever it says; `start` and `end` measure the depth.

    UNREADABLE_WORKBOOK at a DOCTYPE, so no entity is ever declared; TOO_LARGE; or an error of expat.

    Most elements of a part are alike, and expat calls a handler for each piece of them. So `shortcut` may take over
    behind each end tag `</name>` that `end` told `note_end` of: it takes the elements that it knows, and expat never
    sees them. It is asked there alone where expat has just closed that element and has nothing left of what it was
    fed, so it never looks into a comment or the like.
    """

    def __init__(self, start: Start, end: End, text: Text | None = None) -> None:
        self._names: dict[str, str] = {}
        self._parser = expat.ParserCreate("UTF-8", intern=self._names)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse_doctype
        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = text
        self._elements = self._stretch = self._fed = 0
        self._last_end = -1

    def note_end(self) -> None:
        """Called by the handler of an end tag: what stands behind it may be taken by the shortcut."""
        self._last_end = self._parser.CurrentByteIndex

    def through(
        self, pieces: Iterable[bytes], name: bytes = b"", shortcut: Take | None = None
    ) -> Iterator[None]:
        """Walk, and come back after each piece."""
        tag = b"</" + name + b">"
        rest = b""
        is_first = True
        for piece in pieces:
            # Expat would follow a UTF-16 mark, and other readers would not: they would see different sheets.
            if (is_first and piece.startswith(_UTF16)) or b"\0" in piece:
                raise unreadable()
            is_first = False
            self._measure(piece)
            if shortcut is None:
                self._feed(piece)
            else:
                rest = self._feed_between(rest + piece, tag, shortcut)
            if self._elements > ELEMENTS_LIMIT:
                raise too_large(f"{ELEMENTS_LIMIT} elements")
            yield
        self._feed(rest)
        self._parser.Parse(b"", True)
        yield

    def _feed_between(self, data: bytes, tag: bytes, shortcut: Take) -> bytes:
        place = 0
        while True:
            if self._last_end == self._fed - len(tag):
                place = shortcut(data, place)
            stop = data.find(tag, place)
            if stop < 0:
                break
            stop += len(tag)
            self._feed(data[place:stop])
            place = stop
        if len(data) - place > _KEPT_LIMIT:
            self._feed(data[place:])
            return b""
        return data[place:]

    def _feed(self, data: bytes) -> None:
        self._parser.Parse(data, False)
        self._fed += len(data)
        if len(self._names) > NAMES_LIMIT:
            raise unreadable()

    def _measure(self, piece: bytes) -> None:
        first = piece.find(b"<")
        if self._stretch + (len(piece) if first < 0 else first) > _STRETCH_LIMIT:
            raise too_large("1 MiB in one element")
        self._stretch = self._stretch + len(piece) if first < 0 else len(piece) - piece.rfind(b"<")
        self._elements += piece.count(b"<") - piece.count(b"</")


def walk(
    pieces: Iterable[bytes], start: Start | None = None, end: End | None = None, text: Text | None = None
) -> None:
    """Walk a small part to its end, with its depth measured. Raises as Walk does."""
    depth = 0

    def enter(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH_LIMIT:
            raise unreadable()
        if start:
            start(name, attributes)

    def leave(name: str) -> None:
        nonlocal depth
        depth -= 1
        if end:
            end(name)

    for _ in Walk(enter, leave, text).through(pieces):
        pass


def local_name(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_: object) -> None:
    raise unreadable()


def unreadable() -> RegistrarError:
    return RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file")


def too_large(limit: str) -> RegistrarError:
    return RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
