"""The archive of scans: upload and download against the slower of encryption and object store, each alone, and memory.

The pipelines run in this process, from received bytes to a filed scan and from the store to verified bytes. Memory is
that of a server, over HTTP, beyond what it takes when it is idle.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from bson import ObjectId
from minio import Minio
from PIL import Image

from api.app import create_app
from api.dev.issuer import DemoIssuer
from api.dev.processes import free_ports
from archive_store.access.viewer import Viewer
from archive_store.archive import open_archive
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.sign_in import load_viewer
from archive_store.scans.chunked_encryption import ScanCipher
from archive_store.scans.encryption import Part, ScanKey, SegmentPlace
from archive_store.scans.holding import holding
from archive_store.scans.intake import finish
from archive_store.scans.keys import scan_data_key
from archive_store.scans.operations import filed_scan
from archive_store.scans.receiving import take, take_digest
from archive_store.scans.segments import SEGMENT_SIZE, read_content
from archive_store.scans.upload_documents import Upload
from archive_store.scans.uploads import begin_upload
from archive_store.students.documents import Student
from schema.nodes import global_id
from scripts.bench_log import plain_values

MIB = 1024 * 1024
PAGES = 135
LARGE = 1024 * MIB
PIECE = 64 * 1024  # as a server hands the body on
UPLOAD_BAR = DOWNLOAD_BAR = 1.5
MEMORY_BAR_MIB = 64.0
NAME = "2023级户口簿"


async def bench_archive(settings: Settings, issuer: DemoIssuer, *, rounds: int) -> None:
    """Both pipelines in turns with their floors, then memory."""
    async with open_archive(settings) as store:
        student = await store.database.collection(Student).find_one({}, {"_id": 1})
        assert student is not None  # noqa: S101
        await _speed(store, student["_id"], rounds)
        await _memory(settings, issuer, global_id("Student", student["_id"]))


async def _speed(store: Store, student_id: ObjectId, rounds: int) -> None:
    plain = paper(PAGES)
    archivist = await _person(store, "archive")
    alone = _Alone(store.settings, plain)
    filed: list[ObjectId] = []
    uploads: list[Upload] = []

    async def upload() -> None:
        begun = await begin_upload(store, archivist, student_id, NAME, length=len(plain))
        async with holding(store, begun.id, {}) as held:
            await take(store, held, _body(plain))
        uploads.append(held.upload)

    async def intake() -> None:
        async with holding(store, uploads[-1].id, {}) as held:
            filed.append((await finish(store, held, take_digest(held.upload))).key)

    async def download() -> None:
        scan = await filed_scan(store, filed[-1])
        assert scan is not None  # noqa: S101
        content = scan.content(ScanKey(scan.cipher, await scan_data_key(store, scan.key)))
        assert sum([len(piece) async for piece in read_content(store.objects, content)]) == len(plain)  # noqa: S101

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "encrypt": lambda: asyncio.to_thread(alone.encrypt),
        "put": lambda: asyncio.to_thread(alone.put),
        "upload": upload,
        "intake": intake,
        "decrypt": lambda: asyncio.to_thread(alone.decrypt),
        "get": lambda: asyncio.to_thread(alone.get),
        "download": download,
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            await call()
            if turn:
                taken[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, floors, bar in (
        ("upload", ("encrypt", "put"), UPLOAD_BAR),
        ("download", ("decrypt", "get"), DOWNLOAD_BAR),
    ):
        slower = max(floors, key=medians.__getitem__)
        print(f"archive-{name} ratio={medians[name] / medians[slower]:.2f} bar={bar:.1f}")
        rates = ", ".join(f"{part} {len(plain) / MIB / medians[part]:.0f} MiB/s" for part in (name, *floors))
        print(f"# archive-{name}: {rates} (medians of {rounds}); the floor is {slower}", flush=True)
    print(f"# archive-intake: {medians['intake']:.2f} s to check, index, file and lock it")


def paper(pages: int) -> bytes:
    """A PDF whose pages are photographs of sheets at 200 dpi, about 2 MB each."""
    image = Image.effect_noise((1654, 2339), 60)
    photograph = BytesIO()
    image.save(photograph, "JPEG", quality=75, dpi=(200, 200))
    jpeg = photograph.getvalue()
    parts: list[bytes] = [b"%PDF-1.7\n"]
    offsets: list[int] = []
    at = len(parts[0])

    def add(content: bytes) -> None:
        nonlocal at
        offsets.append(at)
        written = b"%d 0 obj\n%s\nendobj\n" % (len(offsets), content)
        parts.append(written)
        at += len(written)

    kids = b" ".join(b"%d 0 R" % (3 + 3 * page) for page in range(pages))
    add(b"<</Type/Catalog/Pages 2 0 R>>")
    add(b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids))
    drawing = b"q 595 0 0 842 0 0 cm /I Do Q"
    for page in range(pages):
        first = 3 + 3 * page
        add(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>"
            % (first + 1, first + 2)
        )
        add(b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing))
        add(
            b"<</Type/XObject/Subtype/Image/Width 1654/Height 2339/ColorSpace/DeviceGray/BitsPerComponent 8"
            b"/Filter/DCTDecode/Length %d>>stream\n%s\nendstream" % (len(jpeg), jpeg)
        )
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    parts.append(end % (len(offsets) + 1, table, len(offsets) + 1, at))
    return b"".join(parts)


class _Alone:
    """Each half of the work by itself: encryption in memory, and the store by its own SDK's best."""

    def __init__(self, settings: Settings, plain: bytes) -> None:
        self._plain = plain
        self._key = ScanKey.new(ScanCipher.AES_256_GCM)
        self._scan_id = ObjectId()
        self._sealed = list(self._seal())
        self._numbers = itertools.count()
        self._bucket = settings.s3_bucket
        self._client = Minio(
            settings.s3_endpoint,
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_secure,
        )
        self.put()

    def _places(self) -> list[tuple[SegmentPlace, int]]:
        return [
            (SegmentPlace(self._scan_id, 1, Part.CONTENT, number, at + SEGMENT_SIZE >= len(self._plain)), at)
            for number, at in enumerate(range(0, len(self._plain), SEGMENT_SIZE))
        ]

    def _seal(self) -> list[bytes]:
        return [self._key.seal(place, self._plain[at : at + SEGMENT_SIZE]) for place, at in self._places()]

    def encrypt(self) -> None:
        for place, at in self._places():
            self._key.seal(place, self._plain[at : at + SEGMENT_SIZE])

    def decrypt(self) -> None:
        for (place, _), sealed in zip(self._places(), self._sealed, strict=True):
            self._key.open(place, [sealed])

    def put(self) -> None:
        self._name = f"bench/{next(self._numbers)}"
        self._client.put_object(self._bucket, self._name, BytesIO(self._plain), len(self._plain))

    def get(self) -> None:
        response = self._client.get_object(self._bucket, self._name)
        for _ in response.stream(1024 * 1024):
            pass
        response.release_conn()


async def _memory(settings: Settings, issuer: DemoIssuer, student: str) -> None:
    (port,) = free_ports(1)
    # The workers would be measured too.
    values = plain_values(settings) | {"worker_seconds": 0, "sequencer_seconds": 0}
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(values, port), daemon=True)
    server.start()
    token = issuer.token("archive", seconds=3600), issuer.token("director", seconds=3600)
    purpose = {"Registrar-Purpose": "bench"}
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            await _until_up(client)
            small = await _put(client, token[0], student, MIB)
            await _get(client, token[1], small, purpose)
            idle = _resident(server.pid, "VmRSS")
            for name in ("upload", "download"):
                _forget_peak(server.pid)
                started = time.perf_counter()
                if name == "upload":
                    scan = await _put(client, token[0], student, LARGE)
                else:
                    await _get(client, token[1], scan, purpose)
                seconds = time.perf_counter() - started
                over = _resident(server.pid, "VmHWM") - idle
                print(f"archive-{name}-memory mib={over:.1f} bar={MEMORY_BAR_MIB:.0f}")
                print(
                    f"# archive-{name}-memory: 1 GiB in {seconds:.1f} s over HTTP, "
                    f"peak resident {over + idle:.0f} MiB, idle {idle:.0f} MiB",
                    flush=True,
                )
    finally:
        server.kill()
        server.join()


def _serve(values: dict[str, Any], port: int) -> None:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    uvicorn.run(
        create_app(Settings(**values)), host="127.0.0.1", port=port, log_level="error", access_log=False
    )


async def _put(client: httpx.AsyncClient, token: str, student: str, size: int) -> str:
    answer = await client.post(
        "/scans",
        params={"student": student, "fileName": NAME},
        content=_random_body(size),
        headers={"Authorization": f"Bearer {token}", "Content-Length": str(size)},
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


async def _get(client: httpx.AsyncClient, token: str, scan: str, headers: dict[str, str]) -> None:
    signed_in = {"Authorization": f"Bearer {token}", **headers}
    async with client.stream("GET", f"/scans/{scan}/content", headers=signed_in) as answer:
        answer.raise_for_status()
        async for _ in answer.aiter_raw():
            pass


async def _random_body(size: int) -> AsyncIterator[bytes]:
    yield b"%PDF-1.7\n"
    left, block = size - 9, os.urandom(MIB)
    while left:
        yield block[:left]
        left -= min(left, MIB)


async def _body(content: bytes) -> AsyncIterator[bytes]:
    view = memoryview(content)
    for start in range(0, len(content), PIECE):
        yield bytes(view[start : start + PIECE])


def _resident(process_id: int | None, field: str) -> float:
    """MiB."""
    status = Path(f"/proc/{process_id}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None  # noqa: S101
    return int(found[1]) / 1024


def _forget_peak(process_id: int | None) -> None:
    Path(f"/proc/{process_id}/clear_refs").write_text("5")


async def _person(store: Store, subject: str) -> Viewer:
    viewer = await load_viewer(store, subject)
    assert viewer is not None  # noqa: S101
    return viewer.for_purpose("bench")


async def _until_up(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        try:
            if (await client.get("/health/ready")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the server does not come up")
