"""Text from outside: how long it may be, that it can be stored at all, and that it does no harm where it is shown."""

from __future__ import annotations

import unicodedata

from archive_store.foundation.code_tables import plain_text
from archive_store.foundation.errors import ErrorCode, Message, RegistrarError

_LAYOUT = "\n\t"
# They reorder what stands after them, so that a name reads as another. Unicode's Bidi_Control.
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Hangul fillers, which are letters by category and show nothing.
BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
HAS_CONTROLS = Message(zh="含有控制字符", en="it has control characters")


def check_text(text: str | None, *, field: str, limit: int, is_one_line: bool = True) -> None:
    """TOO_LONG over `limit` characters; INVALID_ARGUMENT for control characters and halves of surrogate pairs.

    Line breaks, tabs and the marks of writing direction are control characters unless the text may have several lines.
    """
    if text is None:
        return
    if len(text) > limit:
        raise RegistrarError(ErrorCode.TOO_LONG, field=field, limit=limit)
    # Cc: control characters; Cs: halves of a pair, which no encoding can store.
    allowed = "" if is_one_line else _LAYOUT
    has_controls = any(unicodedata.category(c) in ("Cc", "Cs") and c not in allowed for c in text)
    if has_controls or (is_one_line and has_bidi_controls(text)):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=field,
            detail_zh=HAS_CONTROLS.zh,
            detail_en=HAS_CONTROLS.en,
        )


def has_bidi_controls(text: str) -> bool:
    return not _BIDI_CONTROLS.isdisjoint(text)


def starts_formula(text: str, *, is_phone: bool = False) -> bool:
    """Whether a spreadsheet could take the text for a formula.

    Full-width signs and signs behind blanks count, too. A sign alone is a text to every spreadsheet, and often
    stands for "none"; + and digits is a telephone number where one is expected, and can call nothing.
    """
    shown = plain_text(text)
    if is_phone and shown.startswith("+") and shown[1:].replace(" ", "").isdecimal():
        return False
    return text.startswith(("\t", "\r")) or (len(shown) > 1 and shown.startswith(("=", "+", "-", "@")))


def size_text(size: int) -> str:
    """A number of bytes for people to read: MiB where it is whole ones."""
    whole, rest = divmod(size, 1024 * 1024)
    return f"{size} bytes" if rest or not whole else f"{whole} MiB"
