"""The product on one screen; what can be asked for is in `mutation.py`.

Every word here is a folder of the same name, here and one package down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema import Schema

from schema.academics.queries import AcademicsQueries, resolve_academic_node, resolve_grade_record
from schema.academics.scales import GradePointScaleQueries
from schema.access import Redactions
from schema.admission.queries import AdmissionQueries, resolve_admission_case
from schema.analysis.queries import resolve_pseudonymised_students, resolve_student_statistics
from schema.analysis.types import PseudonymisedStudent, StudentStatistics
from schema.approvals.emergency_queries import resolve_emergency_action, resolve_emergency_actions
from schema.approvals.emergency_types import EmergencyAction
from schema.approvals.queries import resolve_change_request, resolve_change_requests
from schema.approvals.reasons import ReasonTemplate, resolve_reason_templates
from schema.approvals.types import ChangeRequest
from schema.audit.proofs import (
    Checkpoint,
    ConsistencyProof,
    InclusionProof,
    resolve_checkpoint,
    resolve_consistency_proof,
    resolve_inclusion_proof,
)
from schema.audit.queries import resolve_audit_entries, resolve_notifications
from schema.audit.types import AuditEntry, Notification
from schema.certificates.queries import CertificateQueries, resolve_certificate
from schema.conduct.queries import ConductQueries, resolve_appeal, resolve_award, resolve_sanction
from schema.context import Request
from schema.cost import CostLimit
from schema.crisis.queries import resolve_crisis_team, resolve_crisis_teams
from schema.crisis.types import CrisisTeam
from schema.duplicates.queries import DuplicateQueries, resolve_merge_case
from schema.duties.code_table_types import CodeTableQueries
from schema.duties.types import WorkCalendar, resolve_work_calendar
from schema.federation import Subgraph
from schema.graduation.resolvers import GraduationQueries
from schema.imports.queries import ImportQueries, resolve_import_batch
from schema.limits import TOKENS_LIMIT, DocumentLimits
from schema.logistics.queries import LogisticsQueries
from schema.mutation import Mutation
from schema.nodes import Connection, Node, parse_global_id
from schema.objections.resolvers import ObjectionQueries
from schema.organisation.majors import MajorQueries, resolve_department, resolve_major
from schema.organisation.queries import (
    OrganisationQueries,
    resolve_campus,
    resolve_cohort,
    resolve_node_of_class,
)
from schema.people.delegations import (
    Delegation,
    resolve_delegations,
)
from schema.people.staff import StaffMember, resolve_staff
from schema.people.types import Viewer, resolve_viewer
from schema.plans.executor import planned_executor
from schema.policies.types import (
    ApprovalPolicy,
    FieldAccessPolicy,
    RetentionTable,
    resolve_approval_policy,
    resolve_field_access_policy,
    resolve_retention_table,
)
from schema.preservation.queries import (
    resolve_archive_completeness_rate,
    resolve_disposal_batch,
    resolve_disposal_batches,
    resolve_disposal_due,
    resolve_incomplete_archive_files,
    resolve_legal_hold,
    resolve_legal_holds,
)
from schema.preservation.types import (
    ArchiveCompletenessRate,
    DisposalBatch,
    DisposalItem,
    IncompleteArchiveFile,
    LegalHold,
)
from schema.retrieval.queries import resolve_retrieval_grant, resolve_retrieval_grants
from schema.retrieval.types import RetrievalGrant
from schema.scalars import CONFIG
from schema.scans.queries import resolve_scan
from schema.scans.types import Scan
from schema.scans.uploads import ScanUpload, resolve_scan_uploads
from schema.semester_verification.queries import (
    VerificationQueries,
    resolve_verification_campaign,
    resolve_verification_item,
)
from schema.statistics.queries import StatisticsQueries
from schema.status_changes.resolvers import StatusChangeQueries
from schema.students.queries import resolve_student, resolve_students
from schema.students.types import Student
from schema.subscription import Subscription
from schema.transcripts.loaders import resolve_transcript
from schema.transfer_cases.resolvers import TransferCaseQueries
from schema.transfers.resolvers import FileTransferQueries


async def resolve_node(info: Request, id: strawberry.ID) -> Node | None:  # noqa: A002
    """The object of a global id; null when there is none to see."""
    resolve: dict[str, Callable[[Request, strawberry.ID], Awaitable[Any]]] = {
        "AdmissionCase": resolve_admission_case,
        "Appeal": resolve_appeal,
        "Award": resolve_award,
        "Campus": resolve_campus,
        "Certificate": resolve_certificate,
        "ChangeRequest": resolve_change_request,
        "Cohort": resolve_cohort,
        "Department": resolve_department,
        "Major": resolve_major,
        "Course": resolve_academic_node,
        "CourseArrangement": resolve_academic_node,
        "CrisisTeam": resolve_crisis_team,
        "DisposalBatch": resolve_disposal_batch,
        "EmergencyAction": resolve_emergency_action,
        "GradeRecord": resolve_grade_record,
        "ImportBatch": resolve_import_batch,
        "LegalHold": resolve_legal_hold,
        "MergeCase": resolve_merge_case,
        "RetrievalGrant": resolve_retrieval_grant,
        "Sanction": resolve_sanction,
        "Scan": resolve_scan,
        "SchoolClass": resolve_node_of_class,
        "Student": resolve_student,
        "Term": resolve_academic_node,
        "Transcript": resolve_transcript,
        "VerificationCampaign": resolve_verification_campaign,
        "VerificationItem": resolve_verification_item,
    }
    type_name, _ = parse_global_id(id)
    return await resolve[type_name](info, id) if type_name in resolve else None


@strawberry.type(description="Everything that can be read.")
class Query(
    AcademicsQueries,
    GradePointScaleQueries,
    AdmissionQueries,
    CertificateQueries,
    CodeTableQueries,
    ConductQueries,
    DuplicateQueries,
    FileTransferQueries,
    GraduationQueries,
    LogisticsQueries,
    ImportQueries,
    MajorQueries,
    ObjectionQueries,
    OrganisationQueries,
    StatisticsQueries,
    StatusChangeQueries,
    TransferCaseQueries,
    VerificationQueries,
):
    viewer: Viewer = strawberry.field(resolver=resolve_viewer, description="Who is signed in.")
    student: Student | None = strawberry.field(
        resolver=resolve_student,
        description="学籍 by id: as it is, or as it was on the day `asOf` (today if left out) by what was recorded "
        "until `knownAt` (now if left out). At a moment it is null before it was recorded, and read by those who read "
        "its history.",
    )
    students: Connection[Student] = strawberry.field(resolver=resolve_students, description="学籍 in view.")
    student_statistics: StudentStatistics = strawberry.field(
        resolver=resolve_student_statistics,
        description="Counts of all students by up to three dimensions, small cells suppressed (统计).",
    )
    pseudonymised_students: Connection[PseudonymisedStudent] = strawberry.field(
        resolver=resolve_pseudonymised_students,
        description="All students as coarse rows under pseudonyms, for the analysis group (假名化).",
    )
    change_request: ChangeRequest | None = strawberry.field(
        resolver=resolve_change_request, description="变更申请 by id."
    )
    change_requests: Connection[ChangeRequest] = strawberry.field(
        resolver=resolve_change_requests, description="变更申请, newest first."
    )
    emergency_action: EmergencyAction | None = strawberry.field(
        resolver=resolve_emergency_action, description="应急处置 by id."
    )
    emergency_actions: Connection[EmergencyAction] = strawberry.field(
        resolver=resolve_emergency_actions, description="应急处置, newest first."
    )
    scan: Scan | None = strawberry.field(resolver=resolve_scan, description="扫描件 by id.")
    scan_uploads: list[ScanUpload] = strawberry.field(
        resolver=resolve_scan_uploads, description="上传 of one's own that are not removed yet, newest first."
    )
    legal_holds: Connection[LegalHold] = strawberry.field(
        resolver=resolve_legal_holds, description="冻结, for those who keep the archive, newest first."
    )
    disposal_due: Connection[DisposalItem] = strawberry.field(
        resolver=resolve_disposal_due,
        description="到期清单: scans whose retention has run out, for those who keep the archive.",
    )
    disposal_batches: Connection[DisposalBatch] = strawberry.field(
        resolver=resolve_disposal_batches,
        description="销毁批次, for those who keep the archive, newest first.",
    )
    incomplete_archive_files: Connection[IncompleteArchiveFile] = strawberry.field(
        resolver=resolve_incomplete_archive_files,
        description="案卷 that lack documents, for those who keep the archive.",
    )
    archive_completeness_rate: ArchiveCompletenessRate = strawberry.field(
        resolver=resolve_archive_completeness_rate, description="档案完整率, for those who keep the archive."
    )
    crisis_teams: Connection[CrisisTeam] = strawberry.field(
        resolver=resolve_crisis_teams, description="临时小组 of one's own, or all for those who decide."
    )
    retrieval_grants: Connection[RetrievalGrant] = strawberry.field(
        resolver=resolve_retrieval_grants, description="调阅授权 of one's own, or all for those who decide."
    )
    staff: Connection[StaffMember] = strawberry.field(
        resolver=resolve_staff, description="工作人员 with a post today."
    )
    delegations: Connection[Delegation] = strawberry.field(
        resolver=resolve_delegations, description="委托 from and to the viewer."
    )
    approval_policy: ApprovalPolicy = strawberry.field(
        resolver=resolve_approval_policy, description="审批规则 in effect."
    )
    reason_templates: list[ReasonTemplate] = strawberry.field(
        resolver=resolve_reason_templates, description="常用意见 for requests and decisions."
    )
    field_access_policy: FieldAccessPolicy = strawberry.field(
        resolver=resolve_field_access_policy, description="字段权限 in effect."
    )
    retention_table: RetentionTable | None = strawberry.field(
        resolver=resolve_retention_table,
        description="保管期限表: the version in effect, or that of a number; null where there is none.",
    )
    work_calendar: WorkCalendar | None = strawberry.field(
        resolver=resolve_work_calendar,
        description="工作日历 of a year: as it was loaded, else as it is published.",
    )
    notifications: Connection[Notification] = strawberry.field(
        resolver=resolve_notifications,
        description="通知 to the viewer and the posts they hold, newest first.",
    )
    checkpoint: Checkpoint | None = strawberry.field(
        resolver=resolve_checkpoint, description="存证点 of the audit log: the newest, or that of a size."
    )
    inclusion_proof: InclusionProof = strawberry.field(
        resolver=resolve_inclusion_proof, description="That the entry of a place is in the audit log."
    )
    consistency_proof: ConsistencyProof = strawberry.field(
        resolver=resolve_consistency_proof,
        description="That the audit log has only grown between two sizes, of which nothing was changed.",
    )
    audit_entries: Connection[AuditEntry] = strawberry.field(
        resolver=resolve_audit_entries,
        description="审计条目 about all records in sight, for auditors (审计), newest first.",
    )
    node: Node | None = strawberry.field(
        resolver=resolve_node, description="Any object by its global id (Relay)."
    )


# A document of the most tokens is more than a megabyte.
CACHED_DOCUMENTS = 100


def build_schema(*, plans: bool = True) -> Schema:
    """The schema with its extensions, in the order they wrap an operation."""
    return Subgraph(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Node],
        config=CONFIG,
        execution_context_class=planned_executor() if plans else None,
        extensions=[
            Redactions,
            lambda: MaxTokensLimiter(max_token_count=TOKENS_LIMIT),
            DocumentLimits,
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            CostLimit,
        ],
    )


def export_sdl() -> str:
    """The SDL as it is checked in at schema/schema.graphql."""
    return build_schema().as_str() + "\n"
