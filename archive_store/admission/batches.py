"""One step for a whole cohort: each case by itself, in a transaction of its own, and an account of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.admission.confirmation import AdmissionConfirm, capacity_for
from archive_store.admission.documents import AdmissionCase, Capacity, CaseStatus
from archive_store.admission.queries import CaseFilter, condition_of
from archive_store.admission.review import AdmissionReview, seat_for
from archive_store.admission.rules import RULE, AdmissionAction
from archive_store.admission.sight import visible_cases
from archive_store.admission.steps import CasePayload, visible_case
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store

BATCH_LIMIT = 200
# What a cohort can go through together, and the state from which it goes.
BATCH_ACTIONS = {
    AdmissionAction.SUBMIT: CaseStatus.COLLECTING,
    AdmissionAction.REVIEW: CaseStatus.IN_REVIEW,
    AdmissionAction.ENTER: CaseStatus.READY_FOR_ENTRY,
    AdmissionAction.CALL_CONFIRMATION: CaseStatus.ENTERED,
    AdmissionAction.CONFIRM: CaseStatus.AWAITING_CONFIRMATION,
}


@dataclass(frozen=True, slots=True)
class Failed:
    case_id: ObjectId
    error: RegistrarError


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """Every case accounted for. Where `has_next`, go on `after` the last one: what failed stays behind."""

    done: tuple[ObjectId, ...]
    failed: tuple[Failed, ...]
    has_next: bool
    last: ObjectId | None


async def move_each(
    store: Store,
    viewer: Viewer,
    action: AdmissionAction,
    *,
    ids: Sequence[ObjectId] | None = None,
    where: CaseFilter | None = None,
    after: ObjectId | None = None,
    comment: str | None = None,
) -> BatchOutcome:
    """Take the step for these cases, or for those of a filter that are in the state from which it goes.

    A review finds for each; what is found against a candidate is said of that one case. What is confirmed at school is
    written down as said by the student (学生本人); `comment` must say how that is known, such as by signed forms.
    """
    if action not in BATCH_ACTIONS:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="action",
            detail_zh="不能批量办理",
            detail_en="not for many at once",
        )
    if (ids is None) == (where is None):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="ids",
            detail_zh="ids 与 where 须选其一",
            detail_en="give either ids or where",
        )
    has_next = False
    if ids is not None:
        if len(ids) > BATCH_LIMIT:
            raise RegistrarError(ErrorCode.TOO_MANY, field="ids", limit=BATCH_LIMIT)
        chosen = list(dict.fromkeys(ids))
    else:
        chosen, has_next = await _chosen(store, viewer, BATCH_ACTIONS[action], where or CaseFilter(), after)
    done: list[ObjectId] = []
    failed: list[Failed] = []
    for case_id in chosen:
        try:
            await _move(store, viewer, action, case_id, comment)
            done.append(case_id)
        except RegistrarError as error:
            failed.append(Failed(case_id, error))
    return BatchOutcome(tuple(done), tuple(failed), has_next, chosen[-1] if chosen else None)


async def _chosen(
    store: Store, viewer: Viewer, status: CaseStatus, where: CaseFilter, after: ObjectId | None
) -> tuple[list[ObjectId], bool]:
    """Keys in the state, from old to new."""
    query = {
        "$and": [
            condition_of(viewer, where, store.clock.now()),
            await visible_cases(store, viewer),
            {"status": status.value},
            {} if after is None else {"_id": {"$gt": after}},
        ]
    }
    rows = store.database.collection(AdmissionCase).find(query, {"_id": 1})
    found = [row["_id"] for row in await rows.sort("_id", 1).limit(BATCH_LIMIT + 1).to_list()]
    return found[:BATCH_LIMIT], len(found) > BATCH_LIMIT


async def _move(
    store: Store, viewer: Viewer, action: AdmissionAction, case_id: ObjectId, comment: str | None
) -> None:
    values: dict[str, object] = {"case_id": case_id}
    match action:
        case AdmissionAction.REVIEW:
            seat = await seat_for(store, viewer, case_id)
            values |= {"passed": True, "comment": comment, "seat": seat}
            await perform(store, viewer, "admission.review", payload_of(AdmissionReview, values))
        case AdmissionAction.CONFIRM:
            values["capacity"] = await capacity_for(store, viewer, case_id, AdmissionAction.CONFIRM)
            if values["capacity"] is Capacity.AT_SCHOOL:
                if not (comment or "").strip():
                    raise RegistrarError(ErrorCode.REQUIRED, field="comment", rule=RULE)
                values["said_by"] = (await visible_case(store, viewer, case_id)).applicant.name
            await perform(
                store, viewer, "admission.confirm", payload_of(AdmissionConfirm, values), reason=comment
            )
        case _:
            payload = payload_of(CasePayload, values)
            await perform(store, viewer, f"admission.{action.value.lower()}", payload)
