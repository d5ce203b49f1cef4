"""Disposal: what is due, the principal's decision on a list, what is destroyed and what stays."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from urllib3.exceptions import HTTPError

from archive_store.approvals import requests
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import SCHOOL_TIME, school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.preservation.documents import BatchStatus, DisposalBatch
from archive_store.preservation.due import Proposal, disposal_due, propose_disposal
from archive_store.preservation.queries import batches_by_id, list_batches
from archive_store.scans.content import open_scan
from archive_store.scans.documents import Scan, ScanStatus
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.evidence import evidence_of
from archive_store.scans.keys import archive_file_key, unwrap_data_key
from tests.approvals.test_requests import asked, code, sign
from tests.preservation.archive import (
    KEPT,
    LONG_AGO,
    PLAIN,
    SEALED,
    archive_file_of,
    file_paper,
    put,
    run_job,
    scan_of,
    set_scan,
    versions,
    without_bucket,
)
from tests.preservation.test_holds import hold, release
from tests.preservation.test_table import YEARS_30, replaced, with_rule
from tests.scans.test_pipeline import collected
from tests.school import School


async def propose(
    school: School, *scan_ids: ObjectId, subject: str = "archive", dry_run: bool = False
) -> Proposal:
    viewer = await school.viewer(subject)
    named = list(scan_ids) or None
    return await propose_disposal(school.store, viewer, scan_ids=named, reason="保管期满", dry_run=dry_run)


async def signed_but_for_the_principal(school: School, proposal: Proposal) -> ObjectId:
    key = proposal.change_request_id
    assert key is not None
    await school.approve("director", key)
    await school.approve("vice-principal", key)
    return key


async def batch_of(school: School, proposal: Proposal) -> DisposalBatch:
    assert proposal.batch_id is not None
    (batch,) = await batches_by_id(school.store, await school.viewer("archive"), [proposal.batch_id])
    assert batch is not None
    return batch


async def due(school: School, subject: str = "archive") -> list[ObjectId]:
    page = await disposal_due(school.store, await school.viewer(subject), first=50)
    return [item.scan_id for item in page.rows]


async def test_what_is_due_is_told_by_the_table_in_force(school: School) -> None:
    plain, sealed, kept = [
        await file_paper(school, kind, filed_at=LONG_AGO) for kind in (PLAIN, SEALED, KEPT)
    ]
    fresh, other = await file_paper(school), await file_paper(school, filed_at=LONG_AGO, student=1)
    assert await due(school) == [plain, other]
    await set_scan(school, sealed, created_at=datetime.fromisoformat("1990-01-01T00:00:00+08:00"))
    assert await due(school) == [plain, sealed, other]
    await replaced(school, with_rule(PLAIN, YEARS_30))
    assert await due(school) == [sealed]
    assert kept and fresh
    page = await disposal_due(school.store, await school.viewer("director"), first=1)
    assert [(item.document_type, item.retention, item.due_on.year) for item in page.rows] == [
        (SEALED, YEARS_30, 2021)
    ]
    assert not page.has_next


async def test_the_last_day_and_the_first_one_after_it(school: School) -> None:
    key = await file_paper(school)
    last = school_day(school.store.clock.now()).year - 11
    for filed_at, is_due in (
        (datetime(last, 12, 31, 23, 59, 59, tzinfo=SCHOOL_TIME), True),
        (datetime(last + 1, 1, 1, tzinfo=SCHOOL_TIME), False),
    ):
        await set_scan(school, key, created_at=filed_at)
        assert await due(school) == ([key] if is_due else [])


async def test_from_a_proposal_to_a_stub(school: School) -> None:
    first, second = [await file_paper(school, filed_at=LONG_AGO) for _ in range(2)]
    left = await file_paper(school, KEPT)
    dry = await propose(school, dry_run=True)
    assert [item.scan_id for item in dry.items] == [first, second] and dry.batch_id is None
    before = [await scan_of(school, key) for key in (first, second, left)]
    old_file = await archive_file_of(school, before[0])
    proposal = await propose(school, first, second)
    assert (await scan_of(school, first)).status is ScanStatus.DISPOSAL_PROPOSED
    assert await due(school) == []
    key = await signed_but_for_the_principal(school, proposal)
    assert (await scan_of(school, first)).wrapped_data_key is not None
    assert await school.approve("principal", key) is RequestStatus.APPLIED
    for old in before[:2]:
        stub = await scan_of(school, old.key)
        assert (stub.status, stub.wrapped_data_key) == (ScanStatus.DISPOSED, None)
        assert old.thumbnail is not None and (stub.thumbnail, stub.preview) == (None, None)
        assert (
            stub.locked_until is not None
            and stub.disposed_at is not None
            and stub.disposal_batch_id == proposal.batch_id
        )
        for kept in ("sha256", "size", "media_type", "document_type", "file_name", "created_at"):
            assert getattr(stub, kept) == getattr(old, kept)
        # A copy of the scan from before holds its wrapped key, which no key in use opens.
        assert old.wrapped_data_key is not None
        live = await archive_file_key(school.store, await archive_file_of(school, stub))
        with pytest.raises(DamagedScanError):
            unwrap_data_key(live, old.wrapped_data_key, old.key)
        then = await archive_file_key(school.store, old_file)
        assert unwrap_data_key(then, old.wrapped_data_key, old.key)
    batch = await batch_of(school, proposal)
    assert (batch.status, batch.reason) == (BatchStatus.DISPOSED, "保管期满")
    director = await school.viewer("director")
    assert await code(open_scan(school.store, director, first)) is ErrorCode.DISPOSED
    _, content = await open_scan(school.store, director, left)
    assert await collected(content)
    with pytest.raises(RegistrarError):
        await evidence_of(school.store, director, before[0].student_id, [first])
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_who_may_not_read_a_paper_is_not_told_that_it_is_gone(school: School) -> None:
    key = await file_paper(school, filed_at=LONG_AGO)
    await set_scan(school, key, status="DISPOSED", wrapped_data_key=None)
    assert await code(open_scan(school.store, await school.viewer("archive"), key)) is ErrorCode.FORBIDDEN
    stranger = await school.viewer("logistics")
    assert await code(open_scan(school.store, stranger, key)) is ErrorCode.NOT_FOUND


async def undone(school: School, proposal: Proposal, word: str, *positions: int) -> None:
    """The principal is refused by place, and nothing is destroyed or signed."""
    key = await signed_but_for_the_principal(school, proposal)
    before = await school.documents()
    with pytest.raises(RegistrarError) as caught:
        await school.approve("principal", key)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "items")
    assert caught.value.details["fields"] == ", ".join(f"items.{place} {word}" for place in positions)
    after = await school.documents()
    assert {name: rows for name, rows in after.items() if rows != before.get(name)} == {}


async def test_a_hold_placed_meanwhile_keeps_the_whole_list(school: School) -> None:
    keys = [await file_paper(school, filed_at=LONG_AGO) for _ in range(3)]
    proposal = await propose(school, *keys)
    await hold(school, keys[1])
    await undone(school, proposal, "ON_HOLD", 1)


async def test_of_a_hold_and_a_disposal_at_the_same_instant_one_is_refused(school: School) -> None:
    for _ in range(4):
        key = await file_paper(school, filed_at=LONG_AGO)
        request = await signed_but_for_the_principal(school, await propose(school, key))
        outcomes = await asyncio.gather(
            school.approve("principal", request), hold(school, key), return_exceptions=True
        )
        refused = [held for held in outcomes if isinstance(held, RegistrarError)]
        assert len(refused) == 1
        assert refused[0].code in (ErrorCode.TRY_AGAIN, ErrorCode.CONFLICT, ErrorCode.WRONG_STATE)
        scan = await scan_of(school, key)
        assert (scan.status is ScanStatus.DISPOSED) is (scan.wrapped_data_key is None)
        assert (
            (scan.status is ScanStatus.ON_HOLD) is bool(scan.hold_ids) is not (scan.wrapped_data_key is None)
        )


async def test_a_hold_that_ended_meanwhile_does_not_bring_the_proposal_back(school: School) -> None:
    key = await file_paper(school, filed_at=LONG_AGO)
    proposal = await propose(school, key)
    await school.approve("vice-principal", await release(school, await hold(school, key), "director"))
    await undone(school, proposal, "FILED", 0)


async def test_a_longer_period_meanwhile_keeps_the_list(school: School) -> None:
    keys = [await file_paper(school, filed_at=LONG_AGO) for _ in range(2)]
    proposal = await propose(school, *keys)
    await replaced(school, with_rule(PLAIN, YEARS_30))
    await undone(school, proposal, "NOT_DUE", 0, 1)


async def test_evidence_of_an_open_request_is_kept(school: School) -> None:
    keys = [await file_paper(school, filed_at=LONG_AGO) for _ in range(2)]
    proposal = await propose(school, *keys)
    viewer, student = await school.viewer("information"), await school.student()
    papers = await evidence_of(school.store, viewer, student.key, [keys[1]])
    request = await asked(school, evidence=papers)
    await undone(school, proposal, "EVIDENCE", 1)
    third = await file_paper(school, filed_at=LONG_AGO)
    assert await code(propose(school, keys[1])) is ErrorCode.CONFLICT
    assert await due(school) == [third]
    # Once it is decided, nothing rests on the paper.
    await sign(school, "director", request, Decision.REJECTED)
    assert proposal.change_request_id is not None
    assert await school.approve("principal", proposal.change_request_id) is RequestStatus.APPLIED


async def test_two_lists_cannot_hold_the_same_scan(school: School) -> None:
    key = await file_paper(school, filed_at=LONG_AGO)
    await propose(school, key)
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await propose(school, key)
    assert caught.value.details["fields"] == "items.0 DISPOSAL_PROPOSED"
    assert await code(propose(school)) is ErrorCode.NOTHING_TO_CHANGE
    assert await school.counts() == before


async def test_what_is_not_due_is_refused_by_place(school: School) -> None:
    keys = [
        await file_paper(school, filed_at=LONG_AGO),
        await file_paper(school),
        await file_paper(school, KEPT, filed_at=LONG_AGO),
        ObjectId(),
    ]
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await propose(school, *keys)
    assert caught.value.details["fields"] == "items.1 NOT_DUE, items.2 NOT_DUE, items.3 NOT_FOUND"
    assert await school.counts() == before


async def test_cancelling_and_rejection_leave_the_scans_filed(school: School) -> None:
    from archive_store.approvals.operations import perform
    from archive_store.preservation.disposals import DisposalCancel

    key, held = [await file_paper(school, filed_at=LONG_AGO) for _ in range(2)]
    proposal = await propose(school, key, held)
    await hold(school, held)
    cancel = DisposalCancel(batch_id=proposal.batch_id)  # type: ignore[arg-type]
    archive = await school.viewer("archive")
    await perform(school.store, archive, "disposal.cancel", cancel, reason="误列")
    assert [(await scan_of(school, k)).status for k in (key, held)] == [ScanStatus.FILED, ScanStatus.ON_HOLD]
    request = await signed_but_for_the_principal(school, proposal)
    assert await code(school.approve("principal", request)) is ErrorCode.CONFLICT
    assert await code(perform(school.store, archive, "disposal.cancel", cancel)) is ErrorCode.WRONG_STATE

    again = await propose(school, key)
    assert again.change_request_id is not None
    later = school.store.clock.now() + timedelta(hours=1)
    assert await run_job(school.store, "disposal.cancel_unasked", later) == 0
    await sign(school, "director", again.change_request_id, Decision.REJECTED)
    assert await run_job(school.store, "disposal.cancel_unasked") == 0  # not at once
    assert await run_job(school.store, "disposal.cancel_unasked", later) == 1
    assert (await scan_of(school, key)).status is ScanStatus.FILED
    assert (await batch_of(school, again)).status is BatchStatus.CANCELLED
    assert await run_job(school.store, "disposal.cancel_unasked", later) == 0


async def test_a_request_for_another_list_is_refused(school: School) -> None:
    key, other = [await file_paper(school, filed_at=LONG_AGO) for _ in range(2)]
    proposal = await propose(school, key)
    assert proposal.change_request_id is not None
    await sign(school, "director", proposal.change_request_id, Decision.RETURNED)
    row = await scan_of(school, other)
    item = proposal.items[0].model_copy(update={"scan_id": row.key})
    revision = requests.Revision(values={"items": [item.model_dump()]})
    archive = await school.viewer("archive")
    refused = requests.revise(school.store, archive, proposal.change_request_id, revision)
    assert await code(refused) is ErrorCode.NOT_FOUND


async def disposed(school: School, **values: Any) -> ObjectId:
    """A stub with objects that no lock keeps."""
    template = (await scan_of(school, await file_paper(school))).to_bson()
    key = ObjectId()
    stub = template | {"_id": key, "status": "DISPOSED", "wrapped_data_key": None, **values}
    stub["created_at"] = LONG_AGO
    await school.store.database.collection(Scan).insert_one(stub)
    for name in ("000000", "000001", "thumbnail"):
        await put(school.store, f"scans/{key}/{name}")
    return key


async def test_objects_are_removed_when_their_lock_is_over(school: School, settings: Settings) -> None:
    store = school.store
    over = store.clock.now() + timedelta(seconds=3)
    key = await disposed(school, locked_until=over)
    for name, version in await versions(store, key):
        await store.objects.lock(name, version, over)
        await store.objects.hold(name, version, is_held=True)
    assert await run_job(store, "scan.remove_disposed") == 0
    # Were the records ahead of the bucket, it would refuse.
    assert await run_job(store, "scan.remove_disposed", over) == 0
    assert len(await versions(store, key)) == 3
    await asyncio.sleep(4)
    with pytest.raises(HTTPError):
        await run_job(without_bucket(store, settings), "scan.remove_disposed")
    assert await run_job(store, "scan.remove_disposed") == 1
    assert await versions(store, key) == []
    assert (await scan_of(school, key)).objects_removed_at is not None
    assert await run_job(store, "scan.remove_disposed") == 0


async def test_objects_that_were_never_locked_nor_held_are_removed(school: School) -> None:
    key = await disposed(school, locked_until=LONG_AGO)
    assert await run_job(school.store, "scan.remove_disposed") == 1
    assert await versions(school.store, key) == []


async def test_what_is_filed_or_held_is_never_removed(school: School) -> None:
    filed, held = await file_paper(school, filed_at=LONG_AGO), await file_paper(school, filed_at=LONG_AGO)
    await hold(school, held)
    for key in (filed, held):
        await set_scan(school, key, locked_until=LONG_AGO)
    assert await run_job(school.store, "scan.remove_disposed") == 0
    assert await versions(school.store, filed) and await versions(school.store, held)


@pytest.mark.parametrize(
    "subject",
    [
        "information",
        "deputy-1",
        "deputy-2",
        "analysis",
        "academic-affairs",
        "logistics",
        "teacher",
        "service",
    ],
)
async def test_who_keeps_no_archive_is_told_of_no_list(school: School, subject: str) -> None:
    key = await file_paper(school, SEALED)
    await set_scan(school, key, created_at=datetime.fromisoformat("1990-01-01T00:00:00+08:00"))
    viewer = await school.viewer(subject)
    asked_for = (None, [key], [ObjectId()])
    for named in asked_for:
        proposing = propose_disposal(school.store, viewer, scan_ids=named, reason="x", dry_run=True)
        assert await code(proposing) is ErrorCode.FORBIDDEN
    assert await code(disposal_due(school.store, viewer, first=5)) is ErrorCode.FORBIDDEN
    proposal = await propose(school, key)
    assert (await list_batches(school.store, viewer, first=5)).rows == []
    assert await batches_by_id(school.store, viewer, [proposal.batch_id]) == [None]  # type: ignore[list-item]
    assert await code(disposal_due(school.store, viewer, first=5)) is ErrorCode.FORBIDDEN


async def test_a_request_to_dispose_tells_a_reader_of_requests_nothing_of_the_papers(school: School) -> None:
    from archive_store.approvals.queries import change_requests_by_id, contents_for

    key = await file_paper(school, SEALED)
    await set_scan(school, key, created_at=datetime.fromisoformat("1990-01-01T00:00:00+08:00"))
    proposal = await propose(school)
    assert proposal.change_request_id is not None
    for subject, sees in (("information", False), ("deputy-1", False), ("vice-principal", True)):
        viewer = await school.viewer(subject)
        (found,) = await change_requests_by_id(school.store, viewer, [proposal.change_request_id])
        assert found is not None
        (content,) = await contents_for(school.store, viewer, [found])
        assert all(change.withheld is not sees for change in content.changes)
        assert (str(key) in repr(content), SEALED in repr(content)) == (sees, sees)
        assert (content.reason is not None) is sees
