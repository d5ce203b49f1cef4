"""The format of FORMAT.md: whole segments and ranges of them, against the library, public vectors, and forgeries."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from cryptography.cobblestone import Cobblestone256Decryptor
from hypothesis import given
from hypothesis import strategies as st

from archive_store.scans import chunked_encryption as c2sp
from archive_store.scans.chunked_encryption import CHUNK_SIZE, DamagedMessageError, MessageReader, ScanCipher
from archive_store.scans.encryption import (
    HEADER_SIZE,
    PREFIX_SIZE,
    DamagedScanError,
    Part,
    ScanKey,
    SegmentPlace,
    stored_range,
    stored_size,
)

LENGTHS = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 3 * CHUNK_SIZE + 17]
SEALED_CHUNK = CHUNK_SIZE + 16
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "vectors" / "chunked_encryption_aes_256_gcm.json").read_text()
)["vectors"]
AES = ScanCipher.AES_256_GCM
PLACE = SegmentPlace(ObjectId(), 1, Part.CONTENT, 0, True)


def plain_of(length: int) -> bytes:
    return (bytes(range(251)) * (length // 251 + 1))[:length]


def opened_by_chunks(key: bytes, context: bytes, message: bytes) -> bytes:
    """By the reader of ranges, chunk by chunk, to the end."""
    size = c2sp.plain_size(len(message))
    reader = MessageReader(AES, key, context, message[: c2sp.HEADER_SIZE], size)
    plain = b""
    for start in range(0, size + 1, CHUNK_SIZE):
        end = min(start + CHUNK_SIZE, size)
        from_byte, to_byte = c2sp.message_range(size, start, end)
        plain += reader.open(start, end, message[from_byte:to_byte])
    return plain


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"tc{vector['tcId']}")
def test_public_vectors(vector: dict[str, Any]) -> None:
    key, context = bytes.fromhex(vector["key"]), bytes.fromhex(vector["ctx"])
    message = zlib.decompress(bytes.fromhex(vector["ct"]))
    openers = (
        lambda: b"".join(c2sp.open_message(AES, key, context, [message])),
        lambda: opened_by_chunks(key, context, message),
    )
    for opener in openers:
        if vector["result"] == "valid":
            plain = opener()
            assert (len(plain), hashlib.sha512(plain).hexdigest()) == (
                vector["msgLength"],
                vector["msgSha512"],
            )
        else:
            with pytest.raises(DamagedMessageError):
                opener()


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 35
    assert {vector["result"] for vector in VECTORS} == {"valid", "invalid"}


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_sealed_opens_by_the_library(length: int) -> None:
    key, plain = ScanKey.new(AES), plain_of(length)
    segment = key.seal(PLACE, plain)
    decryptor = Cobblestone256Decryptor(key.data_key, PLACE.context(AES))
    assert decryptor.update(segment[PREFIX_SIZE:]) + decryptor.finalize() == plain


@pytest.mark.parametrize("cipher", ScanCipher)
@pytest.mark.parametrize("length", LENGTHS)
def test_round_trip_around_the_chunk(cipher: ScanCipher, length: int) -> None:
    key, plain = ScanKey.new(cipher), plain_of(length)
    segment = key.seal(PLACE, plain)
    assert len(segment) == stored_size(length)
    assert b"".join(key.open(PLACE, [segment])) == plain
    cut = HEADER_SIZE + 7
    assert b"".join(key.open(PLACE, [segment[:cut], segment[cut:]])) == plain
    assert key.seal(PLACE, plain) != segment  # another salt, so other keys and nonces


@given(st.sampled_from(ScanCipher), st.sampled_from(LENGTHS), st.data())
def test_ranges_are_those_of_the_whole(cipher: ScanCipher, length: int, data: st.DataObject) -> None:
    key, plain = ScanKey.new(cipher), plain_of(length)
    segment = key.seal(PLACE, plain)
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    from_byte, to_byte = stored_range(length, start, end)
    found = key.open_range(PLACE, length, start, end, segment[:HEADER_SIZE], segment[from_byte:to_byte])
    assert found == plain[start:end]
    assert to_byte - from_byte <= ((end - start) // CHUNK_SIZE + 2) * SEALED_CHUNK


@pytest.mark.parametrize("cipher", ScanCipher)
def test_a_flipped_bit_anywhere_is_found(cipher: ScanCipher) -> None:
    key, length = ScanKey.new(cipher), 2 * CHUNK_SIZE + 5
    segment = key.seal(PLACE, plain_of(length))
    places = [
        *range(HEADER_SIZE + 40),
        HEADER_SIZE + SEALED_CHUNK - 1,
        HEADER_SIZE + SEALED_CHUNK,
        len(segment) - 1,
    ]
    for place in places:
        forged = bytearray(segment)
        forged[place] ^= 1
        with pytest.raises(DamagedScanError):
            key.open(PLACE, [bytes(forged)])
        with pytest.raises(DamagedScanError):
            key.open_range(PLACE, length, 0, length, bytes(forged[:HEADER_SIZE]), bytes(forged[HEADER_SIZE:]))


@pytest.mark.parametrize("cipher", ScanCipher)
@pytest.mark.parametrize("cut", [1, 16, 21, CHUNK_SIZE + 16, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 100])
def test_a_cut_off_end_is_found(cipher: ScanCipher, cut: int) -> None:
    key = ScanKey.new(cipher)
    segment = key.seal(PLACE, plain_of(2 * CHUNK_SIZE + 5))
    with pytest.raises(DamagedScanError):
        key.open(PLACE, [segment[:-cut]])


@pytest.mark.parametrize("cipher", ScanCipher)
def test_chunks_in_another_order_are_found(cipher: ScanCipher) -> None:
    key = ScanKey.new(cipher)
    segment = key.seal(PLACE, plain_of(3 * CHUNK_SIZE))
    first, second, rest = (segment[HEADER_SIZE:][at * SEALED_CHUNK :] for at in range(3))
    forged = segment[:HEADER_SIZE] + second[:SEALED_CHUNK] + first[:SEALED_CHUNK] + rest
    assert len(forged) == len(segment)
    with pytest.raises(DamagedScanError):
        key.open(PLACE, [forged])


@pytest.mark.parametrize("cipher", ScanCipher)
@pytest.mark.parametrize(
    "other",
    [
        SegmentPlace(ObjectId(), 1, Part.CONTENT, 0, True),
        SegmentPlace(PLACE.scan_id, 2, Part.CONTENT, 0, True),
        SegmentPlace(PLACE.scan_id, 1, Part.TAIL, 0, True),
        SegmentPlace(PLACE.scan_id, 1, Part.CONTENT, 1, True),
        SegmentPlace(PLACE.scan_id, 1, Part.CONTENT, 0, False),
    ],
    ids=["scan", "version", "part", "number", "last"],
)
def test_a_segment_opens_in_its_own_place_only(cipher: ScanCipher, other: SegmentPlace) -> None:
    key = ScanKey.new(cipher)
    segment = key.seal(PLACE, b"paper")
    with pytest.raises(DamagedScanError):
        key.open(other, [segment])
    with pytest.raises(DamagedScanError):
        key.open_range(other, 5, 0, 5, segment[:HEADER_SIZE], segment[HEADER_SIZE:])


@pytest.mark.parametrize("cipher", ScanCipher)
def test_another_key_or_cipher_does_not_open_it(cipher: ScanCipher) -> None:
    segment = ScanKey.new(cipher).seal(PLACE, b"paper")
    for key in (ScanKey.new(AES), ScanKey.new(ScanCipher.SM4_GCM)):
        with pytest.raises(DamagedScanError):
            key.open(PLACE, [segment])


def test_a_key_does_not_show_itself() -> None:
    key = ScanKey.new(AES)
    assert key.data_key.hex() not in repr(key)
    assert repr(key.data_key) not in repr(key)
