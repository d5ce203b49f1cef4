"""Certificates and number ranges as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.certificates import documents as stored
from archive_store.certificates.queries import CertificateView
from schema.access import GovernedType, governed
from schema.admission.enums import SchoolStage
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.certificates.enums import CertificateKind, CertificateState
from schema.context import Request
from schema.directives import directives_of
from schema.enums import Gender
from schema.nodes import Connection, Node, global_id
from schema.scalars import Day


def _leaf(path: str, description: str) -> Any:
    """A field that shows the leaf at the path; null where the viewer may not read it."""

    def resolve(self: Any) -> Any:
        return _view(self).value(path)

    return strawberry.field(
        resolver=resolve,
        description=description,
        directives=directives_of(stored.Certificate, path),
        metadata={"path": path},
    )


@strawberry.type(description="证书: as issued; ended ones are kept.")
class Certificate(Node):
    number: str | None = _leaf("number", "证书编号")
    kind: CertificateKind | None = _leaf("kind", "证书种类")
    state: CertificateState | None = _leaf("state", "证书状态")
    ended_on: Day | None = _leaf("ended_on", "when it was revoked or superseded")
    name: str | None = _leaf("paper.name", "姓名, as printed")
    gender: Gender | None = _leaf("paper.gender", "性别, as printed")
    birth_date: Day | None = _leaf("paper.birth_date", "出生日期, as printed")
    studied_from: str | None = _leaf("paper.studied_from", "学习起始年月, YYYY-MM")
    studied_until: str | None = _leaf("paper.studied_until", "学习终止年月, YYYY-MM")
    school_name: str | None = _leaf("paper.school_name", "学校, as printed")
    stage: SchoolStage | None = _leaf("paper.stage", "学段, as printed")
    programme: str | None = _leaf("paper.programme", "专业, as printed")
    issued_on: Day | None = _leaf("paper.issued_on", "发证日期")
    code: str | None = _leaf("code", "验证码, which stands on the paper and opens the public check")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(
        description="The certificate in whose place this one was issued.",
        directives=directives_of(stored.Certificate, "replaces"),
    )
    def replaces(self) -> strawberry.ID | None:
        return _id(_view(self).value("replaces"))

    @strawberry.field(
        description="The certificate issued in the place of this one.",
        directives=directives_of(stored.Certificate, "replaced_by"),
    )
    def replaced_by(self) -> strawberry.ID | None:
        return _id(_view(self).value("replaced_by"))

    @strawberry.field(description="Path of the paper as PDF; null where the viewer may not.")
    def paper_url(self) -> str | None:
        return _path(_view(self), "pdf")

    @strawberry.field(description="Path of the signed document; null where the viewer may not.")
    def document_url(self) -> str | None:
        return _path(_view(self), "json")

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, CertificateView)


@strawberry.type(description="证书编号段, from the first number to the last inclusive.")
class CertificateNumberRange(Node):
    kind: CertificateKind = governed(stored.CertificateNumberRange, "kind", "证书种类")
    year: int = governed(stored.CertificateNumberRange, "year", "年份, of the date of issue")
    prefix: str = governed(stored.CertificateNumberRange, "prefix", "前缀, printed before the digits")
    digits: int = governed(stored.CertificateNumberRange, "digits", "how many digits are printed")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(
        description="The first number, as a float: it may have ten digits.",
        directives=directives_of(stored.CertificateNumberRange, "first_number"),
    )
    def first_number(self) -> float:
        return float(_range(self).first_number)

    @strawberry.field(
        description="The last number.", directives=directives_of(stored.CertificateNumberRange, "last_number")
    )
    def last_number(self) -> float:
        return float(_range(self).last_number)

    @strawberry.field(
        description="The next number that is taken; one past the last where all are.",
        directives=directives_of(stored.CertificateNumberRange, "next_number"),
    )
    def next_number(self) -> float:
        return float(_range(self).next_number)

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.CertificateNumberRange)


CERTIFICATE = GovernedType(Certificate)


def note_withheld(info: Request, views: Iterable[CertificateView]) -> None:
    """Report what is kept back of the fields selected below the field being resolved."""
    selected, kept = CERTIFICATE.selected(info), dict[str, Withheld]()
    for view in views:
        for path in selected:
            if (reason := view.why_withheld(path)) is not None:
                kept[path] = reason
    info.context.withhold(CERTIFICATE.coordinates_of(kept))


def _view(source: Any) -> CertificateView:
    assert isinstance(source, CertificateView)  # noqa: S101
    return source


def _range(source: Any) -> stored.CertificateNumberRange:
    assert isinstance(source, stored.CertificateNumberRange)  # noqa: S101
    return source


def _id(key: Any) -> strawberry.ID | None:
    return None if key is None else strawberry.ID(global_id("Certificate", key))


def _path(view: CertificateView, suffix: str) -> str | None:
    return f"/certificates/{global_id('Certificate', view.id)}.{suffix}" if view.shows_document else None
