"""Roster files that are broken by chance, the same ones for the same seed: XLSX, XLS and CSV.

What is broken is of three kinds: bytes of any file, the parts and elements of an archive, and what a table says.
"""

from __future__ import annotations

import csv
import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import xlsxwriter

from api.dev.roster import demo_rows
from archive_store.imports.roster_columns import COLUMNS

HEADERS = [column.header for column in COLUMNS]
ROWS = 12
_XLS = Path(__file__).parent.parent / "samples" / "roster.xls"
_SHEET = "xl/worksheets/sheet1.xml"
_PARTS = (_SHEET, "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")

_ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "gb18030", "gb18030", "utf-16", "utf-16-le", "big5")

Table = list[list[str]]
Chance = random.Random


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A file and what was done to it, so that a failure can be told and made again."""

    name: str
    content: bytes


def broken_files(seed: int, count: int, *, first: int = 0) -> Iterator[BrokenFile]:
    """`count` files, some of which may be sound after all: chance can hit what nobody reads."""
    for number in range(first, first + count):
        chance = random.Random(f"{seed}:{number}")
        name, content = _one(chance)
        yield BrokenFile(f"{seed}:{number}:{name}", content)


def _one(chance: Chance) -> tuple[str, bytes]:
    kind = chance.choice(("xlsx", "xlsx", "csv", "csv", "xls"))
    if kind == "xls":
        breaking = chance.choice((*_BYTES, *_RECORDS, *_RECORDS))
        return f"xls {breaking.__name__}", breaking(_XLS.read_bytes(), chance)
    table = _table()
    told = chance.choice((*_TABLES, _as_it_is, _as_it_is))
    table = told(table, chance)
    if kind == "csv":
        content = _csv(table, chance)
        breaking = chance.choice((*_BYTES, *_TEXTS, *_TEXTS, _whole, _whole))
    else:
        content = _xlsx(table, chance.random() < 0.5, chance.random() < 0.2)
        breaking = chance.choice((*_BYTES, *_ARCHIVES, *_ARCHIVES, *_ARCHIVES, _whole))
    return f"{kind} {told.__name__} {breaking.__name__}", breaking(content, chance)


@cache
def _demo() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row.get(header, "") for header in HEADERS) for row in demo_rows(ROWS, cohort=2029))


def _table() -> Table:
    return [HEADERS[:], *(list(row) for row in _demo())]


def _csv(table: Table, chance: Chance) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(
        buffer,
        delimiter=chance.choice(",,;\t"),
        lineterminator=chance.choice(("\r\n", "\n", "\r")),
        quoting=chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    writer.writerows(table)
    encoding = chance.choice(_ENCODINGS)
    return buffer.getvalue().encode(encoding, "replace")


def _xlsx(table: Table, inline: bool, formulas: bool) -> bytes:
    buffer = io.BytesIO()
    options = {"in_memory": True, "constant_memory": inline, "strings_to_formulas": formulas}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2024, 1, 1, tzinfo=UTC)})
        sheet = book.add_worksheet()
        for number, row in enumerate(table):
            for column, text in enumerate(row[:16_000]):
                if text:
                    sheet.write(number, column, text[:32_000])
    return buffer.getvalue()


def _as_it_is(table: Table, _: Chance) -> Table:
    return table


def _whole(content: bytes, _: Chance) -> bytes:
    return content


# Bytes of any file.
def _cut_off(content: bytes, chance: Chance) -> bytes:
    return content[: chance.randrange(len(content))]


def _flipped(content: bytes, chance: Chance) -> bytes:
    held = bytearray(content)
    for _ in range(chance.choice((1, 3, 30, 300))):
        held[chance.randrange(len(held))] ^= 1 << chance.randrange(8)
    return bytes(held)


def _overwritten(content: bytes, chance: Chance) -> bytes:
    place, size = chance.randrange(len(content)), chance.choice((1, 16, 512))
    filler = chance.choice((b"\0", b"\xff", chance.randbytes(1)))
    return content[:place] + filler * size + content[place + size :]


def _left_out(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + content[place + chance.choice((1, 7, 512)) :]


def _doubled(content: bytes, chance: Chance) -> bytes:
    place, size = chance.randrange(len(content)), chance.choice((1, 64, 4096))
    return content[: place + size] + content[place:]


def _mixed_in(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + chance.randbytes(chance.choice((1, 8, 600))) + content[place:]


def _exchanged(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return content[place:] + content[:place]


def _with_a_head(content: bytes, chance: Chance) -> bytes:
    heads = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe", b"\xef\xbb\xbf", b"%PDF-1.7\n")
    return chance.choice(heads) + content


_BYTES: tuple[Callable[[bytes, Chance], bytes], ...] = (
    *(_cut_off, _flipped, _overwritten, _left_out, _doubled, _mixed_in, _exchanged, _with_a_head),
)


# Text of a table.
def _quote_somewhere(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + b'"' + content[place:]


def _encodings_mixed(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return (
        content[:place]
        + "學生".encode(chance.choice(("gb18030", "utf-8", "utf-16-le", "big5")))
        + content[place:]
    )


def _one_huge_cell(content: bytes, chance: Chance) -> bytes:
    return content + chance.choice((b"x", b'"\n', b",", b"\xe5\xad\x97")) * chance.choice(
        (2_000, 200_000, 900_000)
    )


def _many_blank_lines(content: bytes, chance: Chance) -> bytes:
    return content + chance.choice((b"\n", b"\r\n", b",,,,\n")) * chance.choice((500, 150_000))


def _controls(content: bytes, chance: Chance) -> bytes:
    place = chance.randrange(len(content))
    return content[:place] + bytes([chance.randrange(32)]) * 3 + content[place:]


_TEXTS = (_quote_somewhere, _encodings_mixed, _one_huge_cell, _many_blank_lines, _controls)


# What a table says.
def _shuffled(table: Table, chance: Chance) -> Table:
    order = list(range(len(HEADERS)))
    chance.shuffle(order)
    return [[row[place] for place in order] for row in table]


def _header_shuffled_alone(table: Table, chance: Chance) -> Table:
    chance.shuffle(table[0])
    return table


def _header_lost(table: Table, chance: Chance) -> Table:
    del table[0][chance.randrange(len(HEADERS))]
    return table


def _header_twice(table: Table, chance: Chance) -> Table:
    table[0][chance.randrange(len(HEADERS))] = chance.choice(HEADERS)
    return table


def _header_late(table: Table, chance: Chance) -> Table:
    return [["花名册"]] * chance.randrange(30) + table


def _strange_texts(table: Table, chance: Chance) -> Table:
    strange = (
        *("=1+1", "＝1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "\t=1", "-2+3", "{=A1}", '=HYPERLINK("x")'),
        *("x" * 2_001, "\ufdfa" * 200, "\u202etxt", "\0", "\x1b[31m", "\u200b", "\u3164", "\ud7ff\ue000"),
        *(
            "二〇一一年五月三日",
            "2011-02-30",
            "99999999",
            "1e308",
            "NaN",
            "_x0000_",
            "<b>",
            "&amp;",
            "\r\n\r\n",
        ),
    )
    for _ in range(chance.choice((1, 5, 100))):
        row = chance.choice(table)
        row[chance.randrange(len(row))] = chance.choice(strange)
    return table


def _ragged(table: Table, chance: Chance) -> Table:
    for row in table[1:]:
        del row[chance.randrange(len(row)) :]
        row.extend(["z"] * chance.choice((0, 0, 0, 3, 300)))
    return table


def _many_rows(table: Table, chance: Chance) -> Table:
    return table + table[1:2] * chance.choice((50, 400))


_TABLES = (
    *(_shuffled, _header_shuffled_alone, _header_lost, _header_twice, _header_late, _strange_texts),
    *(_strange_texts, _ragged, _many_rows),
)


# Parts and elements of an archive.
def _packed(parts: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, part in parts:
            # Written past the library's own warning of a name that comes twice.
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            out.NameToInfo.pop(name, None)
            out.writestr(info, part)
    return target.getvalue()


def _unpacked(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def _part_changed(content: bytes, chance: Chance, change: Callable[[bytes], bytes], name: str = "") -> bytes:
    name = name or chance.choice(_PARTS)
    return _packed([(held, change(part) if held == name else part) for held, part in _unpacked(content)])


def _part_dropped(content: bytes, chance: Chance) -> bytes:
    parts = _unpacked(content)
    del parts[chance.randrange(len(parts))]
    return _packed(parts)


def _part_twice(content: bytes, chance: Chance) -> bytes:
    parts = _unpacked(content)
    name, part = chance.choice(parts)
    return _packed([*parts, (chance.choice((name, name.upper())), part)])


def _part_exchanged(content: bytes, chance: Chance) -> bytes:
    parts = dict(_unpacked(content))
    first, second = chance.sample(sorted(parts), 2)
    parts[first], parts[second] = parts[second], parts[first]
    return _packed(list(parts.items()))


def _part_huge(content: bytes, chance: Chance) -> bytes:
    filler = chance.choice((b"\0", b" ", b"<x/>", b"<x>")) * (3 * 1024 * 1024)
    return _part_changed(content, chance, lambda part: part + filler)


def _part_added(content: bytes, chance: Chance) -> bytes:
    return _packed([*_unpacked(content), ("xl/media/x.png", bytes(chance.choice((10, 1_000, 60)) * 2**20))])


def _sizes_lied_about(content: bytes, chance: Chance) -> bytes:
    held = bytearray(content)
    places = [found.start() for found in re.finditer(b"PK\x01\x02|PK\x03\x04", content)]
    for place in chance.sample(places, min(3, len(places))):
        field = chance.choice((18, 20, 22, 24, 26, 28))
        held[place + field : place + field + 4] = chance.choice((b"\xff" * 4, b"\0" * 4, chance.randbytes(4)))
    return bytes(held)


def _flags_of_entries(content: bytes, chance: Chance) -> bytes:
    """Encrypted, otherwise compressed, of a later version."""
    held = bytearray(content)
    place = chance.choice([found.start() for found in re.finditer(b"PK\x01\x02", content)])
    field = chance.choice((6, 8, 10))
    held[place + field : place + field + 2] = struct.pack(
        "<H", chance.choice((1, 8, 9, 12, 14, 63, 97, 0xFFFF))
    )
    return bytes(held)


def _elements_damaged(content: bytes, chance: Chance) -> bytes:
    damages = (
        (b"</row>", b""),
        (b"<row ", b"<row><row "),
        (b"</c>", b""),
        (b"<v>", b"<v><v>"),
        (b"<v>", b"<v>-"),
        (b"<v>", b"<v>99999"),
        (b"<v>", b"<v>&x;"),
        (b"<v>", b"<v>&#0;"),
        (b"<v>", b"<f>1+1</f><v>"),
        (b't="s"', b't="e"'),
        (b't="s"', b't="d"'),
        (b't="s"', b't="zz"'),
        (b't="s"', b""),
        (b'r="A', b'r="XFD'),
        (b'r="', b'r="-'),
        (b'r="', b'r="999999999'),
        (b"<t>", b"<t><t>"),
        (b"<si>", b"<si><si>"),
        (b"</sheetData>", b""),
        (b"<sheetData>", b"<sheetData><sheetData>"),
        (b"<sheetData>", b"<!DOCTYPE x><sheetData>"),
        (b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>'),
        (b"UTF-8", b"UTF-16"),
        (b"UTF-8", b"GB18030"),
        (b"numFmtId", b"numfmtid"),
        (b"Target=", b'Target="../../../etc/passwd" x='),
    )
    written, instead = chance.choice(damages)
    most = chance.choice((1, 1, 5, -1))
    parts = _unpacked(content)
    return _packed([(name, part.replace(written, instead, most)) for name, part in parts])


def _part_flipped(content: bytes, chance: Chance) -> bytes:
    breaking = chance.choice(_BYTES)
    return _part_changed(content, chance, lambda part: breaking(part, chance))


def _part_in_utf_16(content: bytes, chance: Chance) -> bytes:
    return _part_changed(content, chance, lambda part: part.decode().encode("utf-16"))


def _deep(content: bytes, chance: Chance) -> bytes:
    depth = chance.choice((90, 200, 50_000))
    return _part_changed(content, chance, lambda part: part.replace(b"><", b">" + b"<x>" * depth + b"<", 1))


_ARCHIVES = (
    *(_part_dropped, _part_twice, _part_exchanged, _part_huge, _part_added, _sizes_lied_about),
    *(_flags_of_entries, _elements_damaged, _elements_damaged, _elements_damaged, _part_flipped),
    *(_part_flipped, _part_in_utf_16, _deep),
)


# Records and sectors of an XLS file.
def _numbers_changed(content: bytes, chance: Chance) -> bytes:
    held = bytearray(content)
    for _ in range(chance.choice((1, 4, 40))):
        place = chance.randrange(len(held) // 2 - 1) * 2
        held[place : place + 2] = struct.pack(
            "<H", chance.choice((0, 1, 0x7FFF, 0xFFFF, chance.randrange(65536)))
        )
    return bytes(held)


def _head_changed(content: bytes, chance: Chance) -> bytes:
    place = 24 + 4 * chance.randrange(20)
    number = chance.choice((0, 1, 2, 0xFFFFFFFE, 0xFFFFFFFF, chance.randrange(2**32)))
    return content[:place] + struct.pack("<I", number) + content[place + 4 :]


def _table_of_sectors_changed(content: bytes, chance: Chance) -> bytes:
    start = (struct.unpack_from("<I", content, 76)[0] + 1) * 512
    place = start + 4 * chance.randrange(40)
    return content[:place] + struct.pack("<I", chance.randrange(40)) + content[place + 4 :]


_RECORDS = (_numbers_changed, _head_changed, _table_of_sectors_changed)
