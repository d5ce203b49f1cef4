"""What an inspection tells: warnings (提示), which never refuse a file, and small images of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class IntakeWarning(StrEnum):
    """What an archivist should look at before the original paper goes back. The last two are set by others."""

    LOW_RESOLUTION = "LOW_RESOLUTION"  # 分辨率不足, below 200 dpi (DA/T 31-2017)
    BLANK_PAGE = "BLANK_PAGE"  # 空白页
    SKEWED = "SKEWED"  # 页面偏斜
    UNREADABLE = "UNREADABLE"  # 无法读取: could not be counted or not be rendered
    PASSWORD_PROTECTED = "PASSWORD_PROTECTED"  # noqa: S105 - 设有密码
    DUPLICATE = "DUPLICATE"  # 内容重复: the same bytes are in the archive
    NOT_VIRUS_CHECKED = "NOT_VIRUS_CHECKED"  # 未查毒


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning and the pages it is of, from 1; no pages where it is of the file."""

    code: IntakeWarning
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a file: `page_count` None where it could not be counted; images are JPEG, of the first page."""

    page_count: int | None
    findings: tuple[Finding, ...] = ()
    thumbnail: bytes | None = None
    preview: bytes | None = None

    @property
    def warnings(self) -> tuple[IntakeWarning, ...]:
        return tuple(finding.code for finding in self.findings)
