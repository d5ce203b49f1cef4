"""What the operations of logistics share (policy §一(一): 后勤保障部 supplies 宿舍、餐饮 information)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import date, timedelta
from typing import Any

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.students.documents import StatusPeriod, Student, StudentStatus
from archive_store.students.queries import facts_by_id
from archive_store.students.status import periods_of
from archive_store.students.status_periods import in_force

POLICY = "policy §一(一)"
ASKERS = frozenset({Post.LOGISTICS})
# How far back a day may lie, so that nobody learns of the past by asking.
DAYS_BACK = 31
_BOOKKEEPING = frozenset({"_id", "revision", "created_at", "updated_at"})


async def student_row(store: Store, key: ObjectId, session: AsyncClientSession | None) -> Row:
    wanted = {"gender": 1, "status_periods": 1}
    row = await store.database.collection(Student).find_one({"_id": key}, wanted, session=session)
    if row is None:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=POLICY)
    return row


async def require_in_sight(store: Store, viewer: Viewer, student_id: ObjectId) -> None:
    if student_id not in await facts_by_id(store, viewer, [student_id]):
        raise RegistrarError(ErrorCode.NOT_FOUND, field="student_id", rule=POLICY)


def check_days(store: Store, from_day: date, to_day: date | None) -> None:
    """INVALID_DATE of a span that ends before it begins, or begins more than DAYS_BACK days ago."""
    if to_day is not None and to_day < from_day:
        raise RegistrarError(ErrorCode.INVALID_DATE, field="to_day", rule=POLICY)
    if from_day < school_day(store.clock.now()) - timedelta(days=DAYS_BACK):
        raise RegistrarError(ErrorCode.INVALID_DATE, field="from_day", rule=POLICY)


def require_in_study(row: Row, from_day: date, to_day: date | None, today: date) -> None:
    """WRONG_STATE unless the student is in study on each day up to today, and on the first one; not the status."""
    last = max(from_day, min(today, to_day or today))
    if not _is_in_study(in_force(periods_of(row)), from_day, last):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="from_day", rule=POLICY, state="NOT_IN_STUDY")


def _is_in_study(periods: Collection[StatusPeriod], first: date, last: date) -> bool:
    """Whether ENROLLED holds on every day from the first to the last."""
    day = first
    for period in periods:
        if period.status is not StudentStatus.ENROLLED or period.effective_from > day:
            continue
        if period.effective_to is None or period.effective_to >= last:
            return True
        if period.effective_to >= day:
            day = period.effective_to + timedelta(days=1)
    return False


def told_whole(record: Record) -> list[FieldChange]:
    row = record.to_bson()
    return [FieldChange(name, None, row[name]) for name in row if name not in _BOOKKEEPING]


def logistics_operation(
    name: str,
    record_type: type[Record],
    payload: type[AnyPayload],
    key: str,
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    **more: Any,
) -> Operation[AnyPayload]:
    """An operation of logistics, at once. `key` is the payload's field that names the record."""

    def told(asked: Payload) -> dict[str, Any]:
        kept = asked.model_fields_set & set(record_type.model_fields)
        return {field: bson_value(getattr(asked, field)) for field in kept}

    return Operation(
        name=name,
        record_type=record_type,
        payload=payload,
        requesters=ASKERS,
        subject=lambda asked: Subject(record_type.subject_type, getattr(asked, key)),
        requested_values=told,
        fields=lambda asked: frozenset(told(asked)),
        check=check,
        apply=apply,
        applies_at_once=True,
        **more,
    )


def of_student(payload: Any) -> frozenset[ObjectId]:
    return frozenset({payload.student_id})
