"""Walking a part of a workbook as XML, with limits on all that could take memory: elements, names, depth, tags.

What the elements mean is not known here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from xml.parsers import expat

from archive_store.foundation.errors import ErrorCode, RegistrarError

# A sheet of 5,000 rows and 100 columns has a million.
ELEMENTS_LIMIT = 3_000_000
DEPTH_LIMIT = 100
# Distinct names of elements and attributes; the parser keeps each.
NAMES_LIMIT = 10_000
# No tag holds `<`, so none is longer than the longest stretch without one. The texts of a roster are far shorter.
_LONG_STRETCH = re.compile(rb"<[^<]{%d}" % (1024 * 1024))

Start = Callable[[str, dict[str, str]], None]


def walk(
    part: bytes,
    start: Start | None = None,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Walk a part, as UTF-8 whatever it says. UNREADABLE_WORKBOOK at a DOCTYPE, so no entity is ever declared."""
    # Expat would follow a UTF-16 mark, the reader would not: the two would see different sheets.
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in part:
        raise unreadable()
    if _LONG_STRETCH.search(part):
        raise too_large("1 MiB in one element")
    names: dict[str, str] = {}
    elements = depth = 0

    def enter(name: str, attributes: dict[str, str]) -> None:
        nonlocal elements, depth
        elements += 1
        depth += 1
        if depth > DEPTH_LIMIT or len(names) > NAMES_LIMIT:
            raise unreadable()
        if elements > ELEMENTS_LIMIT:
            raise too_large(f"{ELEMENTS_LIMIT} elements")
        if start:
            start(name, attributes)

    def leave(name: str) -> None:
        nonlocal depth
        depth -= 1
        if end:
            end(name)

    parser = expat.ParserCreate("UTF-8", intern=names)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    parser.CharacterDataHandler = text
    parser.Parse(part, True)


def _refuse_doctype(*_: object) -> None:
    raise unreadable()


def unreadable() -> RegistrarError:
    return RegistrarError(ErrorCode.UNREADABLE_WORKBOOK, field="file")


def too_large(limit: str) -> RegistrarError:
    return RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=limit)
