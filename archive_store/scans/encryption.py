"""Encrypted segments: the bytes of scans as they lie in the object store. FORMAT.md beside this file gives them."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

from bson import ObjectId

from archive_store.scans import chunked_encryption as c2sp
from archive_store.scans.chunked_encryption import DamagedMessageError, MessageReader, ScanCipher

MAGIC = b"registrar-scan/2\n"
PREFIX_SIZE = len(MAGIC) + 1
HEADER_SIZE = PREFIX_SIZE + c2sp.HEADER_SIZE
_CIPHER_CODES = {ScanCipher.AES_256_GCM: b"\x01", ScanCipher.SM4_GCM: b"\x02"}


class DamagedScanError(Exception):
    """The stored bytes, or a key, are not what was stored."""


def new_key() -> bytes:
    """A key that wraps others, 32 bytes."""
    return secrets.token_bytes(32)


class Part(IntEnum):
    """What a segment is a part of."""

    CONTENT = 0
    TAIL = 1  # what an unfinished upload holds beyond its last segment
    THUMBNAIL = 2
    PREVIEW = 3


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """Where a segment belongs; one that lies anywhere else does not open.

    `number` counts from 0 within its part. `is_last` holds for the segment that ends its part, so that a file cut at
    the end of a segment does not pass for whole.
    """

    scan_id: ObjectId
    content_version: int
    part: Part
    number: int = 0
    is_last: bool = True

    def context(self, cipher: ScanCipher) -> bytes:
        place = struct.pack(">IBIB", self.content_version, self.part, self.number, self.is_last)
        return _prefix(cipher) + self.scan_id.binary + place


@dataclass(frozen=True, slots=True)
class ScanKey:
    """The data key (数据密钥) of one scan. It seals each segment under a salt of its own, so that nothing is ever
    encrypted twice under one key and nonce, however often a segment is stored anew."""

    cipher: ScanCipher
    data_key: bytes

    @classmethod
    def new(cls, cipher: ScanCipher) -> ScanKey:
        return cls(cipher, secrets.token_bytes(cipher.key_size))

    def __repr__(self) -> str:
        return f"ScanKey({self.cipher})"

    def seal(self, place: SegmentPlace, plain: bytes | bytearray) -> bytes:
        """A segment of these bytes, to be stored as it is."""
        prefix, context = _prefix(self.cipher), place.context(self.cipher)
        return c2sp.seal_message(self.cipher, self.data_key, context, plain, prefix=prefix)

    def open(self, place: SegmentPlace, segment: Iterable[bytes]) -> list[bytes]:
        """The plaintext of a whole segment, both in pieces, of which the first stored one holds the header.

        DamagedScanError where it is not the segment of this place, or not whole.
        """
        pieces = iter(segment)
        first = bytes(self._without_prefix(next(pieces, b"")))
        try:
            return c2sp.open_message(
                self.cipher, self.data_key, place.context(self.cipher), chain((first,), pieces)
            )
        except DamagedMessageError as error:
            raise DamagedScanError("a segment is damaged") from error

    def open_range(
        self, place: SegmentPlace, size: int, start: int, end: int, header: bytes, chunks: bytes
    ) -> bytes:
        """The plaintext from `start` to before `end` of a segment of `size` bytes of plaintext.

        `header` are its first HEADER_SIZE bytes, `chunks` those that `stored_range` names. DamagedScanError.
        """
        context = place.context(self.cipher)
        try:
            reader = MessageReader(
                self.cipher, self.data_key, context, bytes(self._without_prefix(header)), size
            )
            return reader.open(start, end, chunks)
        except DamagedMessageError as error:
            raise DamagedScanError("a segment is damaged") from error

    def _without_prefix(self, stored: bytes) -> memoryview:
        if not stored.startswith(_prefix(self.cipher)):
            raise DamagedScanError("not an encrypted scan")
        return memoryview(stored)[PREFIX_SIZE:]


def stored_size(size: int) -> int:
    """Bytes that a segment of `size` bytes of plaintext takes in the store."""
    return PREFIX_SIZE + c2sp.message_size(size)


def stored_range(size: int, start: int, end: int) -> tuple[int, int]:
    """From which to before which stored byte the chunks lie that hold the plaintext from `start` to before `end`."""
    from_byte, to_byte = c2sp.message_range(size, start, end)
    return PREFIX_SIZE + from_byte, PREFIX_SIZE + to_byte


def _prefix(cipher: ScanCipher) -> bytes:
    return MAGIC + _CIPHER_CODES[cipher]
