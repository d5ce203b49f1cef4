"""The structure of the school (组织结构) as stored: school, campuses, cohorts and classes, and class assignments.

A class's name is what joins: `Student.class_name` and the class names of role grants are that name. Homeroom periods
(班主任任期) are role grants, so that access and structure cannot say two things.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, ConfigDict, Field
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.stages import SchoolStage

F0, F1, F2, F3, F4 = FieldClass


class School(Record):
    """学校: one of the installation. `code` is 学校标识码, `division` a code of GB/T 2260."""

    subject_type: ClassVar[str] = "School"

    # The one school has the one value of a unique index.
    place: Annotated[int, F0] = 1
    name: Annotated[str, F0]
    code: Annotated[str, F0]
    division: Annotated[str, F0]

    class Settings:
        name = "schools"
        indexes = [IndexModel("place", unique=True)]  # noqa: RUF012


class Campus(Record):
    """校区."""

    subject_type: ClassVar[str] = "Campus"

    name: Annotated[str, F0]
    address: Annotated[str | None, F0] = None

    class Settings:
        name = "campuses"
        indexes = [IndexModel("name", unique=True)]  # noqa: RUF012


class GradePeriod(BaseModel):
    """What a cohort's grade (年级) is called from a day on, until the next one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    label: Annotated[str, F0]
    valid_from: Annotated[date, F0]


class Cohort(Record):
    """级: who entered a stage in a year. `grades`, in order of their days, say how it is promoted by school year."""

    subject_type: ClassVar[str] = "Cohort"

    name: Annotated[str, F0]
    stage: Annotated[SchoolStage, F0]
    enrolled_year: Annotated[int, F0]
    grades: list[GradePeriod]

    class Settings:
        name = "cohorts"
        indexes = [  # noqa: RUF012
            IndexModel("name", unique=True),
            IndexModel([("stage", 1), ("enrolled_year", 1)], unique=True),
        ]


class SchoolClass(Record):
    """班级, from `opened_on` to `closed_on` inclusive; closed classes keep their name."""

    subject_type: ClassVar[str] = "SchoolClass"

    name: Annotated[str, F0]
    cohort_id: Annotated[PydanticObjectId, F0]
    campus_id: Annotated[PydanticObjectId | None, F0] = None
    major_code: Annotated[str | None, F0] = None  # of a class of one major alone
    capacity: Annotated[int, F1]
    opened_on: Annotated[date, F0]
    closed_on: Annotated[date | None, F0] = None

    class Settings:
        name = "school_classes"
        indexes = [  # noqa: RUF012
            IndexModel("name", unique=True),
            IndexModel([("name", 1), ("_id", 1)]),
            IndexModel([("cohort_id", 1), ("name", 1)]),
        ]


class Department(Record):
    """院系."""

    subject_type: ClassVar[str] = "Department"

    code: Annotated[str, F0]
    name: Annotated[str, F0]

    class Settings:
        name = "departments"
        indexes = [IndexModel("code", unique=True), IndexModel("name", unique=True)]  # noqa: RUF012


class Major(Record):
    """专业 of a department in a stage, taken up from `opened_on` to `closed_on` inclusive; 学制 in months."""

    subject_type: ClassVar[str] = "Major"

    code: Annotated[str, F0]
    name: Annotated[str, F0]
    department_id: Annotated[PydanticObjectId, F0]
    stage: Annotated[SchoolStage, F0]
    duration_months: Annotated[int, F0]
    opened_on: Annotated[date, F0]
    closed_on: Annotated[date | None, F0] = None

    class Settings:
        name = "majors"
        indexes = [  # noqa: RUF012
            IndexModel("code", unique=True),
            IndexModel([("name", 1), ("stage", 1)], unique=True),
        ]


class ClassAssignment(Record):
    """编班/调班 as applied: how many students it moved, and into which classes. Their histories tell the rest."""

    subject_type: ClassVar[str] = "ClassAssignment"

    students: Annotated[int, F0]
    class_names: Annotated[list[str], F0] = Field(default_factory=list)
    effective_from: Annotated[date, F0]
    applied_at: Annotated[datetime, F0]

    class Settings:
        name = "class_assignments"
        indexes: ClassVar[list[IndexModel]] = []
