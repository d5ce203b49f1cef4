"""The table of audit histories: for each type of subject, who may read what of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from archive_store.academics.attendance import ATTENDANCE_HISTORY
from archive_store.academics.documents import (
    AttendanceEntry,
    Course,
    CourseArrangement,
    GradeEntry,
    GradePointScale,
    Term,
)
from archive_store.academics.histories import GRADE_RECORD_HISTORY
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.rules import FieldAccessPolicy
from archive_store.admission.documents import AdmissionPolicy
from archive_store.admission.histories import ADMISSION_CASE_HISTORY
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.approvals.histories import CHANGE_REQUEST_HISTORY, EMERGENCY_ACTION_HISTORY
from archive_store.approvals.reasons import ReasonTemplates
from archive_store.audit.histories import SubjectHistory, by_class, of_no_leaf
from archive_store.certificates.documents import CertificateIssue, CertificateNumberRange
from archive_store.certificates.histories import CERTIFICATE_HISTORY
from archive_store.conduct.documents import ConductPolicy
from archive_store.conduct.histories import APPEAL_HISTORY, AWARD_HISTORY, SANCTION_HISTORY
from archive_store.crisis.histories import CRISIS_TEAM_HISTORY
from archive_store.duplicates.documents import DuplicateDismissal, MergeCase
from archive_store.foundation.code_table_versions import CodeTableVersion
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.work_calendars import WorkCalendar
from archive_store.graduation.documents import GraduationBatch, GraduationRules
from archive_store.imports.documents import ImportBatch
from archive_store.logistics.documents import DormitoryRoom
from archive_store.logistics.histories import BED_STAY_HISTORY, MEAL_ENROLMENT_HISTORY
from archive_store.objections.documents import RecordObjection
from archive_store.organisation.documents import (
    Campus,
    ClassAssignment,
    Cohort,
    Department,
    Major,
    School,
    SchoolClass,
)
from archive_store.people.histories import DELEGATION_HISTORY, PERSON_HISTORY, ROLE_GRANT_HISTORY
from archive_store.preservation.fixity_documents import FixityRun
from archive_store.preservation.histories import DISPOSAL_BATCH_HISTORY, LEGAL_HOLD_HISTORY
from archive_store.retrieval.histories import RETRIEVAL_GRANT_HISTORY
from archive_store.scans.documents import ArchiveFile
from archive_store.scans.histories import SCAN_HISTORY
from archive_store.scans.key_changes import KeyChange
from archive_store.scans.retention import RetentionTable
from archive_store.semester_verification.histories import (
    VERIFICATION_CAMPAIGN_HISTORY,
    VERIFICATION_ITEM_HISTORY,
)
from archive_store.status_changes.documents import StatusRules
from archive_store.students.documents import Export
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.transcripts.histories import TRANSCRIPT_HISTORY
from archive_store.transfer_cases.documents import TransferRules
from archive_store.transfer_cases.histories import TRANSFER_CASE_HISTORY
from archive_store.transfers.documents import FileTransfer


class SubjectType(StrEnum):
    """What an entry can be about."""

    ACCESS_EVENT = "AccessEvent"  # 查阅记录
    ADMISSION_CASE = "AdmissionCase"  # 入学办理
    ADMISSION_POLICY = "AdmissionPolicy"  # 入学办理规则
    APPEAL = "Appeal"  # 申诉
    APPROVAL_POLICY = "ApprovalPolicy"  # 审批规则
    ARCHIVE_FILE = "ArchiveFile"  # 案卷
    AWARD = "Award"  # 奖励
    ATTENDANCE_ENTRY = "AttendanceEntry"  # 出勤录入
    ATTENDANCE_SUMMARY = "AttendanceSummary"  # 出勤
    BED_STAY = "BedStay"  # 住宿安排
    MEAL_ENROLMENT = "MealEnrolment"  # 用餐
    CAMPUS = "Campus"  # 校区
    CERTIFICATE = "Certificate"  # 证书
    CERTIFICATE_ISSUE = "CertificateIssue"  # 颁发批次
    CERTIFICATE_NUMBER_RANGE = "CertificateNumberRange"  # 证书编号段
    CHANGE_REQUEST = "ChangeRequest"  # 变更申请
    CLASS_ASSIGNMENT = "ClassAssignment"  # 编班
    CODE_TABLE_VERSION = "CodeTableVersion"  # 代码表版本
    COHORT = "Cohort"  # 级
    CONDUCT_POLICY = "ConductPolicy"  # 奖惩规则
    COURSE = "Course"  # 课程
    COURSE_ARRANGEMENT = "CourseArrangement"  # 课程安排
    CRISIS_TEAM = "CrisisTeam"  # 临时小组
    DELEGATION = "Delegation"  # 委托
    DISPOSAL_BATCH = "DisposalBatch"  # 销毁批次
    DUPLICATE_DISMISSAL = "DuplicateDismissal"  # 非重复
    DORMITORY_ROOM = "DormitoryRoom"  # 宿舍房间
    EMERGENCY_ACTION = "EmergencyAction"  # 应急处置
    EXPORT = "Export"  # 导出
    FIELD_ACCESS_POLICY = "FieldAccessPolicy"  # 字段权限
    GRADE_ENTRY = "GradeEntry"  # 成绩录入
    GRADE_POINT_SCALE = "GradePointScale"  # 绩点标准
    GRADE_RECORD = "GradeRecord"  # 成绩
    KEY_CHANGE = "KeyChange"  # 密钥变更
    LEGAL_HOLD = "LegalHold"  # 冻结
    MERGE_CASE = "MergeCase"  # 合并
    FIXITY_RUN = "FixityRun"  # 固化检查
    IMPORT_BATCH = "ImportBatch"  # 导入批次
    PERSON = "Person"  # 自然人
    REASON_TEMPLATES = "ReasonTemplates"  # 常用意见
    RETENTION_TABLE = "RetentionTable"  # 保管期限表
    RETRIEVAL_GRANT = "RetrievalGrant"  # 调阅授权
    ROLE_GRANT = "RoleGrant"  # 授权
    SANCTION = "Sanction"  # 处分
    SCAN = "Scan"  # 扫描件
    SCHOOL = "School"  # 学校
    DEPARTMENT = "Department"  # 院系
    MAJOR = "Major"  # 专业
    SCHOOL_CLASS = "SchoolClass"  # 班级
    FILE_TRANSFER = "FileTransfer"
    GRADUATION_BATCH = "GraduationBatch"
    GRADUATION_RULES = "GraduationRules"
    RECORD_OBJECTION = "RecordObjection"
    STATUS_RULES = "StatusRules"
    STUDENT = "Student"  # 学籍
    TERM = "Term"  # 学期
    TRANSCRIPT = "Transcript"  # 成绩单
    TRANSFER_CASE = "TransferCase"  # 转学办理
    TRANSFER_RULES = "TransferRules"  # 转学办理规则
    VERIFICATION_CAMPAIGN = "VerificationCampaign"  # 学期核验
    VERIFICATION_ITEM = "VerificationItem"  # 核验项
    WORK_CALENDAR = "WorkCalendar"  # 工作日历


HISTORIES: Mapping[SubjectType, SubjectHistory] = {
    # Why somebody read or exported is as sensitive as a purpose (F3).
    SubjectType.ACCESS_EVENT: by_class(AccessEvent, texts=of_no_leaf),
    SubjectType.ADMISSION_CASE: ADMISSION_CASE_HISTORY,
    SubjectType.ADMISSION_POLICY: by_class(AdmissionPolicy, FieldClass.F0),
    SubjectType.APPEAL: APPEAL_HISTORY,
    SubjectType.APPROVAL_POLICY: by_class(ApprovalPolicy, FieldClass.F0),
    SubjectType.ARCHIVE_FILE: by_class(ArchiveFile, texts=of_no_leaf),
    SubjectType.AWARD: AWARD_HISTORY,
    SubjectType.ATTENDANCE_ENTRY: by_class(AttendanceEntry, texts=of_no_leaf),
    SubjectType.ATTENDANCE_SUMMARY: ATTENDANCE_HISTORY,
    SubjectType.BED_STAY: BED_STAY_HISTORY,
    SubjectType.MEAL_ENROLMENT: MEAL_ENROLMENT_HISTORY,
    SubjectType.DORMITORY_ROOM: by_class(DormitoryRoom),
    SubjectType.CAMPUS: by_class(Campus),
    SubjectType.CERTIFICATE: CERTIFICATE_HISTORY,
    SubjectType.CERTIFICATE_ISSUE: by_class(CertificateIssue),
    SubjectType.CERTIFICATE_NUMBER_RANGE: by_class(CertificateNumberRange),
    SubjectType.CHANGE_REQUEST: CHANGE_REQUEST_HISTORY,
    SubjectType.CLASS_ASSIGNMENT: by_class(ClassAssignment),
    SubjectType.COHORT: by_class(Cohort),
    SubjectType.COURSE: by_class(Course),
    SubjectType.COURSE_ARRANGEMENT: by_class(CourseArrangement),
    SubjectType.CODE_TABLE_VERSION: by_class(CodeTableVersion, FieldClass.F0),
    SubjectType.CONDUCT_POLICY: by_class(ConductPolicy, FieldClass.F0),
    SubjectType.CRISIS_TEAM: CRISIS_TEAM_HISTORY,
    SubjectType.DELEGATION: DELEGATION_HISTORY,
    SubjectType.DISPOSAL_BATCH: DISPOSAL_BATCH_HISTORY,
    SubjectType.DUPLICATE_DISMISSAL: by_class(DuplicateDismissal),
    SubjectType.EMERGENCY_ACTION: EMERGENCY_ACTION_HISTORY,
    SubjectType.EXPORT: by_class(Export, texts=of_no_leaf),
    SubjectType.FIELD_ACCESS_POLICY: by_class(FieldAccessPolicy, FieldClass.F0),
    SubjectType.GRADE_ENTRY: by_class(GradeEntry, texts=of_no_leaf),
    SubjectType.GRADE_POINT_SCALE: by_class(GradePointScale, FieldClass.F0),
    SubjectType.GRADE_RECORD: GRADE_RECORD_HISTORY,
    SubjectType.KEY_CHANGE: by_class(KeyChange),
    SubjectType.LEGAL_HOLD: LEGAL_HOLD_HISTORY,
    SubjectType.MERGE_CASE: by_class(MergeCase),
    SubjectType.FIXITY_RUN: by_class(FixityRun),
    SubjectType.IMPORT_BATCH: by_class(ImportBatch),
    SubjectType.PERSON: PERSON_HISTORY,
    SubjectType.REASON_TEMPLATES: by_class(ReasonTemplates, FieldClass.F0),
    SubjectType.RETENTION_TABLE: by_class(RetentionTable, FieldClass.F0),
    SubjectType.RETRIEVAL_GRANT: RETRIEVAL_GRANT_HISTORY,
    SubjectType.ROLE_GRANT: ROLE_GRANT_HISTORY,
    SubjectType.SANCTION: SANCTION_HISTORY,
    SubjectType.SCAN: SCAN_HISTORY,
    SubjectType.SCHOOL: by_class(School),
    SubjectType.DEPARTMENT: by_class(Department),
    SubjectType.MAJOR: by_class(Major),
    SubjectType.SCHOOL_CLASS: by_class(SchoolClass),
    SubjectType.FILE_TRANSFER: by_class(FileTransfer),
    SubjectType.GRADUATION_BATCH: by_class(GraduationBatch),
    SubjectType.GRADUATION_RULES: by_class(GraduationRules, FieldClass.F0),
    SubjectType.RECORD_OBJECTION: by_class(RecordObjection),
    SubjectType.STATUS_RULES: by_class(StatusRules, FieldClass.F0),
    SubjectType.STUDENT: STUDENT_HISTORY,
    SubjectType.TERM: by_class(Term),
    SubjectType.TRANSCRIPT: TRANSCRIPT_HISTORY,
    SubjectType.TRANSFER_CASE: TRANSFER_CASE_HISTORY,
    SubjectType.TRANSFER_RULES: by_class(TransferRules, FieldClass.F0),
    SubjectType.VERIFICATION_CAMPAIGN: VERIFICATION_CAMPAIGN_HISTORY,
    SubjectType.VERIFICATION_ITEM: VERIFICATION_ITEM_HISTORY,
    SubjectType.WORK_CALENDAR: by_class(WorkCalendar, FieldClass.F0),
}
