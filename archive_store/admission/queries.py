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
from archive_store.admission.sight import homeroom_students, visible_cases
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
# What rights and next steps are told from; all of it open (F0).
CASE_FACTS = (
    "student_id",
    "stage",
    "cohort",
    "status",
    "round",
    "due_at",
    "submitted_by",
    "signatures.seat",
    "signatures.signed_by",
    "signatures.round",
    "updated_at",
)
_SENSITIVE = frozenset({FieldClass.F0, FieldClass.F1, FieldClass.F2, FieldClass.F3})
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
    in_homeroom: bool = False  # of the viewer, as the record says now

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
            _require_may(viewer, _case_of(self.row), action, self.in_homeroom)
        except RegistrarError as refusal:
            return Permission(refusal, posts=posts_for(action))
        return Permission()

    def is_overdue(self, now: datetime) -> bool:
        return is_overdue(_case_of(self.row), now)

    def __getattr__(self, name: str) -> Any:
        if name not in AdmissionCase.model_fields:
            raise AttributeError(name)
        return self.row.get(name)

    def withheld(self, paths: frozenset[str]) -> dict[str, Withheld]:
        """The paths that are kept back, and why."""
        classes = field_classes(AdmissionCase)
        return {path: self.decision.why_withheld(classes[path]) for path in paths - self.decision.readable}


def _case_of(row: Row) -> AdmissionCase:
    """As far as `CASE_FACTS` go."""
    signatures = [
        ReviewSignature.model_construct(**held | {"seat": Seat(held["seat"])})
        for held in row.get("signatures", ())
    ]
    facts = {name: row.get(name) for name in ("student_id", "round", "due_at", "submitted_by")}
    case: AdmissionCase = AdmissionCase.model_construct(
        status=CaseStatus(row["status"]), signatures=signatures, **facts
    )
    return case


def _is_to_sign(viewer: Viewer, facts: Row) -> bool:
    try:
        require_seat(_case_of(facts), viewer.person_id, seats_of(viewer))
    except RegistrarError:
        return False
    return True


def _require_may(viewer: Viewer, case: AdmissionCase, action: AdmissionAction, in_homeroom: bool) -> None:
    if action is AdmissionAction.REVIEW:
        require_seat(case, viewer.person_id, seats_of(viewer))
        return
    if action in (AdmissionAction.CONFIRM, AdmissionAction.OBJECT):
        if capacity_of(viewer, case, in_homeroom) is None:
            raise RegistrarError(ErrorCode.FORBIDDEN, rule=RULE)
    else:
        viewer.require_any(posts_for(action), rule=RULE)
    require_state(case, action)


@dataclass(slots=True)
class _Group:
    decision: FieldDecision
    purpose: str | None
    ids: list[ObjectId] = field(default_factory=list)


def _standing(viewer: Viewer, facts: Row, in_homeroom: bool) -> tuple[FieldDecision, str | None]:
    """The decision on a case, and what it is read for without saying so."""
    ties = set()
    if facts["student_id"] in viewer.own_student_ids:
        ties.add(Relationship.SELF)
    if facts["student_id"] in viewer.ward_ids:
        ties.add(Relationship.GUARDIAN)
    if in_homeroom:
        ties.add(Relationship.HOMEROOM_TEACHER)
    # Of who has been entered the record's own status tells whose line it is.
    if facts["status"] not in WITH_RECORD and covers_admission(viewer.policy, viewer.business_lines):
        ties.add(Relationship.BUSINESS_LINE)
    granted, purpose = frozenset[FieldClass](), None
    if _is_to_sign(viewer, facts):
        granted, purpose = _SENSITIVE, REVIEWING
    elif facts["status"] == CaseStatus.OBJECTED and viewer.holds_any(ENTERERS) and not viewer.is_service:
        granted, purpose = _SENSITIVE, CORRECTING
    return viewer.decide(AdmissionCase, frozenset(ties), granted), purpose


async def cases_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], paths: frozenset[str] = frozenset()
) -> list[CaseView | None]:
    """In the order of the ids, None where there is none to see."""
    query = {"$and": [{"_id": {"$in": list(ids)}}, await visible_cases(store, viewer)]}
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
    query = {
        "$and": [
            condition_of(viewer, where or CaseFilter(), store.clock.now()),
            await visible_cases(store, viewer),
        ]
    }
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


async def review_digest(store: Store, viewer: Viewer, view: CaseView) -> str | None:
    """What a signature would be bound to now; None unless a seat of the review is the viewer's to sign."""
    if view.may(viewer, AdmissionAction.REVIEW).refusal is not None:
        return None
    case = await visible_case(store, viewer, view.id)
    # Within a round of the review nothing changes; of another round the viewer has not seen the values.
    return digest_of(store, case) if case.round == view.row["round"] else None


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
    homeroom = await homeroom_students(store, viewer)
    for row in facts:
        decision, purpose = _standing(viewer, row, row["student_id"] in homeroom)
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
    return [CaseView(row, decisions[row["_id"]], row["student_id"] in homeroom) for row in rows]


async def _load(store: Store, ids: Sequence[ObjectId], paths: frozenset[str]) -> list[Row]:
    projection = dict.fromkeys({*CASE_FACTS, *paths}, 1)
    found = store.database.collection(AdmissionCase).find({"_id": {"$in": list(ids)}}, projection)
    return await found.to_list()
