"""The stages of schooling (学段)."""

from __future__ import annotations

from enum import StrEnum


class SchoolStage(StrEnum):
    """学段."""

    PRIMARY = "PRIMARY"  # 小学
    JUNIOR = "JUNIOR"  # 初中
    SENIOR = "SENIOR"  # 普通高中
    VOCATIONAL = "VOCATIONAL"  # 中等职业
    UNDERGRAD = "UNDERGRAD"  # 本专科
    POSTGRAD = "POSTGRAD"  # 研究生
    SPECIAL = "SPECIAL"  # 特殊教育
