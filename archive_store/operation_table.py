"""The operations there are, by name: every way to change a record. Each has its line in the approval rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.academics.tables import ACADEMIC_OPERATIONS
from archive_store.admission.amendments import ADMISSION_AMEND, ADMISSION_REOPEN
from archive_store.admission.collection import ADMISSION_SUPPLY
from archive_store.admission.confirmation import ADMISSION_CONFIRM, ADMISSION_OBJECT
from archive_store.admission.corrections import ADMISSION_CORRECT
from archive_store.admission.entry import ADMISSION_CALL_CONFIRMATION, ADMISSION_ENTER
from archive_store.admission.evidence import ADMISSION_ADD_EVIDENCE, ADMISSION_SUBMIT
from archive_store.admission.review import ADMISSION_REVIEW
from archive_store.approvals.operation import Operation
from archive_store.approvals.reasons import REASON_TEMPLATES_REPLACE
from archive_store.certificates.ending import CERTIFICATE_REISSUE, CERTIFICATE_REVOKE
from archive_store.certificates.issuing import CERTIFICATE_ISSUE
from archive_store.certificates.ranges import CERTIFICATE_RANGE_OPEN
from archive_store.conduct.operations import conduct_operations
from archive_store.crisis.operations import (
    CRISIS_TEAM_ACTIVATE,
    CRISIS_TEAM_CHANGE_MEMBERS,
    CRISIS_TEAM_FORM,
    CRISIS_TEAM_STAND_DOWN,
)
from archive_store.crisis.reviews import CRISIS_TEAM_CLOSE, CRISIS_TEAM_SUBMIT_REVIEW
from archive_store.duplicates.dismissals import DUPLICATE_DISMISS, DUPLICATE_REOPEN
from archive_store.duplicates.merging import STUDENT_MERGE
from archive_store.duplicates.unmerging import STUDENT_UNMERGE
from archive_store.duties.code_tables import CODE_TABLE_LOAD
from archive_store.duties.operations import CALENDAR_LOAD
from archive_store.graduation.decisions import GRADUATION_DECIDE
from archive_store.imports.batches import IMPORT_UNDO, ROSTER_IMPORT
from archive_store.logistics.tables import LOGISTICS_OPERATIONS
from archive_store.objections.operations import OBJECTION_OPERATIONS
from archive_store.organisation.assignments import CLASS_ASSIGN
from archive_store.organisation.classes import CLASS_CHANGE, CLASS_CLOSE, CLASS_OPEN
from archive_store.organisation.homerooms import HOMEROOM_ASSIGN, HOMEROOM_END
from archive_store.organisation.majors import MAJOR_OPERATIONS
from archive_store.organisation.operations import CAMPUS_OPEN, COHORT_CHANGE, COHORT_OPEN, SCHOOL_SET_UP
from archive_store.organisation.stages import stages_of_students
from archive_store.people.delegations import DELEGATION_END, DELEGATION_GIVE
from archive_store.people.operations import ROLE_GRANT_GIVE
from archive_store.policies.admission import ADMISSION_POLICY_REPLACE
from archive_store.policies.approvals import APPROVAL_POLICY_REPLACE
from archive_store.policies.conduct import CONDUCT_POLICY_REPLACE
from archive_store.policies.grade_points import GRADE_POINT_SCALE_REPLACE
from archive_store.policies.graduation_rules import GRADUATION_RULES_REPLACE
from archive_store.policies.operations import POLICY_REPLACE
from archive_store.policies.retention import RETENTION_TABLE_REPLACE
from archive_store.policies.status_rules import STATUS_RULES_REPLACE
from archive_store.policies.transfer_rules import TRANSFER_RULES_REPLACE
from archive_store.preservation.disposals import DISPOSAL_CANCEL, DISPOSAL_PROPOSE, SCAN_DISPOSE
from archive_store.preservation.holds import SCAN_HOLD, SCAN_RELEASE_HOLD
from archive_store.retrieval.operations import (
    RETRIEVAL_GRANT_GIVE,
    RETRIEVAL_GRANT_GIVE_SEALED,
    RETRIEVAL_GRANT_REVOKE,
)
from archive_store.scans.operations import SCAN_FILE
from archive_store.semester_verification.campaigns import (
    VERIFICATION_CANCEL,
    VERIFICATION_CLOSE,
    VERIFICATION_EXTEND,
    VERIFICATION_OPEN,
)
from archive_store.semester_verification.corrections import VERIFICATION_SETTLE
from archive_store.semester_verification.operations import VERIFICATION_CONFIRM
from archive_store.semester_verification.reports import VERIFICATION_REPORT_MISMATCH
from archive_store.status_changes.expulsions import require_expellable
from archive_store.status_changes.operations import STATUS_CHANGES
from archive_store.students.operations import STUDENT_UPDATE
from archive_store.transcripts.tables import TRANSCRIPT_OPERATIONS
from archive_store.transfer_cases.tables import CASE_OPERATIONS
from archive_store.transfers.operations import FILE_TRANSFER_RECEIVE

OPERATIONS: Mapping[str, Operation[Any]] = {
    **ACADEMIC_OPERATIONS,
    **LOGISTICS_OPERATIONS,
    "admission.add_evidence": ADMISSION_ADD_EVIDENCE,
    "admission.amend": ADMISSION_AMEND,
    "admission.call_confirmation": ADMISSION_CALL_CONFIRMATION,
    "admission.confirm": ADMISSION_CONFIRM,
    "admission.correct": ADMISSION_CORRECT,
    "admission.enter": ADMISSION_ENTER,
    "admission.object": ADMISSION_OBJECT,
    "admission.reopen": ADMISSION_REOPEN,
    "admission.review": ADMISSION_REVIEW,
    "admission.submit": ADMISSION_SUBMIT,
    "admission.supply": ADMISSION_SUPPLY,
    "admission_policy.replace": ADMISSION_POLICY_REPLACE,
    "approval_policy.replace": APPROVAL_POLICY_REPLACE,
    "calendar.load": CALENDAR_LOAD,
    "campus.open": CAMPUS_OPEN,
    "certificate.issue": CERTIFICATE_ISSUE,
    "certificate.reissue": CERTIFICATE_REISSUE,
    "certificate.revoke": CERTIFICATE_REVOKE,
    "certificate_range.open": CERTIFICATE_RANGE_OPEN,
    "class.assign": CLASS_ASSIGN,
    "class.change": CLASS_CHANGE,
    "class.close": CLASS_CLOSE,
    "class.open": CLASS_OPEN,
    "code_table.load": CODE_TABLE_LOAD,
    "cohort.change": COHORT_CHANGE,
    "cohort.open": COHORT_OPEN,
    "conduct_policy.replace": CONDUCT_POLICY_REPLACE,
    "crisis_team.activate": CRISIS_TEAM_ACTIVATE,
    "crisis_team.change_members": CRISIS_TEAM_CHANGE_MEMBERS,
    "crisis_team.close": CRISIS_TEAM_CLOSE,
    "crisis_team.form": CRISIS_TEAM_FORM,
    "crisis_team.stand_down": CRISIS_TEAM_STAND_DOWN,
    "crisis_team.submit_review": CRISIS_TEAM_SUBMIT_REVIEW,
    "delegation.end": DELEGATION_END,
    "delegation.give": DELEGATION_GIVE,
    "disposal.cancel": DISPOSAL_CANCEL,
    "disposal.propose": DISPOSAL_PROPOSE,
    "duplicate.dismiss": DUPLICATE_DISMISS,
    "duplicate.reopen": DUPLICATE_REOPEN,
    "file_transfer.receive": FILE_TRANSFER_RECEIVE,
    "grade_point_scale.replace": GRADE_POINT_SCALE_REPLACE,
    "graduation.decide": GRADUATION_DECIDE,
    "graduation_rules.replace": GRADUATION_RULES_REPLACE,
    "homeroom.assign": HOMEROOM_ASSIGN,
    "homeroom.end": HOMEROOM_END,
    "import.undo": IMPORT_UNDO,
    **MAJOR_OPERATIONS,
    "policy.replace": POLICY_REPLACE,
    "reason_templates.replace": REASON_TEMPLATES_REPLACE,
    "retention_table.replace": RETENTION_TABLE_REPLACE,
    "retrieval_grant.give": RETRIEVAL_GRANT_GIVE,
    "retrieval_grant.give_sealed": RETRIEVAL_GRANT_GIVE_SEALED,
    "retrieval_grant.revoke": RETRIEVAL_GRANT_REVOKE,
    "role_grant.give": ROLE_GRANT_GIVE,
    "roster.import": ROSTER_IMPORT,
    "scan.dispose": SCAN_DISPOSE,
    "scan.file": SCAN_FILE,
    "scan.hold": SCAN_HOLD,
    "scan.release_hold": SCAN_RELEASE_HOLD,
    "school.set_up": SCHOOL_SET_UP,
    "student.merge": STUDENT_MERGE,
    "student.unmerge": STUDENT_UNMERGE,
    "student.update": STUDENT_UPDATE,
    "verification.cancel": VERIFICATION_CANCEL,
    "verification.close": VERIFICATION_CLOSE,
    "verification.confirm": VERIFICATION_CONFIRM,
    "verification.extend": VERIFICATION_EXTEND,
    "verification.open": VERIFICATION_OPEN,
    "verification.report_mismatch": VERIFICATION_REPORT_MISMATCH,
    "verification.settle": VERIFICATION_SETTLE,
    "status_rules.replace": STATUS_RULES_REPLACE,
    "transfer_rules.replace": TRANSFER_RULES_REPLACE,
    **OBJECTION_OPERATIONS,
    **conduct_operations(stages_of_students, require_expellable),
    **TRANSCRIPT_OPERATIONS,
    **{operation.name: operation for operation in STATUS_CHANGES.values()},
    **CASE_OPERATIONS,
}
