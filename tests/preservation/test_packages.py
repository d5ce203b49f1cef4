"""What a package tells of itself, and its four-property check: pure, each single check failed once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.package_proofs import check_proofs
from archive_store.preservation.packages import (
    DamagedPackageError,
    Package,
    PackagedEvent,
    PackagedScan,
    StoredFile,
    StoredPackage,
)
from archive_store.preservation.packages_check import (
    Check,
    Property,
    all_passed,
    checks_xml,
    four_properties,
    require_passed_report,
)
from archive_store.preservation.packages_receipt import receipt
from archive_store.preservation.packages_xml import encapsulation, parse_encapsulation, parse_xml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
EVENTS = st.builds(
    PackagedEvent,
    sequence=st.integers(1, 10**6),
    at=TEXT,
    actor=TEXT,
    operation=TEXT,
    kind=TEXT,
    hash=TEXT,
    log_index=st.none() | st.integers(0, 10**9),
)
SCANS = st.builds(
    PackagedScan,
    id=TEXT,
    path=TEXT,
    title=TEXT,
    document_type=TEXT,
    media_type=TEXT,
    size=st.integers(0, 2**40),
    page_count=st.none() | st.integers(0, 5000),
    sha256=TEXT,
    retention=st.sampled_from(["PERMANENT", "YEARS_30", "YEARS_10"]),
    filed_at=TEXT,
    filed_by=TEXT,
    events=st.lists(EVENTS, max_size=3).map(tuple),
)


@given(
    scans=st.lists(SCANS, min_size=1, max_size=3, unique_by=lambda scan: scan.id).map(tuple),
    texts=st.tuples(TEXT, TEXT, TEXT, TEXT),
    withheld=st.integers(0, 50),
)
def test_what_is_encapsulated_is_read_again(
    scans: tuple[PackagedScan, ...], texts: tuple[str, str, str, str], withheld: int
) -> None:
    unit, student_id, student_name, created_at = texts
    package = Package(unit, student_id, student_name, created_at, withheld, withheld + 1, scans)
    assert parse_encapsulation(encapsulation(package)) == package


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>"""


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<x>",
        b"<x/><y/>",
        b"\xff\xfe",
        b"<x>&e;</x>",
        BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b'<?xml version="1.0" encoding="no-such"?><x>\xff</x>',
    ],
)
def test_hostile_xml_is_refused(document: bytes) -> None:
    with pytest.raises(DamagedPackageError):
        parse_xml(document)


SCAN = PackagedScan(
    id="U2Nhbjox",
    path="data/2023级户口簿.pdf",
    title="2023级户口簿",
    document_type="户口簿",
    media_type="application/pdf",
    size=10,
    page_count=2,
    sha256="ab" * 32,
    retention="PERMANENT",
    filed_at="2026-09-01T08:00:00+00:00",
    filed_by="王老师",
    events=(
        PackagedEvent(1, "2026-09-01T08:00:00+00:00", "王老师", "scan.file", "scan:file", "00", 7),
        PackagedEvent(2, "2026-09-02T08:00:00+00:00", "李主任", "scan.view", "scan:view", "01", None),
    ),
)
PROOFS = Check(Property.AUTHENTICITY, "审计日志存在性证明检测", None, "none")


def sound(**scan: Any) -> StoredPackage:
    """A package of one scan, whose metadata is as given and whose file is as it should be."""
    package = Package("第一中学", "U3R1ZGVudDox", "张三", "2026-11-25", 0, 0, (replace(SCAN, **scan),))
    file = StoredFile(SCAN.size, SCAN.sha256, SCAN.media_type, opens=True, page_count=SCAN.page_count)
    return StoredPackage(package, {SCAN.path: file}, {SCAN.path: SCAN.sha256}, (SCAN.size, 1))


def failed(stored: StoredPackage) -> set[str]:
    return {check.name for check in four_properties(stored, proofs=PROOFS) if check.passed is False}


def test_a_sound_package_passes_every_check_of_all_four_properties() -> None:
    checks = four_properties(sound(), proofs=PROOFS)
    assert all_passed(checks) and {check.property for check in checks} == set(Property)
    # What was not done is told so.
    assert {check.name for check in checks if check.passed is None} == {PROOFS.name, "病毒感染检测"}
    require_passed_report(checks_xml(checks, "2026-11-25"))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (sound(sha256="cd" * 32), {"固化信息有效性检测"}),
        (sound(sha256="AB" * 32), {"固化信息有效性检测", "元数据项数据类型、格式检测"}),
        (sound(filed_at="yesterday"), {"元数据项数据类型、格式检测"}),
        (sound(title="户口簿"), {"元数据项数据类型、格式检测"}),
        (sound(retention="短期"), {"设定值域的元数据项值域符合度检测"}),
        (sound(size=11), {"内容数据的电子属性一致性检测", "总字节数相符性检测"}),
        (sound(media_type="image/png"), {"内容数据的电子属性一致性检测"}),
        (sound(page_count=3), {"页数相符性检测"}),
        (sound(page_count=None), set()),
        (sound(filed_by=""), {"元数据必填著录项目检测"}),
        (sound(events=SCAN.events[1:]), {"过程信息完整性检测"}),
        (sound(events=(SCAN.events[0], replace(SCAN.events[1], sequence=3))), {"过程信息完整性检测"}),
        (sound(events=()), set()),
        (replace(sound(), payload_oxum=None), {"总件数相符性检测", "总字节数相符性检测"}),
        (replace(sound(), unexpected=("x",)), {"信息包内容安全检测"}),
        (
            replace(sound(), files={}),
            {
                "固化信息有效性检测",
                "内容数据的电子属性一致性检测",
                "元数据是否关联内容数据检测",
                "总件数相符性检测",
                "总字节数相符性检测",
                "页数相符性检测",
            },
        ),
    ],
)
def test_each_check_fails_for_what_it_is_about(stored: StoredPackage, expected: set[str]) -> None:
    assert failed(stored) == expected


def test_files_that_do_not_open_or_are_of_no_accepted_kind_fail() -> None:
    file = replace(sound().files[SCAN.path], opens=False, media_type=None)
    assert failed(replace(sound(), files={SCAN.path: file})) == {
        "内容数据的电子属性一致性检测",
        "内容数据格式检测",
        "内容数据的可读性检测",
    }


def test_two_scans_of_one_file_fail() -> None:
    stored = sound()
    twice = replace(stored.package, scans=stored.package.scans * 2)
    assert "元数据项数据重复性检测" in failed(replace(stored, package=twice))


def test_withheld_scans_are_told_and_fail_nothing() -> None:
    stored = replace(sound(), package=replace(sound().package, withheld=2))
    checks = four_properties(stored, proofs=PROOFS)
    (told,) = [check for check in checks if check.name == "移交范围完整性检测"]
    assert (told.passed, told.measured[:2], all_passed(checks)) == (None, "2 ", True)


@pytest.mark.parametrize("passed", [False, None])
def test_a_report_that_did_not_pass_is_refused(passed: bool | None) -> None:
    checks = [Check(Property.SECURITY, "病毒感染检测", passed, "x")]
    if passed is None:
        require_passed_report(checks_xml(checks, "2026"))
        return
    with pytest.raises(DamagedPackageError):
        require_passed_report(checks_xml(checks, "2026"))


def test_a_receipt_names_what_was_received_and_says_when_it_failed() -> None:
    stored = replace(sound(), unexpected=("x",))
    checks = four_properties(stored, proofs=PROOFS)
    told = parse_xml(receipt(stored.package, checks, "ef" * 32, "市档案馆\n", "2026-11-25T08:00:00+00:00"))
    assert told.findtext("接收单位") == "市档案馆"
    assert (told.findtext("四性检测结论"), told.findtext("移交包摘要")) == ("不通过", "ef" * 32)
    assert [text.text for text in told.findall("说明")] == [
        "兹收到第一中学移交的电子档案1件,共10字节,四性检测不通过。",
        "Received from 第一中学: 1 electronic records, 10 bytes in all. The four-property check did not pass.",
    ]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ({"checkpoint": None, "proofs": []}, None),
        ({}, None),
        ({"checkpoint": None, "proofs": [{}]}, False),
    ],
)
def test_a_package_without_proofs_says_so(history: dict[str, Any], expected: bool | None) -> None:
    assert check_proofs(history, sound().package, None).passed is expected


@pytest.mark.parametrize("history", [{"checkpoint": "x", "proofs": []}, {"checkpoint": 3, "proofs": 3}])
def test_proofs_of_another_shape_are_refused(history: dict[str, Any]) -> None:
    with pytest.raises(DamagedPackageError):
        check_proofs(history, sound().package, None)
