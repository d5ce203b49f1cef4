"""A file that is encrypted on its way to the disk, under a key that this process forgets with it.

A workbook is read here and there, so it must lie somewhere while it is read; neither memory that grows with it nor a
plaintext on a disk is a place for it. AES in counter mode can be read from any byte on; each byte is written once.
Nobody else writes to the file, which has no name, so that there is no tag to check.
"""

from __future__ import annotations

import io
import secrets
import tempfile

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16
_BUFFER = 128 * 1024


class SealedFile(io.RawIOBase):
    """Written from the beginning to the end, then read anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self._key = algorithms.AES(secrets.token_bytes(32))
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._sealing = Cipher(self._key, modes.CTR(bytes(_BLOCK))).encryptor()
        self._size = self._position = 0
        self._held = b""  # decrypted, from `_held_at` on
        self._held_at = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._position != self._size:
            raise io.UnsupportedOperation("written at its end only")
        self._file.seek(self._size)
        self._file.write(self._sealing.update(data))
        self._size += len(data)
        self._position = self._size
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._size - self._position))
        if not wanted:
            return 0
        offset = self._position - self._held_at
        if not 0 <= offset < len(self._held):
            self._hold()
            offset = self._position - self._held_at
        piece = self._held[offset : offset + wanted]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _hold(self) -> None:
        first = self._position // _BLOCK
        self._file.seek(first * _BLOCK)
        opening = Cipher(self._key, modes.CTR(first.to_bytes(_BLOCK, "big"))).decryptor()
        self._held, self._held_at = opening.update(self._file.read(_BUFFER)), first * _BLOCK

    def read(self, size: int = -1) -> bytes:
        """As many as asked for, unless the file ends: a raw file may give fewer, and its readers do not ask again."""
        parts = []
        left = self._size - self._position if size is None or size < 0 else size
        while left > 0:
            part = bytearray(min(left, _BUFFER))
            if not (count := self.readinto(part)):
                break
            parts.append(bytes(part[:count]))
            left -= count
        return b"".join(parts)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._held = b""
        super().close()
