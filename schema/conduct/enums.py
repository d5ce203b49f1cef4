"""The enums of conduct (奖惩) in the schema. Importing this module names them."""

from __future__ import annotations

from archive_store.conduct.documents import (
    AppealOutcome,
    AppealStatus,
    AwardLevel,
    AwardStatus,
    SanctionKind,
    SanctionStatus,
)
from archive_store.conduct.documents import FiledAs as AppealFiledAs
from archive_store.conduct.permissions import SanctionAction
from archive_store.conduct.rules import AppealAction
from schema.enum_names import name_enum

name_enum(
    AwardLevel,
    "奖励级别.",
    {
        "CLASS": "班级",
        "SCHOOL": "校级",
        "COUNTY": "县(区)级",
        "CITY": "市级",
        "PROVINCE": "省级",
        "NATION": "国家级",
    },
)
name_enum(AwardStatus, "奖励状态.", {"RECORDED": "有效", "REVOKED": "已撤销"})
name_enum(
    SanctionKind,
    "处分种类, the lightest first.",
    {
        "WARNING": "警告",
        "SERIOUS_WARNING": "严重警告",
        "DEMERIT": "记过",
        "PROBATION": "留校察看",
        "EXPULSION": "开除学籍",
    },
)
name_enum(SanctionStatus, "处分状态.", {"IN_FORCE": "生效中", "REMOVED": "已解除", "REVOKED": "经申诉撤销"})
name_enum(
    AppealStatus,
    "申诉状态.",
    {
        "FILED": "已受理",
        "UNDER_REVIEW": "复查中",
        "DECIDED": "已作出复查决定",
        "PROVINCIAL": "已向省级教育行政部门申诉",
        "ANSWERED": "省级已答复",
    },
)
name_enum(AppealOutcome, "复查结论.", {"UPHELD": "维持", "CHANGED": "变更", "REVOKED": "撤销"})
name_enum(
    AppealFiledAs,
    "As what somebody filed an appeal.",
    {"SELF": "本人", "GUARDIAN": "监护人", "INFORMATION_GROUP": "信息管理组, from paper"},
    name="AppealFiledAs",
)
name_enum(
    SanctionAction,
    "What can be done about a sanction.",
    {"SERVE": "送达登记", "REMOVE": "解除", "APPEAL": "申诉"},
)
name_enum(
    AppealAction,
    "What can be done with an appeal.",
    {
        "APPOINT": "组成申诉处理委员会",
        "EXTEND": "延长复查期限",
        "DECIDE": "作出复查决定",
        "RECORD_PROVINCIAL": "登记省级申诉",
        "RECORD_ANSWER": "登记省级答复",
    },
)

__all__ = [
    "AppealAction",
    "AppealFiledAs",
    "AppealOutcome",
    "AppealStatus",
    "AwardLevel",
    "AwardStatus",
    "SanctionAction",
    "SanctionKind",
    "SanctionStatus",
]
