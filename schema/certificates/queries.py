"""`certificateNumberRanges`, and certificates by id."""

from __future__ import annotations

import strawberry

from archive_store.certificates.queries import certificates_by_id
from archive_store.certificates.ranges import list_ranges
from schema.certificates.types import Certificate, CertificateNumberRange, note_withheld
from schema.context import Request
from schema.nodes import key_of


async def resolve_certificate(info: Request, id: strawberry.ID) -> Certificate | None:  # noqa: A002
    """One certificate; null when there is none to see."""
    key = key_of(id, "Certificate", field="id")
    (view,) = await certificates_by_id(info.context.store, info.context.viewer, [key])
    if view is not None:
        note_withheld(info, [view])
    return view  # type: ignore[return-value]


async def resolve_certificate_number_ranges(info: Request) -> list[CertificateNumberRange]:
    return list(await list_ranges(info.context.store, info.context.viewer))


@strawberry.type
class CertificateQueries:
    certificate_number_ranges: list[CertificateNumberRange] = strawberry.field(
        resolver=resolve_certificate_number_ranges,
        description="证书编号段, newest first, for those who ask for certificates and those who sign.",
    )
