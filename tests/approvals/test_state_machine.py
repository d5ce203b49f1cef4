"""The approvals of a school at random, against the model: after each step the database is as the model says.

REGISTRAR_STATE_MACHINE_EXAMPLES says how many schools live through how many steps (STEPS) each.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import pytest
from bson import ObjectId
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.deadlines import apply_due
from archive_store.approvals.decisions import add_signer, decide, decide_each
from archive_store.approvals.documents import Decision
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Asking, payload_of, perform
from archive_store.approvals.queries import list_change_requests
from archive_store.approvals.requests import Revision, revise, submit_draft, withdraw
from archive_store.approvals.routing import ConflictError
from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import Clock, school_day
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.delegations import DelegationEnd, DelegationGive
from archive_store.people.sign_in import load_viewer
from archive_store.students.changes import StudentUpdate
from archive_store.students.documents import Student
from tests.approvals.school_model import FIELDS, JOINT_OF_FIELD, OPERATION, POSTS, TIERS, SchoolModel
from tests.school import PURPOSE, School

EXAMPLES = int(os.environ.get("REGISTRAR_STATE_MACHINE_EXAMPLES", "20"))
STEPS = 40
STUDENTS = 3
VALUES = {
    "native_place": ["上海市", "成都市"],
    "phone": ["13700000001", "13700000002"],
    # Two are of students on record.
    "auxiliary_number": ["2023000001", "2023000002", "2023900001"],
    "name": ["王改名", "李改名"],
    "former_name": ["王旧名", "李旧名"],
}


class Calendar(Clock):
    """Stands still; the day is turned by hand."""

    def __init__(self) -> None:
        self.base = super().now()
        self.days = 0

    def now(self) -> datetime:
        return self.base + timedelta(days=self.days)

    def date_of(self, day: int) -> date:
        return school_day(self.base) + timedelta(days=day)


@dataclass
class World:
    """A store on a loop of its own, which each run begins from the same documents."""

    loop: asyncio.AbstractEventLoop
    store: Store
    calendar: Calendar
    rows: dict[str, list[dict[str, Any]]]
    steps: int = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def begin_anew(self) -> None:
        self.calendar.days = 0
        await School(self.store).restore(self.rows)


@pytest.fixture
async def joint_policy(school: School) -> None:
    """The policy of a new school, and posts that sign a former name together."""
    policies = school.store.database.mongo["approval_policies"]
    for field, posts in JOINT_OF_FIELD.items():
        joint = {"operation": OPERATION, "fields": [field], "joint": posts, "chain": ["DEPARTMENT_HEAD"]}
        await policies.update_one({}, {"$push": {"rules": joint}})
    school.store.versions_seen.clear()


@pytest.fixture
def world(joint_policy: None, settings: Settings) -> Iterator[World]:
    loop = asyncio.new_event_loop()
    calendar = Calendar()
    # The models are bound and the indexes made by the store of all tests.
    opening = open_archive(settings, prepares=False)
    store = replace(loop.run_until_complete(opening.__aenter__()), clock=calendar)
    rows = loop.run_until_complete(School(store).documents())
    yield World(loop, store, calendar, rows)
    loop.run_until_complete(opening.__aexit__(None, None, None))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


people = st.sampled_from(sorted(POSTS))
askers = st.sampled_from(["information", "information", "director", "deputy-1", "teacher"])
changes_asked = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in names})
)
days_to_come = st.sampled_from([None, None, None, -1, 0, 1, 2])
places = st.integers(0, 5)


class Approvals(RuleBasedStateMachine):
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.world.store
        self.requests: list[ObjectId] = []
        self.delegations: list[ObjectId] = []
        self.digests: dict[ObjectId, list[str]] = {}
        self.world.run(self._begin())

    async def _begin(self) -> None:
        await self.world.begin_anew()
        database = self.store.database.mongo
        rows = await database["students"].find().sort("auxiliary_number", 1).limit(STUDENTS).to_list()
        await self.store.cipher.decrypt_paths(rows, encrypted_paths(Student))
        self.students = [row["_id"] for row in rows]
        self.people = {
            row["sign_in_subject"]: row["_id"]
            async for row in database["persons"].find({"sign_in_subject": {"$type": "string"}})
        }
        self.subjects = {key: subject for subject, key in self.people.items()}
        self.model = SchoolModel(
            {row["_id"]: {field: row[field] for field in FIELDS} for row in rows},
            {row["_id"]: row["person_id"] for row in rows},
        )
        self.entries_before = await self._entries()
        self.hashes = await self._hashes()

    # What is done

    @rule(
        who=askers,
        student=st.integers(0, STUDENTS - 1),
        changes=changes_asked,
        day=days_to_come,
        draft=st.sampled_from([False, False, True]),
        why=st.sampled_from([True, True, True, False]),
    )
    def submit(
        self, who: str, student: int, changes: dict[str, Any], day: int | None, draft: bool, why: bool
    ) -> None:
        subject = self.students[student]
        day = None if day is None else self.model.day + day
        asking = Asking("家长来电" if why else None, effective_from=self._date(day), is_draft=draft)
        payload = payload_of(StudentUpdate, {"student_id": subject, "changes": changes})
        key, code = self._perform(who, OPERATION, payload, asking)
        assert code == self.model.submit(key, who, subject, changes, day, draft, why)
        self._made(key, code, self.requests)

    @precondition(lambda self: self.requests)
    @rule(
        who=st.one_of(st.none(), st.none(), people),
        place=places,
        decision=st.sampled_from([Decision.APPROVED, Decision.APPROVED, Decision.APPROVED, *Decision]),
        has_comment=st.sampled_from([True, True, False]),
        version=st.one_of(st.none(), st.integers(0, 2)),
    )
    def decide(
        self, who: str | None, place: int, decision: Decision, has_comment: bool, version: int | None
    ) -> None:
        """By somebody whose step it is where nobody is named."""
        key = self._request(place, is_open=who is None)
        who = who or self._signers(key)[0]
        seen = digest = None
        if version is not None:
            history = self.model.requests[key]["history"]
            position = max(0, len(history) - 1 - version)
            seen, digest = position, self.digests[key][position]
        comment = "已核对" if has_comment else None
        signing = decide(self.store, self._viewer(who), key, decision, comment=comment, digest=digest)
        status, code = self._outcome(signing)
        assert code == self.model.decide(key, who, decision.value, has_comment, seen)
        assert code or status == self.model.requests[key]["status"]

    @precondition(lambda self: self.requests)
    @rule(who=people, chosen=st.lists(places, min_size=1, max_size=4))
    def approve_several(self, who: str, chosen: list[int]) -> None:
        keys = [self._request(place) for place in chosen]
        viewer = self._viewer(who)
        results, _ = self._outcome(decide_each(self.store, viewer, keys, Decision.APPROVED))
        assert [decided.request_id for decided in results] == list(dict.fromkeys(keys))
        for decided in results:
            code = decided.refusal.code.value if decided.refusal else None
            assert code == self.model.decide(decided.request_id, who, "APPROVED", False, None)

    @precondition(lambda self: self.requests)
    @rule(
        who=st.one_of(st.none(), people),
        place=places,
        changes=st.one_of(st.none(), changes_asked),
        day=days_to_come,
        why=st.booleans(),
    )
    def revise(
        self, who: str | None, place: int, changes: dict[str, Any] | None, day: int | None, why: bool
    ) -> None:
        key = self._request(place)
        who = who or self.model.requests[key]["by"]
        day = None if day is None else self.model.day + day
        revision = Revision(
            values=None if changes is None else {"changes": changes},
            effective_from=self._date(day),
            reason="更正" if why else None,
        )
        _, code = self._outcome(revise(self.store, self._viewer(who), key, revision))
        assert code == self.model.revise(key, who, changes, day, why)
        if code is None:
            self._note_digest(key)

    @precondition(lambda self: self.requests)
    @rule(who=st.one_of(st.none(), people), place=places)
    def submit_draft(self, who: str | None, place: int) -> None:
        key = self._request(place, status="DRAFT")
        who = who or self.model.requests[key]["by"]
        _, code = self._outcome(submit_draft(self.store, self._viewer(who), key))
        assert code == self.model.submit_draft(key, who)

    @precondition(lambda self: self.requests)
    @rule(who=st.one_of(st.none(), people), place=places)
    def withdraw(self, who: str | None, place: int) -> None:
        key = self._request(place)
        who = who or self.model.requests[key]["by"]
        _, code = self._outcome(withdraw(self.store, self._viewer(who), key))
        assert code == self.model.withdraw(key, who)

    @precondition(lambda self: self.requests)
    @rule(
        who=st.one_of(st.none(), people),
        place=places,
        signer=st.one_of(people, people, st.just("service")),
        has_comment=st.sampled_from([True, True, True, False]),
    )
    def add_signer(self, who: str | None, place: int, signer: str, has_comment: bool) -> None:
        key = self._request(place, is_open=who is None)
        who = who or self._signers(key)[0]
        comment = "请先会签" if has_comment else ""
        adding = add_signer(self.store, self._viewer(who), key, self.people[signer], comment=comment)
        _, code = self._outcome(adding)
        assert code == self.model.add_signer(key, who, signer, has_comment)

    @rule(
        who=st.sampled_from(["director", "director", "vice-principal", "principal", "information"]),
        to=st.one_of(people, people, st.just("service")),
        post=st.one_of(st.none(), st.none(), st.sampled_from(TIERS)),
        operations=st.sampled_from([None, (OPERATION,), ("role_grant.give",)]),
        first=st.integers(-1, 2),
        length=st.sampled_from([1, 1, 2, 3, 0, 90, 91]),
    )
    def delegate(self, who: str, to: str, post: str | None, operations: Any, first: int, length: int) -> None:
        post = post or POSTS[who]
        first += self.model.day
        last = first + length - 1
        key = ObjectId()
        given = {"delegation_id": key, "delegate_id": self.people[to], "post": post, "operations": operations}
        term = {"valid_from": self._date(first), "valid_to": self._date(last)}
        payload = payload_of(DelegationGive, given | term)
        _, code = self._perform(who, "delegation.give", payload, Asking())
        assert code == self.model.delegate(key, who, to, post, operations, first, last)
        self._made(key, code, self.delegations)

    @precondition(lambda self: self.delegations)
    @rule(who=st.one_of(st.none(), people), place=places)
    def end_delegation(self, who: str | None, place: int) -> None:
        key = self.delegations[-1 - place % len(self.delegations)]
        who = who or self.model.delegations[key]["from"]
        payload = DelegationEnd(delegation_id=key)
        _, code = self._perform(who, "delegation.end", payload, Asking())
        assert code == self.model.end_delegation(key, who)

    @rule(who=people, decision=st.sampled_from(Decision))
    def decide_on_nothing(self, who: str, decision: Decision) -> None:
        _, code = self._outcome(decide(self.store, self._viewer(who), ObjectId(), decision, comment="已核对"))
        assert code == "not_found"

    @rule()
    def turn_the_day(self) -> None:
        self.model.day += 1
        self.world.calendar.days += 1

    @rule()
    def apply_due(self) -> None:
        self.world.run(apply_due(self.store, self.world.calendar.now()))
        self.model.apply_due()

    # What is then so

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        self.world.steps += 1
        self.world.run(self._compare())

    @precondition(lambda self: self.requests)
    @rule(who=people)
    def lists_are_as_the_model(self, who: str) -> None:
        viewer = self._viewer(who)
        for awaiting_me in (False, True):
            listing = list_change_requests(self.store, viewer, first=100, awaiting_me=awaiting_me)
            listed = {request.key for request in self.world.run(listing).rows}
            assert listed == {
                key
                for key, request in self.model.requests.items()
                if (self.model.seat(key, who)[1] is None if awaiting_me else self.model.sees(who, request))
            }

    def teardown(self) -> None:
        report = self.world.run(verify_history(self.store, RECORD_TYPES))
        assert report.sound, report.findings

    # Between the two

    def _viewer(self, who: str) -> Viewer:
        found = self.world.run(load_viewer(self.store, who, frozenset(Scope)))
        return found.for_purpose(PURPOSE)  # type: ignore[no-any-return]

    def _outcome(self, work: Coroutine[Any, Any, Any]) -> tuple[Any, str | None]:
        try:
            return self.world.run(work), None
        except RegistrarError as error:
            # Whoever is refused leaves no trace, but that a conflict showed them the record as it is.
            trace = (
                {"access_events", "audit_entries", "audit_heads"}
                if isinstance(error, ConflictError)
                else set()
            )
            hashes = self.world.run(self._hashes())
            assert {name: held for name, held in hashes.items() if name not in trace} == {
                name: held for name, held in self.hashes.items() if name not in trace
            }
            self.hashes = hashes
            return None, error.code.value

    def _perform(self, who: str, name: str, payload: Payload, asking: Asking) -> tuple[Any, str | None]:
        outcome, code = self._outcome(perform(self.store, self._viewer(who), name, payload, asking=asking))
        return outcome and outcome.change_request_id, code

    def _made(self, key: Any, code: str | None, keys: list[ObjectId]) -> None:
        if code is None:
            keys.append(key)
            if keys is self.requests:
                self._note_digest(key)

    def _note_digest(self, key: ObjectId) -> None:
        """Every version has a digest of its own, so that none tells what another asks for."""
        row = self.world.run(self.store.database.mongo["change_requests"].find_one({"_id": key}))
        digests = self.digests.setdefault(key, [])
        assert all(row["digest"] not in held for held in self.digests.values())
        digests.append(row["digest"])

    def _request(self, place: int, *, is_open: bool = False, status: str | None = None) -> ObjectId:
        """A recent one; of those that can be signed, or in this state, where there are any."""
        keys = [
            key
            for key in self.requests
            if (not is_open or self._signers(key)[1:])
            and status in (None, self.model.requests[key]["status"])
        ] or self.requests
        return keys[-1 - place % len(keys)]

    def _signers(self, key: ObjectId) -> list[str]:
        """Who may sign it, last of them the director, who is there when nobody may."""
        return [*(who for who in sorted(POSTS) if self.model.seat(key, who)[1] is None), "director"]

    def _date(self, day: int | None) -> date | None:
        return None if day is None else self.world.calendar.date_of(day)

    async def _hashes(self) -> dict[str, str]:
        return dict((await self.store.database.mongo.command("dbHash"))["collections"])

    async def _entries(self) -> Counter[Any]:
        """Audit entries by subject, of which the heads tell the same."""
        entries = self.store.database.mongo["audit_entries"]
        groups = await (
            await entries.aggregate(
                [
                    {"$match": {"subject_type": {"$ne": "AccessEvent"}}},
                    {"$group": {"_id": ["$subject_type", "$subject_id"], "count": {"$sum": 1}}},
                ]
            )
        ).to_list()
        counts = {f"{group['_id'][0]}:{group['_id'][1]}": group["count"] for group in groups}
        heads = (
            await self.store.database.mongo["audit_heads"]
            .find({"_id": {"$not": {"$regex": "^AccessEvent:"}}})
            .to_list()
        )
        assert {head["_id"]: head["sequence"] for head in heads} == counts
        return Counter({ObjectId(name.split(":")[1]): count for name, count in counts.items()})

    async def _compare(self) -> None:
        database, model = self.store.database.mongo, self.model
        stored = {row["_id"]: row async for row in database["change_requests"].find()}
        assert {key: self._stands(row) for key, row in stored.items()} == {
            key: self._should_stand(request) for key, request in model.requests.items()
        }
        rows = await database["students"].find({"_id": {"$in": self.students}}).to_list()
        await self.store.cipher.decrypt_paths(rows, ["phone"])
        assert {row["_id"]: {field: row[field] for field in FIELDS} for row in rows} == model.students
        names = await database["persons"].find({"_id": {"$in": list(model.names)}}, {"name": 1}).to_list()
        assert {row["_id"]: row["name"] for row in names} == model.names
        delegations = {row["_id"]: row async for row in database["delegations"].find()}
        assert {
            key: (
                self.subjects[row["delegator_id"]],
                self.subjects[row["delegate_id"]],
                row["post"],
                row["valid_from"],
                row["valid_to"],
            )
            for key, row in delegations.items()
        } == {
            key: (
                given["from"],
                given["to"],
                given["post"],
                str(self._date(given["first"])),
                str(self._date(given["last"])),
            )
            for key, given in model.delegations.items()
        }
        assert await self._entries() == self.entries_before + model.entries
        notices = await database["notifications"].find({"subject_type": {"$ne": "ImportBatch"}}).to_list()
        told = Counter(
            (row["recipient_post"] or self.subjects[row["recipient_person"]], row["kind"], row["subject_id"])
            for row in notices
        )
        assert told == model.told
        await self._compare_the_rest(rows)

    def _stands(self, row: dict[str, Any]) -> dict[str, Any]:
        awaited = [("person", self.subjects[row["awaited_person"]])] if row["awaited_person"] else []
        return {
            "by": self.subjects[row["requested_by"]],
            "student": row["target_id"],
            "status": row["status"],
            "awaited": sorted(row["awaited_posts"]) + awaited,
            "position": row["position"],
            "round": row["round"],
            "signed": [
                (
                    self.subjects[step["decided_by"]],
                    self.subjects.get(step["for_person_id"]),
                    step["decision"],
                    step["round"],
                )
                for step in row["steps"]
            ],
            "day": row["effective_from"],
            "superseded_by": row["superseded_by"],
            "was_applied": row["applied_at"] is not None,
            "blocked": row["blocked_at"] is not None,
        }

    def _should_stand(self, request: dict[str, Any]) -> dict[str, Any]:
        told = ("by", "student", "status", "position", "round", "signed", "superseded_by", "blocked")
        day = self._date(request["day"])
        return {name: request[name] for name in told} | {
            "awaited": sorted(request["awaited"]),
            "day": day and day.isoformat(),
            "was_applied": request["status"] in {"APPLIED", "SUPERSEDED"},
        }

    async def _compare_the_rest(self, students: list[dict[str, Any]]) -> None:
        """No other collection is written, and of a student nothing but what was asked for."""
        hashes = await self._hashes()
        expected = {"change_requests", "students", "persons", "delegations", "audit_entries", "audit_heads"}
        expected |= {"notifications"}
        changed = {
            name for name in hashes.keys() | self.hashes.keys() if hashes.get(name) != self.hashes.get(name)
        }
        assert changed <= expected
        self.hashes = hashes
        bookkeeping = {*FIELDS, "revision", "updated_at"}
        before = {row["_id"]: row for row in self.world.rows["students"]}
        for row in students:
            for name in row.keys() - bookkeeping:
                assert row[name] == before[row["_id"]][name], name
            assert row["revision"] == before[row["_id"]]["revision"] + self.model.entries[row["_id"]]


@pytest.mark.usefixtures("anyio_backend")  # for the asynchronous fixtures of a test that is none
def test_approvals_are_as_the_model(world: World, record_testsuite_property: Any) -> None:
    machine = type("Machine", (Approvals,), {"world": world})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    record_testsuite_property("state_machine_steps", world.steps)
