"""C2SP chunked encryption (c2sp.org/chunked-encryption, v1): whole messages, and ranges of them.

Messages under AES-256-GCM are written, and read whole, by `cryptography.cobblestone`. It only streams, and knows no
SM4, so single chunks, and messages under SM4-GCM, are ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHUNK_SIZE = 16 * 1024
TAG_SIZE = 16
_SEALED_CHUNK = CHUNK_SIZE + TAG_SIZE
_SALT_SIZE, _COMMITMENT_SIZE, _NONCE_SIZE = 24, 32, 12
HEADER_SIZE = _SALT_SIZE + _COMMITMENT_SIZE


class DamagedMessageError(Exception):
    """The message is not whole and genuine, or key or context are not those it was sealed with."""


class ScanCipher(StrEnum):
    """An instantiation: AES-256-GCM with SHA-512 (Cobblestone-256), or SM4-GCM (RFC 8998) with SM3 for schools that
    must use the national ciphers (国密)."""

    AES_256_GCM = "AES_256_GCM"
    SM4_GCM = "SM4_GCM"

    @property
    def key_size(self) -> int:
        """Bytes of an input key."""
        return _INSTANTIATIONS[self].key_size


@dataclass(frozen=True, slots=True)
class _Instantiation:
    key_size: int
    aead: bytes  # its name in IANA's registry of AEAD algorithms
    hash: Callable[[], hashes.HashAlgorithm]


_INSTANTIATIONS = {
    ScanCipher.AES_256_GCM: _Instantiation(32, b"AEAD_AES_256_GCM", hashes.SHA512),
    ScanCipher.SM4_GCM: _Instantiation(16, b"AEAD_SM4_GCM", hashes.SM3),
}


def seal_message(
    cipher: ScanCipher, key: bytes, context: bytes, plain: bytes | bytearray, *, prefix: bytes = b""
) -> bytes:
    """The message under a random salt, after `prefix`: large ones are put together once."""
    if cipher is ScanCipher.AES_256_GCM:
        encryptor = Cobblestone256Encryptor(key, context)
        return b"".join((prefix, encryptor.update(plain), encryptor.finalize()))
    salt, view = secrets.token_bytes(_SALT_SIZE), memoryview(plain)
    keys = _MessageKeys.derive(cipher, key, salt, context)
    chunks = (
        keys.seal(number, view[number * CHUNK_SIZE :][:CHUNK_SIZE])
        for number in range(len(view) // CHUNK_SIZE + 1)
    )
    return b"".join((prefix, salt, keys.commitment, *chunks))


def open_message(cipher: ScanCipher, key: bytes, context: bytes, message: Iterable[bytes]) -> list[bytes]:
    """The plaintext of a whole message, which comes in pieces and goes in pieces; DamagedMessageError.

    Small pieces use the same memory again and again, which is faster than fresh memory for all of a large message.
    """
    if cipher is ScanCipher.AES_256_GCM:
        try:
            decryptor = Cobblestone256Decryptor(key, context)
            plain = [decryptor.update(piece) for piece in message]
            return [*filter(None, plain), decryptor.finalize()]
        except (InvalidTag, ValueError) as error:
            raise DamagedMessageError("the message is damaged") from error
    whole = b"".join(message)
    size = plain_size(len(whole))
    reader = MessageReader(cipher, key, context, whole[:HEADER_SIZE], size)
    return [reader.open(0, size, memoryview(whole)[HEADER_SIZE:])]


class MessageReader:
    """Opens ranges of a message of `size` bytes of plaintext; nothing is verified but the chunks it is given."""

    def __init__(self, cipher: ScanCipher, key: bytes, context: bytes, header: bytes, size: int) -> None:
        if len(header) != HEADER_SIZE:
            raise DamagedMessageError("the header is cut off")
        self._keys = _MessageKeys.derive(cipher, key, header[:_SALT_SIZE], context)
        if not constant_time.bytes_eq(self._keys.commitment, header[_SALT_SIZE:]):
            raise DamagedMessageError("key or context are not those of the message")
        self._size = size

    def open(self, start: int, end: int, chunks: bytes | memoryview) -> bytes:
        """The plaintext from `start` to before `end`; `chunks` are the bytes that `message_range` names for it."""
        from_byte, to_byte = message_range(self._size, start, end)
        if len(chunks) != to_byte - from_byte:
            raise DamagedMessageError("a chunk is cut off")
        first, view = start // CHUNK_SIZE, memoryview(chunks)
        plain = b"".join(
            self._keys.open(first + index, view[index * _SEALED_CHUNK :][:_SEALED_CHUNK])
            for index in range(-(-len(view) // _SEALED_CHUNK))
        )
        return plain[start - first * CHUNK_SIZE : end - first * CHUNK_SIZE]


def message_size(size: int) -> int:
    """Bytes of a message of `size` bytes of plaintext."""
    return HEADER_SIZE + size + (size // CHUNK_SIZE + 1) * TAG_SIZE


def plain_size(message: int) -> int:
    """Bytes of plaintext of a message of that many bytes; DamagedMessageError where no message has as many."""
    chunks, rest = divmod(message - HEADER_SIZE, _SEALED_CHUNK)
    if chunks < 0 or rest < TAG_SIZE:
        raise DamagedMessageError("the message is cut off")
    return chunks * CHUNK_SIZE + rest - TAG_SIZE


def message_range(size: int, start: int, end: int) -> tuple[int, int]:
    """From which to before which byte of the message the chunks lie that hold the plaintext `start` to before `end`.

    Who reads to the end needs the last chunk as well, which may be empty: it tells that this is the end.
    """
    last = size // CHUNK_SIZE if end >= size else max(end - 1, start, 0) // CHUNK_SIZE
    from_byte = HEADER_SIZE + start // CHUNK_SIZE * _SEALED_CHUNK
    return from_byte, min(HEADER_SIZE + (last + 1) * _SEALED_CHUNK, message_size(size))


@dataclass(frozen=True, slots=True, repr=False)
class _MessageKeys:
    cipher: ScanCipher
    key: bytes
    base_nonce: bytes
    commitment: bytes

    @classmethod
    def derive(cls, cipher: ScanCipher, key: bytes, salt: bytes, context: bytes) -> _MessageKeys:
        profile = _INSTANTIATIONS[cipher]
        if len(key) != profile.key_size:
            raise DamagedMessageError("the key is of another cipher")
        info = b"c2sp.org/chunked-encryption@v1+" + profile.aead + b"\0" + salt + context
        length = profile.key_size + _NONCE_SIZE + _COMMITMENT_SIZE
        material = HKDFExpand(profile.hash(), length, info).derive(key)
        nonce_at, commitment_at = profile.key_size, profile.key_size + _NONCE_SIZE
        return cls(cipher, material[:nonce_at], material[nonce_at:commitment_at], material[commitment_at:])

    def seal(self, number: int, plain: memoryview) -> bytes:
        encryptor = Cipher(algorithms.SM4(self.key), modes.GCM(self._nonce(number))).encryptor()
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def open(self, number: int, sealed: memoryview) -> bytes:
        try:
            if self.cipher is ScanCipher.AES_256_GCM:
                return AESGCM(self.key).decrypt(self._nonce(number), sealed, None)
            tag = bytes(sealed[-TAG_SIZE:])
            decryptor = Cipher(algorithms.SM4(self.key), modes.GCM(self._nonce(number), tag)).decryptor()
            return decryptor.update(sealed[:-TAG_SIZE]) + decryptor.finalize()
        except (InvalidTag, ValueError) as error:
            raise DamagedMessageError("a chunk is damaged") from error

    def _nonce(self, number: int) -> bytes:
        return (int.from_bytes(self.base_nonce) ^ number).to_bytes(_NONCE_SIZE)
