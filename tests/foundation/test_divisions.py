"""Divisions of GB/T 2260, those of today and those that were abolished."""

from __future__ import annotations

import re

import pytest

from archive_store.foundation import divisions
from archive_store.foundation.divisions import division, division_state


@pytest.mark.parametrize(
    ("code", "full_name", "years"),
    [
        ("330106", "浙江省杭州市西湖区", (1980, None)),
        ("110103", "北京市崇文区", (1980, 2009)),  # abolished in 2010
        ("330104", "浙江省杭州市江干区", (1980, 2020)),  # abolished in 2021
        ("340221", "安徽省芜湖市芜湖县", (1980, 2019)),
        ("370202", "山东省青岛市市南区", (1980, None)),
        ("431181", "湖南省永州市祁阳市", (2021, None)),
    ],
)
def test_a_code_of_any_time_has_its_name_with_parents_and_years(
    code: str, full_name: str, years: tuple[int, int | None]
) -> None:
    found = division(code)

    assert found is not None
    assert (found.full_name, found.valid_from_year, found.valid_to_year) == (full_name, *years)
    assert found.is_abolished == (years[1] is not None)
    assert division_state(code) == ("known" if years[1] is None else "abolished")


@pytest.mark.parametrize("code", ["000000", "999999", "3301", "33010x", "", "３３０１０６"])
def test_what_no_list_has_is_unknown(code: str) -> None:
    assert division(code) is None
    assert division_state(code) == "unknown"


def test_a_code_that_changed_its_name_tells_the_one_of_a_year() -> None:
    today = division("130502")
    before = division("130502", 2015)

    assert today is not None
    assert before is not None
    assert (today.name, today.valid_from_year, today.former_names[-1]) == ("襄都区", 2020, "桥东区")
    assert (before.name, before.valid_to_year) == ("桥东区", 2019)
    assert division("330113", 2000) is None  # 临平区 is of 2021


def test_the_data_are_whole_and_small() -> None:
    lines = divisions._DATA.read_text(encoding="utf-8").splitlines()

    assert divisions._DATA.stat().st_size < 500 * 1024
    assert "BSD" in divisions.source()
    assert "MIT" in divisions.source()
    held = [line.split("\t") for line in lines[1:]]
    assert [line[0] for line in held] == sorted(line[0] for line in held)
    for code, name, first, last in held:
        assert re.fullmatch(r"[1-9]\d{5}", code)
        assert name.strip() == name != ""
        assert 1980 <= int(first) <= int(last or 9999)
    in_force = [line for line in held if not line[3]]
    assert len({line[0] for line in in_force}) == len(in_force)
    assert len({line[0][:2] for line in in_force}) == 35  # 34 and the residence permits of Taiwan residents
    assert 2_800 < sum(not line[0].endswith("00") for line in in_force) < 3_000
