"""Where an XLS sheet has formulas and error values, which its reader does not tell. Pure.

Of the container (MS-CFB) and the records (MS-XLS) it knows only what it takes to walk through those of the first sheet.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator

_HEADER_SIZE = 512
_ENTRY_SIZE = 128
_FREE = 0xFFFFFFFA  # from here on, numbers of sectors that are none
_SMALL_SECTOR = 64
_STREAMS = ("Workbook", "Book")
_STREAM, _ROOT = 2, 5
_BOUNDSHEET, _BOF, _EOF = 0x0085, 0x0809, 0x000A
_FORMULAS = frozenset({0x0006, 0x0206, 0x0406})
_TRUTH_OR_ERROR = 0x0205


def formula_cells(content: bytes) -> dict[int, set[int]]:
    """Row to columns, both from 0. Raises ValueError or struct.error for what is no such workbook."""
    records = _workbook_stream(content)
    start = _first_sheet(records)
    found: dict[int, set[int]] = defaultdict(set)
    depth = 0
    for kind, place, size in _records(records, start):
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                break
        elif depth != 1:
            pass  # of a chart within the sheet
        elif kind in _FORMULAS or (kind == _TRUTH_OR_ERROR and size >= 8 and records[place + 7]):
            row, column = struct.unpack_from("<HH", records, place)
            found[row].add(column)
    return dict(found)


def _records(stream: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Kind of each record, and where its content is."""
    place = start
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        yield kind, place + 4, size
        place += 4 + size


def _first_sheet(stream: bytes) -> int:
    for kind, place, _ in _records(stream, 0):
        if kind == _BOUNDSHEET:
            (start,) = struct.unpack_from("<I", stream, place)
            if not 0 < start < len(stream):
                break
            return int(start)
        if kind == _EOF:
            break
    raise ValueError("no sheet")


def _workbook_stream(content: bytes) -> bytes:
    size = 1 << min(16, struct.unpack_from("<H", content, 30)[0])
    if size not in (512, 4096):
        raise ValueError("sectors of an unknown size")
    small_limit, small_start, _, more, _ = struct.unpack_from("<5I", content, 56)
    (directory_start,) = struct.unpack_from("<I", content, 48)
    table_sectors = list(struct.unpack_from("<109I", content, 76))
    sectors = len(content) // size
    while more < _FREE and len(table_sectors) <= sectors:
        listed = struct.unpack_from(f"<{size // 4}I", content, (more + 1) * size)
        table_sectors += listed[:-1]
        more = listed[-1]
    table = [
        number
        for sector in table_sectors
        if sector < _FREE
        for number in struct.unpack_from(f"<{size // 4}I", content, (sector + 1) * size)
    ]
    body = memoryview(content)[size:]
    directory = _chain(body, size, table, directory_start)
    root = b""
    for place in range(0, len(directory) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
        length, kind = struct.unpack_from("<HB", directory, place + 64)
        start, held = struct.unpack_from("<II", directory, place + 116)
        name = directory[place : place + max(0, min(64, length) - 2)].decode("utf-16-le", "replace")
        if kind == _ROOT:
            root = _chain(body, size, table, start)
        elif kind == _STREAM and name in _STREAMS:
            if held >= small_limit:
                return _chain(body, size, table, start)[:held]
            small = _chain(body, size, table, small_start)
            numbers = struct.unpack_from(f"<{len(small) // 4}I", small)
            return _chain(root, _SMALL_SECTOR, numbers, start)[:held]
    raise ValueError("no workbook")


def _chain(content: memoryview | bytes, size: int, table: list[int] | tuple[int, ...], start: int) -> bytes:
    pieces: list[memoryview | bytes] = []
    while start < _FREE:
        if len(pieces) > len(table):
            raise ValueError("sectors in a ring")
        if start >= len(table):
            raise ValueError("a sector that is not there")
        pieces.append(content[start * size : (start + 1) * size])
        start = table[start]
    return b"".join(pieces)
