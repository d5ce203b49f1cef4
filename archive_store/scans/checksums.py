"""Checksums of one request's body, by the checksum extension of tus 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from archive_store.foundation.errors import ErrorCode, RegistrarError

ALGORITHMS = ("sha1", "sha256", "md5")


class Checksum:
    """Takes a body, and tells whether it is the one that the checksum was made of."""

    def __init__(self, algorithm: str, expected: bytes) -> None:
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self._expected = expected

    @classmethod
    def parse(cls, stated: str) -> Checksum:
        """Of the header `Upload-Checksum`: `{algorithm} {Base64 of the digest}`; INVALID_ARGUMENT."""
        algorithm, _, encoded = stated.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            raise _unusable(f"one of {', '.join(ALGORITHMS)}")
        try:
            expected = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise _unusable("Base64") from None
        return cls(algorithm, expected)

    def update(self, piece: bytes) -> None:
        self._digest.update(piece)

    def require_right(self) -> None:
        """CHECKSUM_MISMATCH where the body was another one."""
        if not hmac.compare_digest(self._digest.digest(), self._expected):
            raise RegistrarError(ErrorCode.CHECKSUM_MISMATCH, field="Upload-Checksum")


def _unusable(expected: str) -> RegistrarError:
    return RegistrarError(
        ErrorCode.INVALID_ARGUMENT,
        field="Upload-Checksum",
        detail_zh=f"应为 {expected}",
        detail_en=f"expected {expected}",
    )
