"""Decisions on certificates, pure: which status earns which kind, how numbers and codes are written."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Sequence

from archive_store.certificates.documents import CertificateKind, CertificateNumberRange
from archive_store.students.documents import StudentStatus

RULE = "policy §三(一)"
EARNED_BY = {
    CertificateKind.GRADUATION: StudentStatus.GRADUATED,
    CertificateKind.COMPLETION: StudentStatus.COMPLETED,
    CertificateKind.INCOMPLETE: StudentStatus.INCOMPLETE,
}
KIND_NAMES = {
    CertificateKind.GRADUATION: ("毕业证书", "Graduation Certificate"),
    CertificateKind.COMPLETION: ("结业证书", "Certificate of Completion"),
    CertificateKind.INCOMPLETE: ("肄业证书", "Certificate of Incomplete Studies"),
}
# 160 bits: nobody finds a paper by guessing.
_CODE_BYTES = 20
_CODE = re.compile(r"[a-z2-7]{32}")


def new_code() -> str:
    """验证码: 32 letters and digits (base32)."""
    return base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()


def is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def number_text(held: CertificateNumberRange, number: int) -> str:
    """The number as it is printed."""
    return f"{held.prefix}{number:0{held.digits}d}"


def overlap(one: CertificateNumberRange, other: CertificateNumberRange) -> bool:
    """Whether some printed number could be of both, even where their prefixes differ."""
    if len(one.prefix) + one.digits != len(other.prefix) + other.digits:
        return False
    starts = max(number_text(held, held.first_number) for held in (one, other))
    return starts <= min(number_text(held, held.last_number) for held in (one, other))


def taken(
    ranges: Sequence[CertificateNumberRange], count: int
) -> Iterator[tuple[CertificateNumberRange, int]]:
    """The next `count` numbers, range by range; fewer where the ranges end."""
    for held in ranges:
        for number in range(held.next_number, held.last_number + 1):
            if count <= 0:
                return
            count -= 1
            yield held, number
