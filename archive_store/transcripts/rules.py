"""Numbers, keys and limits of transcripts, and how much of a name the public check tells. Pure."""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import date

RULE = "policy 引言, §三(二)"
# That one person may ask for in a day: of one student, and of all.
OF_ONE_STUDENT, OF_ALL = 5, 200
# 60 bits; it is looked at only with the code, which has 160.
_KEY_LETTERS = 12
_NUMBER_BYTES = 5


def new_number(day: date) -> str:
    """成绩单编号: its day and eight letters and digits that were drawn, so that it tells of no other."""
    drawn = base64.b32encode(secrets.token_bytes(_NUMBER_BYTES)).decode()
    return f"CJ{day:%Y%m%d}-{drawn}"


def new_reading_key() -> str:
    """查阅码: 12 letters and digits (base32)."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()[:_KEY_LETTERS]


def printed_key(key: str) -> str:
    return "-".join(key[place : place + 4] for place in range(0, len(key), 4))


def is_key(held: str, typed: str) -> bool:
    """Whether somebody typed that key, whatever their capitals, blanks and hyphens."""
    told = "".join(typed.lower().replace("-", "").split())
    return hmac.compare_digest(held.encode(), told.encode())


def masked_name(name: str) -> str:
    """The first letter of a name, the others as stars: enough to hold against the paper."""
    return name[:1] + "*" * max(1, len(name) - 1)
