"""Uploads over HTTP while the server and the object store are killed at random: what was acknowledged is there.

`REGISTRAR_UPLOADS_UNDER_KILLS` says how many uploads; the suite runs a few.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.cli.install import FirstPeople, install_people
from api.dev.demo import demo_people
from api.dev.issuer import DemoIssuer
from api.dev.processes import PortTakenError, free_ports
from api.dev.roster import demo_workbook
from api.dev.s3 import start_s3
from api.dev.session import dev_settings
from api.dev.stack import EmbeddedStack
from archive_store.archive import open_archive
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.imports.operations import import_roster
from archive_store.scans.documents import Scan
from archive_store.scans.removal import objects_of
from archive_store.scans.upload_documents import UPLOADS
from archive_store.scans.uploads import finish_left, remove_expired
from schema.nodes import global_id, key_of
from tests.scans.test_pipeline import read_whole, stored_objects
from tests.school import School

UPLOADS_UNDER_KILLS = int(os.environ.get("REGISTRAR_UPLOADS_UNDER_KILLS", "8"))
PIECE = 1_500_000
SIZES = (2_000, 40_000, 400_000, 3_000_000, 9_000_000)
WEIGHTS = (4, 4, 4, 3, 1)
# Each person may bring a few at once.
SENDERS = ("archive", "archive", "archive", "information", "information", "director")


class KillableStack(EmbeddedStack):
    """A stack whose object store can be killed, and comes back on the same ports with what it has on disk."""

    def kill_and_restart_s3(self) -> None:
        process_id, ports = self._weed()
        os.kill(process_id, signal.SIGKILL)
        self._children.pop().stop()
        for _ in range(20):
            try:
                self._children.append(start_s3(self.directory, ports, ready_within=60, held=[]))
            except PortTakenError:
                continue
            return
        raise TimeoutError("the object store does not come back")

    def _weed(self) -> tuple[int, list[int]]:
        port = self.endpoints.s3_endpoint.rpartition(":")[2]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (words := _command_of(entry)) and f"-s3.port={port}" in words:
                if not words[0].endswith("weed"):
                    continue
                named = dict(word.split("=", 1) for word in words if "=" in word)
                services = ("-s3", "-master", "-volume", "-filer")
                return int(entry.name), [
                    int(named[f"{service}.port{kind}"]) for service in services for kind in ("", ".grpc")
                ]
        raise LookupError("no object store runs")


def _command_of(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text().split("\0")
    except OSError:
        return []


class KillableServer:
    def __init__(self, settings: Settings, log: Path) -> None:
        self._log = log
        secrets = ("mongodb_url", "s3_access_key", "s3_secret_key")
        told = json.loads(settings.model_dump_json(exclude=set(secrets)))
        told |= {name: getattr(settings, name).get_secret_value() for name in secrets}
        self._settings = json.dumps(told)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.scans.lone_server", self._settings],
                cwd=Path(__file__).parents[2],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


@dataclass
class Sender:
    """A tus client without mercy: it goes on at whatever offset it is told, and remembers what was acknowledged."""

    client: httpx.AsyncClient
    headers: dict[str, str]
    student: str
    content: bytes
    address: str = ""
    acknowledged: int = 0
    interruptions: int = 0
    expected: str = field(init=False)

    def __post_init__(self) -> None:
        self.expected = hashlib.sha256(self.content).hexdigest()

    async def send(self) -> str:
        """Until it is filed; the scan's global id."""
        while True:
            try:
                if not self.address:
                    await self._create()
                if (scan := await self._go_on()) is not None:
                    return scan
            except httpx.TransportError:
                self.interruptions += 1
            await asyncio.sleep(random.uniform(0.05, 0.4))

    async def _create(self) -> None:
        told = {"student": self.student, "fileName": "2023级户口簿", "sha256": self.expected}
        pairs = (f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())
        length = str(len(self.content))
        answer = await self.client.post(
            "/scans/uploads",
            headers={**self.headers, "Upload-Length": length, "Upload-Metadata": ",".join(pairs)},
        )
        if self._is_passing(answer):
            return
        assert answer.status_code == 201, answer.text
        self.address = str(answer.url.join(answer.headers["location"]))

    async def _go_on(self) -> str | None:
        if not self.address:
            return None
        answer = await self.client.head(self.address, headers=self.headers)
        if self._is_passing(answer):
            return None
        assert answer.status_code in (200, 204), answer.headers
        offset = int(answer.headers["upload-offset"])
        assert offset >= self.acknowledged, "acknowledged bytes are gone"
        while True:
            piece = self.content[offset : offset + PIECE]
            answer = await self.client.patch(
                self.address,
                content=piece,
                headers={
                    **self.headers,
                    "Upload-Offset": str(offset),
                    "Content-Type": "application/offset+octet-stream",
                },
            )
            if self._is_passing(answer):
                return None
            assert answer.status_code == 204, (answer.status_code, answer.text)
            offset = self.acknowledged = int(answer.headers["upload-offset"])
            if "registrar-scan-id" in answer.headers:
                return str(answer.headers["registrar-scan-id"])

    def _is_passing(self, answer: httpx.Response) -> bool:
        is_passing = answer.status_code in (409, 423, 503)
        self.interruptions += is_passing
        return is_passing


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[KillableStack]:
    with KillableStack(tmp_path / "stack") as stack:
        assert isinstance(stack, KillableStack)
        yield stack


async def test_what_was_acknowledged_is_there_and_nothing_else(killable: KillableStack) -> None:
    (port,) = free_ports(1)
    settings = dev_settings(killable, port=port)
    log = killable.directory / "server.log"
    server = KillableServer(settings.model_copy(update={"worker_seconds": 1.0, "graphiql": False}), log)
    issuer = DemoIssuer.load(killable.directory)
    chance = random.Random(11)
    kills = {"server": 0, "object store": 0}
    async with open_archive(settings) as store:
        school = await _school(store)
        students = [global_id("Student", (await school.student(position)).key) for position in range(6)]
        server.start()
        ending = asyncio.Event()

        async def kill() -> None:
            while not ending.is_set():
                await asyncio.sleep(chance.uniform(0.5, 3.0))
                # One of each first.
                if not kills["server"] or (kills["object store"] and chance.random() < 0.6):
                    await asyncio.to_thread(server.kill)
                    kills["server"] += 1
                    await asyncio.to_thread(server.start)
                    await _until_ready(port)
                else:
                    kills["object store"] += 1
                    await asyncio.to_thread(killable.kill_and_restart_s3)

        senders: list[Sender] = []
        sent: list[tuple[str, Sender]] = []

        def interruptions() -> int:
            return sum(sender.interruptions for sender in senders)

        async def send_all(subject: str) -> None:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                # A few may be through before anything was killed: then more of them follow.
                while len(senders) < UPLOADS_UNDER_KILLS or not (all(kills.values()) and interruptions()):
                    headers = {
                        "Authorization": f"Bearer {issuer.token(subject, seconds=7200)}",
                        "Tus-Resumable": "1.0.0",
                    }
                    sender = Sender(client, headers, chance.choice(students), _content(len(senders)))
                    senders.append(sender)
                    sent.append((await sender.send(), sender))

        killing = asyncio.create_task(kill())
        try:
            async with asyncio.timeout(60 + 10 * UPLOADS_UNDER_KILLS):
                await asyncio.gather(*(send_all(subject) for subject in SENDERS))
        finally:
            ending.set()
            await killing
            server.kill()
        print(f"{len(sent)} uploads, kills {kills}, {interruptions()} interruptions")  # noqa: T201
        assert len(sent) == len(senders) >= UPLOADS_UNDER_KILLS
        assert interruptions() > 0 and all(kills.values())
        await _require_all_there(school, sent)
        await _require_nothing_else(school, store)


async def _until_ready(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        for _ in range(600):
            try:
                if (await client.get("/health/live")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError("the server does not come up")


async def _school(store: Store) -> School:
    await install_people(store, FirstPeople.model_validate({"people": demo_people()}))
    school = School(store)
    information = await school.viewer("information")
    workbook = demo_workbook(12)
    await import_roster(store, information, workbook, file_name="2023级花名册.xlsx", dry_run=False)
    return school


def _content(number: int) -> bytes:
    chance = random.Random(number)
    size = chance.choices(SIZES, WEIGHTS)[0] + chance.randrange(1_000)
    return b"%PDF-1.7\n" + chance.randbytes(size)


async def _require_all_there(school: School, sent: list[tuple[str, Sender]]) -> None:
    for scan_id, sender in sent:
        key = key_of(scan_id, "Scan", field="id")
        row = await school.store.database.collection(Scan).find_one({"_id": key})
        assert row is not None, scan_id
        assert row["sha256"] == sender.expected
        assert await read_whole(school, Scan.model_validate(row)) == sender.content


async def _require_nothing_else(school: School, store: Store) -> None:
    later = store.clock.now() + timedelta(days=30)
    uploads = store.database.mongo[UPLOADS]
    # What a killed process held is free again by then.
    await uploads.update_many({}, {"$set": {"held_until": None}})
    await finish_left(store, later)
    await remove_expired(store, later)
    assert await uploads.find().to_list() == []
    rows = await store.database.collection(Scan).find().to_list()
    scans = [Scan.model_validate(row) for row in rows]
    named: set[tuple[str, str]] = set()
    for scan in scans:
        named.update(objects_of(scan))
    assert await stored_objects(store.objects) == named
