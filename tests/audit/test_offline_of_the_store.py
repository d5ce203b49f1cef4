"""What the store writes, the verifier reads: two programs from one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from archive_store.audit.documents import ENTRIES
from archive_store.audit.exports import export_history
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.store import Store
from archive_store.verifier.findings import Flaw
from archive_store.verifier.verification import verify_export
from tests.audit.test_sequencer import append

pytestmark = pytest.mark.anyio


def trusted_key(store: Store) -> str:
    assert store.keyring.checkpoint is not None
    return store.keyring.checkpoint.verifier_key


async def test_an_export_of_the_store_is_sound(empty_store: Store, tmp_path: Path) -> None:
    """And goes on soundly from its older self."""
    subjects = [ObjectId() for _ in range(90)]
    for _ in range(3):
        await append(empty_store, *subjects)
    await sequence_entries(empty_store, seconds=60)
    await export_history(empty_store, tmp_path / "older")
    await append(empty_store, *subjects[:50])
    await sequence_entries(empty_store, seconds=60)
    await export_history(empty_store, tmp_path / "export")
    older = ("older", (tmp_path / "older" / "checkpoint").read_bytes())
    report = verify_export(tmp_path / "export", trusted_key(empty_store), [older])
    assert (report.sound, report.findings) == (True, [])
    assert (report.entries, report.subjects) == (320, 90)
    assert [each.agrees for each in report.checkpoints] == [True]
    newer = ("newer", (tmp_path / "export" / "checkpoint").read_bytes())
    set_back = verify_export(tmp_path / "older", trusted_key(empty_store), [newer])
    assert [(f.flaw, f.first, f.last) for f in set_back.findings] == [(Flaw.TRUNCATED, 270, 319)]


async def test_an_export_after_rotation_is_sound_by_either_key(empty_store: Store, tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    made = Keyring.create(file, origin="school.example/log")
    before = replace(empty_store, keyring=replace(made, audit=empty_store.keyring.audit))
    await append(before, ObjectId())
    await sequence_entries(before)
    await export_history(before, tmp_path / "older")
    rotated = Keyring.rotate_checkpoint_key(file)
    after = replace(before, keyring=replace(rotated, audit=before.keyring.audit))
    await append(after, ObjectId())
    await sequence_entries(after)
    await export_history(after, tmp_path / "export")
    older = ("older", (tmp_path / "older" / "checkpoint").read_bytes())
    for key in (trusted_key(before), trusted_key(after)):
        assert verify_export(tmp_path / "export", key, [older]).sound
    assert not verify_export(tmp_path / "older", trusted_key(after)).sound


async def test_an_entry_changed_in_the_database_is_named_in_the_export(
    empty_store: Store, tmp_path: Path
) -> None:
    """The export is written as it is stored; who has the database but no signing key is found out."""
    subject = ObjectId()
    await append(empty_store, *([subject] * 5))
    await sequence_entries(empty_store)
    entries = empty_store.database.mongo[ENTRIES]
    await entries.update_one({"subject_id": subject, "sequence": 3}, {"$set": {"actor_name": "Mallory"}})
    await export_history(empty_store, tmp_path / "changed")
    await entries.delete_one({"subject_id": subject, "sequence": 3})
    await export_history(empty_store, tmp_path / "missing")
    for name, flaw in (("changed", Flaw.CHANGED), ("missing", Flaw.MISSING)):
        (finding,) = verify_export(tmp_path / name, trusted_key(empty_store)).findings
        assert (finding.flaw, finding.first, finding.sequence) == (flaw, 2, 3)
        assert (finding.subject or "").endswith(f":{subject}")


async def test_what_python_cannot_read_in_the_database_is_exported_and_named(
    empty_store: Store, tmp_path: Path
) -> None:
    """Else whoever writes to the database could keep the history from ever being exported."""
    subject = ObjectId()
    await append(empty_store, *([subject] * 3))
    await sequence_entries(empty_store)
    entries = empty_store.database.mongo[ENTRIES]
    no_date = DatetimeMS(2**62)
    await entries.update_one({"subject_id": subject, "sequence": 2}, {"$set": {"at": no_date}})
    await export_history(empty_store, tmp_path / "export")
    (finding,) = verify_export(tmp_path / "export", trusted_key(empty_store)).findings
    assert (finding.flaw, finding.first) == (Flaw.MALFORMED, 1)
