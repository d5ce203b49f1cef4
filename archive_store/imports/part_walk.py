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

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


def walk(
    pieces: Iterable[bytes], start: Start | None = None, end: End | None = None, text: Text | None = None
) -> None:
    """Walk a part to its end, with its depth measured. As `walk_in_pieces` else."""
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

    for _ in walk_in_pieces(pieces, enter, leave, text):
        pass


def walk_in_pieces(
    pieces: Iterable[bytes], start: Start, end: End, text: Text | None = None
) -> Iterator[None]:
    """Walk a part, as UTF-8 whatever it says, and come back after each piece; `start` and `end` measure the depth.

    UNREADABLE_WORKBOOK at a DOCTYPE, so no entity is ever declared; TOO_LARGE; or an error of expat.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate("UTF-8", intern=names)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    elements = stretch = 0
    is_first = True
    for piece in pieces:
        # Expat would follow a UTF-16 mark, and other readers would not: they would see different sheets.
        if (is_first and piece.startswith(_UTF16)) or b"\0" in piece:
            raise unreadable()
        is_first = False
        stretch = _stretch(piece, stretch)
        elements += piece.count(b"<") - piece.count(b"</")
        parser.Parse(piece, False)
        if len(names) > NAMES_LIMIT:
            raise unreadable()
        if elements > ELEMENTS_LIMIT:
            raise too_large(f"{ELEMENTS_LIMIT} elements")
        yield
    parser.Parse(b"", True)
    yield


def _stretch(piece: bytes, before: int) -> int:
    """How many bytes the last tag or text has by now; TOO_LARGE where one is too long."""
    first = piece.find(b"<")
    if before + (len(piece) if first < 0 else first) > _STRETCH_LIMIT:
        raise too_large("1 MiB in one element")
    return before + len(piece) if first < 0 else len(piece) - piece.rfind(b"<")


def local_name(name: str) -> str:
    return name.rpartition(":")[2]


def _refuse_doctype(*_: object) -> None:
    raise unreadable()


def unreadable() -> RegistrarError:
    return RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file")


def too_large(limit: str) -> RegistrarError:
    return RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
