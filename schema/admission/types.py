"""Admission cases (入学办理) as those see them whose business they are."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo
from strawberry.scalars import JSON

from archive_store.access.policy import Withheld
from archive_store.admission import documents as stored
from archive_store.admission.queries import CaseView, review_digest
from archive_store.admission.rules import AdmissionAction as StoredAction
from archive_store.admission.rules import missing_evidence, sources_by_field
from archive_store.admission.steps import policy_in_force
from archive_store.foundation.field_classes import FieldClass
from schema.access import GovernedType, governed, governed_list
from schema.admission.applicants import AdmissionApplicant
from schema.admission.enums import (
    AdmissionCapacity,
    AdmissionCaseStatus,
    AdmissionChannel,
    AdmissionSeat,
    SchoolStage,
)
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.errors import camel_case
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import shown_value
from schema.scans.types import Scan
from schema.students.types import Student

CASE = stored.AdmissionCase


@strawberry.enum(description="What can be done with an admission case.")
class AdmissionAction(Enum):
    AMEND = "AMEND"
    ADD_EVIDENCE = "ADD_EVIDENCE"
    SUBMIT = "SUBMIT"
    REVIEW = "REVIEW"
    REOPEN = "REOPEN"
    ENTER = "ENTER"
    CALL_CONFIRMATION = "CALL_CONFIRMATION"
    CONFIRM = "CONFIRM"
    OBJECT = "OBJECT"
    CORRECT = "CORRECT"


@strawberry.type(description="来源: where the value of a field came from, the last time it was supplied.")
class AdmissionSource:
    field: str | None = governed(CASE, "supplies.fields", "the field of the candidate")
    channel: AdmissionChannel | None = governed(CASE, "supplies.channel", "by which way")
    origin: str | None = governed(CASE, "supplies.origin", "such as a file's name")
    supplied_by_name: str | None = governed(CASE, "supplies.supplied_by_name", "who supplied it")
    at: datetime | None = governed(CASE, "supplies.at", "when")


@strawberry.type(description="材料: a paper that the case rests on, for those who see the scan.")
class AdmissionEvidence:
    document_type: str | None = governed(CASE, "evidence.document_type", "文件类型")
    added_by_name: str | None = governed(CASE, "evidence.added_by_name", "who added it")
    added_at: datetime | None = governed(CASE, "evidence.added_at", "when")
    scan: Scan | None = strawberry.field(description="扫描件.")


@strawberry.type(description="审核意见: the signature of one seat; those of an earlier round are void.")
class AdmissionSignature:
    seat: AdmissionSeat | None = governed(CASE, "signatures.seat", "席位")
    passed: bool | None = governed(CASE, "signatures.passed", "whether the seat finds for it")
    round: int | None = governed(CASE, "signatures.round", "counts the submissions")
    signed_by_name: str | None = governed(CASE, "signatures.signed_by_name", "who signed")
    signed_at: datetime | None = governed(CASE, "signatures.signed_at", "when")
    comment: str | None = governed(CASE, "signatures.comment", "意见")


@strawberry.type(description="异议 to one field of the record, and its answer.")
class AdmissionObjection:
    field: str | None = governed(CASE, "objections.field", "the field of the record")
    statement: str | None = governed(CASE, "objections.statement", "what is wrong with it")
    proposed: JSON | None = governed(CASE, "objections.proposed", "what it should say")
    raised_by_name: str | None = governed(CASE, "objections.raised_by_name", "who objects")
    capacity: AdmissionCapacity | None = governed(CASE, "objections.capacity", "as what")
    raised_at: datetime | None = governed(CASE, "objections.raised_at", "when")
    due_at: datetime | None = governed(CASE, "objections.due_at", "until when it must be answered")
    is_corrected: bool | None = governed(
        CASE, "objections.is_corrected", "whether the field was corrected; null while it is open"
    )
    answer: str | None = governed(CASE, "objections.answer", "why it stands")
    answered_by_name: str | None = governed(CASE, "objections.answered_by_name", "who answered")
    answered_at: datetime | None = governed(CASE, "objections.answered_at", "when")


def _shown(row: dict[str, Any], name: str) -> dict[str, Any]:
    """A row whose field names are spelt as GraphQL does."""
    return row | {name: camel_case(row[name])} if row.get(name) else row


def _sources(root: CaseView) -> list[AdmissionSource] | None:
    supplies = root.row.get("supplies")
    if supplies is None:
        return None
    if not all("fields" in supply for supply in supplies):
        return []
    return [
        {**supplies[place], "field": camel_case(name)}  # type: ignore[misc]
        for name, place in sorted(sources_by_field(supplies).items())
    ]


def _objections(root: CaseView) -> list[AdmissionObjection] | None:
    found = root.row.get("objections")
    if found is None:
        return None
    return [
        _shown(row | {"proposed": shown_value(row.get("proposed"))}, "field")  # type: ignore[misc]
        for row in found
    ]


async def _evidence(root: CaseView, info: Request) -> list[AdmissionEvidence] | None:
    papers = root.row.get("evidence")
    if papers is None:
        return None
    scans = await info.context.loaders.scans.load_many([paper["scan_id"] for paper in papers])
    return [paper | {"scan": scan} for paper, scan in zip(papers, scans, strict=True) if scan is not None]


def _nested(item_type: type, resolver: Any, description: str) -> Any:
    return strawberry.field(resolver=resolver, description=description, metadata={"item_type": item_type})


@strawberry.type(
    description="入学办理: a candidate's way in four steps (信息采集, 资格审核, 学籍录入, 信息确认). Policy §三(一)."
)
class AdmissionCase(Node):
    status: AdmissionCaseStatus | None = governed(CASE, "status", "办理状态")
    stage: SchoolStage | None = governed(CASE, "stage", "学段")
    cohort: int | None = governed(CASE, "cohort", "级, the year of entrance")
    batch: str | None = governed(CASE, "batch", "批次")
    reference: str | None = governed(CASE, "reference", "the source's own key")
    applicant: AdmissionApplicant | None = governed_list(AdmissionApplicant, "入学申请人")
    sources: list[AdmissionSource] | None = _nested(
        AdmissionSource, _sources, "来源, one for each field that was supplied."
    )
    evidence: list[AdmissionEvidence] | None = _nested(AdmissionEvidence, _evidence, "材料.")
    signatures: list[AdmissionSignature] | None = governed_list(AdmissionSignature, "审核意见")
    objections: list[AdmissionObjection] | None = _nested(
        AdmissionObjection, _objections, "异议, the first one first."
    )
    round: int | None = governed(CASE, "round", "counts the submissions to the review")
    submitted_by_name: str | None = governed(CASE, "submitted_by_name", "who submitted it")
    submitted_at: datetime | None = governed(CASE, "submitted_at", "when")
    entered_by_name: str | None = governed(CASE, "entered_by_name", "who entered the record")
    entered_at: datetime | None = governed(CASE, "entered_at", "when")
    confirmed_by_name: str | None = governed(CASE, "confirmed_by_name", "who confirmed the record")
    confirmed_as: AdmissionCapacity | None = governed(CASE, "confirmed_as", "as what")
    confirmed_at: datetime | None = governed(CASE, "confirmed_at", "when")
    due_at: datetime | None = governed(CASE, "due_at", "until when the open objections must be answered")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="The open objections were not answered in time.")
    def is_overdue(self, info: Request) -> bool:
        return _view(self).is_overdue(info.context.store.clock.now())

    @strawberry.field(description="The id under which papers are filed, and which the record will have.")
    def student_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("Student", _view(self).student_id))

    @strawberry.field(description="学籍, once it was entered.")
    async def student(self, info: Request) -> Student | None:
        return await Student.resolve_reference(info, _view(self).student_id)  # type: ignore[return-value]

    @strawberry.field(
        description="必备材料 of which the case holds none; null where the viewer may not know of its papers."
    )
    async def missing_evidence(self, info: Request) -> list[str] | None:
        return await _missing(info, _view(self))

    @strawberry.field(
        description="Fields that the record said something in when it was entered, and are to be confirmed.",
        directives=directives_of(CASE, "fields_to_confirm"),
        metadata={"path": "fields_to_confirm"},
    )
    def fields_to_confirm(self) -> list[str] | None:
        return _names(_view(self).row.get("fields_to_confirm"))

    @strawberry.field(
        description="Those of them that were confirmed.",
        directives=directives_of(CASE, "confirmed_fields"),
        metadata={"path": "confirmed_fields"},
    )
    def confirmed_fields(self) -> list[str] | None:
        return _names(_view(self).row.get("confirmed_fields"))

    @strawberry.field(
        description="What a signature is bound to; null unless a seat of the review is the viewer's to sign."
    )
    async def review_digest(self, info: Request) -> str | None:
        return await review_digest(info.context.store, info.context.viewer, _view(self).id)

    @strawberry.field(description="Whether the viewer may, and else why not.")
    def viewer_can(self, info: Request, action: AdmissionAction) -> Permission:
        return permission(_view(self).may(info.context.viewer, StoredAction(action.value)))

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> CaseView | None:
        return await load_case(info, key, ADMISSION_CASE.selected(info))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, CaseView)


ADMISSION_CASE = GovernedType(AdmissionCase)


async def load_case(info: Request, key: ObjectId, paths: frozenset[str]) -> CaseView | None:
    """The case with these leaves, what is kept back noted."""
    view = await info.context.loaders.admission_cases.load((key, with_names(paths)))
    note_withheld(info, [view] if view else [], paths)
    return view


def with_names(paths: frozenset[str]) -> frozenset[str]:
    """With what the items of the lists are told from, beside the leaves that were asked for."""
    roots = {path.partition(".")[0] for path in paths}
    more = set()
    if "supplies" in roots:
        more.add("supplies.fields")
    if "evidence" in roots:
        more.add("evidence.scan_id")
    return paths | more


def note_withheld(info: Request, views: list[CaseView], paths: frozenset[str]) -> None:
    withheld: dict[str, Withheld] = {}
    for view in views:
        withheld |= view.withheld(paths)
    info.context.withhold(ADMISSION_CASE.coordinates_of(withheld))


async def _missing(info: Request, view: CaseView) -> list[str] | None:
    context = info.context
    if "evidence.document_type" not in view.decision.readable:
        context.withhold({"AdmissionCase.missingEvidence": Withheld.NOT_PERMITTED})
        return None
    loaded = await context.loaders.admission_cases.load((view.id, frozenset({"evidence.document_type"})))
    rules = (await policy_in_force(context.store)).rules
    required = rules.required_of(stored.SchoolStage(view.row["stage"]))
    access = context.viewer.policy.rules
    if not context.viewer.holds_any(access.sealed_known_to):
        # That a sealed paper is missing tells of it, too.
        required = frozenset(name for name in required if access.document_class(name) is not FieldClass.F4)
    held = {paper["document_type"] for paper in (loaded.row.get("evidence") or [])} if loaded else set()
    return missing_evidence(held, required)


def _names(stored_names: list[str] | None) -> list[str] | None:
    return None if stored_names is None else [camel_case(name) or "" for name in stored_names]


def _view(source: Any) -> CaseView:
    assert isinstance(source, CaseView)  # noqa: S101
    return source
