"""Opening the archive store, and its tables: record types, operations and jobs. Everything meets here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from archive_store.academics.tables import ACADEMIC_RECORD_TYPES
from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant
from archive_store.access.rules import FieldAccessPolicy
from archive_store.admission.corrections import tell_overdue
from archive_store.admission.documents import AdmissionCase, AdmissionPolicy
from archive_store.approvals.deadlines import apply_due, escalate, remind
from archive_store.approvals.documents import ApprovalPolicy, ChangeRequest
from archive_store.approvals.emergencies import escalate_overdue
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.reasons import ReasonTemplates
from archive_store.audit.governed_transaction import prepare_indexes
from archive_store.audit.log import require_log_of_settings
from archive_store.certificates.documents import Certificate, CertificateIssue, CertificateNumberRange
from archive_store.conduct.operations import CONDUCT_JOBS, CONDUCT_RECORDS
from archive_store.crisis.documents import CrisisTeam
from archive_store.crisis.reviews import mark_reviews_due, stand_down_ended
from archive_store.duplicates.documents import DuplicateDismissal, MergeCase
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
from archive_store.graduation.documents import GraduationBatch, GraduationRules
from archive_store.imports.documents import IMPORT_INDEXES, ImportBatch
from archive_store.imports.jobs import expire, run_due
from archive_store.logistics.tables import LOGISTICS_JOBS, LOGISTICS_RECORD_TYPES
from archive_store.objections.documents import RecordObjection
from archive_store.objections.operations import tell_overdue_answers
from archive_store.operation_table import OPERATIONS
from archive_store.organisation.documents import Campus, ClassAssignment, Cohort, School, SchoolClass
from archive_store.organisation.majors import MAJOR_RECORD_TYPES
from archive_store.people.delegations import Delegation
from archive_store.people.documents import Person, RoleGrant
from archive_store.preservation.documents import DisposalBatch, LegalHold
from archive_store.preservation.fixity_documents import CHECK_INDEXES, CHECKS, FixityRun
from archive_store.preservation.fixity_jobs import check_due
from archive_store.preservation.jobs import cancel_unasked, follow_holds, lock_filed, remove_disposed
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.key_changes import KeyChange
from archive_store.scans.retention import RetentionTable
from archive_store.scans.rotation import rewrap_keys, rotate_keys
from archive_store.scans.upload_documents import UPLOAD_INDEXES, UPLOADS
from archive_store.scans.uploads import finish_left, remove_expired
from archive_store.scans.viewings import VIEWING_INDEXES, VIEWINGS
from archive_store.semester_verification.corrections import follow_requests
from archive_store.semester_verification.documents import (
    ROLL,
    ROLL_INDEXES,
    VerificationCampaign,
    VerificationItem,
)
from archive_store.semester_verification.jobs import close_ended, remind_of_end
from archive_store.semester_verification.listing import list_due
from archive_store.status_changes.documents import StatusRules
from archive_store.students.documents import Export, Student
from archive_store.transcripts.tables import TRANSCRIPT_RECORD_TYPES
from archive_store.transfer_cases.tables import CASE_JOBS, CASE_RECORD_TYPES
from archive_store.transfers.documents import FileTransfer
from archive_store.transfers.jobs import tell_overdue_receipts

RECORD_TYPES: tuple[type[Record], ...] = (
    *ACADEMIC_RECORD_TYPES,
    *LOGISTICS_RECORD_TYPES,
    *MAJOR_RECORD_TYPES,
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
    FileTransfer,
    FixityRun,
    GraduationBatch,
    GraduationRules,
    ImportBatch,
    KeyChange,
    LegalHold,
    MergeCase,
    Person,
    ReasonTemplates,
    RecordObjection,
    RetentionTable,
    RetrievalGrant,
    RoleGrant,
    Scan,
    School,
    SchoolClass,
    StatusRules,
    Student,
    VerificationCampaign,
    VerificationItem,
    WorkCalendar,
    *CASE_RECORD_TYPES,
    *CONDUCT_RECORDS,
    *TRANSCRIPT_RECORD_TYPES,
)


# What one worker among all processes does every few seconds, in this order.
JOBS: Mapping[str, Job] = {
    "change_request.remind": remind,
    "change_request.escalate": escalate,
    "change_request.apply": apply_due,
    "emergency.escalate": escalate_overdue,
    "admission.tell_overdue": tell_overdue,
    "crisis_team.stand_down_ended": stand_down_ended,
    "crisis_team.mark_reviews_due": mark_reviews_due,
    **CONDUCT_JOBS,
    "verification.follow_requests": follow_requests,
    "verification.remind": remind_of_end,
    "verification.close": close_ended,
    "archive_file.rewrap": rewrap_keys,
    "archive_file.rotate_keys": rotate_keys,
    "disposal.cancel_unasked": cancel_unasked,
    "file_transfer.tell_overdue": tell_overdue_receipts,
    **CASE_JOBS,
    **LOGISTICS_JOBS,
    "record_objection.tell_overdue": tell_overdue_answers,
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
