"""tus 1.0, by hand and by the clients that schools use as they are: tuspy and tus-js-client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.storage.filestorage import FileStorage

from api.dev.demo import demo_paper
from api.dev.issuer import DemoIssuer
from archive_store.scans.content import open_scan
from archive_store.scans.documents import Scan
from archive_store.scans.uploads import remove_expired
from schema.nodes import global_id, key_of
from tests.http.serving import MortalServer
from tests.scans.test_pipeline import collected, pdf, stored_objects
from tests.school import School
from tests.tus_client.client import Line, run_client

MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


def metadata(**told: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())


async def student_id(school: School) -> str:
    return global_id("Student", (await school.student()).key)


async def told_of(school: School, name: str = "2023级户口簿.pdf") -> dict[str, str]:
    return {"student": await student_id(school), "filename": name}


class Hand:
    """An upload made by hand."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.http = http
        self.headers = headers
        self.path = ""

    async def create(self, school: School, length: int, **told: str) -> httpx.Response:
        told = told or await told_of(school)
        asked = {**self.headers, **TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**told)}
        made = await self.http.post("/scans/uploads", headers=asked)
        if made.status_code == 201:
            self.path = str(
                httpx.URL("http://registrar.test/scans/uploads").join(made.headers["location"]).path
            )
        return made

    async def patch(self, offset: int, content: Any, **more: str) -> httpx.Response:
        headers = {**self.headers, **PATCH, "Upload-Offset": str(offset)}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        return await self.http.patch(self.path, content=content, headers=headers)

    async def head(self) -> httpx.Response:
        return await self.http.head(self.path, headers={**self.headers, **TUS})

    async def tell(self) -> Any:
        return (await self.http.get(self.path, headers=self.headers)).json()


@pytest.fixture
def hand(http: httpx.AsyncClient, bearer: Any) -> Hand:
    return Hand(http, bearer("archive"))


def code_of(response: httpx.Response) -> tuple[int, str]:
    code = response.json()["error"]["code"]
    assert response.headers["registrar-error"] == code
    assert response.headers["tus-resumable"] == "1.0.0"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, code


async def stored(school: School, scan: str | None) -> bytes:
    assert scan is not None
    key = key_of(scan, "Scan", field="id")
    _, content = await open_scan(school.store, await school.viewer("director"), key)
    return await collected(content)


async def test_what_the_server_can(school: School, http: httpx.AsyncClient) -> None:
    for path in ("/scans/uploads", "/scans/uploads/", "/scans/uploads/x"):
        told = await http.options(path)
        assert told.status_code == 204
        assert told.headers["tus-version"] == "1.0.0"
        assert set(told.headers["tus-extension"].split(",")) == {
            "creation",
            "checksum",
            "expiration",
            "termination",
        }
        assert "sha1" in told.headers["tus-checksum-algorithm"].split(",")
        assert told.headers["tus-max-size"] == str(school.store.settings.scan_size_limit)


async def test_an_upload_by_hand(school: School, hand: Hand) -> None:
    content = pdf(5 * MIB)
    made = await hand.create(school, len(content))
    assert (made.status_code, made.headers["upload-offset"]) == (201, "0")
    assert "upload-expires" in made.headers
    first = await hand.patch(0, content[: 2 * MIB])
    assert (first.status_code, first.headers["upload-offset"]) == (204, str(2 * MIB))
    assert first.headers["upload-expires"] and first.headers["tus-resumable"] == "1.0.0"
    assert "registrar-scan-id" not in first.headers
    head = await hand.head()
    assert (head.status_code, head.headers["cache-control"]) == (200, "no-store")
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == (str(2 * MIB), str(5 * MIB))
    assert head.headers["upload-metadata"] == metadata(
        student=await student_id(school), fileName="2023级户口簿"
    )
    told = await hand.tell()
    assert (told["status"], told["offset"], told["size"]) == ("UPLOADING", 2 * MIB, 5 * MIB)
    last = await hand.patch(2 * MIB, content[2 * MIB :])
    assert (last.status_code, last.headers["registrar-upload-status"]) == (204, "FILED")
    assert await stored(school, last.headers["registrar-scan-id"]) == content
    told = await hand.tell()
    assert (told["status"], told["refusal"]) == ("FILED", None)
    assert told["scan"] == last.headers["registrar-scan-id"]
    assert "UNREADABLE" in [finding["code"] for finding in told["findings"]]
    assert all(finding["message"]["zh"] and finding["message"]["en"] for finding in told["findings"])
    # The answer may have been lost: what is over is told again, and nothing is filed twice.
    again = await hand.patch(len(content), b"")
    assert again.headers["registrar-scan-id"] == last.headers["registrar-scan-id"]
    assert await school.store.database.collection(Scan).count_documents({}) == 1


@pytest.mark.parametrize("version", [None, "0.2.2"])
async def test_another_version_is_refused(
    school: School, hand: Hand, http: httpx.AsyncClient, version: str | None
) -> None:
    asked = hand.headers | {"Upload-Length": "5"} | ({"Tus-Resumable": version} if version else {})
    refused = await http.post("/scans/uploads", headers=asked)
    assert (refused.status_code, refused.headers["tus-version"]) == (412, "1.0.0")
    await hand.create(school, 5)
    asked = hand.headers | {"Upload-Offset": "0", "Content-Type": PATCH["Content-Type"]}
    assert (await http.patch(hand.path, headers=asked, content=b"12345")).status_code == 412
    assert (await hand.head()).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (400, "required")),
        ({"Upload-Length": "-1"}, (400, "invalid_argument")),
        ({"Upload-Length": "1e3"}, (400, "invalid_argument")),
        ({"Upload-Length": "٣"}, (400, "invalid_argument")),
        ({"Upload-Length": "0"}, (400, "empty_file")),
        ({"Upload-Length": "9" * 18}, (413, "too_large")),
        ({"Upload-Defer-Length": "1"}, (400, "invalid_argument")),
        ({"Upload-Concat": "partial", "Upload-Length": "5"}, (400, "invalid_argument")),
        ({"Upload-Length": "5", "Upload-Metadata": "student %%%"}, (400, "invalid_argument")),
        ({"Upload-Length": "5", "Upload-Metadata": "student gIA="}, (400, "invalid_argument")),
        ({"Upload-Length": "5", "Upload-Metadata": ""}, (422, "required")),
        ({"Upload-Length": "5", "Upload-Metadata": metadata(student="x", filename="y")}, (404, "not_found")),
    ],
)
async def test_what_creates_no_upload(
    school: School, hand: Hand, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    good = {"Upload-Metadata": metadata(**await told_of(school)).encode()}
    asked = {name: value.encode() for name, value in (hand.headers | TUS).items()} | good | encoded
    refused = await hand.http.post("/scans/uploads", headers=list(asked.items()))
    assert code_of(refused) == expected
    assert await school.store.database.mongo["scan_uploads"].count_documents({}) == 0


async def test_a_name_that_is_none_of_the_policy(school: School, hand: Hand) -> None:
    refused = await hand.create(school, 5, **await told_of(school, "scan001.pdf"))
    assert code_of(refused) == (400, "invalid_file_name")


async def test_what_a_patch_must_say(school: School, hand: Hand) -> None:
    content = pdf(100)
    await hand.create(school, 100)
    asked = hand.headers | TUS | {"Upload-Offset": "0", "Content-Type": "application/pdf"}
    wrong = await hand.http.patch(hand.path, content=content, headers=asked)
    assert code_of(wrong) == (415, "unsupported_media_type")
    unsaid = await hand.http.patch(hand.path, content=content, headers=hand.headers | PATCH)
    assert code_of(unsaid) == (400, "required")
    assert code_of(await hand.patch(50, content[50:])) == (409, "offset_mismatch")
    assert code_of(await hand.patch(0, content + b"1")) == (413, "too_large")
    assert (await hand.head()).headers["upload-offset"] == "0"
    assert (await hand.patch(0, content)).headers["registrar-upload-status"] == "FILED"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_a_checksum(school: School, hand: Hand, algorithm: str) -> None:
    content = pdf(5 * MIB)
    await hand.create(school, len(content))

    def told(piece: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, piece).digest()).decode()}"

    wrong = await hand.patch(0, content, Upload_Checksum=told(b"other"))
    assert code_of(wrong) == (460, "checksum_mismatch")
    for unknown in ("crc32 AAAA", f"{algorithm} %%"):
        assert code_of(await hand.patch(0, content, Upload_Checksum=unknown)) == (400, "invalid_argument")
    assert (await hand.head()).headers["upload-offset"] == "0"
    right = await hand.patch(0, content, Upload_Checksum=told(content))
    assert await stored(school, right.headers["registrar-scan-id"]) == content


async def test_two_patches_at_once(school: School, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    import archive_store.scans.holding as holding

    monkeypatch.setattr(holding, "_WAIT_SECONDS", 0.1)
    content, begun, goes_on = pdf(1000), asyncio.Event(), asyncio.Event()
    await hand.create(school, len(content))

    async def slow() -> AsyncIterator[bytes]:
        yield content[:500]
        begun.set()
        await goes_on.wait()
        yield content[500:]

    first = asyncio.create_task(hand.patch(0, slow()))
    await begun.wait()
    await asyncio.sleep(0.1)
    assert code_of(await hand.patch(0, content)) == (423, "locked")
    assert code_of(await hand.http.delete(hand.path, headers=hand.headers | TUS)) == (423, "locked")
    goes_on.set()
    done = await first
    assert await stored(school, done.headers["registrar-scan-id"]) == content


async def test_an_upload_is_given_up(school: School, hand: Hand) -> None:
    before = await stored_objects(school.store.objects)
    await hand.create(school, 5 * MIB)
    await hand.patch(0, pdf(2 * MIB))
    gone = await hand.http.delete(hand.path, headers=hand.headers | TUS)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await hand.head()).status_code == 404
    assert code_of(await hand.patch(2 * MIB, b"x")) == (404, "not_found")
    assert await stored_objects(school.store.objects) == before


async def test_an_upload_that_was_left_expires(school: School, hand: Hand) -> None:
    before = await stored_objects(school.store.objects)
    await hand.create(school, 5 * MIB)
    await hand.patch(0, pdf(2 * MIB))
    later = school.store.clock.now() + timedelta(hours=school.store.settings.upload_expiry_hours + 1)
    assert await remove_expired(school.store, school.store.clock.now()) == 0
    assert await remove_expired(school.store, later) == 1
    assert (await hand.head()).status_code == 404
    assert await stored_objects(school.store.objects) == before


async def test_methods_are_overridden_by_a_header(school: School, hand: Hand) -> None:
    content = pdf(100)
    await hand.create(school, 100)

    async def post(method: str, body: bytes = b"", **more: str) -> httpx.Response:
        headers = hand.headers | PATCH | {"X-HTTP-Method-Override": method}
        return await hand.http.post(
            hand.path, content=body, headers=headers | {k.replace("_", "-"): v for k, v in more.items()}
        )

    assert (await post("HEAD")).headers["upload-offset"] == "0"
    half = await post("PATCH", content[:50], Upload_Offset="0")
    assert (half.status_code, half.headers["upload-offset"]) == (204, "50")
    assert (await post("PUT")).status_code == 400
    assert (await post("delete")).status_code == 204
    assert (await hand.head()).status_code == 404


async def test_an_upload_is_its_own_senders(school: School, hand: Hand, bearer: Any) -> None:
    await hand.create(school, 100)
    for subject, status in (("information", 404), ("director", 404), ("logistics", 403), ("principal", 403)):
        other = Hand(hand.http, bearer(subject))
        other.path = hand.path
        assert (await other.head()).status_code == status
        assert (await other.patch(0, pdf(100))).status_code == status
        assert (await other.http.get(other.path, headers=other.headers)).status_code == status
        assert (await other.http.delete(other.path, headers=other.headers | TUS)).status_code == status
    nobody = Hand(hand.http, {})
    nobody.path = hand.path
    for response in (await nobody.head(), await nobody.patch(0, b"x"), await nobody.create(school, 5)):
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert (await hand.head()).headers["upload-offset"] == "0"


async def test_who_may_not_file_begins_nothing(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    for subject in ("logistics", "principal", "teacher"):
        assert code_of(await Hand(http, bearer(subject)).create(school, 5)) == (403, "forbidden")


async def test_what_refused_an_upload_is_told_whenever_it_is_asked(
    school: School, hand: Hand, http: httpx.AsyncClient
) -> None:
    before = await stored_objects(school.store.objects)
    content = pdf(1000)
    told = await told_of(school) | {"sha256": "0" * 64}
    await hand.create(school, len(content), **told)
    assert code_of(await hand.patch(0, content)) == (422, "digest_mismatch")
    assert code_of(await hand.patch(len(content), b"")) == (422, "digest_mismatch")
    head = await hand.head()
    assert (head.status_code, head.headers["registrar-error"]) == (422, "digest_mismatch")
    assert "upload-offset" not in head.headers
    told_now = await hand.tell()
    assert (told_now["status"], told_now["refusal"]["code"]) == ("REFUSED", "digest_mismatch")
    assert told_now["refusal"]["message"]["zh"] and told_now["scan"] is None
    assert await stored_objects(school.store.objects) == before
    query = """{ scanUploads { id studentId fileName size offset status expiresAt scan { id }
        findings { code } refusal { code messageZh messageEn } } }"""
    (mine,) = (await http.post("/graphql", json={"query": query}, headers=hand.headers)).json()["data"][
        "scanUploads"
    ]
    assert (mine["status"], mine["refusal"]["code"], mine["scan"]) == ("REFUSED", "digest_mismatch", None)
    assert hand.path.endswith(mine["id"])


async def test_own_uploads_in_graphql(school: School, hand: Hand, bearer: Any) -> None:
    content = pdf(1000)
    await hand.create(school, 1000)
    await hand.patch(0, content[:400])
    query = {"query": "{ scanUploads { fileName size offset status studentId scan { id } } }"}

    async def mine(subject: str) -> Any:
        return (await hand.http.post("/graphql", json=query, headers=bearer(subject))).json()["data"][
            "scanUploads"
        ]

    expected = {"fileName": "2023级户口簿", "size": 1000.0, "offset": 400.0, "status": "UPLOADING"}
    assert await mine("archive") == [expected | {"studentId": await student_id(school), "scan": None}]
    for subject in ("information", "director", "logistics", "principal"):
        assert await mine(subject) == []
    done = await hand.patch(400, content[400:])
    (told,) = await mine("archive")
    assert (told["status"], told["scan"]) == ("FILED", {"id": done.headers["registrar-scan-id"]})
    over = {"query": "{ scanUploads(first: 1000) { id } }"}
    refused = (await hand.http.post("/graphql", json=over, headers=hand.headers)).json()
    assert refused["errors"][0]["extensions"]["code"] == "invalid_argument"


async def test_a_sender_that_leaves_in_the_middle(school: School, server: str, issuer: DemoIssuer) -> None:
    content = pdf(12 * MIB)
    headers = {"Authorization": f"Bearer {issuer.token('archive', seconds=600)}"}

    async def torn() -> AsyncIterator[bytes]:
        yield content[: 9 * MIB]
        await asyncio.sleep(1)
        raise ConnectionResetError

    async with httpx.AsyncClient(base_url=server, headers=headers, timeout=30) as client:
        hand = Hand(client, headers)
        await hand.create(school, len(content))
        with pytest.raises(ConnectionResetError):
            await hand.patch(0, torn())
        for _ in range(100):
            offset = int((await hand.head()).headers["upload-offset"])
            if offset == 9 * MIB:
                break
            await asyncio.sleep(0.1)
        assert offset == 9 * MIB
        done = await hand.patch(offset, content[offset:])
        assert await stored(school, done.headers["registrar-scan-id"]) == content


def tus_client(url: str, issuer: DemoIssuer, subject: str = "archive") -> TusClient:
    return TusClient(
        f"{url}/scans/uploads", headers={"Authorization": f"Bearer {issuer.token(subject, seconds=600)}"}
    )


async def test_tuspy(school: School, server: str, issuer: DemoIssuer, tmp_path: Path) -> None:
    paper = tmp_path / "2023级户口簿.pdf"
    paper.write_bytes(demo_paper("PDF", pages=3) + bytes(3 * MIB))
    uploader = await asyncio.to_thread(
        tus_client(server, issuer).uploader,
        str(paper),
        chunk_size=MIB,
        metadata=await told_of(school),
        upload_checksum=True,
    )
    await asyncio.to_thread(uploader.upload)
    headers = uploader.request.response_headers
    assert await stored(school, headers["registrar-scan-id"]) == paper.read_bytes()


async def test_tuspy_is_refused_with_the_reason(
    school: School, server: str, issuer: DemoIssuer, tmp_path: Path
) -> None:
    wrong = tmp_path / "2023级户口簿.pdf"
    wrong.write_bytes(b"MZ" + bytes(2 * MIB))
    client = tus_client(server, issuer)
    uploader = client.uploader(str(wrong), metadata=await told_of(school))
    with pytest.raises(TusUploadFailed) as refused:
        await asyncio.to_thread(uploader.upload)
    assert (refused.value.status_code, b"unsupported_media_type" in refused.value.response_content) == (
        415,
        True,
    )
    for subject, status in (("logistics", 403), ("nobody", 401)):
        asked = tus_client(server, issuer, subject).uploader(str(wrong), metadata=await told_of(school))
        with pytest.raises(TusCommunicationError) as not_begun:
            await asyncio.to_thread(asked.upload)
        assert not_begun.value.status_code == status


async def test_tuspy_goes_on_after_the_server_was_killed(
    school: School, mortal: MortalServer, issuer: DemoIssuer, tmp_path: Path
) -> None:
    await asyncio.to_thread(mortal.start)
    content = pdf(11 * MIB + 12345)
    paper, told = tmp_path / "paper.pdf", await told_of(school)
    paper.write_bytes(content)

    def uploader() -> Any:
        return tus_client(mortal.url, issuer).uploader(
            str(paper),
            chunk_size=3 * MIB,
            metadata=told,
            store_url=True,
            url_storage=FileStorage(str(tmp_path / "urls.json")),
        )

    await asyncio.to_thread(lambda: uploader().upload(stop_at=6 * MIB))
    await asyncio.to_thread(mortal.kill)
    with pytest.raises(TusCommunicationError):
        await asyncio.to_thread(uploader)
    await asyncio.to_thread(mortal.start)
    resumed = await asyncio.to_thread(uploader)
    assert resumed.offset == 6 * MIB
    await asyncio.to_thread(resumed.upload)
    assert await stored(school, resumed.request.response_headers["registrar-scan-id"]) == content


async def of_node(school: School, url: str, issuer: DemoIssuer, paper: Path, **told: Any) -> dict[str, Any]:
    return {
        "endpoint": f"{url}/scans/uploads",
        "token": issuer.token("archive", seconds=600),
        "file": str(paper),
        "metadata": await told_of(school),
        "chunkSize": MIB,
    } | told


def events(lines: list[Line]) -> list[str]:
    return [line["event"] for line in lines]


@pytest.mark.parametrize("overrides", [False, True])
async def test_tus_js_client(
    school: School, server: str, issuer: DemoIssuer, tmp_path: Path, overrides: bool
) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(pdf(3 * MIB + 5))
    lines = await run_client(**await of_node(school, server, issuer, paper, overridePatchMethod=overrides))
    assert events(lines) == ["created", *["chunk"] * 4, "success"]
    assert await stored(school, lines[-1]["scan"]) == paper.read_bytes()


async def test_tus_js_client_behind_a_slash(
    school: School, server: str, issuer: DemoIssuer, tmp_path: Path
) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(pdf(1000))
    lines = await run_client(
        **await of_node(school, server, issuer, paper, endpoint=f"{server}/scans/uploads/")
    )
    assert events(lines)[-1] == "success"


async def test_tus_js_client_goes_on_in_another_process(
    school: School, server: str, issuer: DemoIssuer, tmp_path: Path
) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(pdf(5 * MIB))
    told = await of_node(school, server, issuer, paper, urls=str(tmp_path / "urls.json"))
    left = await run_client(**told, leaveAfter=2 * MIB)
    again = await run_client(**told)
    assert again[0] == {"event": "found", "url": left[0]["url"]}
    assert again[1:][0]["event"] == "created" or again[1]["accepted"] == 3 * MIB
    assert [line["accepted"] for line in again if line["event"] == "chunk"] == [3 * MIB, 4 * MIB, 5 * MIB]
    assert await stored(school, again[-1]["scan"]) == paper.read_bytes()


async def test_tus_js_client_goes_on_by_itself_when_the_server_was_killed(
    school: School, mortal: MortalServer, issuer: DemoIssuer, tmp_path: Path
) -> None:
    await asyncio.to_thread(mortal.start)
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(pdf(9 * MIB))
    killed = False

    async def kill_once(line: Line) -> None:
        nonlocal killed
        if line["event"] == "chunk" and line["accepted"] == 4 * MIB and not killed:
            killed = True
            await asyncio.to_thread(mortal.kill)
            # What the dead server held is free after half a minute.
            await school.store.database.mongo["scan_uploads"].update_many(
                {}, {"$set": {"holder": None, "held_until": None}}
            )
            await asyncio.to_thread(mortal.start)

    told = await of_node(school, mortal.url, issuer, paper, retryDelays=[500, 1000, 2000, 4000, 8000, 8000])
    lines = await run_client(kill_once, **told)
    assert killed
    assert events(lines)[-1] == "success", lines
    assert await stored(school, lines[-1]["scan"]) == paper.read_bytes()


async def test_tus_js_client_is_told_why(
    school: School, server: str, issuer: DemoIssuer, tmp_path: Path
) -> None:
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(b"MZ" + bytes(2 * MIB))
    lines = await run_client(**await of_node(school, server, issuer, paper))
    assert (lines[-1]["event"], lines[-1]["status"]) == ("error", 415)
    assert "unsupported_media_type" in lines[-1]["body"]
    paper.write_bytes(pdf(3 * MIB))
    left = await run_client(**await of_node(school, server, issuer, paper, leaveAfter=MIB))
    url = left[0]["url"]
    ended = await run_client(**await of_node(school, server, issuer, paper, terminate=url))
    assert events(ended) == ["terminated"]
    headers = TUS | {"Authorization": f"Bearer {issuer.token('archive', seconds=600)}"}
    async with httpx.AsyncClient(headers=headers) as client:
        assert (await client.head(url)).status_code == 404
