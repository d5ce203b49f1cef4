"""Moments of records against a calendar that says what each day was known to be: the rule, and lives of students."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.approvals.emergencies import execute, reverse
from archive_store.approvals.operations import payload_of, perform
from archive_store.audit.documents import ENTRIES
from archive_store.foundation.clock import school_day
from archive_store.students.accounts import link_guardian_account
from archive_store.students.changes import StudentUpdate
from archive_store.students.moments import COMPARED_PATHS
from archive_store.students.queries import find_student
from archive_store.students.record_check import records_unlike_history
from archive_store.students.replay import Moment, at_moment, known_by, replayed
from archive_store.students.status import StatusChange
from tests.records.moments import SetClock, corrected, rows_at
from tests.records.record_model import RecordModel
from tests.school import School

FIRST = date(2024, 9, 1)
REGISTERED = datetime(2024, 9, 10, 2, tzinfo=UTC)
SPAN = (date(2024, 8, 20), date(2024, 12, 31))
VALUES = {"phone": "1", "address": None, "guardians": []}
Step = tuple[str, int, int | None, int]


def _entry(
    sequence: int, at: datetime, kind: str, changes: dict[str, Any], since: date | None
) -> dict[str, Any]:
    told = [{"field": field, "before": None, "after": after} for field, after in changes.items()]
    sealed = {"changes": told, "touched": [], "effective_from": since and since.isoformat()}
    return {"sequence": sequence, "at": at, "kind": kind, "sealed": sealed}


steps = st.lists(
    st.tuples(
        st.sampled_from(["phone", "address", "guardians"]),
        st.integers(0, 200),  # hours after the last
        st.one_of(st.none(), st.integers(0, 60)),  # days back
        st.integers(0, 5),
    ),
    max_size=10,
)
asked_moments = st.tuples(
    st.integers(0, (SPAN[1] - SPAN[0]).days), st.one_of(st.none(), st.integers(-50, 3000))
)


@given(steps, st.lists(asked_moments, min_size=1, max_size=10))
def test_the_rule_against_a_calendar(steps: list[Step], asked: list[tuple[int, int | None]]) -> None:
    period = {"status": "ENROLLED", "effective_from": FIRST.isoformat(), "effective_to": None}
    period |= {"recorded_at": REGISTERED, "superseded_at": None}
    told = {"phone": "1", "status": "ENROLLED", "status_periods": [period]}
    entries = [_entry(1, REGISTERED, "student:register", told, None)]
    model, at = RecordModel(REGISTERED, SPAN, FIRST, "ENROLLED", VALUES), REGISTERED
    for field, hours, days_back, number in steps:
        at += timedelta(hours=hours)
        since = None if days_back is None else max(FIRST, school_day(at) - timedelta(days=days_back))
        value = [{"name": str(number)}] * number if field == "guardians" else str(number)
        entries.append(_entry(len(entries) + 1, at, "student:update", {field: value}, since))
        model.set(at, since or school_day(at), {field: value})
    for offset, hours in asked:
        day = SPAN[0] + timedelta(days=offset)
        known_at = None if hours is None else REGISTERED + timedelta(hours=hours)
        found, expected = at_moment(entries, Moment(day, known_at)), model.at(day, known_at)
        assert (found and {field: found[field] for field in (*VALUES, "status")}) == expected
    last = max(school_day(at), FIRST)
    now = at_moment(entries, Moment(last))
    assert now is not None
    whole = replayed(entries)
    assert {name: now[name] for name in whole} == whole


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=8), st.integers(-30, 30))
def test_what_is_known_is_a_beginning_of_the_history(shifts: list[int], until: int) -> None:
    """Whatever the clocks of two servers said, nothing is known before what it follows."""
    entries, at = [], REGISTERED
    for place, shift in enumerate(shifts):
        at += timedelta(seconds=shift)
        entries.append(_entry(place + 1, at, "student:register" if not place else "x", {}, None))
    known = known_by(entries, REGISTERED + timedelta(seconds=until))
    assert list(known) == entries[: len(known)]
    assert all(entry["at"] <= REGISTERED + timedelta(seconds=until) for entry in known)


COMPARED = ("native_place", "phone", "class_seat_number", "guardians", "address", "status")


class RandomSchool:
    """Random things done to one student, and to its calendar."""

    def __init__(self, school: School, clock: SetClock, seed: int) -> None:
        self.school, self.clock, self.chance = school, clock, random.Random(seed)
        self.emergency: tuple[ObjectId, int, tuple[str, ...]] | None = None
        self.running_since: date
        self.model: RecordModel
        self.moments: list[datetime] = []
        self.done: list[str] = []

    async def begin(self) -> None:
        student = await self.school.student()
        assert student.created_at is not None
        self.running_since = self.first = student.status_periods[0].effective_from
        days = (self.first - timedelta(days=3), school_day(self.clock.moment) + timedelta(days=60))
        row = student.to_bson()
        values = {field: row[field] for field in COMPARED if field != "status"}
        self.model = RecordModel(student.created_at, days, self.first, "ENROLLED", values)
        self.moments = [student.created_at - timedelta(seconds=1), student.created_at]

    async def step(self) -> None:
        chance = self.chance
        self.clock.moment += timedelta(hours=chance.choice((0.01, 3, 30)))
        possible: list[Callable[[], Any]] = [self.correct, self.correct, self.correct, self.change_status]
        possible += [self.link] if chance.random() < 0.2 else []
        possible += [self.execute, self.execute] if self.emergency is None else [self.reverse]
        made = chance.choice(possible)
        await made()
        self.done.append(made.__name__)
        self.moments.append(self.clock.moment)

    @property
    def today(self) -> date:
        return school_day(self.clock.moment)

    def _past_day(self, first: date) -> date:
        return first + timedelta(days=self.chance.randint(0, (self.today - first).days))

    async def correct(self) -> None:
        chance = self.chance
        fields = chance.sample(["native_place", "phone", "class_seat_number"], chance.randint(1, 3))
        made = {"native_place": f"地{chance.randrange(4)}", "phone": f"1370000000{chance.randrange(4)}"}
        made["class_seat_number"] = str(chance.randrange(4))
        changes = {field: made[field] for field in fields}
        day = chance.choice((None, self._past_day(self.first), self._past_day(self.first)))
        # Where no day is named, to ask for what stands already is refused.
        now = self.model.at(self.today)
        assert now is not None
        if day is None and all(now[field] == value for field, value in changes.items()):
            return
        await corrected(self.school, day, **changes)
        self.model.set(self.clock.moment, day or self.today, changes)

    async def change_status(self) -> None:
        if self.emergency and "status" in self.emergency[2]:
            return
        student = await self.school.student()
        is_enrolled = student.status == "ENROLLED"
        day = self._past_day(self.running_since)
        payload = payload_of(StatusChange, {"student_id": student.key, "effective_from": day})
        name = "student.suspend" if is_enrolled else "student.resume"
        information = await self.school.viewer("information")
        outcome = await perform(self.school.store, information, name, payload, reason="住院")
        assert outcome.change_request_id is not None
        await self.school.approve("director", outcome.change_request_id)
        self.running_since = day
        self.model.set(self.clock.moment, day, {"status": "SUSPENDED" if is_enrolled else "ENROLLED"})

    async def execute(self) -> None:
        """Address and guardians are changed by emergencies alone, so that nothing comes between."""
        student, chance = await self.school.student(), self.chance
        information, store = await self.school.viewer("information"), self.school.store
        if chance.random() < 0.4 and student.status == "ENROLLED":
            day = self._past_day(self.running_since)
            payload: Any = payload_of(StatusChange, {"student_id": student.key, "effective_from": day})
            key = await execute(store, information, "student.suspend", payload, reason="急病")
            self.model.set(self.clock.moment, day, {"status": "SUSPENDED"})
            self.emergency = (key, self.model.recordings - 1, ("status",))
            return
        held = student.to_bson()["guardians"][0]
        kept = {name: held[name] for name in ("name", "relation", "phone")}
        changes = {
            "address": f"路{chance.random()}",
            "guardians": [kept | {"workplace": f"厂{chance.random()}"}],
        }
        values = {"student_id": student.key, "changes": changes}
        key = await execute(
            store, information, "student.update", payload_of(StudentUpdate, values), reason="急病"
        )
        written = (await self.school.student()).to_bson()["guardians"]
        self.model.set(self.clock.moment, self.today, {"address": changes["address"], "guardians": written})
        self.emergency = (key, self.model.recordings - 1, ("address", "guardians"))

    async def reverse(self) -> None:
        assert self.emergency is not None
        key, recording, fields = self.emergency
        self.emergency = None
        if self.chance.random() < 0.3:
            return
        await reverse(self.school.store, await self.school.viewer("director"), key, comment="有误")
        self.model.undo(self.clock.moment, recording, fields)
        if fields == ("status",):
            periods = (await self.school.student()).status_periods
            self.running_since = max(held.effective_from for held in periods if held.superseded_at is None)

    async def link(self) -> None:
        if self.emergency and "guardians" in self.emergency[2]:
            return
        student = await self.school.student()
        if student.guardians[0].person_id is None:
            await link_guardian_account(self.school.store, student.key, 0, "parent")
            self.model.set(
                self.clock.moment,
                self.today,
                {"guardians": (await self.school.student()).to_bson()["guardians"]},
            )


def without_accounts(record: dict[str, Any] | None) -> Any:
    """As a reader is shown it."""
    if record is None:
        return None
    guardians = [
        {name: value for name, value in held.items() if name != "person_id"} for held in record["guardians"]
    ]
    return {field: record[field] for field in COMPARED} | {"guardians": guardians}


@pytest.mark.parametrize("seed", range(8))
async def test_a_random_life_against_a_calendar(school: School, clock: SetClock, seed: int) -> None:
    life = RandomSchool(school, clock, seed)
    await life.begin()
    entries = school.store.database.mongo[ENTRIES]
    kept: list[Any] = []
    for _ in range(14):
        await life.step()
        stored = await entries.find().sort("_id", 1).to_list()
        assert [entry for entry in stored if entry["_id"] in {held["_id"] for held in kept}] == kept
        kept = stored
    assert await records_unlike_history(school.store) == []
    chance = random.Random(seed)
    # Half of the days are of the life itself, where the most happens.
    firsts = (life.first - timedelta(days=3), life.today - timedelta(days=8))
    asked = [
        Moment(life._past_day(firsts[place % 2]), chance.choice([*life.moments, None])) for place in range(80)
    ]
    rows = await rows_at(school, *asked, paths=COMPARED_PATHS)
    for moment, row in zip(asked, rows, strict=True):
        expected = without_accounts(life.model.at(moment.as_of, moment.known_at))
        assert without_accounts(row) == expected, (moment, life.done)
    (now,) = await rows_at(school, Moment(life.today), paths=COMPARED_PATHS | {"revision", "updated_at"})
    student = await school.student()
    current = await find_student(
        school.store,
        await school.viewer("director"),
        student.key,
        COMPARED_PATHS | {"revision", "updated_at"},
    )
    assert now == current.rows[0]
