"""The enums of graduation, named in the schema."""

from __future__ import annotations

from archive_store.graduation.documents import GraduationOutcome, GraduationRequirement
from schema.enum_names import name_enum

name_enum(
    GraduationOutcome,
    "毕业结论.",
    {"GRADUATE": "毕业", "COMPLETE": "结业", "LEAVE_INCOMPLETE": "肄业"},
)
name_enum(
    GraduationRequirement,
    "What a rule of the credential audit asks (学历审核).",
    {
        "IN_STUDY": "在读",
        "STUDY_MONTHS": "学习年限",
        "DOCUMENTS": "档案材料",
        "CREDITS": "学分",
        "COURSES_PASSED": "课程及格",
        "GPA": "平均学分绩点",
        "NO_SANCTION_IN_FORCE": "无生效中的处分",
        "ATTENDANCE": "出勤率",
    },
)
__all__ = ["GraduationOutcome", "GraduationRequirement"]
