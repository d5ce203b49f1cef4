"""Rotation of the archive's keys: in the background, at once with all else, killed at any point. Nothing is lost."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import ObjectId
from prometheus_client import REGISTRY

import archive_store.scans.keys as keys_module
import archive_store.scans.operations as operations
import archive_store.scans.rotation as rotation
from api.dev.stack import EmbeddedStack
from api.keys import measure_keys
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import Clock
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.keyring import Keyring, KeyringError
from archive_store.foundation.posts import Post
from archive_store.foundation.root_key_providers import KeyringRootKeys
from archive_store.foundation.root_keys import RootKeysUnavailableError, WrappedKey
from archive_store.foundation.store import Job, Store
from archive_store.foundation.unit_of_work import CLOCK, UnitOfWork
from archive_store.scans.documents import ArchiveFile, Scan
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.key_changes import KeyChange
from archive_store.scans.keys import rotate_archive_file_key, scan_data_key, unwrap_upload_key
from archive_store.scans.rotation import (
    KeysLeft,
    KeyUse,
    RootKeysInUseError,
    RotationStuckError,
    keys_left,
    order_file_key_rotation,
    retire_root_keys,
    rewrap_keys,
    root_key_uses,
    rotate_keys,
)
from archive_store.scans.upload_documents import Upload
from archive_store.scans.uploads import begin_upload, file_scan
from tests.approvals.test_killed import MOMENTS, mortal_process
from tests.scans.test_pipeline import NAME, body, pdf, read_whole, stored_objects
from tests.scans.test_tampering import stored_bytes
from tests.school import School


@pytest.fixture
async def school(school: School, tmp_path: Path) -> School:
    """With a keyring file of its own, since one that was rotated stays so."""
    file = tmp_path / "keyring.json"
    shutil.copy(school.store.settings.keyring_file, file)
    settings = school.store.settings.model_copy(update={"keyring_file": file})
    keys = KeyringRootKeys(file, Keyring.load(file))
    return School(replace(school.store, settings=settings, root_keys=keys))


async def file_for(school: School, position: int, content: bytes) -> Scan:
    student, viewer = await school.student(position), await school.viewer("archive")
    return await file_scan(school.store, viewer, student.key, NAME, body(content))


async def begun(school: School) -> Upload:
    student, viewer = await school.student(2), await school.viewer("archive")
    return await begin_upload(school.store, viewer, student.key, NAME, length=100)


async def archive(school: School) -> dict[ObjectId, bytes]:
    """Two scans of one student and one of another: scans and their contents."""
    contents = [pdf(1000), pdf(2000), pdf(3000)]
    scans = [await file_for(school, min(n, 1), content) for n, content in enumerate(contents)]
    return {scan.key: content for scan, content in zip(scans, contents, strict=True)}


async def assert_readable(school: School, held: dict[ObjectId, bytes]) -> None:
    for row in await school.store.database.collection(Scan).find().to_list():
        assert await read_whole(school, Scan.model_validate(row)) == held[row["_id"]]


async def archive_files(school: School) -> list[ArchiveFile]:
    rows = school.store.database.collection(ArchiveFile).find().sort("_id", 1)
    return [ArchiveFile.model_validate(row) for row in await rows.to_list()]


async def kinds(school: School, prefix: str) -> list[str]:
    entries = school.store.database.mongo["audit_entries"].find({"kind": {"$regex": f"^{prefix}"}})
    return sorted([row["kind"] async for row in entries])


async def told_director(school: School) -> list[str]:
    rows = school.store.database.mongo[NOTIFICATIONS].find({"recipient_post": Post.DIRECTOR})
    return [row["kind"] async for row in rows if row["kind"].startswith("key_change")]


def now(school: School) -> datetime:
    return school.store.clock.now()


def rotate_root(school: School) -> str:
    return Keyring.rotate_scan_key(school.store.settings.keyring_file).scans[-1].id


async def assert_sound(school: School) -> None:
    report = await verify_history(school.store, RECORD_TYPES)
    assert report.sound, report.findings


async def test_a_new_root_key_comes_to_wrap_all_and_no_file_is_touched(school: School) -> None:
    held, upload = await archive(school), await begun(school)
    objects, before = await stored_objects(school.store.objects), await archive_files(school)
    assert await rewrap_keys(school.store, now(school)) == 0
    assert await kinds(school, "key_change") == []
    current = rotate_root(school)
    assert await keys_left(school.store) == KeysLeft(3, 0)
    assert await rewrap_keys(school.store, now(school)) == 3
    assert await root_key_uses(school.store) == {current: KeyUse(2, 1)}
    after = await archive_files(school)
    assert [file.key_version for file in after] == [1, 1]
    assert {file.wrapped_key for file in before}.isdisjoint(file.wrapped_key for file in after)
    assert await stored_objects(school.store.objects) == objects
    await assert_readable(school, held)
    row = await school.store.database.mongo["scan_uploads"].find_one({"_id": upload.id})
    rewrapped = Upload.model_validate(row)
    assert await unwrap_upload_key(school.store, rewrapped.wrapped, upload.id) == await unwrap_upload_key(
        school.store, upload.wrapped, upload.id
    )
    assert await kinds(school, "archive_file:rewrap") == ["archive_file:rewrap"] * 2
    assert await kinds(school, "key_change") == [
        "key_change:begin",
        "key_change:finish",
        "key_change:rewrap_upload",
    ]
    assert await told_director(school) == ["key_change:finished"]
    assert await rewrap_keys(school.store, now(school)) == 0
    await assert_sound(school)


async def test_neither_database_nor_bucket_nor_log_holds_a_key(
    school: School, capfd: pytest.CaptureFixture[str]
) -> None:
    held, upload = await archive(school), await begun(school)
    opened = [await unwrap_upload_key(school.store, upload.wrapped, upload.id)]
    opened += [await keys_module.archive_file_key(school.store, file) for file in await archive_files(school)]
    rotate_root(school)
    await rewrap_keys(school.store, now(school))
    await order_file_key_rotation(school.store)
    await rotate_keys(school.store, now(school))
    opened += [await keys_module.archive_file_key(school.store, file) for file in await archive_files(school)]
    opened += [await scan_data_key(school.store, scan) for scan in held]
    opened += [key.key for key in Keyring.load(school.store.settings.keyring_file).scans]
    stored = [bson.encode({"rows": rows}) for rows in (await school.documents()).values()]
    stored += await stored_bytes(school.store.objects)
    # Entries say of their fields what they say in the clear to those who may read them.
    entries = await school.store.database.mongo["audit_entries"].find().to_list()
    told = [repr(await school.store.cipher.decrypt(entry["sealed"])) for entry in entries]
    written = "\n".join([*told, *capfd.readouterr()])
    assert "root_key_id" in written
    assert len(opened) == 10
    for secret in opened:
        assert not any(secret in content for content in stored)
        assert secret.hex() not in written and repr(secret)[2:-1] not in written


async def test_a_round_is_bounded_and_the_next_goes_on(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await archive(school)
    rotate_root(school)
    monkeypatch.setattr(rotation, "_SECONDS_OF_A_ROUND", 0.0)
    assert await rewrap_keys(school.store, now(school)) == 0
    assert await keys_left(school.store) == KeysLeft(2, 0)
    assert await told_director(school) == []
    monkeypatch.undo()
    assert await rewrap_keys(school.store, now(school)) == 2
    assert await kinds(school, "key_change:begin") == ["key_change:begin"]
    await assert_readable(school, held)


async def test_a_root_key_rotated_again_meanwhile_ends_both_changes(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive(school)
    rotate_root(school)
    monkeypatch.setattr(rotation, "_SECONDS_OF_A_ROUND", 0.0)
    await rewrap_keys(school.store, now(school))
    monkeypatch.undo()
    current = rotate_root(school)
    assert await rewrap_keys(school.store, now(school)) == 2
    assert await root_key_uses(school.store) == {current: KeyUse(2, 0)}
    changes = await school.store.database.collection(KeyChange).find().to_list()
    assert [change["finished_at"] is None for change in changes] == [False, False]


async def test_workers_at_once_do_each_thing_once(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease keeps them apart, but for one that overslept it."""
    held = await archive(school)
    monkeypatch.setattr(rotation, "_SECONDS_OF_A_ROUND", 0.0)
    rotate_root(school)
    await rewrap_keys(school.store, now(school))
    await order_file_key_rotation(school.store)
    monkeypatch.undo()
    for job in (rewrap_keys, rotate_keys):
        done = sum(await asyncio.gather(*(job(school.store, now(school)) for _ in range(4))))
        # Where all four gave way on one, the next round has it.
        assert done + await job(school.store, now(school)) == 2
    assert await keys_left(school.store) == KeysLeft(0, 0)
    assert [file.key_version for file in await archive_files(school)] == [2, 2]
    assert await told_director(school) == ["key_change:finished"] * 2
    await assert_readable(school, held)
    await assert_sound(school)


async def test_what_is_left_is_measured(school: School) -> None:
    await archive(school)
    rotate_root(school)
    await order_file_key_rotation(school.store)
    for left in (2.0, 0.0):
        assert await measure_keys(school.store, now(school)) == 0
        for of in ("root", "file"):
            assert REGISTRY.get_sample_value("registrar_keys_to_rewrap", {"rotation": of}) == left
        await rewrap_keys(school.store, now(school))
        await rotate_keys(school.store, now(school))


async def test_archive_files_get_new_keys_and_no_file_is_touched(school: School) -> None:
    held = await archive(school)
    objects, before = await stored_objects(school.store.objects), await archive_files(school)
    wrapped = [row["wrapped_data_key"] async for row in school.store.database.collection(Scan).find()]
    assert await rotate_keys(school.store, now(school)) == 0
    await asyncio.sleep(0.002)
    await order_file_key_rotation(school.store)
    with pytest.raises(RegistrarError) as twice:
        await order_file_key_rotation(school.store)
    assert twice.value.code is ErrorCode.WRONG_STATE
    assert await keys_left(school.store) == KeysLeft(0, 2)
    assert await rotate_keys(school.store, now(school)) == 2
    assert await keys_left(school.store) == KeysLeft(0, 0)
    after = await archive_files(school)
    assert [(file.key_version, file.scan_count) for file in after] == [(2, 1), (2, 2)]
    for one, other in zip(before, after, strict=True):
        first, second = [await keys_module.archive_file_key(school.store, file) for file in (one, other)]
        assert first != second
    assert await stored_objects(school.store.objects) == objects
    async for row in school.store.database.collection(Scan).find():
        assert row["wrapped_data_key"] not in wrapped
    await assert_readable(school, held)
    assert await kinds(school, "scan:rewrap") == ["scan:rewrap"] * 3
    assert await kinds(school, "archive_file:rotate") == ["archive_file:rotate_key"] * 2
    assert await told_director(school) == ["key_change:finished"]
    assert await rotate_keys(school.store, now(school)) == 0
    await order_file_key_rotation(school.store)
    await assert_sound(school)


async def test_a_scan_whose_key_is_gone_stays_without_one(school: School) -> None:
    held = await archive(school)
    scan_id = next(iter(held))
    scans = school.store.database.collection(Scan)
    await scans.update_one({"_id": scan_id}, {"$set": {"wrapped_data_key": None}})
    await order_file_key_rotation(school.store)
    assert await rotate_keys(school.store, now(school)) == 2
    row = await scans.find_one({"_id": scan_id})
    assert row is not None and row["wrapped_data_key"] is None
    with pytest.raises(LookupError):
        await scan_data_key(school.store, scan_id)


async def rotate_one(store: Store, key: ObjectId) -> int:
    async def work(unit: UnitOfWork) -> int:
        held = await unit.load(ArchiveFile, key)
        assert held is not None
        return await rotate_archive_file_key(unit, held)

    return await governed_transaction(store, CLOCK, "archive_file.rotate_key", work)


async def test_filing_meets_a_rotation_after_it_wrapped_its_key(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await archive(school)
    student = await school.student()
    key = (await keys_module.read_archive_file(school.store, student.key)).key  # type: ignore[union-attr]
    tries, perform = 0, operations.perform

    async def rotates_first(*told: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            assert await rotate_one(school.store, key) == 1
        return await perform(*told, **options)

    monkeypatch.setattr(operations, "perform", rotates_first)
    content = pdf(500)
    scan = await file_for(school, 0, content)
    assert tries == 2
    await assert_readable(school, held | {scan.key: content})


async def test_a_rotation_meets_a_filing_after_it_looked_at_the_archive_file(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, content = await archive(school), pdf(500)
    student = await school.student()
    key = (await keys_module.read_archive_file(school.store, student.key)).key  # type: ignore[union-attr]
    filed: list[ObjectId] = []
    wrap_anew = keys_module._wrap_anew

    async def files_first(*told: Any) -> WrappedKey:
        if not filed:
            filed.append((await file_for(school, 0, content)).key)
        return await wrap_anew(*told)

    monkeypatch.setattr(keys_module, "_wrap_anew", files_first)
    assert await rotate_one(school.store, key) == 2
    await assert_readable(school, held | {filed[0]: content})


async def test_whoever_reads_meets_a_rotation_between_its_two_looks(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await archive(school)
    scan_id = next(iter(held))
    read, before = keys_module.read_archive_file, await scan_data_key(school.store, scan_id)
    looks = 0

    async def rotates_first(store: Store, student_id: ObjectId) -> ArchiveFile | None:
        nonlocal looks
        looks += 1
        found = await read(store, student_id)
        assert found is not None
        if looks == 1:
            await rotate_one(store, found.key)
        return await read(store, student_id)

    monkeypatch.setattr(keys_module, "read_archive_file", rotates_first)
    assert await scan_data_key(school.store, scan_id) == before
    assert looks == 2


async def test_scans_are_filed_and_read_while_all_keys_are_rotated(school: School) -> None:
    held, over = await archive(school), asyncio.Event()
    rotations = 0

    async def rotating() -> None:
        nonlocal rotations
        while not over.is_set():
            rotate_root(school)
            await rewrap_keys(school.store, now(school))
            await order_file_key_rotation(school.store)
            rotations += await rotate_keys(school.store, now(school))
            while (await keys_left(school.store)).of_archive_files:
                rotations += await rotate_keys(school.store, now(school))

    async def filing(position: int) -> None:
        for _ in range(6):
            content = pdf(300)
            held[(await file_for(school, position, content)).key] = content

    async def reading() -> None:
        scan = next(iter(held))
        expected = await scan_data_key(school.store, scan)
        while not over.is_set():
            assert await scan_data_key(school.store, scan) == expected

    background = [asyncio.create_task(rotating()), asyncio.create_task(reading())]
    try:
        await asyncio.gather(filing(0), filing(1), filing(1))
    finally:
        over.set()
    await asyncio.gather(*background)
    assert rotations > 2
    await assert_readable(school, held)
    assert [file.scan_count for file in await archive_files(school)] == [7, 14]
    await assert_sound(school)


async def test_a_key_that_does_not_open_keeps_no_other_waiting_and_is_told(school: School) -> None:
    held = await archive(school)
    broken = (await archive_files(school))[0]
    files = school.store.database.collection(ArchiveFile)
    await files.update_one({"_id": broken.key}, {"$set": {"wrapped_key": bytes(60)}})
    rotate_root(school)
    with pytest.raises(RotationStuckError, match=f"1 keys .*{broken.key}"):
        await rewrap_keys(school.store, now(school))
    assert await keys_left(school.store) == KeysLeft(1, 0)
    assert await told_director(school) == []
    with pytest.raises(RotationStuckError):
        await order_file_key_rotation(school.store)
        await rotate_keys(school.store, now(school))
    assert [file.key_version for file in await archive_files(school)] == [1, 2]
    await files.update_one({"_id": broken.key}, {"$set": {"wrapped_key": broken.wrapped_key}})
    assert await rewrap_keys(school.store, now(school)) == 1
    assert await rotate_keys(school.store, now(school)) == 1
    await assert_readable(school, held)


async def test_what_was_wrapped_wrongly_replaces_nothing(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await archive(school)
    before = await archive_files(school)
    rotate_root(school)
    wrap = school.store.root_keys.wrap

    async def wrongly(key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
        return await wrap(bytes(32), purpose, owner)

    monkeypatch.setattr(school.store.root_keys, "wrap", wrongly)
    await order_file_key_rotation(school.store)
    for job in (rewrap_keys, rotate_keys):
        with pytest.raises(RotationStuckError):
            await job(school.store, now(school))
    assert await archive_files(school) == before
    await assert_readable(school, held)


async def test_without_the_provider_nothing_changes_and_it_goes_on_later(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive(school)
    rotate_root(school)
    await order_file_key_rotation(school.store)
    before = await archive_files(school)

    async def sealed(*_: object) -> bytes:
        raise RootKeysUnavailableError("Vault does not answer")

    monkeypatch.setattr(school.store.root_keys, "unwrap", sealed)
    for job in (rewrap_keys, rotate_keys):
        with pytest.raises(RootKeysUnavailableError):
            await job(school.store, now(school))
    assert await archive_files(school) == before
    scan = (await school.store.database.collection(Scan).find().to_list())[0]
    with pytest.raises(RegistrarError) as reading:
        await read_whole(school, Scan.model_validate(scan))
    assert reading.value.code is ErrorCode.TRY_AGAIN
    monkeypatch.undo()
    assert await rewrap_keys(school.store, now(school)) == 2


async def test_a_root_key_in_use_is_not_retired(school: School) -> None:
    held, upload = await archive(school), await begun(school)
    first = (await archive_files(school))[0].root_key_id
    assert await retire_root_keys(school.store) == []
    rotate_root(school)
    with pytest.raises(RootKeysInUseError) as in_use:
        await retire_root_keys(school.store)
    assert in_use.value.uses == {first: KeyUse(2, 1)}
    await rewrap_keys(school.store, now(school))
    with pytest.raises(KeyringError, match="minutes ago"):
        await retire_root_keys(school.store)
    assert await kinds(school, "key_change:retire") == []

    class Later(Clock):
        def now(self) -> datetime:
            return super().now() + timedelta(hours=1)

    later = replace(school.store, clock=Later())
    assert await retire_root_keys(later) == [first]
    assert await kinds(school, "key_change:retire") == ["key_change:retire_root_keys"]
    assert [key.id for key in Keyring.load(school.store.settings.keyring_file).scans] != [first]
    await assert_readable(school, held)
    with pytest.raises(DamagedScanError, match=first):
        await unwrap_upload_key(school.store, upload.wrapped, upload.id)
    await assert_sound(school)


@pytest.mark.parametrize(("act", "job"), [("rewrap", rewrap_keys), ("rotate", rotate_keys)])
async def test_killed_at_any_command_nothing_is_lost_and_it_goes_on(
    school: School, stack: EmbeddedStack, act: str, job: Job
) -> None:
    store, held = school.store, await archive(school)
    opened = {scan: await scan_data_key(store, scan) for scan in held}
    rotate_root(school)
    if act == "rotate":
        await order_file_key_rotation(store)
    else:
        await begun(school)
    before, kills = await school.documents(), 0
    settings = json.loads((stack.directory / "dev-settings.json").read_text())
    with mortal_process(settings | {"keyring_file": str(store.settings.keyring_file)}) as act_until:
        for moment in MOMENTS:
            at = 1
            while True:
                await school.restore(before)
                if not await act_until(act, {"viewer": "archive"}, at, moment):
                    break
                at += 1
                # What the dead process had open would be ended by the server after a minute.
                await store.database.client.admin.command("killAllSessions", [])
                assert {scan: await scan_data_key(store, scan) for scan in held} == opened, (moment, at)
                kills += 1
                await job(store, now(school))
                left = await keys_left(store)
                assert (left.under_older_root_keys if act == "rewrap" else left.of_archive_files) == 0
                assert {scan: await scan_data_key(store, scan) for scan in held} == opened, (moment, at)
                assert await told_director(school) == ["key_change:finished"], (moment, at)
                await assert_sound(school)
            assert await told_director(school) == ["key_change:finished"]
            await assert_readable(school, held)
    assert kills > 30
