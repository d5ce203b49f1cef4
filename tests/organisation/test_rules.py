"""Grades by day, homeroom periods, what moves lead to, and balanced proposals: pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.documents import Cohort, GradePeriod, SchoolClass
from archive_store.organisation.proposals import Room, dealt
from archive_store.organisation.rules import (
    Move,
    Placed,
    check_grades,
    check_homeroom,
    grade_on,
    is_open,
    judge,
    seat_after,
)
from archive_store.people.documents import GrantKind, RoleGrant
from archive_store.students.documents import StudentStatus

DAY = date(2025, 9, 1)
NAMES = ("1班", "2班", "3班")


def cohort(*grades: tuple[str, str]) -> Cohort:
    periods = [GradePeriod(label=label, valid_from=date.fromisoformat(day)) for label, day in grades]
    return Cohort.model_construct(grades=periods)


def school_class(name: str, capacity: int = 3, **more: Any) -> SchoolClass:
    told = {"opened_on": date(2023, 9, 1), "closed_on": None, **more}
    return SchoolClass.model_construct(name=name, capacity=capacity, **told)


def student(name: str = "1班", seat: str | None = None, **more: Any) -> Placed:
    return Placed(ObjectId(), name, seat, more.pop("status", StudentStatus.ENROLLED), **more)


def grant(kind: str, first: str, last: str | None = None) -> RoleGrant:
    return RoleGrant.model_construct(
        person_id=PydanticObjectId(),
        kind=GrantKind(kind),
        valid_from=date.fromisoformat(first),
        valid_to=None if last is None else date.fromisoformat(last),
    )


def test_a_grade_holds_until_the_next_one() -> None:
    held = cohort(("七年级", "2023-09-01"), ("八年级", "2024-09-01"))
    days = ("2023-08-31", "2023-09-01", "2024-08-31", "2024-09-01", "2030-01-01")
    labels = [grade_on(held, date.fromisoformat(day)) for day in days]
    assert labels == ["七年级", "七年级", "七年级", "八年级", "八年级"]
    with pytest.raises(RegistrarError) as caught:
        check_grades(cohort(("七年级", "2023-09-01"), ("八年级", "2023-09-01")))
    assert caught.value.field == "grades.1.valid_from"


def test_a_class_is_open_on_its_first_and_its_last_day() -> None:
    held = school_class("1班", opened_on=DAY, closed_on=DAY + timedelta(days=2))
    days = [DAY + timedelta(days=n) for n in (-1, 0, 2, 3)]
    assert [is_open(held, day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("candidate", "other", "is_free"),
    [
        (("PRIMARY", "2025-09-01"), ("PRIMARY", "2023-09-01"), False),
        (("PRIMARY", "2025-09-01"), ("PRIMARY", "2023-09-01", "2025-08-31"), True),
        (("PRIMARY", "2025-09-01"), ("PRIMARY", "2023-09-01", "2025-09-01"), False),
        (("ROTATION", "2025-09-01", "2025-10-01"), ("PRIMARY", "2023-09-01"), False),
        (("ACTING", "2025-09-01", "2025-10-01"), ("PRIMARY", "2023-09-01"), True),
        (("PRIMARY", "2025-09-01"), ("ACTING", "2025-09-01", "2025-10-01"), True),
        (("ACTING", "2025-09-01", "2025-10-01"), ("ACTING", "2025-10-01", "2025-11-01"), False),
        # A term that was ended before it began never was.
        (("PRIMARY", "2025-09-01"), ("PRIMARY", "2025-09-05", "2025-09-04"), True),
    ],
)
def test_one_in_office_and_one_who_acts(candidate: Any, other: Any, is_free: bool) -> None:
    if is_free:
        check_homeroom(grant(*candidate), [grant(*other)])
        return
    with pytest.raises(RegistrarError) as caught:
        check_homeroom(grant(*candidate), [grant(*other)])
    assert caught.value.code is ErrorCode.SEAT_TAKEN


def judged(moves: list[Move], students: list[Placed], *, capacity: int = 3, applies: bool = True) -> Any:
    classes = {name: school_class(name, capacity) for name in NAMES}
    return judge(moves, {held.id: held for held in students}, classes, DAY, applies=applies)


def test_a_class_over_its_capacity_keeps_and_loses_but_does_not_gain() -> None:
    full = [student() for _ in range(4)]
    stay = [Move(held.id, "1班") for held in full]
    assert not judged(stay, full).faults
    assert not judged([Move(full[0].id, "2班")], full).faults
    extra = student("2班")
    (fault,) = judged([Move(extra.id, "1班")], [*full, extra]).faults
    assert (fault.code, fault.field) == (ErrorCode.TOO_MANY, "moves.0.class_name")
    # One comes for one who goes.
    assert not judged([Move(extra.id, "1班"), Move(full[0].id, "2班")], [*full, extra]).faults


def test_who_has_left_takes_no_place_and_is_not_moved() -> None:
    left = [student(seat="1", status=StudentStatus.GRADUATED) for _ in range(3)]
    newcomer = student("2班")
    assert not judged([Move(newcomer.id, "1班", "1")], [*left, newcomer]).faults
    (fault,) = judged([Move(left[0].id, "2班")], left).faults
    assert (fault.code, fault.field) == (ErrorCode.WRONG_STATE, "moves.0.student_id")


def test_a_seat_twice_from_before_is_nobodys_fault() -> None:
    pair, other = [student(seat="1"), student(seat="1")], student(seat="2")
    assert not judged([Move(other.id, "1班", "3")], [*pair, other]).faults
    (fault,) = judged([Move(other.id, "1班", "1")], [*pair, other]).faults
    assert (fault.code, fault.field) == (ErrorCode.DUPLICATE, "moves.0.seat_number")


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[Placed], list[Move]]:
    seats = st.sampled_from([None, "1", "2", "3"])
    students = [student(draw(st.sampled_from(NAMES)), draw(seats)) for _ in range(draw(st.integers(1, 8)))]
    moving = draw(st.lists(st.sampled_from(students), unique_by=lambda held: held.id, max_size=8))
    return students, [Move(held.id, draw(st.sampled_from(NAMES)), draw(seats)) for held in moving]


@given(plans())
def test_what_is_accepted_keeps_seats_and_capacity(plan: tuple[list[Placed], list[Move]]) -> None:
    students, moves = plan
    found = judged(moves, students)
    # Nobody appears or gets lost in the counts, whatever is wrong with the moves.
    assert sum(count.before.total() for count in found.classes) == len(students)
    assert sum(count.after.total() for count in found.classes) == len(students)
    if found.faults:
        return
    by_id = {move.student_id: move for move in moves}
    sitting: dict[tuple[str, str], list[ObjectId]] = defaultdict(list)
    after: Counter[str] = Counter()
    for held in students:
        move = by_id.get(held.id)
        name = move.class_name if move else held.class_name
        seat = seat_after(move, held) if move else held.seat
        after[name] += 1
        if seat is not None:
            sitting[name, seat].append(held.id)
    for keys in sitting.values():
        assert len(keys) == 1 or not any(key in by_id for key in keys)
    before = Counter(held.class_name for held in students)
    assert all(after[name] <= max(3, before[name]) for name in NAMES)


@st.composite
def groups(draw: st.DrawFn) -> tuple[list[Placed], list[Room]]:
    genders = draw(st.lists(st.sampled_from("12"), max_size=40))
    students = [student(gender=held, number=f"{n:04}") for n, held in enumerate(genders)]
    rooms = [Room(name, draw(st.integers(0, 30)), {"1"}) for name in NAMES]
    return students, rooms


@given(groups(), st.randoms())
def test_a_proposal_is_whole_within_capacity_and_repeatable(
    asked: tuple[list[Placed], list[Room]], chance: Any
) -> None:
    students, rooms = asked
    if len(students) > sum(room.places for room in rooms):
        with pytest.raises(RegistrarError) as caught:
            dealt(students, rooms)
        assert caught.value.code is ErrorCode.TOO_MANY
        return
    moves = dealt(students, rooms)
    assert {move.student_id for move in moves} == {held.id for held in students}
    assert len(moves) == len(students)
    sizes = Counter(move.class_name for move in moves)
    assert all(sizes[room.name] <= room.places for room in rooms)
    assert len({(move.class_name, move.seat) for move in moves}) == len(moves)
    assert not any(move.seat == "1" for move in moves)
    shuffled = list(students)
    chance.shuffle(shuffled)
    assert dealt(shuffled, rooms) == moves


@given(st.lists(st.sampled_from("12"), max_size=60), st.integers(1, 6))
def test_with_room_enough_classes_differ_by_one_of_each_gender(genders: list[str], count: int) -> None:
    students = [student(gender=held, number=f"{n:04}") for n, held in enumerate(genders)]
    names = [f"{n}班" for n in range(count)]
    moves = dealt(students, [Room(name, 60) for name in names])
    gender_of = {held.id: held.gender for held in students}
    for chosen in ({"1"}, {"2"}, {"1", "2"}):
        counts = Counter(move.class_name for move in moves if gender_of[move.student_id] in chosen)
        sizes = [counts[name] for name in names]
        assert max(sizes) - min(sizes) <= 1
