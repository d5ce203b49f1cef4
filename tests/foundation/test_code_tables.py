"""Code tables: complete, unambiguous, read as people write the values, and in versions that hold from a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from archive_store.foundation.code_tables import (
    CodeEntry,
    CodeTable,
    code_table,
    code_table_versions,
    code_tables,
    install_loaded,
    shipped_versions,
    squeezed,
)

ENTRIES = [(name, entry) for name, table in code_tables().items() for entry in table.entries]


@pytest.mark.parametrize("name", sorted(code_tables()))
def test_each_table_names_its_source_and_is_unambiguous(name: str) -> None:
    table = code_table(name)
    assert table.source and table.version
    assert len(table.codes) == len(table.entries)
    assert table.title_zh and table.title_en
    spellings = [
        spelling
        for entry in table.entries
        for spelling in {squeezed(each) for each in (entry.code, entry.zh, entry.en, *entry.also)}
    ]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=lambda value: getattr(value, "code", value))
def test_each_entry_has_both_labels_and_is_found_by_each_spelling(name: str, entry: object) -> None:
    held = next(e for e in code_table(name).entries if e is entry)
    assert held.zh and held.en
    assert {code_table(name).code_of(text) for text in (held.code, held.zh, held.en, *held.also)} == {
        held.code
    }


def test_ethnic_groups_are_the_56_of_the_standard_and_two_of_practice() -> None:
    table = code_table("ethnic_group")
    assert [e.code for e in table.entries if e.code < "97"] == [f"{number:02}" for number in range(1, 57)]
    assert [e.code for e in table.entries if e.code >= "97"] == ["97", "98"]
    assert "97 and 98 from practice" in table.source
    for entry in table.entries[:56]:
        assert entry.zh.endswith("族")
        assert table.code_of(entry.zh.removesuffix("族")) == entry.code


@pytest.mark.parametrize("text", ["汉族", "汉", " 汉族 ", "\u3000汉\u3000族", "01", "\uff10\uff11"])
def test_blanks_and_full_width_characters_do_not_matter(text: str) -> None:
    assert code_table("ethnic_group").code_of(text) == "01"


@pytest.mark.parametrize("text", ["", " ", "火星族", "1", "99", "族", "汉族汉族"])
def test_what_a_table_does_not_have(text: str) -> None:
    assert code_table("ethnic_group").code_of(text) is None


def test_codes_with_letters_in_either_case() -> None:
    assert code_table("nationality").code_of("chn") == "CHN"


def test_no_table_claims_a_standard_that_nobody_checked() -> None:
    for table in code_tables().values():
        if "GB/T" in table.source:
            assert "not checked against the standard's text" in table.source or "public copy" in table.source


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("gender", "男", "1"),
        ("gender", "男性", "1"),
        ("gender", " M ", "1"),
        ("gender", "Ｍ", "1"),
        ("gender", "Male", "1"),
        ("gender", "FEMALE", "2"),
        ("gender", "女生", "2"),
        ("gender", "1男", "1"),
        ("gender", "1-男", "1"),
        ("gender", "男(1)", "1"),
        ("gender", "1女", None),
        ("gender", "男(女)", None),
        ("gender", "男女", None),
        ("ethnic_group", "汉族(HA)", "01"),
        ("ethnic_group", "汉（HA）", "01"),
        ("ethnic_group", "ha", "01"),
        ("ethnic_group", "01汉族", "01"),
        ("ethnic_group", "01、汉族", "01"),
        ("ethnic_group", "Han", "01"),
        ("ethnic_group", "基诺族(JN)", "56"),
        ("ethnic_group", "汉族(MG)", None),
        ("ethnic_group", "02汉族", None),
        ("yes_no", "Y", "1"),
        ("yes_no", "×", "0"),
        ("nationality", "CN", "CHN"),
        ("nationality", "中国香港", "HKG"),
        ("identity_document_type", "第二代居民身份证", "1"),
        ("boarding", "寄宿生", "2"),
        ("political_status", "团员", "03"),
        ("relation", "爸爸", "51"),
        ("status_change_type", "转学（转出）", "21"),
        ("status_change_type_k12", "辍学", "28"),
    ],
)
def test_values_are_read_as_rosters_write_them(name: str, text: str, code: str | None) -> None:
    assert code_table(name).code_of(text) == code


@pytest.fixture
def loaded() -> Iterator[CodeTable]:
    """Two later versions of the household types: of 2026 with an abolished code, and of 2030."""
    shipped = code_table("household_type")
    entries = tuple(
        replace(entry, until=date(2026, 12, 31)) if entry.code == "1" else entry for entry in shipped.entries
    )
    version = replace(
        shipped,
        version="2026",
        valid_from=date(2026, 1, 1),
        entries=(*entries, CodeEntry("10", "农业", "farm")),
        loaded=1,
    )
    later = replace(version, version="2030", valid_from=date(2030, 1, 1), loaded=2)
    install_loaded([version, later], date(2027, 1, 1))
    yield version
    install_loaded([], date(2027, 1, 1))


def test_a_loaded_version_holds_from_its_day_on(loaded: CodeTable) -> None:
    assert code_table("household_type").version == "2026"
    assert code_table("household_type", date(2025, 12, 31)).version == "practice-1"
    assert code_table("household_type", date(2026, 1, 1)).version == "2026"
    assert code_table("household_type", date(2031, 1, 1)).version == "2030"
    assert [table.version for table in code_table_versions("household_type")] == [
        "practice-1",
        "2026",
        "2030",
    ]
    assert code_table("gender") == replace(shipped_versions()["gender"][0], day=date(2027, 1, 1))
    assert code_table("gender", date(1900, 1, 1)).version == "2003"


def test_an_abolished_code_keeps_its_label_and_is_not_given_any_more(loaded: CodeTable) -> None:
    today, before = code_table("household_type"), code_table("household_type", date(2026, 12, 31))
    assert "1" in before.codes
    assert today.codes == before.codes - {"1"}
    assert today.labels["1"] == "农业家庭户口"
    assert today.code_of("农业家庭户口") == "1"
    # A spelling that both have is that of the one in force.
    assert (before.code_of("农业"), today.code_of("农业")) == ("1", "10")


def test_an_unknown_table_is_a_defect() -> None:
    for ask in (code_table, code_table_versions):
        with pytest.raises(KeyError):
            ask("nosuch")
