"""Reading entries out of `entries.jsonl`: whether a line is the canonical encoding of one, and what links it.

Lines are read by patterns rather than by a JSON parser: an entry's encoding is fixed to the byte, and a line made to
grow in a parser cannot. `at` is held to its shape, not to the calendar.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# The sealed part of an entry is a document of MongoDB, 16 MiB at most, in hex.
LONGEST_LINE = 40 << 20
READ_BYTES = 256 << 10
HEX_DIGITS = b"0123456789abcdef"
ZERO_HASH = b"0" * 64

_TEXT = rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+'
_ACTOR = (
    rb'\{"actor_id":(?:null|"[0-9a-f]{24}"),"actor_name":"%(text)b",'
    rb'"actor_posts":\[(?:"%(text)b"(?:,"%(text)b")*+)?+\]' % {b"text": _TEXT}
)
_WHAT = rb'"kind":"%(text)b","operation":"%(text)b"' % {b"text": _TEXT}
_SUBJECT = rb'([0-9a-f]{24})","subject_type":"(%b)"' % _TEXT
TEXT = re.compile(_TEXT)
ACTOR = re.compile(_ACTOR)
WHAT = re.compile(_WHAT)
SUBJECT = re.compile(_SUBJECT)
_ENTRY = re.compile(
    _ACTOR
    + rb',"at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00","hash":"([0-9a-f]{64})",'
    + _WHAT
    + rb',"previous_hash":"([0-9a-f]{64})","sealed":"[0-9a-f]*+","sequence":([1-9][0-9]{0,18}),"subject_id":"'
    + _SUBJECT
    + rb"\}"
)


@dataclass(frozen=True, slots=True)
class Link:
    """What links an entry: its subject as `type:id`, its sequence, and both hashes in hex."""

    subject: str
    sequence: int
    hash: bytes
    previous_hash: bytes


def read_link(line: bytes | None) -> Link | None:
    """The link of a line without its line break; None for what is no entry, None and overlong lines among it."""
    found = None if line is None else _ENTRY.fullmatch(line)
    if line is None or found is None or not _is_utf8(line):
        return None
    hash_, previous_hash, sequence, subject_id, subject_type = found.groups()
    return Link(subject_name(subject_id, subject_type), int(sequence), hash_, previous_hash)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def subject_name(subject_id: bytes, subject_type: bytes) -> str:
    """`type:id`; what is not printable is escaped, so that no type writes to a terminal but text."""
    told = subject_type.decode("utf-8", "replace")
    plain = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in told)
    return f"{plain}:{subject_id.decode('ascii', 'replace')}"


def line_start(file: BinaryIO, offset: int) -> int:
    """Where the first line begins at or after the offset."""
    if offset == 0:
        return 0
    file.seek(offset - 1)
    while block := file.read(READ_BYTES):
        if (found := block.find(b"\n")) >= 0:
            return file.tell() - len(block) + found + 1
    return file.tell()


def whole_lines(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int] | None]:
    """The bytes from `start`, where a line begins, to `end`: blocks, and how much of each is whole lines.

    None for an overlong line. A last line without a line break comes as it is. What is not whole is read again rather
    than copied.
    """
    while start < end:
        file.seek(start)
        block = file.read(min(READ_BYTES, end - start))
        if not block:
            return
        if whole := block.rfind(b"\n") + 1:
            yield block, whole
            start += whole
        else:
            line, length = _long_line(file, start, end)
            yield None if line is None else (line, length)
            start += length


def _long_line(file: BinaryIO, start: int, end: int) -> tuple[bytes | None, int]:
    """The line that begins there with its line break, None if it is overlong, and its length."""
    file.seek(start)
    parts: list[bytes] = []
    length = 0
    while start + length < end and (block := file.read(min(READ_BYTES, end - start - length))):
        part = block[: block.find(b"\n") + 1] or block
        length += len(part)
        if length <= LONGEST_LINE:
            parts.append(part)
        else:
            parts.clear()
        if part.endswith(b"\n"):
            break
    return (b"".join(parts) if length <= LONGEST_LINE else None), length


def each_line(file: BinaryIO) -> Iterator[bytes | None]:
    """Every line without its line break, None for an overlong one."""
    for piece in whole_lines(file, 0, os.fstat(file.fileno()).st_size):
        yield from [None] if piece is None else lines_of(*piece)


def lines_of(block: bytes, whole: int) -> list[bytes]:
    """The lines of that much of a block, without their line breaks."""
    return block[:whole].removesuffix(b"\n").split(b"\n")
