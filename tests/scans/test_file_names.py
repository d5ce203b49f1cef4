"""What is wrong with a file name, what to call it instead, and names of downloads; pure."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import RegistrarError
from archive_store.inspection.media_types import EXTENSIONS, OFD, PDF
from archive_store.scans.file_names import (
    FAULTS,
    SUGGESTIONS_LIMIT,
    FileNameFault,
    PolicyFileName,
    download_name,
    parse_file_name,
    suggest_file_names,
)


@pytest.mark.parametrize("extension", [*EXTENSIONS.values(), ".OFD", ".tiff", ".JPEG"])
def test_the_extension_of_a_scan_is_no_part_of_the_name(extension: str) -> None:
    assert parse_file_name(f"2023级户口簿{extension}") == PolicyFileName(2023, 1, "户口簿")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("2023级" + "长" * 200, FileNameFault.TOO_LONG),
        ("2023级" + "长" * 80, FileNameFault.TOO_LONG),
        ("2023级成绩单:x", FileNameFault.FORBIDDEN_CHARACTER),
        ("2023级成绩单\u202egpj", FileNameFault.FORBIDDEN_CHARACTER),
        ("新生学籍信息表", FileNameFault.COHORT_MISSING),
        ("23级户口簿", FileNameFault.COHORT_MISSING),
        ("", FileNameFault.COHORT_MISSING),
        ("2023级第二批成绩单", FileNameFault.BATCH_MALFORMED),
        ("2023级第0批成绩单", FileNameFault.BATCH_MALFORMED),
        ("2023级第1234批成绩单", FileNameFault.BATCH_MALFORMED),
        ("2023级成绩单第2批", FileNameFault.BATCH_MALFORMED),
        ("2023级第2批第3批成绩单", FileNameFault.BATCH_MALFORMED),
        ("2023级", FileNameFault.TYPE_MISSING),
        ("2023级第2批.pdf", FileNameFault.TYPE_MISSING),
        ("2023级-成绩单", FileNameFault.TYPE_MISSING),
        ("2023级户口簿-", FileNameFault.STUDENT_NUMBER),
        ("2023级户口簿-20-23", FileNameFault.STUDENT_NUMBER),
        ("2023级户口簿-20级", FileNameFault.STUDENT_NUMBER),
        ("2023级体检表_2023000001", FileNameFault.FORBIDDEN_CHARACTER),
        ("2023级体检表 2023000001", FileNameFault.FORBIDDEN_CHARACTER),
    ],
)
def test_an_error_says_which_part_is_wrong(name: str, fault: FileNameFault) -> None:
    with pytest.raises(RegistrarError) as caught:
        parse_file_name(name)
    assert caught.value.details["fault"] is fault
    text = FAULTS[fault]
    assert text.zh in caught.value.message.zh
    assert text.en in caught.value.message.en


def test_an_error_carries_suggestions_in_both_languages() -> None:
    with pytest.raises(RegistrarError) as caught:
        parse_file_name("2023 新生学籍信息表.pdf")
    assert caught.value.details["suggestions"] == ["2023级新生学籍信息表"]
    for text in (caught.value.message.zh, caught.value.message.en):
        assert "2023级新生学籍信息表" in text
    with pytest.raises(RegistrarError) as caught:
        parse_file_name("成绩单", cohort=2022)
    assert caught.value.details["suggestions"] == ["2022级成绩单"]
    with pytest.raises(RegistrarError) as caught:
        parse_file_name("?")
    assert "建议" not in caught.value.message.zh and "Suggested" not in caught.value.message.en


TYPES = ("体检表", "成绩单", "户口簿", "新生学籍信息表", "学籍信息表")


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("2023 新生学籍信息表.pdf", "2023级新生学籍信息表"),
        ("2023级第二批成绩单", "2023级第2批成绩单"),
        ("2023级成绩单 第十二批", "2023级第12批成绩单"),
        ("2023级第一百零三批成绩单", "2023级第103批成绩单"),
        ("2023级第02批成绩单", "2023级第2批成绩单"),
        ("2023级三批成绩单.", "2023级第3批成绩单"),
        ("2023级成绩单:批次2", "2023级第2批成绩单"),
        ("２０２３级户口簿", "2023级户口簿"),
        ("2023級户口簿", "2023级户口簿"),
        ("二〇二三级户口簿", "2023级户口簿"),
        ("23级户口簿", "2023级户口簿"),
        ("新生学籍信息表(2023级)", "2023级新生学籍信息表"),
        ("新生学籍信息表（2023级）.PDF", "2023级新生学籍信息表"),
        ("2023级_第2批_成绩单.jpg", "2023级第2批成绩单"),
        ("D:\\scans\\2023\\2023级_户口簿.ofd", "2023级户口簿"),
        ("/home/scans/2023级.户口簿.pdf.exe", "2023级户口簿"),
        ("2023级户口本?", "2023级户口簿"),
        ("2023级新生体检表?", "2023级体检表"),
        ("张三-2023级-成绩单", "2023级成绩单"),
        ("户口簿", "2021级户口簿"),
        ("2024届户口簿", "2021级户口簿"),
        ("2023-2024学年成绩单", "2021级成绩单"),
        ("2023级成绩单*-2021000009", "2023级成绩单-2021000009"),
        ("2023级成绩单_2020123456.pdf", "2023级成绩单-2021000009"),
        ("2023级成绩单\u202e?", "2023级成绩单"),
        ("2023级第2批户口簿", "2023级第2批户口簿"),
        ("2023级成绩单 (1).pdf", "2023级成绩单"),
    ],
)
def test_the_most_probable_name_comes_first(name: str, suggested: str) -> None:
    suggestions = suggest_file_names(name, cohort=2021, document_types=TYPES, student_number="2021000009")
    assert suggestions[0] == suggested
    assert len(suggestions) <= SUGGESTIONS_LIMIT


def test_a_name_that_tells_too_little_is_not_made_up() -> None:
    for name in ("", "2023级", "第2批", "???", "2023级第0批户口簿", "2023级" + "长" * 200):
        assert suggest_file_names(name, document_types=TYPES) == []
    assert suggest_file_names("户口簿") == []
    assert not any(
        "2020123456" in name for name in suggest_file_names("成绩单-2020123456", student_number="1")
    )


_SCRAPS = st.sampled_from(
    [*TYPES, "级", "2023", "２３", "二", "第", "批", "届", "-", "_", " ", "(", ".pdf", "/", "\u202e"]
)


@given(
    st.lists(_SCRAPS | st.text(max_size=5), max_size=8).map("".join),
    st.none() | st.integers(1990, 2030),
    st.none() | st.from_regex(r"[0-9A-Za-z]{1,30}", fullmatch=True),
)
def test_whatever_is_suggested_conforms(name: str, cohort: int | None, number: str | None) -> None:
    suggestions = suggest_file_names(name, cohort=cohort, document_types=TYPES, student_number=number)
    assert len(set(suggestions)) == len(suggestions) <= SUGGESTIONS_LIMIT
    for suggested in suggestions:
        assert str(parse_file_name(suggested)) == suggested
        assert suggest_file_names(suggested) == [suggested]


def test_download_names() -> None:
    assert download_name(None, PDF) == 'attachment; filename="scan.pdf"'
    assert download_name("2023级户口簿", OFD, disposition="inline") == (
        "inline; filename=\"scan.ofd\"; filename*=UTF-8''2023%E7%BA%A7%E6%88%B7%E5%8F%A3%E7%B0%BF.ofd"
    )
    assert download_name("2023级户口簿", "text/html").startswith('attachment; filename="scan"; ')


@given(st.text())
def test_nothing_in_a_name_can_be_another_header(name: str) -> None:
    value = download_name(name, PDF)
    assert value.isascii() and value.isprintable()
    begin, _, encoded = value.partition("filename*=UTF-8''")
    assert begin == 'attachment; filename="scan.pdf"; '
    assert not set(encoded) & set(" ;,\"'\\/()<>@:?=*[]{}")
    assert unquote(encoded) == name + ".pdf"
    message = EmailMessage()
    message["Content-Disposition"] = value
    assert message["Content-Disposition"].content_disposition == "attachment"


def test_half_a_pair_is_no_name() -> None:
    assert download_name("\ud800", PDF).endswith("%3F.pdf")
