"""Everything that can be asked for, on one screen; what can be read is in `root.py`."""

from __future__ import annotations

import strawberry

from schema.academics.changes import CourseChangeMutations
from schema.academics.mutations import AcademicsMutations
from schema.academics.scales import GradePointScaleMutations
from schema.admission.mutations import AdmissionMutations
from schema.approvals.emergency_mutations import (
    EmergencyPayload,
    resolve_acknowledge,
    resolve_ratify,
    resolve_reverse,
)
from schema.approvals.mutations import (
    ChangeRequestPayload,
    ChangeRequestsPayload,
    resolve_add_signer,
    resolve_approve,
    resolve_approve_each,
    resolve_reject,
    resolve_return,
    resolve_submit,
    resolve_withdraw,
)
from schema.approvals.reasons import ReasonTemplatesPayload, resolve_reason_templates_replace
from schema.certificates.mutations import CertificateMutations
from schema.conduct.mutations import ConductMutations
from schema.crisis.mutations import (
    CrisisTeamPayload,
    resolve_crisis_team_activate,
    resolve_crisis_team_change_members,
    resolve_crisis_team_close,
    resolve_crisis_team_form,
    resolve_crisis_team_stand_down,
    resolve_crisis_team_submit_review,
)
from schema.duplicates.mutations import DuplicateMutations
from schema.duties.code_table_mutations import CodeTableMutations
from schema.duties.mutations import CalendarLoadPayload, resolve_calendar_load
from schema.grade_sheets.mutations import GradeSheetMutations
from schema.graduation.resolvers import GraduationMutations
from schema.imports.mutations import ImportMutations
from schema.logistics.mutations import LogisticsMutations
from schema.objections.resolvers import ObjectionMutations
from schema.organisation.majors import MajorMutations
from schema.organisation.mutations import OrganisationMutations
from schema.people.delegations import (
    DelegationPayload,
    resolve_delegation_end,
    resolve_delegation_give,
)
from schema.policies.mutations import (
    ApprovalPolicyReplacePayload,
    PolicyReplacePayload,
    RetentionTableReplacePayload,
    resolve_approval_policy_replace,
    resolve_policy_replace,
    resolve_retention_table_replace,
)
from schema.preservation.mutations import (
    DisposalCancelPayload,
    DisposalProposePayload,
    LegalHoldPayload,
    resolve_disposal_cancel,
    resolve_disposal_propose,
    resolve_scan_hold,
    resolve_scan_release_hold,
)
from schema.retrieval.mutations import (
    RetrievalGrantRequestPayload,
    RetrievalGrantRevokePayload,
    resolve_retrieval_grant_request,
    resolve_retrieval_grant_revoke,
)
from schema.semester_verification.mutations import VerificationMutations
from schema.status_changes.resolvers import StatusChangeMutations
from schema.students.emergencies import (
    resolve_student_suspend_emergency,
    resolve_student_update_emergency,
)
from schema.students.mutations import (
    StudentUpdatePayload,
    resolve_student_update,
    resolve_student_update_revise,
)
from schema.transcripts.mutations import TranscriptMutations
from schema.transfer_cases.resolvers import TransferCaseMutations
from schema.transfers.resolvers import FileTransferMutations


@strawberry.type(
    description="Everything that can be asked for. Whatever needs approval becomes a change request."
)
class Mutation(
    AcademicsMutations,
    CourseChangeMutations,
    GradePointScaleMutations,
    LogisticsMutations,
    AdmissionMutations,
    CertificateMutations,
    CodeTableMutations,
    ConductMutations,
    DuplicateMutations,
    FileTransferMutations,
    TransferCaseMutations,
    GradeSheetMutations,
    GraduationMutations,
    ImportMutations,
    ObjectionMutations,
    MajorMutations,
    OrganisationMutations,
    StatusChangeMutations,
    TranscriptMutations,
    VerificationMutations,
):
    student_update: StudentUpdatePayload = strawberry.field(
        resolver=resolve_student_update, description="Ask for a change of a record (信息修改)."
    )
    student_update_revise: StudentUpdatePayload = strawberry.field(
        resolver=resolve_student_update_revise,
        description="Change one's own request; all signatures are void, it is submitted anew (补正).",
    )
    change_request_approve: ChangeRequestPayload = strawberry.field(
        resolver=resolve_approve,
        description="Approve the awaited step; the last one applies the change (批准).",
    )
    change_request_reject: ChangeRequestPayload = strawberry.field(
        resolver=resolve_reject, description="Reject (驳回)."
    )
    change_request_return: ChangeRequestPayload = strawberry.field(
        resolver=resolve_return, description="Return for completion (退回补正)."
    )
    change_request_add_signer: ChangeRequestPayload = strawberry.field(
        resolver=resolve_add_signer, description="Ask another person to sign first (加签)."
    )
    change_requests_approve: ChangeRequestsPayload = strawberry.field(
        resolver=resolve_approve_each, description="Approve many, each by itself (批量审批)."
    )
    change_request_submit: ChangeRequestPayload = strawberry.field(
        resolver=resolve_submit, description="Submit one's own draft (提交草稿)."
    )
    change_request_withdraw: ChangeRequestPayload = strawberry.field(
        resolver=resolve_withdraw, description="Withdraw one's own request (撤回)."
    )
    student_update_emergency: EmergencyPayload = strawberry.field(
        resolver=resolve_student_update_emergency,
        description="Change contact data or guardians at once, to be ratified (应急修改).",
    )
    student_suspend_emergency: EmergencyPayload = strawberry.field(
        resolver=resolve_student_suspend_emergency,
        description="Suspend at once, such as for a sudden illness, to be ratified (应急休学).",
    )
    emergency_acknowledge: EmergencyPayload = strawberry.field(
        resolver=resolve_acknowledge, description="Acknowledge that one's post was told of it (签收)."
    )
    emergency_ratify: EmergencyPayload = strawberry.field(
        resolver=resolve_ratify, description="Ratify (追认)."
    )
    emergency_reverse: EmergencyPayload = strawberry.field(
        resolver=resolve_reverse, description="Restore what was before; the history stays (撤销)."
    )
    delegation_give: DelegationPayload = strawberry.field(
        resolver=resolve_delegation_give, description="Let somebody sign in one's seat for a time (委托)."
    )
    delegation_end: DelegationPayload = strawberry.field(
        resolver=resolve_delegation_end, description="End one's own delegation (收回委托)."
    )
    retrieval_grant_request: RetrievalGrantRequestPayload = strawberry.field(
        resolver=resolve_retrieval_grant_request,
        description="Ask to view sensitive or sealed material (申请调阅).",
    )
    retrieval_grant_revoke: RetrievalGrantRevokePayload = strawberry.field(
        resolver=resolve_retrieval_grant_revoke, description="End a retrieval grant (撤销调阅授权)."
    )
    crisis_team_form: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_form,
        description="Form a crisis team; nothing is lent yet (组建临时小组).",
    )
    crisis_team_change_members: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_change_members,
        description="Change who belongs to it and is lent what (调整成员).",
    )
    crisis_team_activate: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_activate, description="Activate it: what it lends begins (启动)."
    )
    crisis_team_stand_down: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_stand_down,
        description="Stand it down: all that it lent ends at once (解散).",
    )
    crisis_team_submit_review: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_submit_review,
        description="Submit its after-action review, or amend it (复盘).",
    )
    crisis_team_close: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_close, description="Close it, once it is reviewed (结案)."
    )
    approval_policy_replace: ApprovalPolicyReplacePayload = strawberry.field(
        resolver=resolve_approval_policy_replace, description="Ask for a new approval policy (调整审批规则)."
    )
    reason_templates_replace: ReasonTemplatesPayload = strawberry.field(
        resolver=resolve_reason_templates_replace, description="Replace the common reasons (常用意见)."
    )
    policy_replace: PolicyReplacePayload = strawberry.field(
        resolver=resolve_policy_replace, description="Ask for a new field-access policy (调整字段权限)."
    )
    retention_table_replace: RetentionTableReplacePayload = strawberry.field(
        resolver=resolve_retention_table_replace,
        description="Ask for a new retention table (调整保管期限表).",
    )
    scan_hold: LegalHoldPayload = strawberry.field(
        resolver=resolve_scan_hold, description="Put scans of a student on hold (冻结)."
    )
    scan_release_hold: LegalHoldPayload = strawberry.field(
        resolver=resolve_scan_release_hold, description="Ask for the end of a hold (解除冻结)."
    )
    disposal_propose: DisposalProposePayload = strawberry.field(
        resolver=resolve_disposal_propose, description="Propose what is due for disposal (提请销毁)."
    )
    disposal_cancel: DisposalCancelPayload = strawberry.field(
        resolver=resolve_disposal_cancel, description="Cancel a proposed disposal (撤销销毁提请)."
    )
    calendar_load: CalendarLoadPayload = strawberry.field(
        resolver=resolve_calendar_load, description="Ask for the work calendar of a year (节假日安排)."
    )
