"""Text from outside: how long it may be, and that it can be stored at all."""

from __future__ import annotations

import unicodedata

from archive_store.foundation.errors import ErrorCode, RegistrarError

_LAYOUT = "\n\t"


def check_text(text: str | None, *, field: str, limit: int, is_one_line: bool = True) -> None:
    """TOO_LONG over `limit` characters; INVALID_ARGUMENT for control characters and halves of surrogate pairs.

    Line breaks and tabs are control characters unless the text may have several lines.
    """
    if text is None:
        return
    if len(text) > limit:
        raise RegistrarError(ErrorCode.TOO_LONG, field=field, limit=limit)
    # Cc: control characters; Cs: halves of a pair, which no encoding can store.
    allowed = "" if is_one_line else _LAYOUT
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in allowed for c in text):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=field,
            detail_zh="含有控制字符",
            detail_en="it has control characters",
        )
