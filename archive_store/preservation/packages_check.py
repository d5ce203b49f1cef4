"""The four-property check (四性检测) of a transfer package, after DA/T 70-2018: 真实性, 完整性, 可用性, 安全性. Pure.

Each single check says what was measured. One that could not be done here is told as not done, and fails nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.etree.ElementTree import Element, SubElement

from archive_store.foundation.errors import RegistrarError
from archive_store.inspection.media_types import ACCEPTED
from archive_store.preservation.packages import DamagedPackageError, PackagedScan, StoredPackage
from archive_store.preservation.packages_xml import RETENTION, parse_xml, xml_document
from archive_store.scans.file_names import parse_file_name


class Property(StrEnum):
    AUTHENTICITY = "真实性"
    INTEGRITY = "完整性"
    USABILITY = "可用性"
    SECURITY = "安全性"


ENGLISH = {
    Property.AUTHENTICITY: "authenticity",
    Property.INTEGRITY: "integrity",
    Property.USABILITY: "usability",
    Property.SECURITY: "security",
}
_RESULTS = {True: "通过", False: "不通过", None: "未检测"}


@dataclass(frozen=True, slots=True)
class Check:
    """One single check: what was measured, and whether that is right; None where it was not done."""

    property: Property
    name: str
    passed: bool | None
    measured: str


def four_properties(stored: StoredPackage, *, proofs: Check, viruses: Check | None = None) -> list[Check]:
    """Every check of the package; `proofs` is that of the audit log's proofs, which has its own verifier."""
    return [
        *_authenticity(stored),
        proofs,
        *_integrity(stored),
        *_usability(stored),
        Check(
            Property.SECURITY,
            "信息包内容安全检测",
            not stored.unexpected,
            f"{len(stored.unexpected)} unexpected files, links or folders",
        ),
        viruses or Check(Property.SECURITY, "病毒感染检测", None, "no virus scanner was asked here"),
    ]


def all_passed(checks: Sequence[Check]) -> bool:
    return all(check.passed is not False for check in checks)


def _authenticity(stored: StoredPackage) -> list[Check]:
    package, files = stored.package, stored.files
    scans = package.scans
    same = [
        s
        for s in scans
        if s.path in files and files[s.path].sha256 == s.sha256 == stored.manifest.get(s.path)
    ]
    typed = [scan for scan in scans if _is_well_typed(scan)]
    in_range = [scan for scan in scans if scan.retention in RETENTION and scan.media_type in ACCEPTED]
    alike = [scan for scan in scans if scan.path in files and _is_alike(scan, stored)]
    unique = len({scan.id for scan in scans}) == len({scan.path for scan in scans}) == len(scans)
    told = {scan.path for scan in scans}
    linked = told == files.keys() == stored.manifest.keys()

    def of_scans(name: str, passing: Sequence[PackagedScan], what: str) -> Check:
        measured = f"{what}: {len(passing)} of {len(scans)}"
        return Check(Property.AUTHENTICITY, name, len(passing) == len(scans), measured)

    return [
        of_scans("固化信息有效性检测", same, "SHA-256 of the content is that of metadata and manifest"),
        of_scans("元数据项数据类型、格式检测", typed, "identifiers, dates and digests well-formed"),
        of_scans("设定值域的元数据项值域符合度检测", in_range, "retention and format among those allowed"),
        Check(
            Property.AUTHENTICITY, "元数据项数据重复性检测", unique, "identifiers and file names are unique"
        ),
        of_scans(
            "内容数据的电子属性一致性检测", alike, "size and format by content are those of the metadata"
        ),
        Check(
            Property.AUTHENTICITY,
            "元数据是否关联内容数据检测",
            linked,
            f"{len(told)} files in metadata, {len(stored.manifest)} in manifest, {len(files)} there",
        ),
    ]


def _integrity(stored: StoredPackage) -> list[Check]:
    package, files = stored.package, stored.files
    size, told_size = sum(file.size for file in files.values()), sum(scan.size for scan in package.scans)
    oxum = stored.payload_oxum or (-1, -1)
    required = [
        scan
        for scan in package.scans
        if all((scan.id, scan.title, scan.document_type, scan.filed_at, scan.filed_by, scan.retention))
    ]
    histories = [scan for scan in package.scans if scan.events]
    whole = [scan for scan in histories if _is_whole_history(scan)]
    return [
        Check(
            Property.INTEGRITY,
            "总件数相符性检测",
            len(package.scans) == len(files) == oxum[1] > 0,
            f"{len(package.scans)} scans in metadata, {len(files)} files, {oxum[1]} by Payload-Oxum",
        ),
        Check(
            Property.INTEGRITY,
            "总字节数相符性检测",
            told_size == size == oxum[0],
            f"{told_size} bytes in metadata, {size} there, {oxum[0]} by Payload-Oxum",
        ),
        Check(
            Property.INTEGRITY,
            "元数据必填著录项目检测",
            bool(package.unit) and len(required) == len(package.scans),
            f"required items given: {len(required)} of {len(package.scans)}",
        ),
        Check(
            Property.INTEGRITY,
            "过程信息完整性检测",
            len(whole) == len(histories) if histories else None,
            f"histories without a gap, from filing on: {len(whole)} of {len(histories)} that were shown",
        ),
        Check(
            Property.INTEGRITY,
            "移交范围完整性检测",
            True if not package.withheld else None,
            f"{package.withheld} scans withheld by the rights of who made the package; {package.disposed} disposed of",
        ),
    ]


def _usability(stored: StoredPackage) -> list[Check]:
    files = stored.files
    accepted = [file for file in files.values() if file.media_type in ACCEPTED]
    opening = [file for file in files.values() if file.opens]
    counted = [scan for scan in stored.package.scans if scan.path in files and _has_its_pages(scan, stored)]
    return [
        Check(Property.USABILITY, "信息包中元数据的可读性检测", True, "the encapsulation was read"),
        Check(
            Property.USABILITY,
            "内容数据格式检测",
            len(accepted) == len(files),
            f"of an accepted format ({', '.join(ACCEPTED.values())}): {len(accepted)} of {len(files)}",
        ),
        Check(
            Property.USABILITY,
            "内容数据的可读性检测",
            len(opening) == len(files),
            f"could be opened: {len(opening)} of {len(files)}",
        ),
        Check(
            Property.USABILITY,
            "页数相符性检测",
            len(counted) == len(stored.package.scans),
            f"as many pages as the metadata tells: {len(counted)} of {len(stored.package.scans)}",
        ),
    ]


def _is_well_typed(scan: PackagedScan) -> bool:
    try:
        datetime.fromisoformat(scan.filed_at)
        parse_file_name(scan.title)
        for event in scan.events:
            datetime.fromisoformat(event.at)
    except (ValueError, RegistrarError):
        return False
    return len(scan.sha256) == 64 and set(scan.sha256) <= set("0123456789abcdef")


def _is_alike(scan: PackagedScan, stored: StoredPackage) -> bool:
    file = stored.files[scan.path]
    return file.size == scan.size and file.media_type == scan.media_type


def _has_its_pages(scan: PackagedScan, stored: StoredPackage) -> bool:
    return scan.page_count in (None, stored.files[scan.path].page_count)


def _is_whole_history(scan: PackagedScan) -> bool:
    sequences = [event.sequence for event in scan.events]
    return sequences == list(range(1, len(sequences) + 1)) and scan.events[0].kind == "scan:file"


def checks_xml(checks: Sequence[Check], checked_at: str) -> bytes:
    """The report as XML."""
    root = Element("四性检测", {"标准": "DA/T 70-2018", "检测时间": checked_at})
    for held in Property:
        part = SubElement(root, "检测类别", {"名称": held.value, "name": ENGLISH[held]})
        for check in checks:
            if check.property is held:
                item = SubElement(part, "检测项目", {"名称": check.name, "结果": _RESULTS[check.passed]})
                item.text = check.measured
    SubElement(root, "结论").text = _RESULTS[all_passed(checks)]
    return xml_document(root)


def require_passed_report(document: bytes) -> None:
    """DamagedPackageError unless it is a report whose result is that all is well."""
    root = parse_xml(document)
    results = [item.get("结果") for item in root.iter("检测项目")]
    if root.tag != "四性检测" or not results or _RESULTS[False] in results:
        raise DamagedPackageError("the package's own four-property check did not pass")
    if root.findtext("结论") != _RESULTS[True]:
        raise DamagedPackageError("the package's own four-property check has no result")
