"""Buckets and packages that somebody else has written to."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from api.cli.package_files import read_history, require_bag
from archive_store.preservation import jobs
from archive_store.preservation.packages import DamagedPackageError
from tests.preservation.archive import file_paper, run_job, scan_of, set_scan, versions
from tests.preservation.test_holds import hold
from tests.school import School


async def test_a_delete_marker_keeps_no_hold_from_the_objects_themselves(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses a hold or lock on a marker (405), of which SeaweedFS is silent. Whoever may write to the bucket can
    put one, or lay a version beside; what comes after it in the list is not held, for good."""
    from archive_store.foundation.object_store import ObjectMissingError, ObjectStore

    key = await file_paper(school)
    objects, before = school.store.objects, await versions(school.store, key)
    for name in {name for name, _ in before}:
        objects._client.remove_object(objects.bucket, name)  # no version: a marker
    tell = ObjectStore.hold

    async def as_s3(self: ObjectStore, name: str, version: str, *, is_held: bool) -> None:
        if (name, version) not in before:
            raise ObjectMissingError("MethodNotAllowed")
        await tell(self, name, version, is_held=is_held)

    monkeypatch.setattr(ObjectStore, "hold", as_s3)
    await hold(school, key)
    await run_job(school.store, "scan.hold_objects")
    assert not (await scan_of(school, key)).is_store_hold_due
    for name, version in before:
        assert objects._client.is_object_legal_hold_enabled(objects.bucket, name, version_id=version)


async def test_what_the_bucket_refuses_keeps_no_other_scan_waiting(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job looks at the first AT_ONCE by id each time: as many that always fail starve all others."""
    from archive_store.foundation.object_store import ObjectStore, ObjectStoreError

    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    keys = [await file_paper(school) for _ in range(3)]
    lock = ObjectStore.lock

    async def refuses(self: ObjectStore, key: str, *told: Any) -> None:
        if str(keys[2]) not in key:
            raise ObjectStoreError("AccessDenied")
        await lock(self, key, *told)

    monkeypatch.setattr(ObjectStore, "lock", refuses)
    for key in keys:
        await set_scan(school, key, locked_until=None)
    for _ in range(4):
        await run_job(school.store, "scan.lock_objects")
    assert (await scan_of(school, keys[2])).locked_until is not None


def test_a_package_writes_nothing_to_the_terminal_but_text(tmp_path: Path) -> None:
    (tmp_path / "x\x1b]0;owned\x07\x1b[2J").touch()
    with pytest.raises(DamagedPackageError) as caught:
        require_bag(tmp_path)
    assert str(caught.value).isprintable()


def test_a_history_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "history.json").write_text("[" * 200_000)
    with pytest.raises(DamagedPackageError):
        read_history(tmp_path)


@pytest.mark.parametrize("stripped", ["the checkpoint", "the proofs"])
def test_with_the_schools_key_a_package_of_which_the_proofs_were_taken_out_does_not_pass(
    stripped: str,
) -> None:
    """The receiver gives --key to have the log's signature checked; who forged the package leaves it out."""
    from api.cli.package_proofs import check_proofs
    from archive_store.foundation.signed_notes import CheckpointKey
    from tests.preservation.test_packages import sound

    key = CheckpointKey("school.example", bytes(32), "")
    # The checkpoint is genuine, and any school publishes it; the entry at 7, which the package tells, is under it.
    root = base64.b64encode(bytes(32)).decode()
    note = key.sign(f"school.example\n100\n{root}\n")
    history: dict[str, Any] = {"checkpoint": None if stripped == "the checkpoint" else note, "proofs": []}
    assert check_proofs(history, sound().package, key.verifier_key).passed is False


@pytest.mark.parametrize("events", ["none", "of no place in the log", "later than the checkpoint"])
def test_with_the_key_a_history_of_which_nothing_is_proven_is_not_told_as_passed(events: str) -> None:
    """Beside a genuine checkpoint: without an entry under it the check was not done, or failed; it did not pass."""
    from dataclasses import replace

    from api.cli.package_proofs import check_proofs
    from archive_store.foundation.signed_notes import CheckpointKey
    from tests.preservation.test_packages import sound

    key, package = CheckpointKey("school.example", bytes(32), ""), sound().package
    note = key.sign(f"school.example\n100\n{base64.b64encode(bytes(32)).decode()}\n")
    place = None if events == "of no place in the log" else 100
    told = () if events == "none" else tuple(replace(e, log_index=place) for e in package.scans[0].events)
    package = replace(package, scans=(replace(package.scans[0], events=told),))
    assert check_proofs({"checkpoint": note, "proofs": []}, package, key.verifier_key).passed is not True
