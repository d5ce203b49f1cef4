"""What is known of a candidate before there is a record: the leaves of a student record, each in its class."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError, error_fields_under
from archive_store.foundation.field_classes import FieldClass
from archive_store.students.changes import REQUIRED_FIELDS, check_values
from archive_store.students.documents import Gender

F0, F1, F2, F3, F4 = FieldClass


class ApplicantGuardian(BaseModel):
    """监护人 of a candidate, who has no account yet."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, F2]
    relation: Annotated[str | None, F2] = None
    phone: Annotated[str | None, F3] = None
    workplace: Annotated[str | None, F3] = None


class Applicant(BaseModel):
    """入学申请人. Leaves, classes and codes are those of `Student`; all may be missing while they are collected."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str | None, F0] = None
    name_pinyin: Annotated[str | None, F0] = None
    former_name: Annotated[str | None, F2] = None
    gender: Annotated[Gender | None, F1] = None
    birth_date: Annotated[date | None, F2] = None
    birth_place_code: Annotated[str | None, F2] = None
    native_place: Annotated[str | None, F2] = None
    ethnic_group: Annotated[str | None, F2] = None
    nationality: Annotated[str | None, F2] = None
    overseas_status: Annotated[str | None, F2] = None
    political_status: Annotated[str | None, F2] = None
    health_status: Annotated[str | None, F3] = None
    household_division_code: Annotated[str | None, F2] = None
    household_type: Annotated[str | None, F2] = None
    identity_document_type: Annotated[str | None, F2] = None
    identity_number: Annotated[str | None, F3] = None
    national_student_number: Annotated[str | None, F3] = None
    auxiliary_number: Annotated[str | None, F1] = None
    class_seat_number: Annotated[str | None, F1] = None
    grade: Annotated[str | None, F0] = None
    class_name: Annotated[str | None, F0] = None
    enrolled_month: Annotated[str | None, F1] = None
    admission_method: Annotated[str | None, F1] = None
    boarding: Annotated[str | None, F1] = None
    student_source: Annotated[str | None, F1] = None
    address: Annotated[str | None, F3] = None
    phone: Annotated[str | None, F3] = None
    postal_code: Annotated[str | None, F3] = None
    email: Annotated[str | None, F3] = None
    is_only_child: Annotated[bool | None, F3] = None
    is_left_behind: Annotated[bool | None, F3] = None
    is_migrant_worker_child: Annotated[bool | None, F3] = None
    is_orphan: Annotated[bool | None, F3] = None
    needs_financial_aid: Annotated[bool | None, F3] = None
    guardians: list[ApplicantGuardian] = Field(default_factory=list)


APPLICANT_FIELDS = frozenset(Applicant.model_fields)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in values.items() if value not in (None, [], ())}


def differing(held: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for and not said already, in the stored shape: None clears a list, too."""
    values = {name: [] if name == "guardians" and value is None else value for name, value in asked.items()}
    return {name: value for name, value in values.items() if held[name] != value}


def check_applicant(
    touched: Mapping[str, Any], whole: Mapping[str, Any], *, field: str = "applicant"
) -> None:
    """Raise for the first touched value that breaks a rule of student records; `whole` is what they become."""
    told = given(touched)
    if not whole.get("name"):
        raise RegistrarError(ErrorCode.REQUIRED, field=f"{field}.name")
    with error_fields_under(field):
        check_values(told, whole, checks_identity=_tells_identity(whole))


def _tells_identity(whole: Mapping[str, Any]) -> bool:
    # Of a document whose number is still to come, nothing is wrong yet.
    return whole.get("identity_number") is not None


def check_complete(values: Mapping[str, Any]) -> None:
    """REQUIRED, by name, for what a record must have; and all rules once more, together."""
    for name in sorted(REQUIRED_FIELDS - {"guardians"}):
        if values.get(name) is None:
            raise RegistrarError(
                ErrorCode.REQUIRED, field=f"applicant.{name}", rule="policy §三(一) 信息采集"
            )
    with error_fields_under("applicant"):
        check_values(given(values), values)


def stored_values(applicant: Applicant) -> Row:
    """The values that are given, in the stored shape, by field of the student record."""
    return given(applicant.model_dump(mode="json"))
