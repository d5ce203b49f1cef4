"""Sealing of single values in MongoDB's own format, so that client-side encryption anywhere opens them.

libmongocrypt takes longer for its bookkeeping than for the encryption of so small a value, and a roster has a million
of them. The format is that of MongoDB's specification (client-side encryption, BSON binary subtype 6), the algorithm
AEAD_AES_256_CBC_HMAC_SHA_512-Random: encrypt, then MAC. Opening stays with libmongocrypt, which so checks all of this
at every start, and in the tests every kind of value.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from typing import Any

import bson
from bson.binary import Binary
from bson.codec_options import CodecOptions
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pymongo.errors import EncryptionError

ENCRYPTED_SUBTYPE = 6
_RANDOM = 2
_BLOCK = 16
_KEY_SIZE = 32
_TAG_SIZE = 32
_HASH_BLOCK = 128
# A BSON document of one value under an empty name: length, type, the name's end; and its own end.
_HEAD, _TYPE_AT, _TAIL = 6, 4, 1
# Nearly all values are these; the codec's way to one takes as long as its encryption.
_TEXT, _TRUTH = b"\x02", b"\x08"
_PADDINGS = [bytes([size]) * size for size in range(_BLOCK + 1)]


class ValueSealer:
    """Seals under one data key: its id in the key vault, and its 96 bytes, which are for MAC, encryption and IVs."""

    def __init__(self, key_id: bytes, material: bytes, options: CodecOptions[Any]) -> None:
        if len(key_id) != _BLOCK or len(material) != 3 * _KEY_SIZE:
            raise EncryptionError(ValueError("no data key"))
        self._header = bytes([_RANDOM]) + key_id
        self._tag = _tagger(material[:_KEY_SIZE])
        self._cipher_key = algorithms.AES(material[_KEY_SIZE : 2 * _KEY_SIZE])
        self._options = options

    def seal(self, values: Sequence[Any]) -> list[Any]:
        """Each value sealed; None stays None."""
        ivs = os.urandom(_BLOCK * len(values))
        # One for all: to make it costs more than a value does. CBC takes the block before as the IV of the next, which
        # is taken out of the first block of each value, and the value's own put in.
        update = Cipher(self._cipher_key, modes.CBC(bytes(_BLOCK))).encryptor().update
        tag = self._tag
        before = 0
        sealed: list[Any] = []
        for place, value in enumerate(values):
            if value is None:
                sealed.append(None)
                continue
            iv = ivs[place * _BLOCK : (place + 1) * _BLOCK]
            if value is True or value is False:
                kind, plain = _TRUTH, b"\1" if value else b"\0"
            elif type(value) is str:
                kind, plain = _TEXT, value.encode()
                plain = b"%b%b\0" % ((len(plain) + 1).to_bytes(4, "little"), plain)
            else:
                document = bson.encode({"": value}, codec_options=self._options)
                kind, plain = document[_TYPE_AT : _TYPE_AT + 1], document[_HEAD:-_TAIL]
            padding = _BLOCK - len(plain) % _BLOCK
            plain += _PADDINGS[padding]
            first = int.from_bytes(plain[:_BLOCK], "big") ^ int.from_bytes(iv, "big") ^ before
            blocks = update(first.to_bytes(_BLOCK, "big") + plain[_BLOCK:])
            before = int.from_bytes(blocks[-_BLOCK:], "big")
            head = self._header + kind
            content = iv + blocks
            sealed.append(Binary(head + content + tag(head, content), ENCRYPTED_SUBTYPE))
        return sealed


def _tagger(key: bytes) -> Callable[[bytes, bytes], bytes]:
    """HMAC-SHA-512 (RFC 2104) of many values under one key, whose part of it is digested once."""
    padded = key.ljust(_HASH_BLOCK, b"\0")
    inner, outer = (hashlib.sha512(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))

    def tag(associated: bytes, sealed: bytes) -> bytes:
        inside, outside = inner.copy(), outer.copy()
        inside.update(associated + sealed + (8 * len(associated)).to_bytes(8, "big"))
        outside.update(inside.digest())
        return outside.digest()[:_TAG_SIZE]

    return tag


def unwrapped_key(master_key: bytes, wrapped: bytes) -> bytes:
    """The material of a data key that a local master key wraps. EncryptionError under another one."""
    sealed, tag = wrapped[:-_TAG_SIZE], wrapped[-_TAG_SIZE:]
    if not hmac.compare_digest(_tagger(master_key[:_KEY_SIZE])(b"", sealed), tag):
        raise EncryptionError(ValueError("the master key does not open the data key"))
    iv, content = sealed[:_BLOCK], sealed[_BLOCK:]
    key = algorithms.AES(master_key[_KEY_SIZE : 2 * _KEY_SIZE])
    plain = Cipher(key, modes.CBC(iv)).decryptor().update(content)
    return plain[: -plain[-1]]
