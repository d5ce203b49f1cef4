"""Number ranges (证书编号段): `certificate_range.open`, and taking numbers within the transaction that issues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field, StringConstraints
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.certificates.documents import CertificateKind, CertificateNumberRange
from archive_store.certificates.rules import RULE, number_text, overlap, taken
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

# Policy §二(一): the information group keeps the records; the director and deputies may ask as well.
ASKERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
# Whoever issues takes turns, so that no number is taken twice and nobody gets two certificates of a kind.
LOCK = "certificates"


class RangeOpen(Payload):
    """Payload of `certificate_range.open`: at most a million numbers, printed as the prefix and `digits` digits."""

    range_id: PydanticObjectId
    kind: CertificateKind
    year: Annotated[int, Field(ge=1949, le=2999)]
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{0,20}$")]
    digits: Annotated[int, Field(ge=1, le=10)]
    first_number: Annotated[int, Field(ge=0, le=9_999_999_999)]
    last_number: Annotated[int, Field(ge=0, le=9_999_999_999)]


_FIELDS = frozenset({"kind", "year", "prefix", "digits", "first_number", "last_number"})


def _range(payload: RangeOpen) -> CertificateNumberRange:
    return CertificateNumberRange(
        id=payload.range_id, next_number=payload.first_number, **payload.model_dump(exclude={"range_id"})
    )


async def _require_free(
    store: Store, asked: CertificateNumberRange, session: AsyncClientSession | None = None
) -> None:
    most = min(10**asked.digits - 1, asked.first_number + 999_999)
    if not asked.first_number <= asked.last_number <= most:
        raise RegistrarError(
            ErrorCode.OUT_OF_RANGE, field="last_number", least=asked.first_number, most=most, rule=RULE
        )
    rows = store.database.collection(CertificateNumberRange).find({}, session=session)
    if any(overlap(asked, CertificateNumberRange.model_validate(row)) for row in await rows.to_list()):
        raise RegistrarError(ErrorCode.DUPLICATE, field="first_number", others="CertificateNumberRange")


async def _check(store: Store, viewer: Viewer, payload: RangeOpen) -> None:
    await _require_free(store, _range(payload))


async def _apply(unit: UnitOfWork, payload: RangeOpen) -> ObjectId:
    await unit.serialise(LOCK)
    opened = _range(payload)
    await _require_free(unit.store, opened, unit.session)
    await unit.insert(opened)
    row = opened.to_bson()
    changes = [FieldChange(name, None, row[name]) for name in sorted(_FIELDS | {"next_number"})]
    unit.audit(Subject(opened.subject_type, opened.key), "certificate_range:open", changes)
    return opened.key


async def take_numbers(
    unit: UnitOfWork, kind: CertificateKind, year: int, count: int, *, field: str
) -> list[str]:
    """The next numbers of the year's ranges, as printed. WRONG_STATE on `field` where they do not suffice."""
    await unit.serialise(LOCK)
    rows = unit.store.database.collection(CertificateNumberRange).find(
        {"kind": kind.value, "year": year}, sort=[("_id", 1)], session=unit.session
    )
    ranges = [CertificateNumberRange.model_validate(row) for row in await rows.to_list()]
    numbers = list(taken(ranges, count))
    if len(numbers) < count:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=field, rule=RULE, state="NUMBERS_USED_UP")
    for held in ranges:
        if mine := [number for owner, number in numbers if owner is held]:
            before, after = held.next_number, mine[-1] + 1
            await unit.change(held, {"next_number": after})
            change = FieldChange("next_number", before, after)
            unit.audit(Subject(held.subject_type, held.key), "certificate_range:take", [change])
    return [number_text(held, number) for held, number in numbers]


async def left_of(store: Store, kind: CertificateKind, year: int) -> int:
    """How many numbers the year's ranges still have."""
    rows = store.database.collection(CertificateNumberRange).find({"kind": kind.value, "year": year})
    return sum(row["last_number"] + 1 - row["next_number"] for row in await rows.to_list())


async def list_ranges(store: Store, viewer: Viewer) -> Sequence[CertificateNumberRange]:
    """All ranges, newest first, for those who may ask for one and those who sign. FORBIDDEN for others."""
    viewer.require_any(ASKERS | {Post.VICE_PRINCIPAL, Post.PRINCIPAL}, rule=RULE)
    rows = store.database.collection(CertificateNumberRange).find({}, sort=[("_id", -1)])
    return [CertificateNumberRange.model_validate(row) for row in await rows.to_list()]


CERTIFICATE_RANGE_OPEN = Operation(
    name="certificate_range.open",
    record_type=CertificateNumberRange,
    payload=RangeOpen,
    requesters=ASKERS,
    subject=lambda payload: Subject(CertificateNumberRange.subject_type, payload.range_id),
    requested_values=lambda payload: {name: bson_value(getattr(payload, name)) for name in _FIELDS},
    fields=lambda payload: _FIELDS,
    check=_check,
    apply=_apply,
)
