"""File names, media types and the file format, pure."""

from __future__ import annotations

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from api.dev.demo import demo_paper
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection.media_types import media_type_of
from archive_store.scans.encryption import (
    DATA_KEY,
    MAGIC,
    DamagedScanError,
    ScanEncryptor,
    decrypted,
    new_key,
    unwrap_key,
    wrap_key,
)
from archive_store.scans.file_names import PolicyFileName, parse_file_name
from archive_store.scans.page_count import count_pages

CHUNK = 16 * 1024
LENGTHS = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17]


def encrypted(plain: bytes, key: bytes, scan_id: ObjectId) -> bytes:
    encryptor = ScanEncryptor(key, scan_id)
    return encryptor.start() + encryptor.update(plain) + encryptor.finish()


def plain_of(stored: bytes, key: bytes, scan_id: ObjectId, piece: int = 10_000) -> bytes:
    pieces = (stored[start : start + piece] for start in range(0, len(stored), piece))
    return b"".join(decrypted(key, scan_id, pieces))


def test_the_policys_own_example_is_valid_and_means_the_first_batch() -> None:
    assert parse_file_name("2023级新生学籍信息表") == PolicyFileName(2023, 1, "新生学籍信息表")
    assert parse_file_name("2023级第2批成绩单-2023000001.PDF") == PolicyFileName(
        2023, 2, "成绩单", "2023000001"
    )


@given(
    st.builds(
        PolicyFileName,
        st.integers(1900, 2999),
        st.integers(1, 999),
        st.sampled_from(["新生学籍信息表", "户口簿", "成绩单", "体检表"]),
        st.none() | st.from_regex(r"[0-9A-Za-z]{1,30}", fullmatch=True),
    )
)
def test_names_survive_being_written_and_read(name: PolicyFileName) -> None:
    assert parse_file_name(str(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "新生学籍信息表",
        "23级户口簿",
        "2023级",
        "2023级第0批户口簿",
        "2023级../../etc/passwd",
        "2023级户口簿\n",
        "2023级a/b",
        "2023级" + "长" * 200,
        "2023级户口簿-",
        "２０２３级户口簿",
        "2023级成绩单.pdf.exe",
        "2023级成绩单.exe",
        '2023级成绩单"; filename=x.html',
        "2023级成绩单;x",
        "2023级成绩单%0d%0a",
        "2023级成绩单:x",
        "2023级成绩单|x",
        "2023级成绩单?",
        "2023级成绩单*",
        "2023级<script>",
        "2023级成绩单<x",
        "2023级成绩单>x",
        "2023级成绩单\u202egpj",
        "2023级成绩单\x1b",
    ],
)
def test_names_that_are_none(name: str) -> None:
    if name.endswith("\n"):
        assert str(parse_file_name(name)) == name.strip()
        return
    with pytest.raises(RegistrarError) as caught:
        parse_file_name(name)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_FILE_NAME, "file_name")


@pytest.mark.parametrize(
    ("kind", "media_type", "pages"),
    [
        ("PDF", "application/pdf", 3),
        ("TIFF", "image/tiff", 4),
        ("JPEG", "image/jpeg", 1),
        ("PNG", "image/png", 1),
    ],
)
async def test_accepted_kinds_and_their_pages(kind: str, media_type: str, pages: int) -> None:
    paper = demo_paper(kind, pages=pages)
    assert media_type_of(paper[:4096]) == media_type
    assert await count_pages(paper, media_type) == pages


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0" + bytes(200),
        b"PK\x03\x04" + bytes(200),
        b"<html>",
        b"hello",
        b"\0" * 64,
        b"GIF89a" + bytes(64),
    ],
)
def test_other_kinds_are_refused_whatever_they_call_themselves(content: bytes) -> None:
    with pytest.raises(RegistrarError) as caught:
        media_type_of(content)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize("media_type", ["application/pdf", "image/tiff"])
async def test_pages_of_a_broken_file_are_unknown(media_type: str) -> None:
    start = {"application/pdf": b"%PDF-1.7\n", "image/tiff": b"II*\0"}[media_type]
    assert await count_pages(start + b"\xff" * 1000, media_type) is None


@pytest.mark.parametrize("length", LENGTHS)
def test_round_trip_around_the_chunk(length: int) -> None:
    key, scan_id, plain = new_key(), ObjectId(), bytes(range(256)) * (length // 256 + 1)
    plain = plain[:length]
    stored = encrypted(plain, key, scan_id)
    assert stored.startswith(MAGIC)
    assert plain_of(stored, key, scan_id) == plain
    assert plain_of(stored, key, scan_id, piece=7) == plain


@pytest.mark.parametrize(
    "place", [0, len(MAGIC), len(MAGIC) + 30, len(MAGIC) + 56, len(MAGIC) + 56 + CHUNK, -1]
)
def test_a_flipped_bit_anywhere_is_found(place: int) -> None:
    key, scan_id = new_key(), ObjectId()
    stored = bytearray(encrypted(bytes(2 * CHUNK + 5), key, scan_id))
    stored[place] ^= 1
    with pytest.raises(DamagedScanError):
        plain_of(bytes(stored), key, scan_id)


@pytest.mark.parametrize("cut", [1, 16, 21, CHUNK + 16, 2 * CHUNK])
def test_a_cut_off_end_is_found(cut: int) -> None:
    key, scan_id = new_key(), ObjectId()
    stored = encrypted(bytes(2 * CHUNK + 5), key, scan_id)
    with pytest.raises(DamagedScanError):
        plain_of(stored[:-cut], key, scan_id)


def test_chunks_in_another_order_are_found() -> None:
    key, scan_id = new_key(), ObjectId()
    stored = encrypted(bytes(CHUNK) + b"\1" * CHUNK + b"\2" * CHUNK, key, scan_id)
    start, step = len(MAGIC) + 56, CHUNK + 16
    first, second = stored[start : start + step], stored[start + step : start + 2 * step]
    with pytest.raises(DamagedScanError):
        plain_of(stored[:start] + second + first + stored[start + 2 * step :], key, scan_id)


def test_a_file_under_another_scans_name_does_not_open() -> None:
    key = new_key()
    with pytest.raises(DamagedScanError):
        plain_of(encrypted(b"paper", key, ObjectId()), key, ObjectId())


def test_a_wrapped_key_opens_for_its_owner_and_purpose_alone() -> None:
    root, key, owner = new_key(), new_key(), ObjectId()
    wrapped = wrap_key(root, key, DATA_KEY, owner)
    assert len(wrapped) == 60
    assert unwrap_key(root, wrapped, DATA_KEY, owner) == key
    for other in ((new_key(), DATA_KEY, owner), (root, b"other", owner), (root, DATA_KEY, ObjectId())):
        with pytest.raises(DamagedScanError):
            unwrap_key(other[0], wrapped, other[1], other[2])
