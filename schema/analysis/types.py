"""Cells and pseudonymised rows in GraphQL. Each field carries the class of the leaf that it is made of."""

from __future__ import annotations

import strawberry

from archive_store.students import documents as stored
from schema.access import governed
from schema.enums import Gender, StudentStatus


@strawberry.type
class DimensionFields:
    """What students are counted by, the status apart."""

    gender: Gender | None = governed(stored.Student, "gender", "性别")
    birth_year: int | None = governed(stored.Student, "birth_date", "出生年")
    ethnic_group: str | None = governed(stored.Student, "ethnic_group", "民族, code of GB/T 3304")
    nationality: str | None = governed(stored.Student, "nationality", "国籍/地区, code of GB/T 2659")
    overseas_status: str | None = governed(stored.Student, "overseas_status", "港澳台侨外")
    political_status: str | None = governed(stored.Student, "political_status", "政治面貌, code of GB/T 4762")
    household_type: str | None = governed(stored.Student, "household_type", "户口性质, code")
    grade: str | None = governed(stored.Student, "grade", "年级")
    class_name: str | None = governed(stored.Student, "class_name", "班级")
    enrolled_month: str | None = governed(stored.Student, "enrolled_month", "入学年月, YYYY-MM")
    admission_method: str | None = governed(stored.Student, "admission_method", "入学方式, code")
    boarding: str | None = governed(stored.Student, "boarding", "就读方式, code")
    student_source: str | None = governed(stored.Student, "student_source", "学生来源, code")


@strawberry.type(description="One cell: students who share a value of each dimension of the query.")
class StudentStatisticsCell(DimensionFields):
    status: StudentStatus | None = governed(stored.Student, "status", "学籍状态")
    count: int | None = strawberry.field(description="How many students; null where suppressed.")
    suppressed: bool = strawberry.field(
        description="The count is small, or a small one could be reckoned from it."
    )


@strawberry.type(
    description="Counts of all students. A dimension that is not of the query is null in every cell, as is a value "
    "that no record of the cell has. There is no total, since it could undo the suppression."
)
class StudentStatistics:
    smallest_cell: int = strawberry.field(description="Counts below this are suppressed.")
    cells: list[StudentStatisticsCell] = strawberry.field(description="Cells that are not empty.")


@strawberry.type(
    description="A student as the analysis group sees them: coarse values under a pseudonym (假名) that leads to no "
    "record. A value that too few students share is null."
)
class PseudonymisedStudent:
    pseudonym: str = strawberry.field(
        description="假名: random, stays with the student, stands nowhere else."
    )
    gender: Gender | None = governed(stored.Student, "gender", "性别")
    birth_year: int | None = governed(stored.Student, "birth_date", "出生年")
    grade: str | None = governed(stored.Student, "grade", "年级")
    status: StudentStatus | None = governed(stored.Student, "status", "学籍状态")
    enrolled_month: str | None = governed(stored.Student, "enrolled_month", "入学年月, YYYY-MM")
    admission_method: str | None = governed(stored.Student, "admission_method", "入学方式, code")
    boarding: str | None = governed(stored.Student, "boarding", "就读方式, code")
    student_source: str | None = governed(stored.Student, "student_source", "学生来源, code")
