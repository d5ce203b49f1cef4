"""Ranges of a scan and its pictures over HTTP: which bytes, which headers, and that a viewing is counted once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from api.dev.demo import demo_paper
from api.ranges import ByteRange, RangeNotSatisfiableError, asked_range
from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant
from archive_store.approvals.operations import payload_of, perform
from archive_store.retrieval.operations import RetrievalGrantRevoke
from archive_store.scans.chunked_encryption import CHUNK_SIZE
from archive_store.scans.content import view_scan
from archive_store.scans.documents import Scan
from archive_store.scans.segments import SEGMENT_SIZE
from archive_store.scans.viewings import VIEWING_MINUTES
from schema.nodes import global_id
from tests.retrieval.test_grants import end_posts, given
from tests.scans.test_pipeline import body, filed, pdf
from tests.school import School

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-", (10, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-500", (90, 100)),
        ("Bytes=5-6", (5, 7)),
        ("bytes=100-", RangeNotSatisfiableError),
        ("bytes=-0", RangeNotSatisfiableError),
        ("bytes=100-99", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("pages=0-1", None),
        ("bytes=a-b", None),
        ("bytes=0x1-2", None),
        ("bytes=" + "9" * 30 + "-", None),
        ("", None),
    ],
)
def test_which_range_is_asked_for(header: str, expected: Any) -> None:
    if expected is RangeNotSatisfiableError:
        with pytest.raises(RangeNotSatisfiableError):
            asked_range({"range": header}, 100, ETAG)
    else:
        found = asked_range({"range": header}, 100, ETAG)
        assert found == (None if expected is None else ByteRange(*expected))


def test_a_range_of_what_has_changed_is_the_whole() -> None:
    asked = {"range": "bytes=1-2"}
    assert asked_range(asked | {"if-range": ETAG}, 100, ETAG) == ByteRange(1, 3)
    for other in ('"other"', 'W/"abc"', "Wed, 25 Nov 2026 00:00:00 GMT"):
        assert asked_range(asked | {"if-range": other}, 100, ETAG) is None


def path_of(scan: ObjectId, part: str = "content") -> str:
    return f"/scans/{global_id('Scan', scan)}/{part}"


async def views(school: School) -> int:
    """Access events that were recorded of scans; there are as many entries."""
    events = await school.store.database.collection(AccessEvent).count_documents({"read_type": "Scan"})
    noted = await school.store.database.mongo["audit_entries"].count_documents({"kind": "scan:view"})
    assert noted == events
    return events


async def test_ranges_are_the_bytes(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    content = pdf(SEGMENT_SIZE + 3 * CHUNK_SIZE)
    scan, size = (await filed(school, content, length=len(content))).key, len(content)
    edges = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, SEGMENT_SIZE - 1, SEGMENT_SIZE, SEGMENT_SIZE + 1, size - 1)
    for first in edges:
        for last in (first, first + CHUNK_SIZE, size - 1):
            asked = bearer("director") | {"Range": f"bytes={first}-{last}"}
            got = await http.get(path_of(scan), headers=asked)
            end = min(last, size - 1)
            assert got.status_code == 206
            assert got.content == content[first : end + 1]
            assert got.headers["content-range"] == f"bytes {first}-{end}/{size}"
            assert got.headers["content-length"] == str(end + 1 - first)
    assert await views(school) == 1


async def test_only_the_chunks_that_are_needed_are_read(
    school: School, http: httpx.AsyncClient, bearer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdf(SEGMENT_SIZE)
    scan = (await filed(school, content, length=len(content))).key
    objects, read = school.store.objects, []
    whole = type(objects).get_blocking

    def counted(self: Any, *told: Any) -> bytes:
        read.append(len(found := whole(self, *told)))
        return found

    monkeypatch.setattr(type(objects), "get_blocking", counted)
    asked = bearer("director") | {"Range": "bytes=-1000"}
    got = await http.get(path_of(scan), headers=asked)
    assert got.content == content[-1000:]
    assert sum(read) < 3 * CHUNK_SIZE


async def test_headers_of_a_download(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    content = pdf(1000)
    scan, head = (await filed(school, content)).key, bearer("director")
    whole = await http.get(path_of(scan), headers=head)
    assert (whole.status_code, whole.content) == (200, content)
    asked = await http.head(path_of(scan), headers=head)
    assert (asked.status_code, asked.content) == (200, b"")
    for name in (
        "accept-ranges",
        "etag",
        "content-length",
        "content-type",
        "content-disposition",
        "content-security-policy",
        "cross-origin-resource-policy",
        "x-content-type-options",
        "cache-control",
    ):
        assert asked.headers[name] == whole.headers[name], name
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "no-store"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert whole.headers["content-disposition"].startswith("attachment;")
    inline = await http.get(path_of(scan), params={"disposition": "inline"}, headers=head)
    assert inline.headers["content-disposition"].startswith("inline;")
    etag = whole.headers["etag"]
    same = await http.get(path_of(scan), headers=head | {"Range": "bytes=5-9", "If-Range": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (206, content[5:10], etag)
    other = await http.get(path_of(scan), headers=head | {"Range": "bytes=5-9", "If-Range": '"x"'})
    assert (other.status_code, other.content) == (200, content)
    several = await http.get(path_of(scan), headers=head | {"Range": "bytes=0-1,4-5"})
    assert (several.status_code, several.content) == (200, content)
    beyond = await http.get(path_of(scan), headers=head | {"Range": "bytes=1000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */1000")


async def test_what_no_browser_shows_safely_is_an_attachment(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    scan = (await filed(school, demo_paper("TIFF", pages=1))).key
    got = await http.get(path_of(scan), params={"disposition": "inline"}, headers=bearer("director"))
    assert got.headers["content-disposition"].startswith("attachment;")


async def one_view(school: School, views_allowed: int = 1) -> ObjectId:
    """The key of a grant of the archive group, which files papers and reads none."""
    student = await school.student()
    await given(school, "archive", "director", student_id=student.key, views=views_allowed)
    row = await school.store.database.collection(RetrievalGrant).find_one({})
    assert row is not None
    key: ObjectId = row["_id"]
    return key


async def taken(school: School) -> int:
    row = await school.store.database.collection(RetrievalGrant).find_one({})
    assert row is not None
    return int(row["views_taken"])


async def ranges(
    http: httpx.AsyncClient, headers: dict[str, str], scan: ObjectId, content: bytes, count: int = 30
) -> None:
    """Ask for so many ranges, some at once."""

    async def one(number: int) -> None:
        first = number * 100
        got = await http.get(path_of(scan), headers=headers | {"Range": f"bytes={first}-{first + 99}"})
        assert (got.status_code, got.content) == (206, content[first : first + 100]), got.text

    for begin in range(0, count, 10):
        await asyncio.gather(*(one(number) for number in range(begin, begin + 10)))


async def test_thirty_ranges_at_once_take_one_view_of_a_grant(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    content = pdf(3000)
    scan = (await filed(school, content)).key
    await one_view(school)
    headers = bearer("archive", "")
    await ranges(http, headers, scan, content)
    assert (await taken(school), await views(school)) == (1, 1)
    # A second viewing is refused: of another purpose, of the whole, and when the time of the first is over.
    purposed = await http.get(path_of(scan), headers=bearer("archive", "别的") | {"Range": "bytes=0-9"})
    whole = await http.get(path_of(scan), headers=headers)
    assert (purposed.status_code, whole.status_code) == (403, 403)
    await ranges(http, headers, scan, content)
    await school.store.database.mongo["scan_viewings"].update_many(
        {}, [{"$set": {"ends_at": {"$subtract": ["$ends_at", VIEWING_MINUTES * 60_000]}}}]
    )
    late = await http.get(path_of(scan), headers=headers | {"Range": "bytes=0-9"})
    assert late.status_code == 403
    assert (await taken(school), await views(school)) == (1, 1)


async def test_a_viewing_opens_nothing_for_anybody_else_nor_another_scan(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    scan, other = (await filed(school, pdf(3000))).key, (await filed(school, pdf(3000))).key
    await one_view(school)
    asked = {"Range": "bytes=0-9"}
    assert (await http.get(path_of(scan), headers=bearer("archive", "") | asked)).status_code == 206
    assert (await http.get(path_of(other), headers=bearer("archive", "") | asked)).status_code == 403
    for subject in ("information", "vice-principal"):
        assert (await http.get(path_of(scan), headers=bearer(subject, "") | asked)).status_code == 403
    assert (await http.get(path_of(scan), headers=bearer("logistics", "") | asked)).status_code == 404
    assert await views(school) == 1


@pytest.mark.parametrize("how", ["revoked", "expired", "post ended"])
async def test_the_next_range_is_refused_once_the_right_is_gone(
    school: School, http: httpx.AsyncClient, bearer: Any, how: str
) -> None:
    content = pdf(3000)
    scan, grant = (await filed(school, content)).key, await one_view(school, 5)
    headers = bearer("archive", "")
    await ranges(http, headers, scan, content, 10)
    if how == "revoked":
        payload = payload_of(RetrievalGrantRevoke, {"grant_id": grant})
        await perform(school.store, await school.viewer("director"), "retrieval_grant.revoke", payload)
    elif how == "expired":
        past = {"expires_at": school.store.clock.now() - timedelta(seconds=1)}
        await school.store.database.mongo["retrieval_grants"].update_one({"_id": grant}, {"$set": past})
    else:
        await end_posts(school, "archive")
    refused = await http.get(path_of(scan), headers=headers | {"Range": "bytes=0-9"})
    assert refused.status_code == (404 if how == "post ended" else 403)
    assert (await taken(school), await views(school)) == (1, 1)


async def test_every_whole_download_is_a_viewing_which_ranges_continue(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    content = pdf(3000)
    scan = (await filed(school, content)).key
    await one_view(school, 2)
    headers = bearer("archive", "")
    for count in (1, 2):
        assert (await http.get(path_of(scan), headers=headers)).content == content
        await ranges(http, headers, scan, content)
        assert (await taken(school), await views(school)) == (count, count)
    assert (await http.get(path_of(scan), headers=headers)).status_code == 403


async def test_what_another_grant_opens_takes_its_view(school: School) -> None:
    scan = (await filed(school, pdf(3000))).key
    first = await one_view(school, 5)
    viewer = await school.viewer("archive", None)
    await view_scan(school.store, viewer, scan, continues=True)
    await given(school, "archive", "director", document_type="户口簿", views=5)
    past = {"expires_at": school.store.clock.now() - timedelta(seconds=1)}
    await school.store.database.mongo["retrieval_grants"].update_one({"_id": first}, {"$set": past})
    await view_scan(school.store, await school.viewer("archive", None), scan, continues=True)
    grants = await school.store.database.collection(RetrievalGrant).find().sort("_id", 1).to_list()
    assert [grant["views_taken"] for grant in grants] == [1, 1]
    assert await views(school) == 2


async def test_a_viewing_tells_nothing_of_its_purpose(school: School) -> None:
    scan = (await filed(school, pdf(3000))).key
    await view_scan(school.store, await school.viewer("director", "核实病情"), scan, continues=True)
    row = await school.store.database.mongo["scan_viewings"].find_one({})
    assert row is not None
    assert row.keys() == {"_id", "grant_ids", "ends_at", "is_noted"}
    assert "核实病情" not in repr(row)


async def test_pictures_are_part_of_the_viewing(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    scan = (await filed(school, demo_paper("PDF", pages=2))).key
    row = await school.store.database.collection(Scan).find_one({"_id": scan})
    assert row is not None
    for part in ("thumbnail", "preview"):
        assert row[part] is not None, "the checks made none"
        got = await http.get(path_of(scan, part), headers=bearer("director"))
        assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
        assert got.content.startswith(b"\xff\xd8\xff")
        assert len(got.content) == row[part]["size"]
        assert got.headers["cache-control"] == "no-store"
        for subject, status in (("archive", 403), ("logistics", 404)):
            assert (await http.get(path_of(scan, part), headers=bearer(subject))).status_code == status
        assert (await http.get(path_of(scan, part))).status_code == 401
    assert await views(school) == 1
    query = {"query": f'{{ scan(id: "{global_id("Scan", scan)}") {{ thumbnailUrl previewUrl }} }}'}
    told = (await http.post("/graphql", json=query, headers=bearer("director"))).json()["data"]["scan"]
    assert told == {"thumbnailUrl": path_of(scan, "thumbnail"), "previewUrl": path_of(scan, "preview")}
    told = (await http.post("/graphql", json=query, headers=bearer("archive"))).json()["data"]["scan"]
    assert told == {"thumbnailUrl": None, "previewUrl": None}


async def test_there_is_no_picture_of_what_cannot_be_read(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    scan = (await filed(school, pdf(3000))).key
    for part in ("thumbnail", "preview"):
        assert (await http.get(path_of(scan, part), headers=bearer("director"))).status_code == 404


async def test_an_upload_in_one_go_by_put(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    content = demo_paper("PDF", pages=1)
    told = {"student": global_id("Student", (await school.student()).key), "fileName": "2023级户口簿"}
    made = await http.put("/scans", params=told, content=content, headers=bearer("archive"))
    assert (made.status_code, made.json()["size"]) == (201, len(content))
    chunked = await http.put("/scans", params=told, content=body(content), headers=bearer("archive"))
    assert (chunked.status_code, chunked.json()["sha256"]) == (201, made.json()["sha256"])
    assert "DUPLICATE" in [finding["code"] for finding in chunked.json()["findings"]]
    assert all(f["message"]["zh"] and f["message"]["en"] for f in chunked.json()["findings"])
    empty = await http.put("/scans", params=told, content=b"", headers=bearer("archive"))
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "empty_file")
