"""Keys and bytes of encrypted scans. FORMAT.md beside this file says what lies where."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterable

from bson import ObjectId
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"registrar-scan/1\n"
KEY_SIZE = 32
_NONCE_SIZE = 12
DATA_KEY = b"registrar/data-key"
ARCHIVE_FILE_KEY = b"registrar/archive-file-key"


class DamagedScanError(Exception):
    """The stored bytes, or a key, are not what was stored."""


def new_key() -> bytes:
    return secrets.token_bytes(KEY_SIZE)


def wrap_key(wrapping_key: bytes, key: bytes, purpose: bytes, owner: ObjectId) -> bytes:
    nonce = secrets.token_bytes(_NONCE_SIZE)
    return nonce + AESGCM(wrapping_key).encrypt(nonce, key, purpose + owner.binary)


def unwrap_key(wrapping_key: bytes, wrapped: bytes, purpose: bytes, owner: ObjectId) -> bytes:
    try:
        nonce, sealed = wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:]
        return AESGCM(wrapping_key).decrypt(nonce, sealed, purpose + owner.binary)
    except (InvalidTag, ValueError) as error:
        raise DamagedScanError("a key does not unwrap") from error


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
