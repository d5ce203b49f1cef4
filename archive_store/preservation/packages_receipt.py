"""The receipt (交接凭证) of a transfer package: what was received, how it was checked, when and by whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from archive_store.preservation.packages import Package
from archive_store.preservation.packages_check import Check, all_passed
from archive_store.preservation.packages_xml import add_text, xml_document


def receipt(package: Package, checks: Sequence[Check], bag_digest: str, receiver: str, at: str) -> bytes:
    """As XML with a text in both languages. `bag_digest` is the SHA-256 of the tag manifest in hex, which stands for
    every byte of the package; `at` is ISO 8601."""
    size, count = sum(scan.size for scan in package.scans), len(package.scans)
    passed = all_passed(checks)
    done = sum(check.passed is not None for check in checks)
    root = Element("电子档案交接凭证")
    for name, text in (
        ("移交单位", package.unit),
        ("接收单位", receiver),
        ("交接时间", at),
        ("案卷", package.student_id),
        ("移交件数", str(count)),
        ("移交字节数", str(size)),
        ("未移交件数", str(package.withheld)),
        ("移交包摘要算法", "SHA-256"),
        ("移交包摘要", bag_digest),
        ("四性检测结论", "通过" if passed else "不通过"),
        ("已检测项目数", str(done)),
    ):
        add_text(root, name, text)
    SubElement(
        root, "说明", {"xml:lang": "zh-CN"}
    ).text = (
        f"兹收到{package.unit}移交的电子档案{count}件,共{size}字节,四性检测{'通过' if passed else '不通过'}。"
    )
    SubElement(root, "说明", {"xml:lang": "en"}).text = (
        f"Received from {package.unit}: {count} electronic records, {size} bytes in all. The four-property check "
        f"{'passed' if passed else 'did not pass'}."
    )
    return xml_document(root)
