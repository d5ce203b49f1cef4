"""Which kinds of file are taken, by their first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection.media_types import ACCEPTED, EXTENSIONS, OFD, PDF, media_type_of
from tests.inspection.papers import ofd, saved, text_page

PDF_FILE = saved([text_page(30)], "PDF")


@pytest.mark.parametrize("kind", ["PDF", "TIFF", "JPEG", "PNG"])
def test_accepted_kinds(kind: str) -> None:
    assert ACCEPTED[media_type_of(saved([text_page(30)], kind)[:4096])] == kind
    assert set(ACCEPTED) == set(EXTENSIONS)


def test_an_archive_is_a_candidate_for_ofd() -> None:
    assert media_type_of(ofd()[:4096]) == OFD
    assert EXTENSIONS[OFD] == ".ofd"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\0" + bytes(200),
        b"PK\x05\x06" + bytes(18),
        b"<html>",
        b"hello",
        b"\0" * 64,
        b"GIF89a" + bytes(64),
        b"\n" + PDF_FILE,
        b"<html><script>" + PDF_FILE,
        b"\x7fELF" + PDF_FILE,
        b"\0" + ofd(),
    ],
)
def test_other_kinds_are_refused_whatever_follows(content: bytes) -> None:
    with pytest.raises(RegistrarError) as caught:
        media_type_of(content[:4096])
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE
    assert "OFD" in caught.value.message.en


def test_a_pdf_with_an_archive_behind_it_is_a_pdf() -> None:
    assert media_type_of((PDF_FILE + ofd())[:4096]) == PDF


@given(st.binary(max_size=200))
def test_anything_is_told_or_refused(content: bytes) -> None:
    try:
        assert media_type_of(content) in ACCEPTED
    except RegistrarError as error:
        assert error.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE
