"""Legal holds: at once, in the records and in the bucket; their end is signed; and who is told of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bson import ObjectId
from urllib3.exceptions import HTTPError

from archive_store.access.rules import AccessRules
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.posts import Post
from archive_store.foundation.settings import Settings
from archive_store.preservation.documents import LegalHold
from archive_store.preservation.histories import LEGAL_HOLD_HISTORY
from archive_store.preservation.holds import hold_scans, release_hold
from archive_store.preservation.queries import holds_by_id, list_holds, open_reasons
from archive_store.scans.documents import ScanStatus
from archive_store.scans.histories import SCAN_HISTORY
from archive_store.students.accounts import link_guardian_account
from tests.access.test_readings import events
from tests.approvals.test_requests import code, sign
from tests.audit.test_histories import entries
from tests.preservation.archive import (
    PLAIN,
    SEALED,
    file_paper,
    is_held,
    run_job,
    scan_of,
    set_scan,
    versions,
    without_bucket,
)
from tests.school import PURPOSE, School

WHY = "家长提起诉讼"


async def hold(school: School, *scan_ids: ObjectId, subject: str = "director") -> ObjectId:
    outcome = await hold_scans(school.store, await school.viewer(subject), scan_ids, WHY)
    assert isinstance(outcome.result, ObjectId)
    return outcome.result


async def release(school: School, hold_id: ObjectId, subject: str = "archive") -> ObjectId:
    outcome = await release_hold(school.store, await school.viewer(subject), hold_id, "已结案")
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def seen(school: School, viewer: Viewer, hold_id: ObjectId) -> tuple[bool, str | None]:
    """Whether the hold is in sight, and its reason."""
    (hold,) = await holds_by_id(school.store, viewer, [hold_id])
    (reason,) = await open_reasons(school.store, viewer, [hold_id])
    assert hold is None or hold.reason == ""
    return hold is not None, reason


async def test_a_hold_is_placed_at_once_and_its_end_is_signed(school: School) -> None:
    key = await file_paper(school)
    hold_id = await hold(school, key)
    assert (await scan_of(school, key)).status is ScanStatus.ON_HOLD
    assert await is_held(school.store, key)
    request = await release(school, hold_id)
    assert (await scan_of(school, key)).status is ScanStatus.ON_HOLD
    await school.approve("director", request)
    assert await school.approve("vice-principal", request) is RequestStatus.APPLIED
    assert (await scan_of(school, key)).status is ScanStatus.FILED
    assert await run_job(school.store, "scan.hold_objects") == 1
    assert not await is_held(school.store, key)
    assert await run_job(school.store, "scan.hold_objects") == 0
    director = await school.viewer("director")
    assert await code(release_hold(school.store, director, hold_id, "再次")) is ErrorCode.WRONG_STATE
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_what_is_held_cannot_be_removed_though_it_is_not_locked(school: School) -> None:
    from tests.preservation.archive import put

    key = ObjectId()
    name = f"scans/{key}/000000"
    version = await put(school.store, name)
    await school.store.objects.hold(name, version, is_held=True)
    with pytest.raises(ObjectStoreError):
        await school.store.objects.remove(name, version)
    await school.store.objects.hold(name, version, is_held=False)
    await school.store.objects.remove(name, version)
    assert await versions(school.store, key) == []


async def test_a_scan_is_held_as_long_as_one_of_its_holds_is_in_force(school: School) -> None:
    first, second = await file_paper(school), await file_paper(school)
    one, other = await hold(school, first, second), await hold(school, first, subject="vice-principal")
    request = await release(school, one, "director")
    await school.approve("vice-principal", request)
    held = [(await scan_of(school, key)).status for key in (first, second)]
    assert held == [ScanStatus.ON_HOLD, ScanStatus.FILED]
    await run_job(school.store, "scan.hold_objects")
    assert [await is_held(school.store, key) for key in (first, second)] == [True, False]
    viewer = await school.viewer("archive")
    page = await list_holds(school.store, viewer, first=5, in_force=True)
    assert [found.key for found in page.rows] == [other]
    page = await list_holds(school.store, viewer, first=5, in_force=False)
    assert [found.key for found in page.rows] == [one]


async def test_a_bucket_that_is_away_is_told_later(school: School, settings: Settings) -> None:
    key = await file_paper(school)
    away = without_bucket(school.store, settings)
    outcome = await hold_scans(away, await school.viewer("director"), [key], WHY)
    assert outcome.applied and (await scan_of(school, key)).status is ScanStatus.ON_HOLD
    assert not await is_held(school.store, key)
    with pytest.raises(HTTPError):
        await run_job(away, "scan.hold_objects")
    assert await run_job(school.store, "scan.hold_objects") == 1
    assert await is_held(school.store, key)
    assert await run_job(school.store, "scan.hold_objects") == 0


@pytest.mark.parametrize(
    "subject", ["archive", "information", "deputy-2", "principal", "teacher", "analysis", "service"]
)
async def test_who_may_not_hold(school: School, subject: str) -> None:
    key = await file_paper(school)
    before = await school.counts()
    viewer = await school.viewer(subject)
    for asked in (key, ObjectId()):  # the answer tells nothing of what there is
        assert await code(hold_scans(school.store, viewer, [asked], WHY)) is ErrorCode.FORBIDDEN
    assert await school.counts() == before


async def test_what_cannot_be_held(school: School) -> None:
    mine, theirs = await file_paper(school), await file_paper(school, student=1)
    director = await school.viewer("director")
    before = await school.counts()
    assert await code(hold_scans(school.store, director, [mine, ObjectId()], WHY)) is ErrorCode.NOT_FOUND
    assert await code(hold_scans(school.store, director, [mine, theirs], WHY)) is ErrorCode.INVALID_ARGUMENT
    assert await code(hold_scans(school.store, director, [mine], " ")) is ErrorCode.REQUIRED
    assert await code(hold_scans(school.store, director, [], WHY)) is ErrorCode.OUT_OF_RANGE
    await set_scan(school, theirs, status="DISPOSED")
    assert await code(hold_scans(school.store, director, [theirs], WHY)) is ErrorCode.WRONG_STATE
    assert await school.counts() == before


async def test_holds_are_shown_to_those_who_keep_the_archive(school: School) -> None:
    hold_id = await hold(school, await file_paper(school))
    count = len(await events(school))
    for subject in ("archive", "director", "vice-principal", "principal"):
        assert await seen(school, await school.viewer(subject, None), hold_id) == (True, None)
    assert len(await events(school)) == count
    assert await seen(school, await school.viewer("archive"), hold_id) == (True, WHY)
    event = (await events(school))[-1]
    assert (event.read_type, event.purpose) == ("LegalHold", PURPOSE)
    for subject in ("information", "deputy-1", "teacher", "academic-affairs", "service", "analysis"):
        viewer = await school.viewer(subject)
        assert await seen(school, viewer, hold_id) == (False, None)
        assert (await list_holds(school.store, viewer, first=5)).rows == []
        assert await code(release_hold(school.store, viewer, hold_id, "x")) in (
            ErrorCode.NOT_FOUND,
            ErrorCode.FORBIDDEN,
        )
        assert await entries(school, LEGAL_HOLD_HISTORY, subject, hold_id) is None
    raw = await school.store.database.collection(LegalHold).find_one({})
    assert raw is not None and WHY not in repr(raw)


async def test_who_does_not_know_of_sealed_papers_is_told_of_no_hold(school: School) -> None:
    key = await file_paper(school, SEALED)
    hold_id = await hold(school, key)
    archive = await school.viewer("archive")
    known = archive.policy.rules.sealed_known_to - {Post.ARCHIVE_GROUP}
    rules: AccessRules = archive.policy.rules.model_copy(update={"sealed_known_to": known})
    narrowed = replace(archive, policy=type(archive.policy)(rules))
    assert await seen(school, archive, hold_id) == (True, WHY)
    assert await seen(school, narrowed, hold_id) == (False, None)
    assert (await list_holds(school.store, narrowed, first=5)).rows == []
    assert await code(release_hold(school.store, narrowed, hold_id, "x")) is ErrorCode.NOT_FOUND


async def test_why_a_paper_is_held_is_not_told_with_the_paper(school: School) -> None:
    """The family reads the paper, and with it why it was viewed; a dispute is not theirs to read of."""
    key = await file_paper(school)
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "mother")
    hold_id = await hold(school, key)
    for subject in ("mother", "director"):
        found = await entries(school, SCAN_HISTORY, subject, key)
        assert found is not None and found[-1].kind == "scan:hold"
        assert found[-1].reason is None
        assert WHY not in repr(found)
    assert (await entries(school, LEGAL_HOLD_HISTORY, "archive", hold_id, None) or [])[0].reason is None
    assert (await entries(school, LEGAL_HOLD_HISTORY, "archive", hold_id) or [])[0].reason == WHY


async def test_a_request_to_release_tells_a_reader_of_requests_nothing_of_the_paper(school: School) -> None:
    from archive_store.approvals.queries import contents_for, list_change_requests

    key = await file_paper(school, SEALED)
    request = await release(school, await hold(school, key))
    viewer = await school.viewer("information")
    page = await list_change_requests(school.store, viewer, first=5)
    (found,) = [row for row in page.rows if row.key == request]
    (content,) = await contents_for(school.store, viewer, [found])
    assert (content.reason, [c.withheld for c in content.changes]) == (None, [True])
    assert str(key) not in repr((found.target_id, content)) and found.target_type == "LegalHold"
    assert await sign(school, "director", request, Decision.REJECTED) is RequestStatus.REJECTED
    assert (await scan_of(school, key)).status is ScanStatus.ON_HOLD


async def test_nobody_decides_on_the_papers_of_their_own_child(school: School) -> None:
    student = await school.student()
    request = await release(school, await hold(school, await file_paper(school, PLAIN)))
    row = await school.store.database.mongo["change_requests"].find_one({"_id": request})
    assert row is not None and student.key in row["concerns"]
    viewer = await school.viewer("director")
    mother = replace(viewer, ward_ids=frozenset({student.key}))
    from archive_store.approvals.decisions import decide

    with pytest.raises(RegistrarError) as caught:
        await decide(school.store, mother, request, Decision.APPROVED)
    assert caught.value.code is ErrorCode.SELF_APPROVAL
