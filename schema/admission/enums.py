"""The enums of admission, named in the schema."""

from __future__ import annotations

from archive_store.admission.collection import SupplyOutcome as AdmissionSupplyOutcome
from archive_store.admission.documents import Capacity as AdmissionCapacity
from archive_store.admission.documents import CaseStatus as AdmissionCaseStatus
from archive_store.admission.documents import Channel as AdmissionChannel
from archive_store.admission.documents import SchoolStage
from archive_store.admission.documents import Seat as AdmissionSeat
from schema.enum_names import name_enum

name_enum(
    AdmissionCapacity,
    "As what somebody confirms or objects.",
    {"SELF": "本人", "GUARDIAN": "监护人", "AT_SCHOOL": "到校, written down by a member of staff"},
    name="AdmissionCapacity",
)
name_enum(
    AdmissionCaseStatus,
    "入学办理状态.",
    {
        "COLLECTING": "信息采集",
        "IN_REVIEW": "资格审核, two seats sign",
        "REVIEW_FAILED": "审核未通过",
        "READY_FOR_ENTRY": "待录入",
        "ENTERED": "已录入",
        "AWAITING_CONFIRMATION": "待确认",
        "OBJECTED": "有异议",
        "CORRECTED": "已更正, to be confirmed again",
        "CONFIRMED": "已确认",
    },
    name="AdmissionCaseStatus",
)
name_enum(
    AdmissionChannel,
    "来源: by which way information came.",
    {
        "ADMISSIONS_OFFICE": "招生办",
        "INFORMATION_GROUP": "信息管理组",
        "ROSTER": "花名册, a file",
        "FEED": "数据接口, another system",
    },
    name="AdmissionChannel",
)
name_enum(
    AdmissionSeat,
    "The two seats of the qualification review (资格审核).",
    {"ACADEMIC_AFFAIRS": "教务处", "DEPARTMENT": "学籍管理部门"},
    name="AdmissionSeat",
)
name_enum(
    AdmissionSupplyOutcome,
    "What became of a candidate who was supplied.",
    {"OPENED": "新开", "CHANGED": "已更新", "UNCHANGED": "无变化"},
    name="AdmissionSupplyOutcome",
)
name_enum(
    SchoolStage,
    "学段.",
    {
        "PRIMARY": "小学",
        "JUNIOR": "初中",
        "SENIOR": "普通高中",
        "VOCATIONAL": "中等职业",
        "UNDERGRAD": "本专科",
        "POSTGRAD": "研究生",
        "SPECIAL": "特殊教育",
    },
)

__all__ = [
    "AdmissionCapacity",
    "AdmissionCaseStatus",
    "AdmissionChannel",
    "AdmissionSeat",
    "AdmissionSupplyOutcome",
    "SchoolStage",
]
