"""`verification.report_mismatch`: what was found wrong with a record. 教基〔2025〕1号 art. 25.

Values that the information group finds wrong become its request for `student.update` at once; what anybody else reports
is kept for it (`corrections.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork
from archive_store.semester_verification.documents import (
    Capacity,
    Found,
    ItemState,
    MismatchKind,
    MismatchOutcome,
    VerificationCampaign,
)
from archive_store.semester_verification.rules import (
    CORRECTABLE_FIELDS,
    RULE,
    VERIFIERS,
    is_family,
    require_no_mismatch,
    require_open,
)
from archive_store.semester_verification.steps import (
    campaign_in,
    item_in,
    item_operation,
    records_of,
    sayable,
    write_item,
)
from archive_store.students.changes import StudentUpdate, check_values

NOTE_LIMIT = 1_000
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NOTE_LIMIT)]
_Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class FoundValue(Payload):
    """A field of the record, and what it should say."""

    field: _Value
    found: _Value


class VerificationReportMismatch(Payload):
    """Payload of `verification.report_mismatch`. `capacity` is told by `capacity_for`.

    `fields` are given where single values are wrong, and only then.
    """

    item_id: PydanticObjectId
    capacity: Capacity
    kind: MismatchKind = MismatchKind.VALUES
    fields: Annotated[tuple[FoundValue, ...], Field(max_length=40)] = ()
    note: _Text | None = None


def _check_found(payload: VerificationReportMismatch, campaign: VerificationCampaign) -> None:
    """Fields of the campaign, each once, and values that a record could hold: by themselves, not by the record."""
    if (payload.kind is MismatchKind.VALUES) != bool(payload.fields):
        raise RegistrarError(ErrorCode.REQUIRED, field="fields", rule=RULE)
    seen: set[str] = set()
    for place, told in enumerate(payload.fields):
        if told.field not in campaign.fields:
            raise RegistrarError(ErrorCode.UNKNOWN_FIELD, field=f"fields.{place}.field", name=told.field)
        if told.field in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=f"fields.{place}.field", others="fields")
        seen.add(told.field)
    with error_fields_under("fields"):
        values = update_of(ObjectId(), {told.field: told.found for told in payload.fields}).values
        check_values(values, values, checks_identity=False)


def update_of(student_id: ObjectId, found: Mapping[str, str]) -> StudentUpdate:
    """The change of the record that was found to be right, of what `student.update` changes."""
    changes = {name: value for name, value in found.items() if name in CORRECTABLE_FIELDS}
    try:
        return payload_of(StudentUpdate, {"student_id": student_id, "changes": changes})
    except RegistrarError as error:
        error.field = (error.field or "").removeprefix("changes.")
        raise


async def capacity_for(store: Store, viewer: Viewer, item_id: ObjectId) -> Capacity:
    """As what the viewer would report a mismatch of the item; what `sayable` refuses."""
    ((_, capacity, _),) = await sayable(store, viewer, [item_id], ["id"])
    return capacity


async def _check_report(store: Store, viewer: Viewer, payload: VerificationReportMismatch) -> None:
    ((_, capacity, campaign),) = await sayable(store, viewer, [payload.item_id], ["id"])
    if capacity is not payload.capacity:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="id", rule=RULE)
    _check_found(payload, campaign)


async def report_mismatch(store: Store, viewer: Viewer, payload: VerificationReportMismatch) -> None:
    """Report; where the information group reports values, the change request and the report are one transaction."""
    fields = {told.field for told in payload.fields}
    is_request = fields and fields <= CORRECTABLE_FIELDS
    if payload.capacity is not Capacity.INFORMATION_GROUP or not is_request:
        await perform(store, viewer, "verification.report_mismatch", payload)
        return
    await _check_report(store, viewer, payload)
    ((view, _, campaign),) = await sayable(store, viewer, [payload.item_id], ["id"])
    update = update_of(view.student_id, {told.field: told.found for told in payload.fields})

    async def beside(unit: UnitOfWork, request_id: ObjectId | None) -> None:
        await _write_report(unit, payload, request_id, is_applied=request_id is None)

    asking = Asking(payload.note or reason_of(campaign), beside=beside)
    try:
        await perform(store, viewer, "student.update", update, asking=asking)
    except RegistrarError as error:
        if error.field is not None and error.field.partition(".")[0] == "changes":
            error.field = error.field.replace("changes", "fields", 1)
        raise


def reason_of(campaign: VerificationCampaign) -> str:
    return f"学期核验:{campaign.title}"


async def _write_report(
    unit: UnitOfWork, payload: VerificationReportMismatch, request_id: ObjectId | None, *, is_applied: bool
) -> None:
    item = await item_in(unit, payload.item_id)
    require_open((await campaign_in(unit, item.campaign_id)).status, "id")
    require_no_mismatch(item.state, "id")
    record = (await records_of(unit, [item.student_id]))[item.student_id]
    values: dict[str, Any] = {
        "state": ItemState.RESOLVED if is_applied else ItemState.MISMATCH,
        "kind": payload.kind,
        "found": [Found(field=told.field, value=told.found) for told in payload.fields],
        "note": payload.note,
        "reported_by": unit.actor.person_id,
        "reported_by_name": unit.actor.name,
        "reported_as": payload.capacity,
        "reported_at": unit.at,
        "request_id": request_id,
        "outcome": MismatchOutcome.APPLIED if is_applied else None,
        "answer": None,
        "handled_by_name": None,
        "handled_at": None,
        "record_revision": record["revision"],
    }
    subject = await write_item(unit, item, "report_mismatch", values)
    if request_id is None and not is_applied:
        unit.notify(Post.INFORMATION_GROUP, "verification:mismatch_reported", subject)


async def _apply_report(unit: UnitOfWork, payload: VerificationReportMismatch) -> ObjectId:
    await _write_report(unit, payload, None, is_applied=False)
    return payload.item_id


VERIFICATION_REPORT_MISMATCH = item_operation(
    "verification.report_mismatch",
    VerificationReportMismatch,
    VERIFIERS,
    lambda payload: payload.item_id,
    _check_report,
    _apply_report,
    is_family,
)
