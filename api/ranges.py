"""Ranges of an answer (RFC 9110, section 14): one at a time; where several are asked for, all of it is the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From byte `start` to before byte `end`, of a content that both lie in."""

    start: int
    end: int

    def header(self, size: int) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


class RangeNotSatisfiableError(Exception):
    """No byte of the content lies in the range."""


def asked_range(headers: Mapping[str, str], size: int, etag: str) -> ByteRange | None:
    """The range to answer with, None for the whole content; RangeNotSatisfiableError.

    `If-Range` with another validator than the strong `etag` asks for the whole, as does a range that is not understood.
    """
    found = _ONE_RANGE.fullmatch(headers.get("range", ""))
    if found is None or headers.get("if-range", etag) != etag:
        return None
    first, last = found["first"], found["last"]
    if first:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    elif last:
        start, end = max(size - int(last), 0), size
    else:
        return None
    if start >= end:
        raise RangeNotSatisfiableError
    return ByteRange(start, end)
