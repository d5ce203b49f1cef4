"""The enums of transfer cases, named in the schema."""

from __future__ import annotations

from archive_store.transfer_cases.documents import (
    CaseDirection,
    CaseRoute,
    CaseState,
    Party,
    StepAct,
    StepOutcome,
    TransferReason,
)
from archive_store.transfer_cases.permissions import CaseAction
from schema.enum_names import name_enum

name_enum(CaseDirection, "转学方向.", {"IN": "转入", "OUT": "转出"}, name="TransferDirection")
name_enum(
    CaseRoute,
    "办理流程: which parties there are, and in which order.",
    {
        "SAME_COUNTY": "同县(区)",
        "CROSS_COUNTY": "跨县(区)",
        "CROSS_PROVINCE": "跨省",
        "HIGHER_EDUCATION": "高等学校, 省内",
        "HIGHER_EDUCATION_CROSS_PROVINCE": "高等学校, 跨省",
    },
    name="TransferRouteKind",
)
name_enum(
    Party,
    "办理方.",
    {
        "RECEIVING_SCHOOL": "转入学校",
        "SENDING_SCHOOL": "转出学校",
        "AUTHORITY": "主管教育行政部门",
        "RECEIVING_AUTHORITY": "转入地教育行政部门",
        "SENDING_AUTHORITY": "转出地教育行政部门",
        "MOE_PLATFORM": "全国学籍系统",
    },
    name="TransferParty",
)
name_enum(
    StepAct,
    "What a party does in its step.",
    {
        "CONSENT": "核办",
        "DECISION": "校长办公会研究决定",
        "TRANSFER": "转出",
        "PUBLICITY": "公示",
        "FILING": "备案",
    },
    name="TransferStepAct",
)
name_enum(StepOutcome, "办理结果.", {"AGREED": "同意", "REFUSED": "不同意"}, name="TransferStepOutcome")
name_enum(
    CaseState,
    "办理状态.",
    {
        "IN_PROCESS": "办理中",
        "COMPLETED": "办结, the archive has still to go",
        "CLOSED": "归档",
        "REFUSED": "不予办理",
        "WITHDRAWN": "撤回",
    },
    name="TransferCaseState",
)
name_enum(
    TransferReason,
    "转学原因.",
    {
        "FAMILY_MOVED": "家庭住址迁移",
        "GUARDIAN_WORK": "监护人工作调动",
        "MIGRANT_CHILD": "随迁或返乡",
        "ILLNESS": "患病",
        "SPECIAL_DIFFICULTY": "特殊困难",
        "OTHER": "其他",
    },
)
name_enum(
    CaseAction,
    "What can be done with a transfer case.",
    {
        "RECORD_STEP": "to write down or ask for the answer to the awaited step",
        "WITHDRAW": "撤回",
        "CLOSE": "归档",
    },
    name="TransferCaseAction",
)
__all__ = [
    "CaseAction",
    "CaseDirection",
    "CaseRoute",
    "CaseState",
    "Party",
    "StepAct",
    "StepOutcome",
    "TransferReason",
]
