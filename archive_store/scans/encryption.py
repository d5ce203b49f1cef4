"""Bytes of encrypted scans. FORMAT.md beside this file says what lies where."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable

from bson import ObjectId
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

MAGIC = b"registrar-scan/1\n"
KEY_SIZE = 32


class DamagedScanError(Exception):
    """The stored bytes, or a key, are not what was stored."""


def new_key() -> bytes:
    return secrets.token_bytes(KEY_SIZE)


class ScanEncryptor:
    """Streaming: `start()`, `update()` for each piece, `finish()`; what they return is stored in order."""

    def __init__(self, data_key: bytes, scan_id: ObjectId) -> None:
        self._encryptor = Cobblestone256Encryptor(data_key, MAGIC + scan_id.binary)

    def start(self) -> bytes:
        return MAGIC

    def update(self, piece: bytes) -> bytes:
        return self._encryptor.update(piece)

    def finish(self) -> bytes:
        return self._encryptor.finalize()


def decrypted(data_key: bytes, scan_id: ObjectId, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Verified plaintext of a stored file, piece by piece; DamagedScanError where it is not whole and genuine."""
    decryptor = Cobblestone256Decryptor(data_key, MAGIC + scan_id.binary)
    start = b""
    try:
        for piece in pieces:
            if len(start) < len(MAGIC):
                start += piece
                if len(start) < len(MAGIC):
                    continue
                if not start.startswith(MAGIC):
                    raise DamagedScanError("not an encrypted scan")
                piece = start[len(MAGIC) :]  # noqa: PLW2901
            if plain := decryptor.update(piece):
                yield plain
        if plain := decryptor.finalize():
            yield plain
    except (InvalidTag, ValueError) as error:
        raise DamagedScanError("the stored bytes are damaged") from error
