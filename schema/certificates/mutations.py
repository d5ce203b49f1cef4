"""Asking for number ranges, certificates, their revocation and reissue."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.certificates.ending import CertificateReissue, CertificateRevoke, student_of
from archive_store.certificates.issuing import CertificateIssuing, require_asker
from archive_store.certificates.ranges import RangeOpen
from schema.admission.enums import SchoolStage
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.certificates.enums import CertificateKind
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.scalars import Day


@strawberry.input(description="Input of `certificateNumberRangeOpen`: at most a million numbers.")
class CertificateNumberRangeOpenInput:
    kind: CertificateKind
    year: int = strawberry.field(description="年份: certificates dated in it take their numbers here.")
    prefix: str = strawberry.field(description="前缀: up to 20 capital letters, digits and hyphens.")
    digits: int = strawberry.field(description="How many digits are printed after it.")
    first_number: float
    last_number: float
    reason: str | None = None


@strawberry.input(description="Input of `certificateIssue`: up to 1,000 students, all of them or none.")
class CertificateIssueInput:
    kind: CertificateKind
    student_ids: list[strawberry.ID]
    stage: SchoolStage = strawberry.field(description="学段, as it is printed.")
    programme: str | None = strawberry.field(default=None, description="专业, as it is printed.")
    studied_until: str = strawberry.field(description="学习终止年月, YYYY-MM.")
    issued_on: Day = strawberry.field(description="发证日期.")
    reason: str | None = None


@strawberry.input(description="Input of `certificateRevoke`.")
class CertificateRevokeInput:
    id: strawberry.ID
    reason: str | None = strawberry.field(default=None, description="Why (撤销原因); it is needed.")


@strawberry.input(description="Input of `certificateReissue`.")
class CertificateReissueInput:
    id: strawberry.ID = strawberry.field(description="The certificate that is superseded.")
    issued_on: Day = strawberry.field(description="发证日期 of the new one.")
    reason: str | None = None


@strawberry.type(description="Result of whatever is asked for about certificates.")
class CertificatePayload:
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, name: str, payload: Payload, reason: str | None) -> CertificatePayload:
    outcome = await perform(info.context.store, info.context.viewer, name, payload, reason=reason)
    request = await request_of(info, outcome.change_request_id)
    return CertificatePayload(change_request=request, applied=outcome.applied)


async def _student_of(info: Request, certificate_id: ObjectId) -> ObjectId:
    require_asker(info.context.viewer)
    return await student_of(info.context.store, certificate_id)


@typed_errors(CertificatePayload)
async def resolve_range_open(
    info: Request,
    input: CertificateNumberRangeOpenInput,  # noqa: A002
) -> CertificatePayload:
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    payload = payload_of(RangeOpen, {"range_id": ObjectId(), **told})
    return await _ask(info, "certificate_range.open", payload, input.reason)


@typed_errors(CertificatePayload)
async def resolve_issue(info: Request, input: CertificateIssueInput) -> CertificatePayload:  # noqa: A002
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    told["student_ids"] = tuple(
        key_of(text, "Student", field=f"studentIds.{place}") for place, text in enumerate(input.student_ids)
    )
    payload = payload_of(CertificateIssuing, {"issue_id": ObjectId(), **told})
    return await _ask(info, "certificate.issue", payload, input.reason)


@typed_errors(CertificatePayload)
async def resolve_revoke(info: Request, input: CertificateRevokeInput) -> CertificatePayload:  # noqa: A002
    key = key_of(input.id, "Certificate", field="id")
    told = {"certificate_id": key, "student_id": await _student_of(info, key)}
    payload = payload_of(CertificateRevoke, told)
    return await _ask(info, "certificate.revoke", payload, input.reason)


@typed_errors(CertificatePayload)
async def resolve_reissue(info: Request, input: CertificateReissueInput) -> CertificatePayload:  # noqa: A002
    key = key_of(input.id, "Certificate", field="id")
    told = {
        **{"certificate_id": key, "student_id": await _student_of(info, key)},
        **{"new_certificate_id": ObjectId(), "issued_on": input.issued_on},
    }
    payload = payload_of(CertificateReissue, told)
    return await _ask(info, "certificate.reissue", payload, input.reason)


@strawberry.type
class CertificateMutations:
    certificate_number_range_open: CertificatePayload = strawberry.field(
        resolver=resolve_range_open, description="Ask for a range of certificate numbers (证书编号段)."
    )
    certificate_issue: CertificatePayload = strawberry.field(
        resolver=resolve_issue,
        description="Ask for certificates of many students by one request (毕业证发放).",
    )
    certificate_revoke: CertificatePayload = strawberry.field(
        resolver=resolve_revoke, description="Ask for the revocation of a certificate (撤销)."
    )
    certificate_reissue: CertificatePayload = strawberry.field(
        resolver=resolve_reissue,
        description="Ask for a certificate in the place of another, which is superseded (补发/换发).",
    )
