"""`award.record` and `award.revoke`: 奖励. Policy §三(一) 奖惩记录, decided by the vice principal (§四(一))."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.conduct.documents import Award, AwardLevel, AwardStatus
from archive_store.conduct.rules import ASKERS, RULE, check_day
from archive_store.conduct.steps import (
    Line,
    Text,
    change_told,
    decisions_for,
    insert_told,
    loaded,
    require_same,
    visible,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.students.family import tell_family
from archive_store.students.operations import current_row
from archive_store.students.scope import student_scope

_EARLIEST = date(1990, 1, 1)


class AwardRecord(Payload):
    """Payload of `award.record`."""

    award_id: PydanticObjectId
    student_id: PydanticObjectId
    title: Line
    level: AwardLevel
    awarded_by: Line
    awarded_on: date
    document_number: Line | None = None
    reason: Text | None = None


class AwardRevoke(Payload):
    """Payload of `award.revoke`; why is the reason of the request."""

    award_id: PydanticObjectId
    student_id: PydanticObjectId


_FIELDS = frozenset(AwardRecord.model_fields) - {"award_id"}
_REVOKED = frozenset({"status", "student_id"})


async def _check_record(store: Store, viewer: Viewer, payload: AwardRecord) -> None:
    await current_row(store, None, payload.student_id, frozenset(), student_scope(viewer).visible)
    check_day(payload.awarded_on, _EARLIEST, school_day(store.clock.now()), "awarded_on")


async def _record(unit: UnitOfWork, payload: AwardRecord) -> ObjectId:
    award = Award(id=payload.award_id, recorded_at=unit.at, **payload.model_dump(exclude={"award_id"}))
    await insert_told(unit, award, "award:record")
    await tell_family(unit, award, award.student_id, "award:recorded")
    return award.key


def _require_recorded(award: Award) -> None:
    if award.status is not AwardStatus.RECORDED:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state=award.status)


async def _check_revoke(store: Store, viewer: Viewer, payload: AwardRevoke) -> None:
    award = await visible(store, viewer, Award, payload.award_id)
    require_same(payload.student_id, award.student_id)
    _require_recorded(award)


async def _current_revoke(
    store: Store, session: AsyncClientSession | None, payload: AwardRevoke
) -> Mapping[str, Any]:
    query, wanted = {"_id": payload.award_id}, {"status": 1, "student_id": 1, "_id": 0}
    return await store.database.collection(Award).find_one(query, wanted, session=session) or {}


async def _revoke(unit: UnitOfWork, payload: AwardRevoke) -> ObjectId:
    award = await loaded(unit, Award, payload.award_id)
    _require_recorded(award)
    values = {"status": AwardStatus.REVOKED, "revoked_on": school_day(unit.at)}
    await change_told(unit, award, values, "award:revoke")
    await tell_family(unit, award, award.student_id, "award:revoked")
    return award.key


AWARD_RECORD = Operation(
    name="award.record",
    record_type=Award,
    payload=AwardRecord,
    requesters=ASKERS,
    subject=lambda payload: Subject(Award.subject_type, payload.award_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _FIELDS},
    fields=lambda payload: _FIELDS,
    decisions=decisions_for(Award),
    check=_check_record,
    apply=_record,
    concerns=lambda payload: frozenset({payload.student_id}),
)
AWARD_REVOKE = Operation(
    name="award.revoke",
    record_type=Award,
    payload=AwardRevoke,
    requesters=ASKERS,
    subject=lambda payload: Subject(Award.subject_type, payload.award_id),
    requested_values=lambda payload: {
        "status": AwardStatus.REVOKED.value,
        "student_id": payload.student_id,
    },
    fields=lambda payload: _REVOKED,
    current=_current_revoke,
    decisions=decisions_for(Award),
    reason_fields=frozenset({"reason"}),
    check=_check_revoke,
    apply=_revoke,
    concerns=lambda payload: frozenset({payload.student_id}),
)
