"""Batched loads, named by key: one query a batch, results in key order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.admission.queries import CaseView, cases_by_id
from archive_store.approvals.contents import RequestContent
from archive_store.approvals.documents import ChangeRequest
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.emergency_queries import emergency_actions_by_id, emergency_contents_for
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.certificates.queries import CertificateView, certificates_by_student
from archive_store.crisis.queries import TeamView, open_texts, teams_by_id
from archive_store.duplicates.queries import MergeView, merge_cases_by_id, merged_students
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Page
from archive_store.foundation.unit_of_work import Subject
from archive_store.organisation.members import HomeroomPeriod, class_sizes, homeroom_periods
from archive_store.organisation.queries import (
    ClassView,
    classes_by_id,
)
from archive_store.preservation.completeness import Completeness, completeness_of
from archive_store.preservation.documents import DisposalBatch, LegalHold
from archive_store.preservation.queries import batches_by_id, holds_by_id, open_reasons
from archive_store.readings.queries import Access
from archive_store.scans.queries import ScanView, scans_by_id, scans_by_student
from archive_store.semester_verification.documents import VerificationCampaign
from archive_store.semester_verification.queries import ItemView, campaigns_by_id, items_by_id
from archive_store.semester_verification.texts import OpenedTexts
from archive_store.semester_verification.texts import open_texts as open_verification_texts
from archive_store.students.moments import MomentsKey, StudentMoments, students_at
from archive_store.students.numbers import StudentNumbers, numbers_by_id
from archive_store.students.queries import decisions_by_id, students_by_id
from archive_store.students.scope import RowDecision
from schema.academics.loaders import AcademicsLoaders
from schema.audit.loaders import AuditLoaders
from schema.conduct.loaders import ConductLoaders
from schema.context import Context
from schema.logistics.loaders import LogisticsLoaders
from schema.objections.loaders import ObjectionLoaders
from schema.organisation.loaders import OrganisationLoaders
from schema.readings.loaders import AccessHistoryKey, load_access_histories
from schema.subjects import visible_subjects
from schema.transcripts.loaders import TranscriptLoaders
from schema.transfer_cases.loaders import TransferCaseLoaders
from schema.transfers.loaders import TransferLoaders


class StudentKey(NamedTuple):
    """A student and the leaves to load."""

    id: ObjectId
    paths: frozenset[str]


class TextsKey(NamedTuple):
    """A crisis team and the encrypted leaves to open."""

    id: ObjectId
    paths: frozenset[str]


class LoadedStudent(NamedTuple):
    """The row, None where there is none to see, and what was kept back in its batch."""

    row: Row | None
    withheld: Mapping[str, Withheld]


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A change request whose content is asked for."""

    id: ObjectId
    request: ChangeRequest = field(compare=False)


@dataclass(frozen=True, slots=True)
class EmergencyKey:
    """An emergency action whose content is asked for."""

    id: ObjectId
    action: EmergencyAction = field(compare=False)


class Loaders:
    """The loaders of one request. They do not cache, so that a mutation's payload shows what it changed."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer
        self.audit = AuditLoaders(context)
        self.conduct = ConductLoaders(context)
        self.academics = AcademicsLoaders(context)
        self.logistics = LogisticsLoaders(context)
        self.organisation = OrganisationLoaders(context)
        self.objections = ObjectionLoaders(context)
        self.transfers = TransferLoaders(context)
        self.transfer_cases = TransferCaseLoaders(context)
        self.transcripts = TranscriptLoaders(context)

        async def load_admission_cases(
            keys: list[tuple[ObjectId, frozenset[str]]],
        ) -> list[CaseView | None]:
            found: dict[tuple[ObjectId, frozenset[str]], CaseView | None] = {}
            for paths in {paths for _, paths in keys}:
                ids = list({key: None for key, wanted in keys if wanted == paths})
                views = await cases_by_id(store, viewer, ids, paths)
                found |= {(key, paths): view for key, view in zip(ids, views, strict=True)}
            return [found[key] for key in keys]

        async def load_change_requests(ids: list[ObjectId]) -> list[ChangeRequest | None]:
            return await change_requests_by_id(store, viewer, ids)

        async def load_contents(keys: list[ContentKey]) -> list[RequestContent]:
            # Several fields of one request ask for it.
            requests = {key.id: key.request for key in keys}
            contents = await contents_for(store, viewer, list(requests.values()))
            by_id = dict(zip(requests, contents, strict=True))
            return [by_id[key.id] for key in keys]

        async def load_crisis_teams(ids: list[ObjectId]) -> list[TeamView | None]:
            return await teams_by_id(store, viewer, ids)

        async def load_merge_cases(ids: list[ObjectId]) -> list[MergeView | None]:
            return await merge_cases_by_id(store, viewer, ids)

        async def load_merged_students(ids: list[ObjectId]) -> list[list[ObjectId] | None]:
            found = await merged_students(store, viewer, ids)
            return [found.get(key) for key in ids]

        async def load_crisis_texts(keys: list[TextsKey]) -> list[Row]:
            wanted: dict[ObjectId, frozenset[str]] = {}
            for key in keys:
                wanted[key.id] = wanted.get(key.id, frozenset()) | key.paths
            opened = await open_texts(store, viewer, wanted)
            return [opened.get(key.id, {}) for key in keys]

        async def load_verification_campaigns(ids: list[ObjectId]) -> list[VerificationCampaign | None]:
            return await campaigns_by_id(store, viewer, ids)

        async def load_verification_items(ids: list[ObjectId]) -> list[ItemView | None]:
            return await items_by_id(store, viewer, ids)

        async def load_verification_texts(keys: list[tuple[ObjectId, str]]) -> list[OpenedTexts | None]:
            wanted: dict[ObjectId, frozenset[str]] = {}
            for key, path in keys:
                wanted[key] = wanted.get(key, frozenset()) | {path}
            opened = await open_verification_texts(store, viewer, wanted)
            return [opened.get(key) for key, _ in keys]

        async def load_emergency_actions(ids: list[ObjectId]) -> list[EmergencyAction | None]:
            return await emergency_actions_by_id(store, viewer, ids)

        async def load_emergency_contents(keys: list[EmergencyKey]) -> list[RequestContent]:
            actions = {key.id: key.action for key in keys}
            contents = await emergency_contents_for(store, viewer, list(actions.values()))
            by_id = dict(zip(actions, contents, strict=True))
            return [by_id[key.id] for key in keys]

        async def load_decisions(ids: list[ObjectId]) -> list[RowDecision | None]:
            decisions = await decisions_by_id(store, viewer, ids)
            return [decisions.get(key) for key in ids]

        async def load_certificates(ids: list[ObjectId]) -> list[list[CertificateView] | None]:
            return await certificates_by_student(store, viewer, ids)

        async def load_scans(ids: list[ObjectId]) -> list[list[ScanView] | None]:
            return await scans_by_student(store, viewer, ids)

        async def load_scans_by_id(ids: list[ObjectId]) -> list[ScanView | None]:
            return await scans_by_id(store, viewer, ids)

        async def load_student_moments(keys: list[MomentsKey]) -> list[StudentMoments | None]:
            return await students_at(store, viewer, keys)

        async def load_students(keys: list[StudentKey]) -> list[LoadedStudent]:
            found: dict[StudentKey, LoadedStudent] = {}
            for paths in {key.paths for key in keys}:
                ids = list({key.id: None for key in keys if key.paths == paths})
                rows, withheld = await students_by_id(store, viewer, ids, paths)
                for student_id, row in zip(ids, rows, strict=True):
                    found[StudentKey(student_id, paths)] = LoadedStudent(row, withheld)
            return [found[key] for key in keys]

        async def load_classes(ids: list[ObjectId]) -> list[ClassView | None]:
            return await classes_by_id(store, viewer, ids)

        async def load_class_sizes(names: list[str]) -> list[int]:
            return await class_sizes(store, names)

        async def load_homeroom_periods(names: list[str]) -> list[list[HomeroomPeriod]]:
            return await homeroom_periods(store, names)

        async def load_student_numbers(ids: list[ObjectId]) -> list[StudentNumbers | None]:
            # Several fields of one student ask for it: it is one reading.
            asked = list(dict.fromkeys(ids))
            found = dict(zip(asked, await numbers_by_id(store, viewer, asked), strict=True))
            return [found[key] for key in ids]

        async def load_completeness(ids: list[ObjectId]) -> list[Completeness | None]:
            return await completeness_of(store, viewer, ids)

        async def load_holds(ids: list[ObjectId]) -> list[LegalHold | None]:
            return await holds_by_id(store, viewer, ids)

        async def load_hold_reasons(ids: list[ObjectId]) -> list[str | None]:
            return await open_reasons(store, viewer, ids)

        async def load_batches(ids: list[ObjectId]) -> list[DisposalBatch | None]:
            return await batches_by_id(store, viewer, ids)

        async def load_visible(subjects: list[Subject]) -> list[bool]:
            seen = await visible_subjects(store, viewer, subjects)
            return [subject in seen for subject in subjects]

        async def load_accesses(keys: list[AccessHistoryKey]) -> list[Page[Access] | None]:
            return await load_access_histories(store, viewer, keys)

        self.access_histories: DataLoader[AccessHistoryKey, Page[Access] | None] = DataLoader(
            load_fn=load_accesses, cache=False
        )
        self.admission_cases: DataLoader[tuple[ObjectId, frozenset[str]], CaseView | None] = DataLoader(
            load_fn=load_admission_cases, cache=False
        )
        self.change_requests: DataLoader[ObjectId, ChangeRequest | None] = DataLoader(
            load_fn=load_change_requests, cache=False
        )
        self.classes: DataLoader[ObjectId, ClassView | None] = DataLoader(load_fn=load_classes, cache=False)
        self.class_sizes: DataLoader[str, int] = DataLoader(load_fn=load_class_sizes, cache=False)
        self.homeroom_periods: DataLoader[str, list[HomeroomPeriod]] = DataLoader(
            load_fn=load_homeroom_periods, cache=False
        )
        self.student_numbers: DataLoader[ObjectId, StudentNumbers | None] = DataLoader(
            load_fn=load_student_numbers, cache=False
        )
        self.completeness: DataLoader[ObjectId, Completeness | None] = DataLoader(
            load_fn=load_completeness, cache=False
        )
        self.disposal_batches: DataLoader[ObjectId, DisposalBatch | None] = DataLoader(
            load_fn=load_batches, cache=False
        )
        self.legal_holds: DataLoader[ObjectId, LegalHold | None] = DataLoader(load_fn=load_holds, cache=False)
        self.hold_reasons: DataLoader[ObjectId, str | None] = DataLoader(
            load_fn=load_hold_reasons, cache=False
        )
        self.crisis_teams: DataLoader[ObjectId, TeamView | None] = DataLoader(
            load_fn=load_crisis_teams, cache=False
        )
        self.merge_cases: DataLoader[ObjectId, MergeView | None] = DataLoader(
            load_fn=load_merge_cases, cache=False
        )
        self.merged_students: DataLoader[ObjectId, list[ObjectId] | None] = DataLoader(
            load_fn=load_merged_students, cache=False
        )
        self.crisis_texts: DataLoader[TextsKey, Row] = DataLoader(load_fn=load_crisis_texts, cache=False)
        self.request_contents: DataLoader[ContentKey, RequestContent] = DataLoader(
            load_fn=load_contents, cache=False
        )
        self.emergency_actions: DataLoader[ObjectId, EmergencyAction | None] = DataLoader(
            load_fn=load_emergency_actions, cache=False
        )
        self.emergency_contents: DataLoader[EmergencyKey, RequestContent] = DataLoader(
            load_fn=load_emergency_contents, cache=False
        )
        self.student_decisions: DataLoader[ObjectId, RowDecision | None] = DataLoader(
            load_fn=load_decisions, cache=False
        )
        self.student_moments: DataLoader[MomentsKey, StudentMoments | None] = DataLoader(
            load_fn=load_student_moments, cache=False
        )
        self.certificates_by_student: DataLoader[ObjectId, list[CertificateView] | None] = DataLoader(
            load_fn=load_certificates, cache=False
        )
        self.scans: DataLoader[ObjectId, ScanView | None] = DataLoader(load_fn=load_scans_by_id, cache=False)
        self.students: DataLoader[StudentKey, LoadedStudent] = DataLoader(load_fn=load_students, cache=False)
        self.visible_subjects: DataLoader[Subject, bool] = DataLoader(load_fn=load_visible, cache=False)
        self.scans_by_student: DataLoader[ObjectId, list[ScanView] | None] = DataLoader(
            load_fn=load_scans, cache=False
        )
        self.verification_campaigns: DataLoader[ObjectId, VerificationCampaign | None] = DataLoader(
            load_fn=load_verification_campaigns, cache=False
        )
        self.verification_items: DataLoader[ObjectId, ItemView | None] = DataLoader(
            load_fn=load_verification_items, cache=False
        )
        self.verification_texts: DataLoader[tuple[ObjectId, str], OpenedTexts | None] = DataLoader(
            load_fn=load_verification_texts, cache=False
        )
