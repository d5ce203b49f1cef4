"""Certificates and their number ranges (证书编号段) as stored, each leaf with its field class."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.stages import SchoolStage
from archive_store.students.documents import Gender

F0, F1, F2, F3, F4 = FieldClass


class CertificateKind(StrEnum):
    """证书种类."""

    GRADUATION = "GRADUATION"  # 毕业证书
    COMPLETION = "COMPLETION"  # 结业证书
    INCOMPLETE = "INCOMPLETE"  # 肄业证书


class CertificateState(StrEnum):
    """证书状态. A superseded one was reissued (补发/换发) under another number."""

    VALID = "VALID"
    REVOKED = "REVOKED"
    SUPERSEDED = "SUPERSEDED"


class CertificateNumberRange(Record):
    """证书编号段: `prefix` and `digits` digits, first to last number inclusive; `next_number` is the next taken."""

    subject_type: ClassVar[str] = "CertificateNumberRange"

    kind: Annotated[CertificateKind, F0]
    year: Annotated[int, F0]
    prefix: Annotated[str, F0]
    digits: Annotated[int, F0]
    first_number: Annotated[int, F0]
    last_number: Annotated[int, F0]
    next_number: Annotated[int, F0]

    class Settings:
        name = "certificate_number_ranges"
        indexes = [IndexModel([("kind", 1), ("year", 1), ("_id", 1)])]  # noqa: RUF012


class CertificateIssue(Record):
    """颁发批次: an issue as it was applied; the certificates' histories tell the rest."""

    subject_type: ClassVar[str] = "CertificateIssue"

    kind: Annotated[CertificateKind, F0]
    issued_on: Annotated[date, F0]
    certificates: Annotated[int, F0]
    applied_at: Annotated[datetime, F0]

    class Settings:
        name = "certificate_issues"
        indexes: ClassVar[list[IndexModel]] = []


class Paper(BaseModel):
    """What the paper says. Months are YYYY-MM; the period of study is from entrance to `studied_until`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, F0]
    gender: Annotated[Gender, F1]
    birth_date: Annotated[date, F2]
    studied_from: Annotated[str, F1]
    studied_until: Annotated[str, F1]
    school_name: Annotated[str, F0]
    stage: Annotated[SchoolStage, F0]
    programme: Annotated[str | None, F0] = None  # 专业
    issued_on: Annotated[date, F1]


class Certificate(Record):
    """证书, as issued. `code` (验证码) stands on the paper: whoever has it may check the certificate in public.

    `credential` is the signed document as JSON text, kept as it was signed; its bit in the public status list is
    `status_index` of `status_list`.
    """

    subject_type: ClassVar[str] = "Certificate"

    student_id: Annotated[PydanticObjectId, F1]
    issue_id: Annotated[PydanticObjectId | None, F1] = None
    number: Annotated[str, F1]
    kind: Annotated[CertificateKind, F1]
    paper: Paper
    state: Annotated[CertificateState, F1] = CertificateState.VALID
    ended_on: Annotated[date | None, F1] = None
    replaces: Annotated[PydanticObjectId | None, F1] = None
    replaced_by: Annotated[PydanticObjectId | None, F1] = None
    code: Annotated[str, F2]
    status_list: Annotated[int, F2]
    status_index: Annotated[int, F2]
    credential: Annotated[str, F2]

    class Settings:
        name = "certificates"
        indexes = [  # noqa: RUF012
            IndexModel("number", unique=True),
            IndexModel("code", unique=True),
            IndexModel([("status_list", 1), ("status_index", 1)], unique=True),
            IndexModel([("status_list", 1), ("state", 1)]),
            IndexModel([("student_id", 1), ("_id", 1)]),
            IndexModel(
                [("student_id", 1), ("kind", 1)],
                name="one_valid_of_a_kind",
                unique=True,
                partialFilterExpression={"state": "VALID"},
            ),
        ]
