"""The enums of courses and grades as GraphQL ones."""

from __future__ import annotations

from archive_store.academics.averages import RankWithin
from archive_store.academics.documents import GradeKind, GradeStatus, GradingScheme
from schema.enum_names import name_enum

name_enum(
    GradingScheme,
    "记分方式: what a score of the course may be.",
    {
        "PERCENT": "百分制: 0 to 100, one decimal at most",
        "FIVE_LEVEL": "五级制: A 优秀, B 良好, C 中等, D 及格, F 不及格",
        "PASS_FAIL": "两级制: P 合格, F 不合格",
    },
)
name_enum(GradeKind, "考试性质.", {"REGULAR": "正考", "MAKEUP": "补考", "RETAKE": "重修"})
name_enum(
    GradeStatus,
    "成绩状态. A missed or deferred exam has no score.",
    {"ENTERED": "已录入", "CORRECTED": "已更正", "ABSENT": "缺考", "DEFERRED": "缓考"},
)
name_enum(RankWithin, "Among whom a student is ranked.", {"CLASS": "班级", "GRADE": "年级"})

__all__ = ["GradeKind", "GradeStatus", "GradingScheme", "RankWithin"]
