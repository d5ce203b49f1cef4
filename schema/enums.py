"""The store's enums as GraphQL ones. Importing this module names them; types then use the store's own."""

from __future__ import annotations

import strawberry

from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.rules import Relationship
from archive_store.analysis.dimensions import StudentDimension
from archive_store.approvals.documents import Decision, RequestStatus, Tier
from archive_store.approvals.emergency_documents import EmergencyStatus
from archive_store.approvals.reasons import ReasonUse
from archive_store.crisis.documents import CrisisTeamStatus
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.inspection.findings import IntakeWarning as ScanFindingCode
from archive_store.oversight.histories import SubjectType as AuditSubjectType
from archive_store.preservation.documents import BatchStatus
from archive_store.scans.documents import RetentionClass, ScanStatus
from archive_store.scans.upload_documents import UploadStatus as ScanUploadStatus
from archive_store.students.documents import STATUS_LABELS, Gender, StudentStatus
from archive_store.students.queries import StudentOrder
from schema.enum_names import name_enum

name_enum(
    AuditSubjectType,
    "What an audit entry can be about (审计对象).",
    {
        "ACCESS_EVENT": "查阅记录",
        "ADMISSION_CASE": "入学办理",
        "ADMISSION_POLICY": "入学办理规则",
        "APPEAL": "申诉",
        "APPROVAL_POLICY": "审批规则",
        "ARCHIVE_FILE": "案卷",
        "AWARD": "奖励",
        "CAMPUS": "校区",
        "CERTIFICATE": "证书",
        "CERTIFICATE_ISSUE": "颁发批次",
        "CERTIFICATE_NUMBER_RANGE": "证书编号段",
        "CHANGE_REQUEST": "变更申请",
        "CLASS_ASSIGNMENT": "编班",
        "CODE_TABLE_VERSION": "代码表版本",
        "COHORT": "级",
        "CONDUCT_POLICY": "奖惩规则",
        "CRISIS_TEAM": "临时小组",
        "DELEGATION": "委托",
        "DISPOSAL_BATCH": "销毁批次",
        "DUPLICATE_DISMISSAL": "非重复",
        "EMERGENCY_ACTION": "应急处置",
        "EXPORT": "导出",
        "FIELD_ACCESS_POLICY": "字段权限",
        "KEY_CHANGE": "密钥变更",
        "FILE_TRANSFER": "档案转移",
        "GRADUATION_BATCH": "毕业批次",
        "GRADE_POINT_SCALE": "绩点标准",
        "GRADUATION_RULES": "学历审核规则",
        "LEGAL_HOLD": "冻结",
        "FIXITY_RUN": "固化检查",
        "MERGE_CASE": "合并",
        "PERSON": "自然人",
        "REASON_TEMPLATES": "常用意见",
        "RETENTION_TABLE": "保管期限表",
        "RETRIEVAL_GRANT": "调阅授权",
        "ROLE_GRANT": "岗位授权",
        "IMPORT_BATCH": "导入批次",
        "SANCTION": "处分",
        "SCAN": "扫描件",
        "SCHOOL": "学校",
        "SCHOOL_CLASS": "班级",
        "DEPARTMENT": "院系",
        "MAJOR": "专业",
        "RECORD_OBJECTION": "更正申请",
        "STATUS_RULES": "学籍异动规则",
        "STUDENT": "学籍",
        "VERIFICATION_CAMPAIGN": "学期核验",
        "ATTENDANCE_ENTRY": "出勤录入",
        "ATTENDANCE_SUMMARY": "出勤",
        "BED_STAY": "住宿安排",
        "MEAL_ENROLMENT": "用餐",
        "DORMITORY_ROOM": "宿舍房间",
        "COURSE": "课程",
        "COURSE_ARRANGEMENT": "课程安排",
        "GRADE_ENTRY": "成绩录入",
        "GRADE_RECORD": "成绩",
        "TERM": "学期",
        "TRANSCRIPT": "成绩单",
        "TRANSFER_CASE": "转学办理",
        "TRANSFER_RULES": "转学办理规则",
        "VERIFICATION_ITEM": "核验项",
        "WORK_CALENDAR": "工作日历",
    },
    name="AuditSubjectType",
)
name_enum(
    CrisisTeamStatus,
    "临时小组状态.",
    {
        "FORMED": "已组建",
        "ACTIVE": "处置中",
        "STOOD_DOWN": "已解散",
        "REVIEW_DUE": "待复盘",
        "CLOSED": "已结案",
    },
)
name_enum(Decision, "审批意见.", {"APPROVED": "批准", "REJECTED": "驳回", "RETURNED": "退回补正"})
name_enum(
    EmergencyStatus,
    "应急处置状态.",
    {"EXECUTED": "已执行", "REPORTED": "已报备", "RATIFIED": "已追认", "REVERSED": "已撤销"},
)
strawberry.enum(FieldClass, description="字段分级, F0 (open inside the school) to F4 (sealed).")
name_enum(
    Gender,
    "性别, GB/T 2261.1.",
    {"UNKNOWN": "未知的性别", "MALE": "男性", "FEMALE": "女性", "NOT_STATED": "未说明的性别"},
)
name_enum(
    Post,
    "岗位, the posts of the school policy §二(一).",
    {
        "DIRECTOR": "主任, the department head",
        "DEPUTY_DIRECTOR": "副主任",
        "INFORMATION_GROUP": "信息管理组",
        "ANALYSIS_GROUP": "数据分析组",
        "ARCHIVE_GROUP": "档案管理组",
        "VICE_PRINCIPAL": "分管副校长",
        "PRINCIPAL": "校长",
        "ACADEMIC_AFFAIRS": "教务处",
        "ADMISSIONS": "招生办",
        "LOGISTICS": "后勤保障部",
        "TEACHER": "教师",
    },
)
strawberry.enum(ReasonUse, description="What a common reason is given for.")
name_enum(
    Relationship,
    "What ties a viewer to a student, beside posts.",
    {
        "BUSINESS_LINE": "分管",
        "TEACHER": "任课教师",
        "HOMEROOM_TEACHER": "班主任",
        "GUARDIAN": "监护人",
        "SELF": "本人",
    },
)
name_enum(
    RequestStatus,
    "申请状态.",
    {
        "DRAFT": "草稿",
        "SUBMITTED": "已提交",
        "IN_REVIEW": "审批中",
        "RETURNED": "退回补正",
        "REJECTED": "驳回",
        "WITHDRAWN": "撤回",
        "APPROVED": "已批准, and waits for its day",
        "APPLIED": "已生效",
        "SUPERSEDED": "已被取代",
    },
    name="ChangeRequestStatus",
)
name_enum(
    ScanFindingCode,
    "提示 of the checks of an upload.",
    {
        "LOW_RESOLUTION": "分辨率不足, below 200 dpi (DA/T 31)",
        "BLANK_PAGE": "空白页",
        "SKEWED": "页面偏斜",
        "UNREADABLE": "无法读取",
        "PASSWORD_PROTECTED": "设有密码",
        "DUPLICATE": "内容重复, within the scans of the student that the uploader may know of",
        "NOT_VIRUS_CHECKED": "未查毒",
    },
    name="ScanFindingCode",
)
name_enum(
    ScanUploadStatus,
    "上传状态.",
    {
        "UPLOADING": "上传中",
        "QUARANTINED": "隔离待检: all bytes are there",
        "CHECKED": "已检查",
        "INDEXED": "已编目",
        "FILED": "已归档",
        "REFUSED": "已拒收",
    },
    name="ScanUploadStatus",
)
name_enum(
    BatchStatus,
    "销毁批次状态.",
    {"PROPOSED": "待审批", "DISPOSED": "已销毁", "CANCELLED": "已撤销"},
    name="DisposalBatchStatus",
)
name_enum(
    RetentionClass,
    "保管期限.",
    {"PERMANENT": "永久", "YEARS_30": "30年", "YEARS_10": "10年"},
)
name_enum(
    ScanStatus,
    "扫描件状态.",
    {"FILED": "已归档", "ON_HOLD": "冻结", "DISPOSAL_PROPOSED": "待销毁鉴定", "DISPOSED": "已销毁"},
)
strawberry.enum(Secrecy, description="How secret the material is that a retrieval grant opens.")
strawberry.enum(
    StudentDimension, description="What `studentStatistics` counts by; only open to personal values."
)
strawberry.enum(StudentOrder, description="Order of `students`.")
name_enum(StudentStatus, "学籍状态.", {status.name: label for status, label in STATUS_LABELS.items()})
name_enum(
    Tier,
    "审批级别, policy §四(一).",
    {"DEPARTMENT_HEAD": "部门负责人", "VICE_PRINCIPAL": "分管副校长", "PRINCIPAL": "校长"},
)
strawberry.enum(Withheld, name="WithheldReason", description="Why a value is kept back.")

__all__ = [
    "AuditSubjectType",
    "BatchStatus",
    "CrisisTeamStatus",
    "Decision",
    "EmergencyStatus",
    "FieldClass",
    "Gender",
    "Post",
    "ReasonUse",
    "Relationship",
    "RequestStatus",
    "RetentionClass",
    "ScanFindingCode",
    "ScanStatus",
    "ScanUploadStatus",
    "Secrecy",
    "StudentDimension",
    "StudentOrder",
    "StudentStatus",
    "Tier",
    "Withheld",
]
