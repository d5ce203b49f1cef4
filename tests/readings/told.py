"""What the tests of readings share: the sealed contents of their entries, and who looks at what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant, Secrecy
from archive_store.access.viewer import HeldGrant, Viewer
from archive_store.audit.documents import ENTRIES
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.store import Store
from archive_store.readings.queries import Access, access_histories
from archive_store.scans.content import open_scan
from archive_store.scans.uploads import file_scan
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.queries import find_student
from tests.school import School

PHONE = frozenset({"phone"})


async def entries(store: Store) -> list[dict[str, Any]]:
    """The entries of readings in order, opened."""
    rows = (
        await store.database.mongo[ENTRIES]
        .find({"subject_type": AccessEvent.subject_type})
        .sort("_id", 1)
        .to_list()
    )
    await store.cipher.decrypt_paths(rows, ["sealed"])
    return rows


async def told(store: Store) -> list[dict[str, Any]]:
    """The contents of the entries of readings, in order."""
    return [row["sealed"]["reading"] for row in await entries(store)]


def read_of(content: dict[str, Any]) -> list[tuple[list[str], list[ObjectId]]]:
    return [(group["fields"], group["subject_ids"]) for group in content["groups"]]


def texts_of(content: dict[str, Any]) -> list[str]:
    return [purpose["text"] for purpose in content["purposes"]]


async def look(
    school: School, viewer: Viewer, student_id: ObjectId, paths: frozenset[str] = PHONE
) -> dict[str, Any]:
    found = await find_student(school.store, viewer, student_id, paths)
    assert {path.partition(".")[0] for path in paths} <= found.rows[0].keys()
    return found.rows[0]


async def history(school: School, viewer: Viewer, student_id: ObjectId, **asked: Any) -> list[Access] | None:
    """The first page of who looked at what of one student."""
    (page,) = await access_histories(school.store, viewer, [student_id], **({"first": 20} | asked))
    return None if page is None else list(page.rows)


async def family(school: School, position: int = 0) -> tuple[Viewer, Viewer]:
    """A student's own viewer, and that of the first guardian."""
    student = await school.student(position)
    await link_account(school.store, student.key, f"pupil-{position}")
    await link_guardian_account(school.store, student.key, 0, f"parent-{position}")
    names = (f"pupil-{position}", f"parent-{position}")
    own, parent = [await school.viewer(name, None) for name in names]
    return own, parent


async def grant(
    school: School, viewer: Viewer, secrecy: Secrecy = Secrecy.SENSITIVE, **more: Any
) -> HeldGrant:
    """A retrieval grant as if it had been given; a viewer who is to have it is loaded again."""
    given = RetrievalGrant(
        grantee_id=PydanticObjectId(viewer.person_id),
        grantee_name=viewer.name,
        secrecy=secrecy,
        expires_at=school.store.clock.now().replace(year=2999),
        views_allowed=50,
        **({"purpose": "家访"} | more),
    )
    row = given.to_bson()
    await school.store.cipher.encrypt_paths([row], encrypted_paths(RetrievalGrant))
    await school.store.database.collection(RetrievalGrant).insert_one(row)
    return given.held()


async def paper(school: School, name: str, position: int = 0) -> ObjectId:
    async def body() -> AsyncIterator[bytes]:
        yield demo_paper("PDF", pages=2)

    student = await school.student(position)
    scan = await file_scan(school.store, await school.viewer("archive"), student.key, name, body())
    return scan.key


async def download(school: School, viewer: Viewer, scan_id: ObjectId) -> None:
    _, content = await open_scan(school.store, viewer, scan_id)
    await content.aclose()
