"""Code tables: complete, unambiguous, and read as people write the values."""

from __future__ import annotations

import pytest

from archive_store.foundation.code_tables import code_table, code_tables

ENTRIES = [(name, entry) for name, table in code_tables().items() for entry in table.entries]


@pytest.mark.parametrize("name", sorted(code_tables()))
def test_each_table_names_its_source_and_is_unambiguous(name: str) -> None:
    table = code_table(name)
    assert table.source and table.version
    assert len(table.codes) == len(table.entries)
    spellings = [s for entry in table.entries for s in {entry.code, entry.zh, *entry.also}]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=lambda value: getattr(value, "code", value))
def test_each_entry_has_both_labels_and_is_found_by_each_spelling(name: str, entry: object) -> None:
    held = next(e for e in code_table(name).entries if e is entry)
    assert held.zh and held.en
    assert {code_table(name).code_of(text) for text in (held.code, held.zh, *held.also)} == {held.code}


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
