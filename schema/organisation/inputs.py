"""Input of the mutations of the structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry
from strawberry import UNSET

from schema.admission.enums import SchoolStage
from schema.nodes import key_of
from schema.organisation.enums import GrantKind
from schema.scalars import Day


@strawberry.input(description="Input of `schoolSetUp`: the whole of it.")
class SchoolSetUpInput:
    name: str = strawberry.field(description="名称.")
    code: str = strawberry.field(description="学校标识码, 10 digits.")
    division: str = strawberry.field(description="行政区划码, 6 digits.")
    reason: str | None = None


@strawberry.input(description="Input of `campusOpen`.")
class CampusOpenInput:
    name: str
    address: str | None = None
    reason: str | None = None


@strawberry.input(description="What the grade (年级) is called from a day on.")
class GradePeriodInput:
    label: str
    valid_from: Day


@strawberry.input(description="Input of `cohortOpen`.")
class CohortOpenInput:
    name: str = strawberry.field(description="Such as 2023级.")
    stage: SchoolStage = strawberry.field(description="学段.")
    enrolled_year: int = strawberry.field(description="入学年.")
    grades: list[GradePeriodInput] = strawberry.field(
        description="In order of days, as far as they are known."
    )
    reason: str | None = None


@strawberry.input(description="Input of `cohortChange`: the whole new list of grades.")
class CohortChangeInput:
    id: strawberry.ID
    grades: list[GradePeriodInput]
    reason: str | None = None


@strawberry.input(description="Input of `classOpen`.")
class ClassOpenInput:
    name: str = strawberry.field(description="As `Student.className` shall spell it.")
    cohort_id: strawberry.ID
    campus_id: strawberry.ID | None = None
    major_code: str | None = strawberry.field(
        default=None, description="专业, of a class of one major alone."
    )
    capacity: int = strawberry.field(description="班额.")
    opened_on: Day = strawberry.field(description="First day.")
    reason: str | None = None


@strawberry.input(description="Input of `classChange`. What is left out stays; null clears the campus.")
class ClassChangeInput:
    id: strawberry.ID
    name: str | None = strawberry.field(
        default=UNSET, description="Refused while records or role grants have the class by its name."
    )
    campus_id: strawberry.ID | None = UNSET
    capacity: int | None = UNSET
    reason: str | None = None

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        campus: Any = self.campus_id
        if campus is not UNSET and campus is not None:
            campus = key_of(campus, "Campus", field="campusId")
        told = {"name": self.name, "campus_id": campus, "capacity": self.capacity}
        return {name: value for name, value in told.items() if value is not UNSET}


@strawberry.input(description="Input of `classClose`.")
class ClassCloseInput:
    id: strawberry.ID
    closed_on: Day = strawberry.field(description="Last day.")
    reason: str | None = None


@strawberry.input(description="A student's class and, where wanted, seat.")
class ClassMoveInput:
    student_id: strawberry.ID
    class_name: str
    seat_number: str | None = strawberry.field(
        default=None, description="班内学号. Without one, who stays in the class keeps theirs."
    )


@strawberry.input(description="Input of `classAssign`: up to 1,000 students, all of them or none.")
class ClassAssignInput:
    moves: list[ClassMoveInput]
    reason: str | None = None
    effective_from: Day | None = strawberry.field(
        default=None, description="A day to come from which it holds; it is waited for."
    )
    draft: bool = strawberry.field(
        default=False, description="Keep it as a draft (草稿), shown to nobody else."
    )


@strawberry.input(description="Input of `classAssignRevise`. What is left out stays as it was asked for.")
class ClassAssignReviseInput:
    id: strawberry.ID = strawberry.field(description="The change request.")
    moves: list[ClassMoveInput] | None = None
    reason: str | None = None
    effective_from: Day | None = None


@strawberry.input(description="Input of `homeroomAssign`: a term, as of any role grant.")
class HomeroomAssignInput:
    person_id: strawberry.ID
    class_name: str
    kind: GrantKind = strawberry.field(
        default=GrantKind.PRIMARY, description="Who acts (代理) may be beside another."
    )
    valid_from: Day
    valid_to: Day | None = strawberry.field(
        default=None, description="Last day; needed of whoever is not in office (任职)."
    )
    qualified: bool = strawberry.field(description="任职条件, policy §二(二).")
    confidentiality_undertaken: bool = strawberry.field(description="保密承诺, policy §二(二).")
    reason: str | None = None


@strawberry.input(description="Input of `homeroomEnd`.")
class HomeroomEndInput:
    person_id: strawberry.ID
    class_name: str
    last_day: Day = strawberry.field(
        description="Yesterday ends the right at once; a day to come ends it then. Their later terms end as well."
    )
    reason: str | None = None


def moves_of(moves: Sequence[ClassMoveInput]) -> list[dict[str, Any]]:
    """The moves as the store takes them."""
    return [
        {
            "student_id": key_of(move.student_id, "Student", field=f"moves.{place}.studentId"),
            "class_name": move.class_name,
            "seat_number": move.seat_number,
        }
        for place, move in enumerate(moves)
    ]
