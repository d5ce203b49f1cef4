"""Reading admission cases: only the fields asked for and allowed, as of student records.

By a post that reads records, and from the entry on by the family and the homeroom teacher. Whose move it is reads what
they are to decide on: a seat of the review while it is awaited, the information group what is objected to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.access.policy import ACCESS_RULE, FieldDecision, Withheld, refuse_field
from archive_store.access.rules import Relationship
from archive_store.access.viewer import Viewer
from archive_store.admission.applicants import Applicant
from archive_store.admission.documents import (
    WITH_RECORD,
    AdmissionCase,
    CaseStatus,
    ReviewSignature,
    SchoolStage,
    Seat,
)
from archive_store.admission.rules import (
    ENTERERS,
    RULE,
    AdmissionAction,
    capacity_of,
    covers_admission,
    is_overdue,
    posts_for,
    require_seat,
    require_state,
    seats_of,
)
from archive_store.admission.steps import digest_of, visible_case
from archive_store.approvals.permissions import Permission
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes
from archive_store.foundation.paging import Page, check_page_size, page_of_newest
from archive_store.foundation.store import Store
from archive_store.foundation.texts import check_text

REVIEWING = "资格审核 qualification review"
CORRECTING = "更正异议 answering an objection"
# What rights and next steps are told from; all of it open (F0) but the two that sight is told from.
CASE_FACTS = (
    "student_id",
    "stage",
    "cohort",
    "status",
    "round",
    "due_at",
    "submitted_by",
    "applicant.class_name",
    "signatures.seat",
    "signatures.signed_by",
    "signatures.round",
    "updated_at",
)
_SENSITIVE = frozenset({FieldClass.F0, FieldClass.F1, FieldClass.F2, FieldClass.F3})
_NONE: Row = {"_id": {"$exists": False}}
_FILTER_TEXT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Conditions that all hold."""

    status: CaseStatus | None = None
    stage: SchoolStage | None = None
    cohort: int | None = None
    batch: str | None = None
    import_id: ObjectId | None = None
    is_overdue: bool | None = None


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as one viewer sees it: `row` holds `CASE_FACTS` and the leaves that were asked for and may be read."""

    row: Row
    decision: FieldDecision

    @property
    def id(self) -> ObjectId:
        key: ObjectId = self.row["_id"]
        return key

    @property
    def student_id(self) -> ObjectId:
        key: ObjectId = self.row["student_id"]
        return key

    @property
    def status(self) -> CaseStatus:
        return CaseStatus(self.row["status"])

    @property
    def due_at(self) -> datetime | None:
        due: datetime | None = self.row.get("due_at")
        return due

    def may(self, viewer: Viewer, action: AdmissionAction) -> Permission:
        """What trying it would answer, as far as it is told without the candidate's values."""
        try:
            _require_may(viewer, self._facts, action)
        except RegistrarError as refusal:
            return Permission(refusal, posts=posts_for(action))
        return Permission()

    def is_overdue(self, now: datetime) -> bool:
        return is_overdue(self._facts, now)

    @property
    def _facts(self) -> AdmissionCase:
        signatures = [
            ReviewSignature.model_construct(**held | {"seat": Seat(held["seat"])})
            for held in self.row.get("signatures", ())
        ]
        facts = {name: self.row.get(name) for name in ("student_id", "round", "due_at", "submitted_by")}
        applicant = Applicant.model_construct(class_name=self.row.get("applicant", {}).get("class_name"))
        case: AdmissionCase = AdmissionCase.model_construct(
            status=self.status, signatures=signatures, applicant=applicant, **facts
        )
        return case

    def __getattr__(self, name: str) -> Any:
        if name not in AdmissionCase.model_fields:
            raise AttributeError(name)
        return self.row.get(name)

    def withheld(self, paths: frozenset[str]) -> dict[str, Withheld]:
        """The paths that are kept back, and why."""
        classes = field_classes(AdmissionCase)
        return {path: self.decision.why_withheld(classes[path]) for path in paths - self.decision.readable}


def _require_may(viewer: Viewer, case: AdmissionCase, action: AdmissionAction) -> None:
    if action is AdmissionAction.REVIEW:
        require_seat(case, viewer.person_id, seats_of(viewer))
        return
    if action in (AdmissionAction.CONFIRM, AdmissionAction.OBJECT):
        if capacity_of(viewer, case, case.applicant.class_name) is None:
            raise RegistrarError(ErrorCode.FORBIDDEN, rule=RULE)
    else:
        viewer.require_any(posts_for(action), rule=RULE)
    require_state(case, action)


@dataclass(slots=True)
class _Group:
    decision: FieldDecision
    purpose: str | None
    ids: list[ObjectId] = field(default_factory=list)


def visible_cases(viewer: Viewer) -> Row:
    """A filter, as `steps.sees_case` decides."""
    if viewer.reads_by_post:
        return {}
    ties: list[Row] = []
    if own := viewer.own_student_ids | viewer.ward_ids:
        ties.append({"student_id": {"$in": sorted(own)}})
    if viewer.homeroom_class_names:
        ties.append({"applicant.class_name": {"$in": sorted(viewer.homeroom_class_names)}})
    if not ties:
        return _NONE
    return {"$or": ties, "status": {"$in": sorted(WITH_RECORD)}}


def _standing(viewer: Viewer, facts: Row) -> tuple[FieldDecision, str | None]:
    """The decision on a case, and what it is read for without saying so."""
    ties = set()
    if facts["student_id"] in viewer.own_student_ids:
        ties.add(Relationship.SELF)
    if facts["student_id"] in viewer.ward_ids:
        ties.add(Relationship.GUARDIAN)
    if facts.get("applicant", {}).get("class_name") in viewer.homeroom_class_names:
        ties.add(Relationship.HOMEROOM_TEACHER)
    if covers_admission(viewer.policy, viewer.business_lines):
        ties.add(Relationship.BUSINESS_LINE)
    granted, purpose = frozenset[FieldClass](), None
    if facts["status"] == CaseStatus.IN_REVIEW and seats_of(viewer):
        granted, purpose = _SENSITIVE, REVIEWING
    elif facts["status"] == CaseStatus.OBJECTED and viewer.holds_any(ENTERERS) and not viewer.is_service:
        granted, purpose = _SENSITIVE, CORRECTING
    return viewer.decide(AdmissionCase, frozenset(ties), granted), purpose


async def cases_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], paths: frozenset[str] = frozenset()
) -> list[CaseView | None]:
    """In the order of the ids, None where there is none to see."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, visible_cases(viewer)]}
    rows = await store.database.collection(AdmissionCase).find(query, dict.fromkeys(CASE_FACTS, 1)).to_list()
    views = {view.id: view for view in await _views(store, viewer, rows, paths)}
    return [views.get(key) for key in ids]


async def list_cases(
    store: Store,
    viewer: Viewer,
    paths: frozenset[str],
    *,
    first: int,
    after: ObjectId | None = None,
    where: CaseFilter | None = None,
) -> Page[CaseView]:
    """A page of visible cases, newest first; a filter by what may not be read is refused by name."""
    check_page_size(first, store.settings.page_size_limit)
    query = {"$and": [condition_of(viewer, where or CaseFilter(), store.clock.now()), visible_cases(viewer)]}
    collection = store.database.collection(AdmissionCase)
    page = await page_of_newest(collection, query, dict.fromkeys(CASE_FACTS, 1), first=first, after=after)
    return Page(await _views(store, viewer, page.rows, paths), page.has_next)


def condition_of(viewer: Viewer, where: CaseFilter, now: datetime) -> Row:
    """The filter as a condition; refused by name where the viewer may not read what it filters by."""
    query: Row = {}
    for name in ("status", "stage", "cohort", "batch", "import_id"):
        if (value := getattr(where, name)) is not None:
            query[name] = value
    if not {"batch", "import_id"}.isdisjoint(query) and not _reads_internal(viewer):
        raise refuse_field("where.batch" if "batch" in query else "where.import_id")
    check_text(where.batch, field="where.batch", limit=_FILTER_TEXT_LIMIT)
    if where.is_overdue is not None:
        overdue: Row = {"status": CaseStatus.OBJECTED.value, "due_at": {"$lte": now}}
        query["$and" if where.is_overdue else "$nor"] = [overdue]
    return query


def _reads_internal(viewer: Viewer) -> bool:
    return FieldClass.F1 in viewer.decide(AdmissionCase).classes


async def review_digest(store: Store, viewer: Viewer, case_id: ObjectId) -> str | None:
    """What a signature would be bound to now; None unless a seat of the review is the viewer's to sign."""
    (view,) = await cases_by_id(store, viewer, [case_id])
    if view is None or view.may(viewer, AdmissionAction.REVIEW).refusal is not None:
        return None
    return digest_of(store, await visible_case(store, viewer, case_id))


async def progress(store: Store, viewer: Viewer, where: CaseFilter) -> dict[CaseStatus, int]:
    """How many cases are in each status. FORBIDDEN unless the viewer reads records by post."""
    if not viewer.reads_by_post or viewer.is_service:
        raise RegistrarError(ErrorCode.FORBIDDEN, rule=ACCESS_RULE)
    steps: list[Row] = [
        {"$match": condition_of(viewer, where, store.clock.now())},
        {"$group": {"_id": "$status", "count": {"$sum": 1}}},
    ]
    rows = await (await store.database.collection(AdmissionCase).aggregate(steps)).to_list()
    counted = {row["_id"]: row["count"] for row in rows}
    return {status: counted.get(status.value, 0) for status in CaseStatus}


async def _views(store: Store, viewer: Viewer, facts: Sequence[Row], paths: frozenset[str]) -> list[CaseView]:
    groups: dict[tuple[frozenset[str], str | None], _Group] = {}
    decisions: dict[ObjectId, FieldDecision] = {}
    for row in facts:
        decision, purpose = _standing(viewer, row)
        decisions[row["_id"]] = decision
        key = (paths & decision.readable, purpose)
        groups.setdefault(key, _Group(decision, purpose)).ids.append(row["_id"])
    loaded: dict[ObjectId, Row] = {}
    for group in groups.values():
        readable = paths & group.decision.readable
        for row in await _load(store, group.ids, readable):
            loaded[row["_id"]] = row
        read = ReadRows(readable & encrypted_paths(AdmissionCase), group.ids)
        await record_reading(store, viewer, AdmissionCase, [read], purpose=group.purpose)
    rows = [loaded[row["_id"]] for row in facts if row["_id"] in loaded]
    await store.cipher.decrypt_paths(rows, encrypted_paths(AdmissionCase) & paths)
    return [CaseView(row, decisions[row["_id"]]) for row in rows]


async def _load(store: Store, ids: Sequence[ObjectId], paths: frozenset[str]) -> list[Row]:
    projection = dict.fromkeys({*CASE_FACTS, *paths}, 1)
    found = store.database.collection(AdmissionCase).find({"_id": {"$in": list(ids)}}, projection)
    return await found.to_list()
