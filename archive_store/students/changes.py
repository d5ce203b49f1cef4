"""The input of `student.update`: what may be asked to change, with its limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from beanie import PydanticObjectId
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from archive_store.approvals.operation import Payload
from archive_store.foundation.code_tables import code_table, plain_text
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.texts import starts_formula
from archive_store.people.rules import (
    EXPECTED_LENGTHS,
    check_email,
    check_national_student_number,
    check_phone,
    check_postal_code,
    identity_fault,
    identity_mismatches,
)
from archive_store.students.documents import Gender

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]
LongLine = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
# As a roster's: full-width characters plain, letters as capitals, so that one number has one spelling.
Number = Annotated[
    Line, BeforeValidator(lambda value: plain_text(value).upper() if isinstance(value, str) else value)
]
Month = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$")]


class GuardianChange(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    relation: Code | None = None
    phone: Line | None = None
    workplace: LongLine | None = None


class StudentChanges(BaseModel):
    """Only the fields that are set are changed; None clears an optional one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line | None = None
    name_pinyin: Line | None = None
    former_name: Line | None = None
    gender: Gender | None = None
    birth_date: date | None = None
    birth_place_code: Code | None = None
    native_place: Line | None = None
    ethnic_group: Code | None = None
    nationality: Code | None = None
    overseas_status: Code | None = None
    political_status: Code | None = None
    health_status: Code | None = None
    household_division_code: Code | None = None
    household_type: Code | None = None
    identity_document_type: Code | None = None
    identity_number: Number | None = None
    national_student_number: Number | None = None
    auxiliary_number: Number | None = None
    class_seat_number: Code | None = None
    grade: Line | None = None
    class_name: Line | None = None
    enrolled_month: Month | None = None
    admission_method: Code | None = None
    boarding: Code | None = None
    student_source: Code | None = None
    address: LongLine | None = None
    phone: Line | None = None
    postal_code: Line | None = None
    email: LongLine | None = None
    is_only_child: bool | None = None
    is_left_behind: bool | None = None
    is_migrant_worker_child: bool | None = None
    is_orphan: bool | None = None
    needs_financial_aid: bool | None = None
    guardians: Annotated[tuple[GuardianChange, ...], Field(max_length=10)] | None = None

    @property
    def stored(self) -> dict[str, Any]:
        """The fields that are set, in their stored shape; None of one that is cleared."""
        return {name: bson_value(getattr(self, name)) for name in sorted(self.model_fields_set)}


REQUIRED_FIELDS = frozenset(
    {"name", "gender", "birth_date", "ethnic_group", "identity_document_type", "grade", "class_name"}
    | {"enrolled_month", "guardians"}
)


class StudentUpdate(Payload):
    """Payload of `student.update`."""

    student_id: PydanticObjectId
    changes: StudentChanges

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(self.changes.model_fields_set)

    @property
    def values(self) -> dict[str, Any]:
        """The fields to set, in their stored shape."""
        return self.changes.stored


# Each has a code table of its own name.
CODED_FIELDS = frozenset(
    {
        "admission_method",
        "boarding",
        "ethnic_group",
        "health_status",
        "household_type",
        "identity_document_type",
        "nationality",
        "overseas_status",
        "political_status",
        "student_source",
    }
)
_CHECKS = {
    "phone": check_phone,
    "email": check_email,
    "postal_code": check_postal_code,
    "national_student_number": check_national_student_number,
}


def check_values(
    touched: Mapping[str, Any], whole: Mapping[str, Any], *, checks_identity: bool = True
) -> None:
    """Raise for the first touched value that breaks a rule; `whole` is the record as it would become.

    The error names the record's field.
    """
    for field, value in touched.items():
        if value is None and field in REQUIRED_FIELDS:
            raise RegistrarError(ErrorCode.REQUIRED, field=field)
        _check_formula(field, value)
        if value is not None and field in CODED_FIELDS and value not in code_table(field).codes:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=field, rule=code_table(field).source)
        if value is not None and field in _CHECKS and (code := _CHECKS[field](value)):
            raise _value_error(code, field)
    for position, guardian in enumerate(touched.get("guardians") or ()):
        place = f"guardians.{position}"
        for leaf, value in guardian.items():
            _check_formula(f"{place}.{leaf}", value)
        if guardian.get("phone") and (code := check_phone(guardian["phone"])):
            raise RegistrarError(code, field=f"{place}.phone")
        if guardian.get("relation") and guardian["relation"] not in code_table("relation").codes:
            raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=f"{place}.relation")
    if checks_identity and touched.keys() & {
        "identity_number",
        "identity_document_type",
        "birth_date",
        "gender",
    }:
        _check_identity(touched, whole)


def _check_formula(field: str, value: Any) -> None:
    """As in a roster: records go out as spreadsheets."""
    if isinstance(value, str) and starts_formula(value, is_phone=field.rpartition(".")[2] == "phone"):
        raise RegistrarError(ErrorCode.FORMULA, field=field)


def _value_error(code: ErrorCode, field: str, rule: str | None = None) -> RegistrarError:
    return RegistrarError(code, field=field, rule=rule, expected=EXPECTED_LENGTHS.get(field))


def _check_identity(touched: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    document, number = whole.get("identity_document_type"), whole.get("identity_number")
    if code := identity_fault(document, number):
        raise _value_error(code, "identity_number", rule="GB 11643")
    told = {name: whole.get(name) for name in ("birth_date", "gender")}
    for name in identity_mismatches(document, number, **told):
        at_fault = name if name in touched else "identity_number"
        raise RegistrarError(ErrorCode.MISMATCH_IDENTITY, field=at_fault, rule="GB 11643")
