"""The posts (岗位) of the school policy, §二(一), §三(一) and §四(一)."""

from __future__ import annotations

from enum import StrEnum


class Post(StrEnum):
    """A post that a role grant gives to a person for a time."""

    DIRECTOR = "DIRECTOR"  # 主任, the department head 部门负责人
    DEPUTY_DIRECTOR = "DEPUTY_DIRECTOR"  # 副主任
    INFORMATION_GROUP = "INFORMATION_GROUP"  # 信息管理组
    ANALYSIS_GROUP = "ANALYSIS_GROUP"  # 数据分析组
    ARCHIVE_GROUP = "ARCHIVE_GROUP"  # 档案管理组
    VICE_PRINCIPAL = "VICE_PRINCIPAL"  # 分管副校长
    PRINCIPAL = "PRINCIPAL"  # 校长
    ACADEMIC_AFFAIRS = "ACADEMIC_AFFAIRS"  # 教务处
    ADMISSIONS = "ADMISSIONS"  # 招生办
    LOGISTICS = "LOGISTICS"  # 后勤保障部
    TEACHER = "TEACHER"  # 教师
