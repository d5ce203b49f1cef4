"""Each kind of damage to a filed scan is found on real objects, and named; a healthy archive has none."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import pytest

import archive_store.preservation.fixity as fixity
from archive_store.approvals.documents import RequestStatus
from archive_store.foundation.object_store import ObjectStore, ObjectStoreAwayError, ObjectStoreError
from archive_store.preservation.fixity import check_scan
from archive_store.preservation.orphans import find_orphans
from archive_store.scans.documents import Scan
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.segments import StoredContent
from tests.preservation import archive
from tests.preservation.stored_scans import (
    THREE_SEGMENTS,
    file_paper,
    file_picture,
    file_three_segments,
    key_of,
    put_object,
    raw_object,
    replace_segment,
    set_fields,
)
from tests.preservation.test_disposal import propose, signed_but_for_the_principal
from tests.scans.test_pipeline import pdf
from tests.school import School


async def flip_a_bit(school: School, scan: Scan) -> None:
    sealed = bytearray(await raw_object(school, scan, 1))
    sealed[len(sealed) // 2] ^= 1
    await replace_segment(school, scan, 1, bytes(sealed))


async def truncate(school: School, scan: Scan) -> None:
    await replace_segment(school, scan, 1, (await raw_object(school, scan, 1))[:-1])


async def cut_to_nothing(school: School, scan: Scan) -> None:
    await replace_segment(school, scan, 1, b"")


async def reorder(school: School, scan: Scan) -> None:
    first, second = await raw_object(school, scan, 0), await raw_object(school, scan, 1)
    await replace_segment(school, scan, 0, second)
    await replace_segment(school, scan, 1, first)


async def swap_with_another_student(school: School, scan: Scan) -> None:
    other = await file_three_segments(school, position=3)
    await replace_segment(school, scan, 1, await raw_object(school, other, 1))


async def name_versions_of_each_other(school: School, scan: Scan) -> None:
    first, second = (segment.object_version for segment in scan.segments[:2])
    await set_fields(school, scan, segments__0__object_version=second, segments__1__object_version=first)


async def put_other_content(school: School, scan: Scan) -> None:
    """Sealed in its place under its key, as a version before could have been."""
    key = await key_of(school, scan)
    place = StoredContent(scan.key, scan.content_version, key, scan.segments).place(1)
    await replace_segment(school, scan, 1, key.seal(place, os.urandom(scan.segments[1].size)))


async def put_an_older_version(school: School, scan: Scan) -> None:
    key = await key_of(school, scan)
    place = StoredContent(scan.key, scan.content_version - 1, key, scan.segments).place(1)
    await replace_segment(school, scan, 1, key.seal(place, os.urandom(scan.segments[1].size)))


async def remove_an_object(school: School, scan: Scan) -> None:
    version = await put_object(school, scan, "000001", await raw_object(school, scan, 1))
    await set_fields(school, scan, segments__1__object_version=version)
    await school.store.objects.remove(f"scans/{scan.key}/000001", version)


async def take_the_key_of_another(school: School, scan: Scan) -> None:
    other = await file_paper(school, pdf(100))
    await set_fields(school, scan, wrapped_data_key=other.wrapped_data_key)


async def change_the_size(school: School, scan: Scan) -> None:
    await set_fields(school, scan, size=scan.size - 1)


async def change_the_digest(school: School, scan: Scan) -> None:
    await set_fields(school, scan, sha256="0" * 64)


async def change_name(school: School, scan: Scan) -> None:
    await set_fields(school, scan, file_name="2023级成绩单")


async def drop_the_last_segment(school: School, scan: Scan) -> None:
    await set_fields(school, scan, segments=[s.model_dump() for s in scan.segments[:-1]])


async def drop_all_segments(school: School, scan: Scan) -> None:
    await set_fields(school, scan, segments=[])


async def leave_unlocked(school: School, scan: Scan) -> None:
    version = await put_object(school, scan, "000002", await raw_object(school, scan, 2))
    await set_fields(school, scan, segments__2__object_version=version)


async def lock_too_short(school: School, scan: Scan) -> None:
    version = await put_object(school, scan, "000002", await raw_object(school, scan, 2))
    until = school.store.clock.now().replace(year=2030)
    await school.store.objects.lock(f"scans/{scan.key}/000002", version, until)
    await set_fields(school, scan, segments__2__object_version=version)


async def forge_the_history(school: School, scan: Scan) -> None:
    entries = school.store.database.mongo["audit_entries"]
    query = {"subject_id": scan.key, "kind": "scan:file"}
    await entries.update_one(query, {"$set": {"actor_name": "somebody"}})


async def drop_the_history(school: School, scan: Scan) -> None:
    await school.store.database.mongo["audit_entries"].delete_many({"subject_id": scan.key})


async def break_the_record(school: School, scan: Scan) -> None:
    await set_fields(school, scan, segments="none")


async def add_a_field(school: School, scan: Scan) -> None:
    await set_fields(school, scan, more=1)


async def take_the_time_of_filing(school: School, scan: Scan) -> None:
    await set_fields(school, scan, created_at=None)


async def name_a_version_that_cannot_be(school: School, scan: Scan) -> None:
    await set_fields(school, scan, content_version=-1)


async def break_the_archive_file(school: School, scan: Scan) -> None:
    files = school.store.database.mongo["archive_files"]
    await files.update_one({"_id": scan.archive_file_id}, {"$set": {"wrapped_key": 3}})


async def damage_the_archive_file_key(school: School, scan: Scan) -> None:
    files = school.store.database.mongo["archive_files"]
    await files.update_one({"_id": scan.archive_file_id}, {"$set": {"wrapped_key": b"x"}})


async def take_another_cipher(school: School, scan: Scan) -> None:
    await set_fields(school, scan, cipher="SM4_GCM")


async def dispose_past_the_rules(school: School, scan: Scan) -> None:
    await set_fields(school, scan, wrapped_data_key=None)


async def say_that_it_is_disposed_of(school: School, scan: Scan) -> None:
    await set_fields(school, scan, status="DISPOSED")


async def dispose_and_leave_a_key(school: School, scan: Scan) -> None:
    uploads = school.store.database.mongo["scan_uploads"]
    await set_fields(school, scan, wrapped_data_key=None)
    await uploads.insert_one({"_id": scan.key, "wrapped_key": b"kept"})


DAMAGES: list[tuple[Callable[[School, Scan], Awaitable[None]], list[str]]] = [
    (flip_a_bit, ["SEGMENT 000001"]),
    (truncate, ["SEGMENT 000001"]),
    (cut_to_nothing, ["SEGMENT 000001"]),
    (reorder, ["SEGMENT 000000", "SEGMENT 000001"]),
    (swap_with_another_student, ["SEGMENT 000001"]),
    (name_versions_of_each_other, ["MISSING 000000", "MISSING 000001"]),
    (put_other_content, ["DIGEST"]),
    (put_an_older_version, ["SEGMENT 000001"]),
    (remove_an_object, ["MISSING 000001"]),
    (take_the_key_of_another, ["KEY"]),
    (change_the_size, ["SIZE", "UNLIKE_HISTORY"]),
    (change_the_digest, ["DIGEST", "UNLIKE_HISTORY"]),
    (change_name, ["UNLIKE_HISTORY"]),
    (drop_the_last_segment, ["SEGMENT 000001", "SIZE"]),
    (drop_all_segments, ["SIZE"]),
    (leave_unlocked, ["LOCK 000002"]),
    (lock_too_short, ["LOCK 000002"]),
    (forge_the_history, ["UNLIKE_HISTORY"]),
    (drop_the_history, ["UNLIKE_HISTORY"]),
    (break_the_record, ["RECORD"]),
    (add_a_field, ["RECORD"]),
    (take_the_time_of_filing, ["RECORD"]),
    (name_a_version_that_cannot_be, ["SEGMENT 000000", "SEGMENT 000001", "SEGMENT 000002"]),
    (break_the_archive_file, ["KEY"]),
    (damage_the_archive_file_key, ["KEY"]),
    (take_another_cipher, ["SEGMENT 000000", "SEGMENT 000001", "SEGMENT 000002"]),
    (dispose_past_the_rules, ["STUB"]),
    (say_that_it_is_disposed_of, ["NOT_DISPOSED", "STUB"]),
    (dispose_and_leave_a_key, ["NOT_DISPOSED", "STUB"]),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES, ids=[each[0].__name__ for each in DAMAGES])
async def test_each_damage_is_found_and_named(
    school: School, damage: Callable[[School, Scan], Awaitable[None]], expected: list[str]
) -> None:
    scan = await file_three_segments(school)
    assert len(scan.segments) == 3 and scan.size == THREE_SEGMENTS
    assert await check_scan(school.store, scan.key) == []
    await damage(school, scan)
    assert await check_scan(school.store, scan.key) == expected


@pytest.mark.parametrize("part", ["thumbnail", "preview"])
async def test_damaged_images_are_found(school: School, part: str) -> None:
    scan = await file_picture(school)
    assert await check_scan(school.store, scan.key) == []
    version = await put_object(school, scan, part, b"nothing that opens")
    until = school.store.clock.now().replace(year=2200)
    await school.store.objects.lock(f"scans/{scan.key}/{part}", version, until)
    await set_fields(school, scan, **{f"{part}__object_version": version})
    assert await check_scan(school.store, scan.key) == [f"SEGMENT {part}"]
    await set_fields(school, scan, **{f"{part}__object_version": "0" * 32})
    assert await check_scan(school.store, scan.key) == [f"MISSING {part}"]


async def test_what_was_filed_a_moment_ago_may_wait_for_its_lock(school: School) -> None:
    scan = await file_three_segments(school)
    await leave_unlocked(school, scan)
    await set_fields(school, scan, created_at=school.store.clock.now())
    assert await check_scan(school.store, scan.key) == []


async def test_a_store_that_is_away_is_no_damage(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = await file_paper(school, pdf(100))

    def refuses(*_: object) -> bytes:
        raise ObjectStoreError("MaxRetryError")

    async def is_away(_: ObjectStore) -> None:
        raise ConnectionError

    monkeypatch.setattr(ObjectStore, "pieces_blocking", refuses)
    assert await check_scan(school.store, scan.key) == ["UNREADABLE 000000"]
    monkeypatch.setattr(ObjectStore, "probe", is_away)
    with pytest.raises(ObjectStoreAwayError):
        await check_scan(school.store, scan.key)


async def test_a_scan_that_is_disposed_of_while_it_is_read_is_told_as_it_is_then(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = await file_three_segments(school)

    async def is_disposed_of_meanwhile(*_: object) -> bytes:
        await set_fields(school, scan, wrapped_data_key=None, revision=scan.revision + 1)
        raise DamagedScanError

    monkeypatch.setattr(fixity, "load_segment", is_disposed_of_meanwhile)
    assert await check_scan(school.store, scan.key) == ["STUB"]


async def test_what_was_disposed_of_by_decision_is_sound_and_its_old_key_is_not(school: School) -> None:
    store = school.store
    key = await archive.file_paper(school, filed_at=archive.LONG_AGO)
    before = await archive.scan_of(school, key)
    proposal = await propose(school, key)
    request = await signed_but_for_the_principal(school, proposal)
    assert await school.approve("principal", request) is RequestStatus.APPLIED
    assert await check_scan(store, key) == []
    assert [each async for each in find_orphans(store, [key])] == []
    # Out of a copy of the database from before.
    old = {"wrapped_data_key": before.wrapped_data_key, "status": "FILED"}
    await archive.set_scan(school, key, **old)
    assert await check_scan(store, key) == ["KEY"]
    await archive.set_scan(school, key, status="DISPOSED")
    assert await check_scan(store, key) == ["NOT_DISPOSED"]
