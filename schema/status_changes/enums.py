"""The enums of status changes, named in the schema."""

from __future__ import annotations

from archive_store.status_changes.documents import RulePack as StatusRulePack
from archive_store.status_changes.kinds import KINDS
from archive_store.status_changes.rules import Requirement as StatusRequirement
from archive_store.students.change_kinds import ChangeKind as StatusChangeKind
from schema.enum_names import name_enum

name_enum(
    StatusChangeKind,
    "异动类别.",
    {kind.name: facts.zh for kind, facts in KINDS.items()},
    name="StatusChangeKind",
)
name_enum(
    StatusRulePack,
    "法规包: whose rule it is.",
    {
        "K12_2025": "教基〔2025〕1号",
        "ORDER_41": "教育部令第41号",
        "SCHOOL": "学校规定, which adds to the others",
    },
    name="StatusRulePack",
)
name_enum(
    StatusRequirement,
    "What is asked of a status change.",
    {
        "STATUS": "原状态",
        "STAGE": "学段, in which there is such a change",
        "DAY": "日期, not before the running period",
        "CLASS": "班级",
        "UNDER_SANCTION": "不在处分期内",
        "FIRST_TERM": "入学已满一学期",
        "MATERIALS": "必备材料",
        "LENGTH": "期限",
        "TIER": "审批层级, at least",
        "EXPULSION": "开除学籍处分 in force, without which nobody is expelled",
    },
    name="StatusRequirement",
)
__all__ = ["StatusChangeKind", "StatusRequirement", "StatusRulePack"]
