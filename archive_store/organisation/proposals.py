"""A balanced distribution of students over classes (均衡编班): by gender, then by number. Pure and repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation.rules import Move, Placed


@dataclass(slots=True)
class Room:
    """A class that is dealt to: the places it has left and the seats that others keep."""

    name: str
    places: int
    taken_seats: set[str] = field(default_factory=set)


def dealt(students: Sequence[Placed], rooms: Sequence[Room]) -> list[Move]:
    """One move for each student, in order of class and seat.

    Students are put in order by gender and number and dealt one class after the other, so that while there is room the
    classes differ by one student at most, and by one of each gender. TOO_MANY for more students than places.
    """
    places = sum(room.places for room in rooms)
    if len(students) > places:
        raise RegistrarError(ErrorCode.TOO_MANY, field="students", rule="capacity 班额", limit=places)
    groups: dict[str, list[Placed]] = {room.name: [] for room in rooms}
    left: dict[str, int] = {room.name: room.places for room in rooms}
    names, turn = [room.name for room in rooms], 0
    for student in sorted(students, key=lambda held: (held.gender or "", *_by_number(held))):
        while not left[names[turn % len(names)]]:
            turn += 1
        name = names[turn % len(names)]
        groups[name].append(student)
        left[name] -= 1
        turn += 1
    taken: Mapping[str, set[str]] = {room.name: room.taken_seats for room in rooms}
    return [move for name in names for move in _seated(name, groups[name], taken[name])]


def _by_number(student: Placed) -> tuple[bool, str, str]:
    return student.number is None, student.number or "", str(student.id)


def _seated(name: str, students: Sequence[Placed], taken: set[str]) -> list[Move]:
    free = (str(number) for number in count(1) if str(number) not in taken)
    return [Move(student.id, name, next(free)) for student in sorted(students, key=_by_number)]
