"""Opening the archive store, and its tables: record types, operations and jobs. Everything meets here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant
from archive_store.access.rules import FieldAccessPolicy
from archive_store.admission.amendments import ADMISSION_AMEND, ADMISSION_REOPEN
from archive_store.admission.collection import ADMISSION_SUPPLY
from archive_store.admission.confirmation import ADMISSION_CONFIRM, ADMISSION_OBJECT
from archive_store.admission.corrections import ADMISSION_CORRECT, tell_overdue
from archive_store.admission.documents import AdmissionCase, AdmissionPolicy
from archive_store.admission.entry import ADMISSION_CALL_CONFIRMATION, ADMISSION_ENTER
from archive_store.admission.evidence import ADMISSION_ADD_EVIDENCE, ADMISSION_SUBMIT
from archive_store.admission.review import ADMISSION_REVIEW
from archive_store.approvals.deadlines import apply_due, escalate, remind
from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest
from archive_store.approvals.emergencies import escalate_overdue
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.operation import Operation
from archive_store.approvals.reasons import REASON_TEMPLATES_REPLACE, ReasonTemplates
from archive_store.audit.governed_transaction import prepare_indexes
from archive_store.audit.log import require_log_of_settings
from archive_store.certificates.documents import Certificate, CertificateIssue, CertificateNumberRange
from archive_store.certificates.ending import CERTIFICATE_REISSUE, CERTIFICATE_REVOKE
from archive_store.certificates.issuing import CERTIFICATE_ISSUE
from archive_store.certificates.ranges import CERTIFICATE_RANGE_OPEN
from archive_store.crisis.documents import CrisisTeam
from archive_store.crisis.operations import (
    CRISIS_TEAM_ACTIVATE,
    CRISIS_TEAM_CHANGE_MEMBERS,
    CRISIS_TEAM_FORM,
    CRISIS_TEAM_STAND_DOWN,
)
from archive_store.crisis.reviews import (
    CRISIS_TEAM_CLOSE,
    CRISIS_TEAM_SUBMIT_REVIEW,
    mark_reviews_due,
    stand_down_ended,
)
from archive_store.duplicates.dismissals import DUPLICATE_DISMISS, DUPLICATE_REOPEN
from archive_store.duplicates.documents import DuplicateDismissal, MergeCase
from archive_store.duplicates.merging import STUDENT_MERGE
from archive_store.duplicates.unmerging import STUDENT_UNMERGE
from archive_store.duties.code_tables import CODE_TABLE_LOAD
from archive_store.duties.operations import CALENDAR_LOAD
from archive_store.foundation.clock import Clock
from archive_store.foundation.code_table_versions import CodeTableVersion
from archive_store.foundation.database import Database
from archive_store.foundation.field_cipher import FieldCipher
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.records import Record
from archive_store.foundation.root_key_providers import root_keys_of
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Job, Store
from archive_store.foundation.work_calendars import WorkCalendar
from archive_store.imports.batches import IMPORT_UNDO, ROSTER_IMPORT
from archive_store.imports.documents import IMPORT_INDEXES, ImportBatch
from archive_store.imports.jobs import expire, run_due
from archive_store.organisation.assignments import CLASS_ASSIGN
from archive_store.organisation.classes import CLASS_CHANGE, CLASS_CLOSE, CLASS_OPEN
from archive_store.organisation.documents import Campus, ClassAssignment, Cohort, School, SchoolClass
from archive_store.organisation.homerooms import HOMEROOM_ASSIGN, HOMEROOM_END
from archive_store.organisation.operations import (
    CAMPUS_OPEN,
    COHORT_CHANGE,
    COHORT_OPEN,
    SCHOOL_SET_UP,
)
from archive_store.people.delegations import DELEGATION_END, DELEGATION_GIVE, Delegation
from archive_store.people.documents import Person, RoleGrant
from archive_store.people.operations import ROLE_GRANT_GIVE
from archive_store.policies.admission import ADMISSION_POLICY_REPLACE
from archive_store.policies.approvals import APPROVAL_POLICY_REPLACE
from archive_store.policies.operations import POLICY_REPLACE
from archive_store.policies.retention import RETENTION_TABLE_REPLACE
from archive_store.preservation.disposals import DISPOSAL_CANCEL, DISPOSAL_PROPOSE, SCAN_DISPOSE
from archive_store.preservation.documents import DisposalBatch, LegalHold
from archive_store.preservation.fixity_documents import CHECK_INDEXES, CHECKS, FixityRun
from archive_store.preservation.fixity_jobs import check_due
from archive_store.preservation.holds import SCAN_HOLD, SCAN_RELEASE_HOLD
from archive_store.preservation.jobs import cancel_unasked, follow_holds, lock_filed, remove_disposed
from archive_store.retrieval.operations import (
    RETRIEVAL_GRANT_GIVE,
    RETRIEVAL_GRANT_GIVE_SEALED,
    RETRIEVAL_GRANT_REVOKE,
)
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.key_changes import KeyChange
from archive_store.scans.operations import SCAN_FILE
from archive_store.scans.retention import RetentionTable
from archive_store.scans.rotation import rewrap_keys, rotate_keys
from archive_store.scans.upload_documents import UPLOAD_INDEXES, UPLOADS
from archive_store.scans.uploads import finish_left, remove_expired
from archive_store.scans.viewings import VIEWING_INDEXES, VIEWINGS
from archive_store.semester_verification.campaigns import (
    VERIFICATION_CANCEL,
    VERIFICATION_CLOSE,
    VERIFICATION_EXTEND,
    VERIFICATION_OPEN,
)
from archive_store.semester_verification.corrections import VERIFICATION_SETTLE, follow_requests
from archive_store.semester_verification.documents import (
    ROLL,
    ROLL_INDEXES,
    VerificationCampaign,
    VerificationItem,
)
from archive_store.semester_verification.jobs import close_ended, remind_of_end
from archive_store.semester_verification.listing import list_due
from archive_store.semester_verification.operations import VERIFICATION_CONFIRM
from archive_store.semester_verification.reports import VERIFICATION_REPORT_MISMATCH
from archive_store.students.documents import Export, Student
from archive_store.students.operations import STUDENT_UPDATE
from archive_store.students.status import STUDENT_RESUME, STUDENT_SUSPEND

RECORD_TYPES: tuple[type[Record], ...] = (
    AccessEvent,
    AdmissionCase,
    AdmissionPolicy,
    ApprovalPolicy,
    ArchiveFile,
    Campus,
    Certificate,
    CertificateIssue,
    CertificateNumberRange,
    ChangeRequest,
    ClassAssignment,
    CodeTableVersion,
    Cohort,
    CrisisTeam,
    Delegation,
    DisposalBatch,
    DuplicateDismissal,
    EmergencyAction,
    Export,
    FieldAccessPolicy,
    FixityRun,
    ImportBatch,
    KeyChange,
    LegalHold,
    MergeCase,
    Person,
    ReasonTemplates,
    RetentionTable,
    RetrievalGrant,
    RoleGrant,
    Scan,
    School,
    SchoolClass,
    Student,
    VerificationCampaign,
    VerificationItem,
    WorkCalendar,
)

OPERATIONS: Mapping[str, Operation[Any]] = {
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
    "homeroom.assign": HOMEROOM_ASSIGN,
    "homeroom.end": HOMEROOM_END,
    "import.undo": IMPORT_UNDO,
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
    "student.resume": STUDENT_RESUME,
    "student.suspend": STUDENT_SUSPEND,
    "student.unmerge": STUDENT_UNMERGE,
    "student.update": STUDENT_UPDATE,
    "verification.cancel": VERIFICATION_CANCEL,
    "verification.close": VERIFICATION_CLOSE,
    "verification.confirm": VERIFICATION_CONFIRM,
    "verification.extend": VERIFICATION_EXTEND,
    "verification.open": VERIFICATION_OPEN,
    "verification.report_mismatch": VERIFICATION_REPORT_MISMATCH,
    "verification.settle": VERIFICATION_SETTLE,
}

# What one worker among all processes does every few seconds, in this order.
JOBS: Mapping[str, Job] = {
    "change_request.remind": remind,
    "change_request.escalate": escalate,
    "change_request.apply": apply_due,
    "emergency.escalate": escalate_overdue,
    "admission.tell_overdue": tell_overdue,
    "crisis_team.stand_down_ended": stand_down_ended,
    "crisis_team.mark_reviews_due": mark_reviews_due,
    "verification.follow_requests": follow_requests,
    "verification.remind": remind_of_end,
    "verification.close": close_ended,
    "archive_file.rewrap": rewrap_keys,
    "archive_file.rotate_keys": rotate_keys,
    "disposal.cancel_unasked": cancel_unasked,
    "import.expire": expire,
}

# Beside them: these move whole files, and may take as long as a large one.
SCAN_JOBS: Mapping[str, Job] = {
    "scan.hold_objects": follow_holds,
    "scan.lock_objects": lock_filed,
    "scan.remove_disposed": remove_disposed,
    "upload.finish": finish_left,
    "upload.remove_expired": remove_expired,
}

# As JOBS, beside them: what takes long and may end at any time.
SLOW_JOBS: Mapping[str, Job] = {"verification.list": list_due, "archive.check": check_due}

# A large roster takes minutes.
IMPORT_JOBS: Mapping[str, Job] = {"import.run": run_due}


@asynccontextmanager
async def open_archive(settings: Settings, *, prepares: bool = True) -> AsyncIterator[Store]:
    """Connect, and close everything at the end; with `prepares`, apply indexes, and make key and bucket if missing."""
    keyring = Keyring.load(settings.keyring_file)
    url, name = settings.mongodb_url.get_secret_value(), settings.mongodb_database
    database = Database(url, name)
    cipher = FieldCipher(url, name, keyring.field_master, keyring.lookup)
    store = Store(
        settings=settings,
        database=database,
        cipher=cipher,
        objects=ObjectStore.from_settings(settings),
        keyring=keyring,
        root_keys=root_keys_of(settings, keyring),
        clock=Clock(),
        operations=OPERATIONS,
    )
    try:
        if prepares:
            await database.prepare(RECORD_TYPES)
            await cipher.prepare()
            await prepare_indexes(store)
            await database.mongo[UPLOADS].create_indexes(UPLOAD_INDEXES)
            await database.mongo[VIEWINGS].create_indexes(VIEWING_INDEXES)
            await database.mongo[CHECKS].create_indexes(CHECK_INDEXES)
            await database.mongo[ROLL].create_indexes(ROLL_INDEXES)
            for collection, indexes in IMPORT_INDEXES.items():
                await database.mongo[collection].create_indexes(indexes)
            await require_log_of_settings(store)
            await store.objects.ensure_bucket()
        yield store
    finally:
        cipher.close()
        await database.close()
