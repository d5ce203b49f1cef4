"""The enums of duplicates, named in the schema."""

from __future__ import annotations

from archive_store.duplicates.documents import MergeStatus
from archive_store.duplicates.rules import Ground as DuplicateGround
from schema.enum_names import name_enum

name_enum(
    DuplicateGround,
    "Why two records may be of one person.",
    {
        "NAME": "姓名相同, or the other's former name",
        "NAME_PINYIN": "姓名拼音相同, where the names differ",
        "BIRTH_DATE": "出生日期相同",
        "GUARDIAN": "监护人相同",
        "IDENTITY_NUMBER": "身份证件号相近, as if mistyped, or borne by the other before",
        "NATIONAL_STUDENT_NUMBER": "学籍号相近, borne by the other before, or made of the other's 身份证件号",
    },
    name="DuplicateGround",
)
name_enum(
    MergeStatus,
    "合并状态.",
    {"MERGED": "已合并", "REVERSED": "已撤销"},
    name="MergeStatus",
)

__all__ = [
    "DuplicateGround",
    "MergeStatus",
]
