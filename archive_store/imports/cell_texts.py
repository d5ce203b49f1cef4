"""What a cell says as text: marks for cells that cannot be taken, numbers and days as a person sees them, plain text.

Which column the text stands in, and whether it is right there, is not known here.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta

from archive_store.foundation.texts import BLANK_LETTERS
from archive_store.imports.part_walk import too_large

CELL_LIMIT = 2_000
# One character can become 18 plain ones; those of a roster hardly ever become two.
GROWTH_LIMIT = 1_000_000
# A spreadsheet number holds 15 digits; a longer one has lost some.
EXACT_NUMBER_LIMIT = 10**15
# Stands for a cell that cannot be taken as text; no rule accepts it.
FORMULA_CELL = "\0formula"
INEXACT_NUMBER = "\0inexact number"
OVERLONG_TEXT = "\0overlong text"

_REMEMBERED = 4_000
_REMEMBERED_LENGTH = 40
# They show nothing, and stand in text that was copied from a page. The marks of writing direction are not among
# them: they are refused.
_INVISIBLE = "\u00ad\u180e\u200b\u200c\u200d\u2060\ufeff"
_UNSEEN = re.compile(f"[{_INVISIBLE}{''.join(sorted(BLANK_LETTERS))}\u2800]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# Day 60 of the first system is 29 February 1900, which never was.
_DAY_ZERO = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_LEAP_DAY_THAT_NEVER_WAS = 60
_LAST_DAY = 2_958_465


class PlainTexts:
    """The plain texts of a file's cells, which together may not grow by more than GROWTH_LIMIT."""

    def __init__(self) -> None:
        self._growth = 0
        self._remembered: dict[str, str] = {}

    def of(self, text: str) -> str:
        """Full-width characters as plain ones, every run of blanks as one, what shows nothing away.

        OVERLONG_TEXT over CELL_LIMIT characters; raises TOO_LARGE.
        """
        if not text:
            return text
        if (known := self._remembered.get(text)) is not None:
            return known
        plain = self._plain(text)
        if len(text) <= _REMEMBERED_LENGTH and len(self._remembered) < _REMEMBERED:
            self._remembered[text] = plain
        return plain

    def _plain(self, text: str) -> str:
        text = text.strip()
        if len(text) > CELL_LIMIT:
            return OVERLONG_TEXT
        if text.isascii():
            return " ".join(text.split())
        plain = unicodedata.normalize("NFKC", text)
        if _UNSEEN.search(plain):
            plain = _UNSEEN.sub(lambda found: "" if found[0] in _INVISIBLE else " ", plain)
        plain = " ".join(plain.split())
        self._growth += max(0, len(plain) - len(text))
        if self._growth > GROWTH_LIMIT:
            raise too_large(f"{GROWTH_LIMIT} characters in compatibility forms")
        return plain if len(plain) <= CELL_LIMIT else OVERLONG_TEXT


def number_text(text: str) -> str | None:
    """The number that a workbook keeps as `text`, as a person sees it; None if it is no number."""
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return str(int(text))
    if not _NUMBER.fullmatch(text.strip()):
        return None
    return shown_number(float(text))


def shown_number(value: float) -> str:
    if not abs(value) < EXACT_NUMBER_LIMIT:
        return INEXACT_NUMBER
    return str(int(value)) if value.is_integer() else repr(value)


def day_text(text: str, *, is_1904: bool) -> str:
    """The day of a serial number under a date format; what is no day of a calendar stays a number."""
    if not _NUMBER.fullmatch(text.strip()):
        return text
    serial = float(text)
    days = int(serial) if abs(serial) < EXACT_NUMBER_LIMIT else -1
    if not 0 < days <= _LAST_DAY or (days == _LEAP_DAY_THAT_NEVER_WAS and not is_1904):
        return shown_number(serial)
    if days < _LEAP_DAY_THAT_NEVER_WAS and not is_1904:
        days += 1
    try:
        return (_DAY_ZERO[is_1904] + timedelta(days=days)).isoformat()
    except OverflowError:
        return shown_number(serial)


def value_text(value: object) -> str:
    """The text of a value of the reader of XLS."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return truth_text(value)
    if isinstance(value, (int, float)):
        return shown_number(float(value))
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def truth_text(value: bool) -> str:
    return "是" if value else "否"


def column_letters(number: int) -> str:
    """The letters of a column, which counts from 0."""
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(65 + digit) + letters
    return letters
