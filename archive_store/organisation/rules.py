"""Grades by day, open classes, homeroom periods, and what an assignment of classes (编班) may do. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.people.documents import GrantKind, RoleGrant
from archive_store.people.seats import overlaps
from archive_store.students.documents import StudentStatus

RULE = "policy §三(一)"
# Who has left holds no place in a class any more, whatever class the record names.
LEFT = frozenset(
    {
        StudentStatus.TRANSFERRED_OUT,
        StudentStatus.GRADUATED,
        StudentStatus.COMPLETED,
        StudentStatus.INCOMPLETE,
        StudentStatus.WITHDRAWN,
        StudentStatus.EXPELLED,
        StudentStatus.CANCELLED,
        StudentStatus.DECEASED,
        StudentStatus.VOIDED,
    }
)


def grade_on(cohort: Cohort, day: date) -> str:
    """What the cohort's grade is called on the day; before its first day, as on it."""
    begun = [grade for grade in cohort.grades if grade.valid_from <= day]
    return (begun[-1] if begun else cohort.grades[0]).label


def is_closed(school_class: SchoolClass, day: date) -> bool:
    return school_class.closed_on is not None and school_class.closed_on < day


def is_open(school_class: SchoolClass, day: date) -> bool:
    return school_class.opened_on <= day and not is_closed(school_class, day)


def takes(school_class: SchoolClass, major_code: str | None) -> bool:
    """Whether a student of the major may come into the class; any, where it is of no one major."""
    return school_class.major_code in (None, major_code)


def check_grades(cohort: Cohort) -> None:
    """INVALID_DATE unless each grade begins after the one before."""
    for place, (earlier, later) in enumerate(zip(cohort.grades, cohort.grades[1:], strict=False), start=1):
        if later.valid_from <= earlier.valid_from:
            raise RegistrarError(ErrorCode.INVALID_DATE, field=f"grades.{place}.valid_from")


def is_empty(grant: RoleGrant) -> bool:
    """A term that was ended before it began."""
    return grant.valid_to is not None and grant.valid_to < grant.valid_from


def check_homeroom(candidate: RoleGrant, others: Iterable[RoleGrant]) -> None:
    """SEAT_TAKEN where the class has a homeroom teacher in that time; beside them one may act (代理).

    `others` are the grants that name the class.
    """
    acts = candidate.kind is GrantKind.ACTING
    for other in others:
        if is_empty(other) or (other.kind is GrantKind.ACTING) is not acts:
            continue
        if overlaps(candidate, other):
            raise RegistrarError(ErrorCode.SEAT_TAKEN, field="valid_from", rule=RULE, limit=1)


@dataclass(frozen=True, slots=True)
class Placed:
    """A student as the assignment finds them: where they sit, and what counts are told from."""

    id: ObjectId
    class_name: str
    seat: str | None
    status: StudentStatus
    gender: str | None = None  # None where the viewer does not read it
    number: str | None = None
    major: str | None = None

    @property
    def has_left(self) -> bool:
        return self.status in LEFT


@dataclass(frozen=True, slots=True)
class Move:
    """Into which class and seat; without a seat, that of who stays in the class is kept."""

    student_id: ObjectId
    class_name: str
    seat: str | None = None


@dataclass(slots=True)
class ClassCount:
    """A class before and after, by gender code."""

    name: str
    capacity: int | None
    before: Counter[str | None] = field(default_factory=Counter)
    after: Counter[str | None] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a list of moves would lead to: every fault of it, by place in the list, and the classes concerned."""

    faults: Sequence[RegistrarError]
    classes: Sequence[ClassCount]


def seat_after(move: Move, student: Placed) -> str | None:
    if move.seat is not None:
        return move.seat
    return student.seat if move.class_name == student.class_name else None


def judge(
    moves: Sequence[Move],
    students: Mapping[ObjectId, Placed],
    classes: Mapping[str, SchoolClass],
    day: date,
    *,
    applies: bool,
) -> Judgement:
    """`students` are those who move, and all who are in a class that is named or left.

    The faults: NOT_FOUND (student, class), DUPLICATE (a student or a seat twice), WRONG_STATE (a student who has left,
    a class that is closed, of another major or, when it applies, not open yet), TOO_MANY (more than the class holds).
    A class over its capacity may lose students and keep those it has.
    """
    faults: list[RegistrarError] = []
    seen: set[ObjectId] = set()
    accepted: dict[ObjectId, tuple[int, Move]] = {}
    for place, move in enumerate(moves):
        if fault := _fault_of(move, f"moves.{place}", seen, students, classes, day, applies):
            faults.append(fault)
        else:
            accepted[move.student_id] = (place, move)
        seen.add(move.student_id)
    counts = {name: ClassCount(name, held.capacity) for name, held in classes.items()}
    seats: dict[str, dict[str, list[ObjectId]]] = defaultdict(lambda: defaultdict(list))
    arriving: dict[str, list[int]] = defaultdict(list)
    for student in students.values():
        if student.has_left:
            continue
        place, moved = accepted.get(student.id, (-1, None))
        name = student.class_name if moved is None else moved.class_name
        seat = student.seat if moved is None else seat_after(moved, student)
        if student.class_name not in counts:
            counts[student.class_name] = ClassCount(student.class_name, None)
        counts[student.class_name].before[student.gender] += 1
        counts[name].after[student.gender] += 1
        if seat is not None:
            seats[name][seat].append(student.id)
        if moved is not None and name != student.class_name:
            arriving[name].append(place)
    faults += _seat_faults(seats, accepted)
    for name, places in arriving.items():
        count = counts[name]
        size = count.after.total()
        if count.capacity is not None and size > count.capacity and size > count.before.total():
            faults.append(_too_many(f"moves.{max(places)}.class_name", count.capacity))
    return Judgement(faults, sorted(counts.values(), key=lambda count: count.name))


def _fault_of(
    move: Move,
    place: str,
    seen: set[ObjectId],
    students: Mapping[ObjectId, Placed],
    classes: Mapping[str, SchoolClass],
    day: date,
    applies: bool,
) -> RegistrarError | None:
    if move.student_id in seen:
        return RegistrarError(ErrorCode.DUPLICATE, field=f"{place}.student_id", others="moves")
    student, held = students.get(move.student_id), classes.get(move.class_name)
    if student is None:
        return RegistrarError(ErrorCode.NOT_FOUND, field=f"{place}.student_id")
    if student.has_left:
        return RegistrarError(
            ErrorCode.WRONG_STATE, field=f"{place}.student_id", rule=RULE, state=student.status
        )
    if held is None:
        return RegistrarError(ErrorCode.NOT_FOUND, field=f"{place}.class_name")
    if is_closed(held, day):
        return RegistrarError(ErrorCode.WRONG_STATE, field=f"{place}.class_name", state="CLOSED")
    if move.class_name != student.class_name and not takes(held, student.major):
        return RegistrarError(ErrorCode.WRONG_STATE, field=f"{place}.class_name", state="OTHER_MAJOR")
    if applies and not is_open(held, day):
        return RegistrarError(ErrorCode.WRONG_STATE, field=f"{place}.class_name", state="NOT_OPEN")
    return None


def _seat_faults(
    seats: Mapping[str, Mapping[str, Sequence[ObjectId]]], accepted: Mapping[ObjectId, tuple[int, Move]]
) -> list[RegistrarError]:
    """A seat twice is the fault of who is moved into it; two who sat on it before are left alone."""
    faults = {}
    for in_class in seats.values():
        for sitting in in_class.values():
            if len(sitting) < 2:
                continue
            for key in sitting:
                if key in accepted:
                    place = accepted[key][0]
                    faults[place] = RegistrarError(
                        ErrorCode.DUPLICATE, field=f"moves.{place}.seat_number", others="class_seat_number"
                    )
    return [faults[place] for place in sorted(faults)]


def _too_many(place: str, capacity: int) -> RegistrarError:
    return RegistrarError(ErrorCode.TOO_MANY, field=place, rule="capacity 班额", limit=capacity)
