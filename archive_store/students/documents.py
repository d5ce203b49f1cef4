"""The student record (学籍) as stored, each leaf with its field class."""

from __future__ import annotations

import secrets
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.students.change_kinds import ChangeKind

F0, F1, F2, F3, F4 = FieldClass


class Gender(StrEnum):
    """性别, GB/T 2261.1."""

    UNKNOWN = "0"
    MALE = "1"
    FEMALE = "2"
    NOT_STATED = "9"


class StudentStatus(StrEnum):
    """学籍状态."""

    PENDING_ADMISSION = "PENDING_ADMISSION"
    ADMISSION_DEFERRED = "ADMISSION_DEFERRED"
    ENROLLED = "ENROLLED"
    SUSPENDED = "SUSPENDED"
    STATUS_RETAINED = "STATUS_RETAINED"
    STUDY_HALTED = "STUDY_HALTED"
    DROPPED_OUT = "DROPPED_OUT"
    TRANSFERRED_OUT = "TRANSFERRED_OUT"
    GRADUATED = "GRADUATED"
    COMPLETED = "COMPLETED"
    INCOMPLETE = "INCOMPLETE"
    WITHDRAWN = "WITHDRAWN"
    EXPELLED = "EXPELLED"
    CANCELLED = "CANCELLED"
    DECEASED = "DECEASED"
    VOIDED = "VOIDED"


STATUS_LABELS = {
    StudentStatus.PENDING_ADMISSION: "待入学",
    StudentStatus.ADMISSION_DEFERRED: "保留入学资格",
    StudentStatus.ENROLLED: "在读",
    StudentStatus.SUSPENDED: "休学",
    StudentStatus.STATUS_RETAINED: "保留学籍",
    StudentStatus.STUDY_HALTED: "停学",
    StudentStatus.DROPPED_OUT: "辍学",
    StudentStatus.TRANSFERRED_OUT: "转出",
    StudentStatus.GRADUATED: "毕业",
    StudentStatus.COMPLETED: "结业",
    StudentStatus.INCOMPLETE: "肄业",
    StudentStatus.WITHDRAWN: "退学",
    StudentStatus.EXPELLED: "开除学籍",
    StudentStatus.CANCELLED: "取消入学资格/学籍",
    StudentStatus.DECEASED: "死亡",
    StudentStatus.VOIDED: "注销",
}


class StatusPeriod(BaseModel):
    """学籍状态区间: in force from `effective_from` to `effective_to` inclusive, as known from `recorded_at` on.

    A period that was corrected or closed stays, `superseded_at` when another took its place. `cause` is the change
    that it began by, `change_request_id` the request that was approved for it (审批单号), `document_number` the
    decision that it rests on (文号), `counterpart` the other school of a transfer, `planned_to` its planned last day.
    """

    status: Annotated[StudentStatus, F0]
    effective_from: Annotated[date, F1]
    effective_to: Annotated[date | None, F1] = None
    recorded_at: Annotated[datetime, F1]
    superseded_at: Annotated[datetime | None, F1] = None
    cause: Annotated[ChangeKind | None, F1] = None
    change_request_id: Annotated[PydanticObjectId | None, F1] = None
    document_number: Annotated[str | None, F1] = None
    counterpart: Annotated[str | None, F1] = None
    planned_to: Annotated[date | None, F1] = None


class Guardian(BaseModel):
    """监护人. `person_id` is set once the guardian has an account."""

    model_config = ConfigDict(extra="forbid")

    person_id: Annotated[PydanticObjectId | None, F1] = None
    name: Annotated[str, F2]
    relation: Annotated[str | None, F2] = None  # GB/T 4761 code
    phone: Annotated[str | None, F3] = None
    workplace: Annotated[str | None, F3] = None


class Student(Record):
    """One enrollment (学籍) with the basic information it records. Codes are of the tables in `code_tables`."""

    subject_type: ClassVar[str] = "Student"
    bookkeeping: ClassVar[frozenset[str]] = frozenset(
        {"_id", "person_id", "pseudonym", "revision", "created_at", "updated_at"}
    )
    filterable_paths: ClassVar[frozenset[str]] = frozenset(
        {"name", "name_pinyin", "class_name", "grade", "status", "auxiliary_number", "identity_number"}
    )

    person_id: Annotated[PydanticObjectId, F1]
    # 假名, for the rows of the analysis group. Not encrypted, since it orders them; it links to the record, so no
    # reading of a record, no history and no export shows it, whoever may read F1.
    pseudonym: Annotated[str, F1] = Field(default_factory=lambda: secrets.token_hex(16))
    name: Annotated[str, F0]
    name_pinyin: Annotated[str | None, F0] = None
    former_name: Annotated[str | None, F2] = None
    gender: Annotated[Gender, F1]
    birth_date: Annotated[date, F2]
    birth_place_code: Annotated[str | None, F2] = None  # GB/T 2260
    native_place: Annotated[str | None, F2] = None
    ethnic_group: Annotated[str, F2]  # GB/T 3304
    nationality: Annotated[str | None, F2] = None  # GB/T 2659
    overseas_status: Annotated[str | None, F2] = None
    political_status: Annotated[str | None, F2] = None  # GB/T 4762
    health_status: Annotated[str | None, F3] = None
    household_division_code: Annotated[str | None, F2] = None
    household_type: Annotated[str | None, F2] = None

    identity_document_type: Annotated[str, F2]
    identity_number: Annotated[str | None, F3] = None  # GB 11643 where the type is the identity card
    # A G number contains the citizen ID, so it is as sensitive.
    national_student_number: Annotated[str | None, F3] = None
    auxiliary_number: Annotated[str | None, F1] = None  # 学籍辅号, the school's own
    class_seat_number: Annotated[str | None, F1] = None

    status: Annotated[StudentStatus, F0] = StudentStatus.ENROLLED
    status_periods: list[StatusPeriod] = Field(default_factory=list)
    # The record of the same person that goes on, where this one stood twice (重复学籍).
    merged_into: Annotated[PydanticObjectId | None, F1] = None
    grade: Annotated[str, F0]
    class_name: Annotated[str, F0]
    major_code: Annotated[str | None, F0] = None  # 专业, a code of the school's catalogue
    enrolled_month: Annotated[str, F1]  # YYYY-MM
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
    guardians: list[Guardian] = Field(default_factory=list)

    class Settings:
        name = "students"
        indexes = [  # noqa: RUF012 - one per allowed order, alone and within each filter, ending in the key that breaks ties
            IndexModel("person_id", unique=True),
            IndexModel(
                "pseudonym",
                name="one_pseudonym",
                unique=True,
                partialFilterExpression={"pseudonym": {"$type": "string"}},
            ),
            IndexModel(
                "auxiliary_number",
                name="one_auxiliary_number",
                unique=True,
                partialFilterExpression={"auxiliary_number": {"$type": "string"}},
            ),
            IndexModel([("auxiliary_number", 1), ("_id", 1), ("name", 1)]),
            # With the name, so that a filter by its beginning reads no record in vain.
            IndexModel([("name_pinyin", 1), ("_id", 1), ("name", 1)]),
            *(
                IndexModel([(filtered, 1), (ordered, 1), ("_id", 1)])
                for filtered in ("class_name", "grade", "status")
                for ordered in ("auxiliary_number", "name_pinyin")
            ),
            IndexModel([("name", 1), ("_id", 1)]),
            IndexModel("guardians.person_id", sparse=True),
            IndexModel("merged_into", partialFilterExpression={"merged_into": {"$type": "objectId"}}),
        ]


class Export(Record):
    """An export of student records (导出), written when it begins.

    `rows` is told at its end; an export without it ended with the server. Not complete: the client broke off, or
    the store did.
    """

    subject_type: ClassVar[str] = "Export"

    exported_by: Annotated[PydanticObjectId, F1]
    columns: Annotated[list[str], F1]  # headers
    filters: Annotated[list[str], F1]  # names only: a value could be sensitive
    file_type: Annotated[str, F1] = "csv"  # as all were before there were workbooks
    rows: Annotated[int | None, F1] = None
    is_complete: Annotated[bool, F1] = False

    class Settings:
        name = "exports"
        indexes = [IndexModel([("exported_by", 1), ("_id", -1)])]  # noqa: RUF012
