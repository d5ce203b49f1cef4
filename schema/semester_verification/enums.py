"""The enums of semester verification (学期核验) in the schema. Importing this module names them."""

from __future__ import annotations

from archive_store.semester_verification.documents import CampaignStatus as VerificationCampaignStatus
from archive_store.semester_verification.documents import Capacity as VerificationCapacity
from archive_store.semester_verification.documents import ItemState as VerificationItemState
from archive_store.semester_verification.documents import MismatchKind as VerificationMismatchKind
from archive_store.semester_verification.documents import MismatchOutcome as VerificationMismatchOutcome
from schema.enum_names import name_enum

name_enum(
    VerificationCampaignStatus,
    "学期核验状态.",
    {"SCHEDULED": "待开始", "OPEN": "核验中", "CLOSED": "已结束", "CANCELLED": "已取消"},
    name="VerificationCampaignStatus",
)
name_enum(
    VerificationCapacity,
    "As what somebody verified a record.",
    {
        "SELF": "本人",
        "GUARDIAN": "监护人",
        "HOMEROOM_TEACHER": "班主任",
        "INFORMATION_GROUP": "信息管理组",
    },
    name="VerificationCapacity",
)
name_enum(
    VerificationItemState,
    "核验状态 of a record.",
    {"PENDING": "待核验", "VERIFIED": "已核验", "MISMATCH": "不符", "RESOLVED": "已处理"},
    name="VerificationItemState",
)
name_enum(
    VerificationMismatchKind,
    "不符类型.",
    {
        "VALUES": "信息不符",
        "NOT_THE_PERSON": "人籍不一致",
        "EMPTY_RECORD": "空挂学籍",
        "DUPLICATE_RECORD": "重复学籍",
    },
    name="VerificationMismatchKind",
)
name_enum(
    VerificationMismatchOutcome,
    "What became of a mismatch.",
    {
        "APPLIED": "已变更",
        "REJECTED": "已驳回, to be verified again",
        "WITHDRAWN": "已撤回, to be verified again",
        "SETTLED": "已办结",
        "RETURNED": "已退回, to be verified again",
    },
    name="VerificationMismatchOutcome",
)

__all__ = [
    "VerificationCampaignStatus",
    "VerificationCapacity",
    "VerificationItemState",
    "VerificationMismatchKind",
    "VerificationMismatchOutcome",
]
