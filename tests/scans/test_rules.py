"""File names by the policy, pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.scans.file_names import PolicyFileName, parse_file_name


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
        "2023级第二批成绩单",
        "2023级成绩单第2批",
        "2023级第02批成绩单",
        "2023级成绩单.docx",
    ],
)
def test_names_that_are_none(name: str) -> None:
    if name.endswith("\n"):
        assert str(parse_file_name(name)) == name.strip()
        return
    with pytest.raises(RegistrarError) as caught:
        parse_file_name(name)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_FILE_NAME, "file_name")
