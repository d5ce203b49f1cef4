"""Benches: ratios against a floor taken in the same run, interleaved, so that a slow machine moves both.

Each figure is one line, `NAME ratio=… bar=…`; the medians behind it follow as comments.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import orjson
import uvicorn
import uvloop
from beanie import PydanticObjectId
from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api.app import create_app
from api.dev.demo import load_demo_school
from api.dev.issuer import DemoIssuer
from api.dev.processes import free_ports
from api.dev.session import dev_settings
from api.dev.stack import EmbeddedStack
from archive_store.access.policy import FieldDecision
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.viewer import Viewer
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import open_archive
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.reading_content import ReadRows, reading_content, repeated_by_event
from archive_store.foundation.collector import settle_collector
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.sign_in import load_viewer
from archive_store.students import queries
from archive_store.students.changes import StudentUpdate
from archive_store.students.documents import Student
from scripts.bench_archive import bench_archive
from scripts.bench_import import bench_import
from scripts.bench_log import bench_log
from scripts.bench_pages import bench_pages
from scripts.bench_verification import verification

STUDENTS = 100
FIELDS = {
    "name": "name",
    "gender": "gender",
    "birthDate": "birth_date",
    "ethnicGroup": "ethnic_group",
    "nativePlace": "native_place",
    "auxiliaryNumber": "auxiliary_number",
    "classSeatNumber": "class_seat_number",
    "status": "status",
    "grade": "grade",
    "className": "class_name",
    "enrolledMonth": "enrolled_month",
    "boarding": "boarding",
    "politicalStatus": "political_status",
    "householdType": "household_type",
    "studentSource": "student_source",
}
LIST_QUERY = f"""{{ students(first: {STUDENTS}) {{ edges {{ node {{ id {" ".join(FIELDS)}
    guardians {{ name relation }} statusPeriods {{ status effectiveFrom }} }} }} }} }}"""
ONE_QUERY = "query ($id: ID!) { student(id: $id) { name gender className status auxiliaryNumber } }"
ONE_FIELDS = ("name", "gender", "class_name", "status", "auxiliary_number")


def floor_app(settings: Settings) -> Starlette:
    """The least that could answer: a projected find and orjson, no rights, no GraphQL."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(settings.mongodb_url.get_secret_value())
    students = client[settings.mongodb_database]["students"]
    nested = (
        "guardians.name",
        "guardians.relation",
        "status_periods.status",
        "status_periods.effective_from",
    )
    whole = dict.fromkeys([*FIELDS.values(), *nested], 1)
    few = dict.fromkeys(ONE_FIELDS, 1)

    async def many(request: Request) -> Response:
        rows = (
            await students.find({}, whole)
            .sort([("auxiliary_number", 1), ("_id", 1)])
            .limit(STUDENTS)
            .to_list()
        )
        return Response(orjson.dumps(rows, default=str), media_type="application/json")

    async def one(request: Request) -> Response:
        row = await students.find_one({"_id": ObjectId(request.path_params["id"])}, few)
        return Response(orjson.dumps(row, default=str), media_type="application/json")

    return Starlette(
        routes=[Route("/students", many, methods=["POST"]), Route("/students/{id}", one, methods=["POST"])]
    )


def without_policy() -> None:
    """Let this process read every student and field without asking: what remains is the price of the rest."""
    whole = FieldDecision(
        frozenset(FieldClass), frozenset(), frozenset(field_classes(Student)), Student.filterable_paths
    )

    class Everything:
        visible: ClassVar[dict[str, Any]] = {}
        sees_nobody = False
        filterable = Student.filterable_paths

        def __init__(self, viewer: Viewer) -> None:
            self.viewer = viewer

        def decide_for_all(self, paths: frozenset[str]) -> FieldDecision:
            return whole

    async def unrecorded(*_: object, **__: object) -> None:
        return None

    queries.student_scope = Everything  # type: ignore[assignment]
    queries.record_reading = unrecorded  # type: ignore[attr-defined]


def _serve(kind: str, values: dict[str, Any], port: int) -> None:
    # Request logs would be measured too.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    settings = Settings(**values)
    if kind == "without-policy":
        without_policy()
    app = floor_app(settings) if kind == "floor" else create_app(settings)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


Call = Callable[[], Awaitable[Any]]


async def interleaved(calls: dict[str, Call], *, rounds: int, burst: int) -> dict[str, float]:
    """Median seconds of a call by name; the calls take turns, `burst` at a time."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 3):
        for name, call in calls.items():
            started = time.perf_counter()
            for _ in range(burst):
                answer = await call()
                if isinstance(answer, httpx.Response):
                    answer.raise_for_status()
            if turn >= 3:  # the first ones warm caches up
                times[name].append((time.perf_counter() - started) / burst)
    return {name: statistics.median(taken) for name, taken in times.items()}


def report(name: str, measured: float, floor: float, bar: float) -> None:
    print(f"{name} ratio={measured / floor:.2f} bar={bar:.1f}")
    print(f"# {name}: {measured * 1000:.2f} ms against {floor * 1000:.2f} ms (medians)", flush=True)


async def reads(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """A list of 100 students with 15 fields and two nested lists, and one student by id, over HTTP."""
    headers = {"Authorization": f"Bearer {issuer.token('director', seconds=3600)}"}
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['floor']}") as floor,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['registrar']}", headers=headers) as registrar,
    ):
        await _until_up(floor, "/students")
        await _until_up(registrar, "/graphql")
        some = (await registrar.post("/graphql", json={"query": LIST_QUERY})).json()
        assert "errors" not in some, some  # noqa: S101
        nodes = [edge["node"] for edge in some["data"]["students"]["edges"]]
        assert len(nodes) == STUDENTS  # noqa: S101
        raw = (await floor.post("/students")).json()
        assert [row["name"] for row in raw] == [node["name"] for node in nodes]  # noqa: S101
        key = raw[0]["_id"]
        one = json.dumps({"query": ONE_QUERY, "variables": {"id": nodes[0]["id"]}}).encode()
        many = json.dumps({"query": LIST_QUERY}).encode()
        sent = {"Content-Type": "application/json"}
        taken = await interleaved(
            {
                "floor-list": lambda: floor.post("/students"),
                "list": lambda: registrar.post("/graphql", content=many, headers=sent),
            },
            rounds=rounds,
            burst=5,
        )
        report("reads-list", taken["list"], taken["floor-list"], 3.0)
        taken = await interleaved(
            {
                "floor-one": lambda: floor.post(f"/students/{key}"),
                "one": lambda: registrar.post("/graphql", content=one, headers=sent),
            },
            rounds=rounds,
            burst=20,
        )
        report("reads-by-id", taken["one"], taken["floor-one"], 3.0)


async def rights(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """What field rights cost: the list of `reads` as the principal, with the policy and with none."""
    headers = {
        "Authorization": f"Bearer {issuer.token('principal', seconds=3600)}",
        "Content-Type": "application/json",
    }
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['without-policy']}", headers=headers) as bare,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['registrar']}", headers=headers) as registrar,
    ):
        query = json.dumps({"query": LIST_QUERY}).encode()
        for server in (bare, registrar):
            await _until_up(server, "/graphql")
        answers = [(await server.post("/graphql", content=query)).json() for server in (bare, registrar)]
        assert answers[0] == answers[1], answers  # noqa: S101
        assert len(answers[0]["data"]["students"]["edges"]) == STUDENTS  # noqa: S101
        taken = await interleaved(
            {
                "bare": lambda: bare.post("/graphql", content=query),
                "rights": lambda: registrar.post("/graphql", content=query),
            },
            rounds=rounds,
            burst=5,
        )
        report("rights", taken["rights"], taken["bare"], 1.1)


async def write(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """A governed write in the store against a bare transaction: both insert a document and update a student.

    The governed one reads the student first, and writes two audit entries and a notification with it.
    """
    numbers = itertools.count()
    settle_collector()  # as a server does
    async with open_archive(settings) as store:
        information, director = [await _staff(store, subject) for subject in ("information", "director")]
        floor = BareWrites(store.database.client, store.database.mongo)
        await floor.prepare()
        student_id = floor.student_id

        async def governed(unit: UnitOfWork) -> None:
            student = await unit.load(Student, student_id)
            assert student is not None  # noqa: S101
            read = [ReadRows(frozenset({"address"}), [student_id])]
            content = reading_content(director, Student.subject_type, read, "bench")
            event = AccessEvent(
                viewer_id=PydanticObjectId(director.person_id),
                viewer_name=director.name,
                viewer_posts=sorted(director.posts),
                **repeated_by_event(content),
            )
            await unit.insert(event)
            address = f"示范路{next(numbers)}号"
            await unit.change(student, {"address": address})
            unit.audit(Subject(AccessEvent.subject_type, event.key), "access:read", reading=content)
            change = FieldChange("address", student.address, address)
            unit.audit(Subject(Student.subject_type, student_id), "student:update", [change])
            unit.notify(director.person_id, "student:updated", Subject(Student.subject_type, student_id))

        async def submit() -> ObjectId:
            changes = {"address": f"示范路{next(numbers)}号"}
            payload = payload_of(StudentUpdate, {"student_id": student_id, "changes": changes})
            outcome = await perform(store, information, "student.update", payload, reason="bench")
            assert outcome.change_request_id is not None  # noqa: S101
            return outcome.change_request_id

        waiting: list[ObjectId] = []

        async def submit_one() -> None:
            waiting.append(await submit())

        async def approve_one() -> None:
            # Each changes the address of the one before, so only the last submitted is free of a conflict.
            status = await decide(store, director, waiting.pop(), Decision.APPROVED)
            waiting.clear()
            assert status is RequestStatus.APPLIED  # noqa: S101

        taken = await interleaved(
            {
                "floor": floor.write,
                "governed": lambda: governed_transaction(store, director.actor, "student.update", governed),
            },
            rounds=rounds,
            burst=5,
        )
        report("write", taken["governed"], taken["floor"], 3.0)
        taken = await interleaved(
            {"floor": floor.write, "submit": submit_one, "approve": approve_one}, rounds=rounds, burst=1
        )
        for name in ("submit", "approve"):
            ratio = taken[name] / taken["floor"]
            print(f"# {name}: {taken[name] * 1000:.2f} ms, {ratio:.2f} times the bare transaction")


class BareWrites:
    """The least that a change could be: a transaction of one insert and one update, as durable as ours."""

    def __init__(self, client: AsyncMongoClient[Row], database: AsyncDatabase[Row]) -> None:
        self._client = client
        self._inserted, self._students = database["bench_inserted"], database["students"]
        self._numbers = itertools.count()
        self.student_id = self._other_id = ObjectId()

    async def prepare(self) -> None:
        rows = await self._students.find({}, {"_id": 1}).limit(2).to_list()
        # Not the same one: the two are to meet in time only.
        self.student_id, self._other_id = (row["_id"] for row in rows)
        await self._inserted.insert_one({"first": True})

    async def write(self) -> None:
        async def both(session: AsyncClientSession) -> None:
            number = next(self._numbers)
            await self._inserted.insert_one({"by": "bench", "purpose": "bench"}, session=session)
            await self._students.update_one(
                {"_id": self._other_id}, {"$set": {"native_place": f"第{number}县"}}, session=session
            )

        async with self._client.start_session() as session:
            await session.with_transaction(
                both, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
            )


async def _staff(store: Store, subject: str) -> Viewer:
    viewer = await load_viewer(store, subject)
    assert viewer is not None, subject  # noqa: S101
    return viewer


async def _until_up(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(200):
        try:
            await client.post(path)
            return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise SystemExit(f"no server at {client.base_url}")


async def _load(settings: Settings) -> None:
    async with open_archive(settings) as store:
        await load_demo_school(store, STUDENTS)


async def audit_log(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """Appending to the audit log, and how far behind the sequencer is."""
    await bench_log(settings, slices=max(1, rounds // 12))


async def archive(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """Scans up and down, and the memory that they take."""
    await bench_archive(settings, issuer, rounds=max(1, rounds // 12))


async def pages(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """Pages of a large school's list, against a small one's."""
    students = int(os.environ.get("REGISTRAR_BENCH_STUDENTS", "1000000"))
    await bench_pages(settings, students=students, rounds=rounds)


async def imports(settings: Settings, issuer: DemoIssuer, ports: dict[str, int], rounds: int) -> None:
    """Rosters from file to records, against bare inserts, and memory."""
    await bench_import(settings, rounds=max(1, rounds // 4))


BENCHES = {
    "reads": reads,
    "pages": pages,
    "rights": rights,
    "write": write,
    "audit-log": audit_log,
    "archive": archive,
    "import": imports,
}
# The others run in this process, which a server that starts beside them would slow down.
SERVED_BENCHES = frozenset({"reads", "rights"})
# These need no database; each is told how many entries.
OFFLINE_BENCHES = {"audit-verify": verification}
# One word for several.
GROUPS = {"audit": ["audit-verify", "audit-log"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*BENCHES, *OFFLINE_BENCHES]
    parser.add_argument("bench", nargs="*", choices=[*names, *GROUPS, []], help="which; all if left out")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--entries", type=int, default=1_000_000, help="of the export that `audit-verify` verifies"
    )
    chosen = parser.parse_args()
    wanted = [name for told in chosen.bench or names for name in GROUPS.get(told, [told])]
    for name in wanted:
        if name in OFFLINE_BENCHES:
            OFFLINE_BENCHES[name](chosen.entries)
    if online := [name for name in wanted if name in BENCHES]:
        run_online(online, chosen.rounds)


def run_online(names: list[str], rounds: int) -> None:
    """Run benches on an embedded stack; those that go over HTTP come last, with its servers."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedStack(Path(folder) / "data") as stack:
        settings = dev_settings(stack, port=0)
        asyncio.run(_load(settings))
        issuer = DemoIssuer.load(stack.directory)
        kinds = ("floor", "registrar", "without-policy")
        ports = dict(zip(kinds, free_ports(len(kinds)), strict=True))

        def run(name: str) -> None:
            # As the server runs it.
            uvloop.run(BENCHES[name](settings, issuer, ports, rounds))

        for name in (name for name in names if name not in SERVED_BENCHES):
            run(name)
        if served := [name for name in names if name in SERVED_BENCHES]:
            with _servers(stack, ports):
                for name in served:
                    run(name)


@contextmanager
def _servers(stack: EmbeddedStack, ports: dict[str, int]) -> Iterator[None]:
    # The workers would be measured too.
    values = json.loads((stack.directory / "dev-settings.json").read_text()) | {
        "worker_seconds": 0,
        "sequencer_seconds": 0,
    }
    context = multiprocessing.get_context("spawn")
    servers = [context.Process(target=_serve, args=(kind, values, port)) for kind, port in ports.items()]
    for server in servers:
        server.start()
    try:
        yield
    finally:
        for server in servers:
            server.terminate()
            server.join()


if __name__ == "__main__":
    main()
