"""Rotation: keys are wrapped anew in the background, each in a transaction of its own, and no file is touched.

What is left to do is a query, so whoever is interrupted goes on. A key that does not open keeps no other waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.root_keys import RootKeysUnavailableError
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, INSTALLATION, FieldChange, Subject, UnitOfWork
from archive_store.scans.documents import ArchiveFile
from archive_store.scans.encryption import DamagedScanError
from archive_store.scans.key_changes import (
    KeyChange,
    KeyChangeKind,
    begin_change,
    finish_change,
    record_retirement,
    unfinished,
)
from archive_store.scans.keys import rewrap_archive_file_key, rewrap_upload_key, rotate_archive_file_key
from archive_store.scans.upload_documents import UPLOADS, Upload

# Of one round of a job; other jobs wait for it.
_SECONDS_OF_A_ROUND = 2.0


class RotationStuckError(Exception):
    """Some keys do not open, so they cannot be wrapped anew; the others were."""


class RootKeysInUseError(Exception):
    """Something is still wrapped by root keys that were to be retired. `uses` is by root key id."""

    def __init__(self, uses: dict[str, KeyUse]) -> None:
        self.uses = uses
        super().__init__("root keys are in use")


@dataclass(slots=True)
class KeyUse:
    """How much a root key wraps."""

    archive_files: int = 0
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class KeysLeft:
    """How many keys are still to be wrapped anew: those under older root keys, and archive files' own."""

    under_older_root_keys: int
    of_archive_files: int


async def rewrap_keys(store: Store, now: datetime) -> int:
    """The job `archive_file.rewrap`: wrap what lies under older root keys under the current one; how many.

    RootKeysUnavailableError, RotationStuckError.
    """
    current = await store.root_keys.current_id()
    older, kind = _under_older(current), KeyChangeKind.ROOT_KEY_ROTATED
    change = await unfinished(store, kind, [current])
    if change is None:
        if not await _is_left(store, older):
            return 0
        change = await begin_change(store, CLOCK, kind, [current])
    change_key = change.key

    async def rewrap_file(unit: UnitOfWork, key: ObjectId) -> bool:
        held = await unit.load(ArchiveFile, key)
        return held is not None and await rewrap_archive_file_key(unit, held)

    async def rewrap_upload(unit: UnitOfWork, key: ObjectId) -> bool:
        return await _rewrap_upload(unit, {"_id": key, **older}, Subject(KeyChange.subject_type, change_key))

    round_ = _Round(store, "archive_file.rewrap")
    await round_.each(store.database.collection(ArchiveFile).find(older, {"_id": 1}), rewrap_file)
    await round_.each(store.database.mongo[UPLOADS].find(older, {"_id": 1}), rewrap_upload)
    if not await _is_left(store, older):
        # Those to root keys that were replaced meanwhile are over as well: nothing is left for them to do.
        while (over := await unfinished(store, kind)) is not None:
            await finish_change(store, over)
    return round_.ended()


async def rotate_keys(store: Store, now: datetime) -> int:
    """The job `archive_file.rotate_keys`: give archive files new keys, if `order_file_key_rotation` asked; how many.

    RootKeysUnavailableError, RotationStuckError.
    """
    change = await unfinished(store, KeyChangeKind.FILE_KEYS_ROTATED)
    if change is None:
        return 0
    older = _made_before(change)

    async def rotate(unit: UnitOfWork, key: ObjectId) -> bool:
        row = await store.database.collection(ArchiveFile).find_one(
            {"_id": key, **older}, session=unit.session
        )
        if row is None:
            return False
        await rotate_archive_file_key(unit, await unit.decrypted(ArchiveFile, row))
        return True

    round_ = _Round(store, "archive_file.rotate_key")
    archive_files = store.database.collection(ArchiveFile)
    await round_.each(archive_files.find(older, {"_id": 1}), rotate)
    if await archive_files.find_one(older, {"_id": 1}) is None:
        await finish_change(store, change)
    return round_.ended()


async def order_file_key_rotation(store: Store) -> KeyChange:
    """Have each archive file given a new key by the worker. WRONG_STATE while that is being done."""
    return await begin_change(store, INSTALLATION, KeyChangeKind.FILE_KEYS_ROTATED, [])


async def keys_left(store: Store) -> KeysLeft:
    """RootKeysUnavailableError."""
    older = _under_older(await store.root_keys.current_id())
    archive_files = store.database.collection(ArchiveFile)
    change = await unfinished(store, KeyChangeKind.FILE_KEYS_ROTATED)
    under_older = await archive_files.count_documents(older)
    under_older += await store.database.mongo[UPLOADS].count_documents(older)
    own = 0 if change is None else await archive_files.count_documents(_made_before(change))
    return KeysLeft(under_older, own)


async def root_key_uses(store: Store) -> dict[str, KeyUse]:
    """What lies under each root key."""
    uses: dict[str, KeyUse] = {}
    for name, of_what in ((ArchiveFile.Settings.name, "archive_files"), (UPLOADS, "uploads")):
        steps: list[Row] = [
            {"$match": {"root_key_id": {"$ne": None}}},
            {"$group": {"_id": "$root_key_id", "count": {"$sum": 1}}},
        ]
        async for row in await store.database.mongo[name].aggregate(steps):
            setattr(uses.setdefault(row["_id"], KeyUse()), of_what, row["count"])
    return dict(sorted(uses.items()))


async def retire_root_keys(store: Store) -> list[str]:
    """Forget the keyring's older root keys of scans, recording it first; their ids.

    RootKeysInUseError while anything is wrapped by them; KeyringError minutes after a rotation.
    """
    file, now = store.settings.keyring_file, store.clock.now()
    keyring = await asyncio.to_thread(Keyring.load, file)
    older = [key.id for key in keyring.scans[:-1]]
    if not older:
        return []
    uses = await root_key_uses(store)
    if in_use := {key_id: uses[key_id] for key_id in older if key_id in uses}:
        raise RootKeysInUseError(in_use)
    keyring.check_retirable(older, now)
    await record_retirement(store, older)
    await asyncio.to_thread(Keyring.retire_scan_keys, file, older, now=now)
    return older


def _under_older(current: str) -> Row:
    return {"root_key_id": {"$nin": [current, None]}}


def _made_before(change: KeyChange) -> Row:
    # Of one that was made before that was kept, too.
    return {"key_made_at": {"$not": {"$gte": change.begun_at}}}


async def _is_left(store: Store, older: Row) -> bool:
    for name in (ArchiveFile.Settings.name, UPLOADS):
        if await store.database.mongo[name].find_one(older, {"_id": 1}) is not None:
            return True
    return False


async def _rewrap_upload(unit: UnitOfWork, whose: Row, subject: Subject) -> bool:
    store, uploads = unit.store, unit.store.database.mongo[UPLOADS]
    row = await uploads.find_one(whose, session=unit.session)
    if row is None:
        return False
    before = Upload.model_validate(row).wrapped
    after = await rewrap_upload_key(store, before, row["_id"])
    if after.root_key_id == before.root_key_id:
        return False
    await uploads.update_one(  # house-rule: an upload is no record
        {"_id": row["_id"], "wrapped_key": before.wrapped},
        {"$set": {"wrapped_key": after.wrapped, "root_key_id": after.root_key_id}},
        session=unit.session,
    )
    # An upload has no history; it is told in that of the change.
    change = FieldChange("root_key_ids", [before.root_key_id], [after.root_key_id])
    unit.audit(subject, "key_change:rewrap_upload", [change], note=str(row["_id"]))
    return True


class _Round:
    """One round of a job: a transaction for each thing, for a few seconds."""

    def __init__(self, store: Store, operation: str) -> None:
        self._store, self._operation = store, operation
        self._until = asyncio.get_running_loop().time() + _SECONDS_OF_A_ROUND
        self._done = 0
        self._stuck: list[str] = []

    async def each(
        self, found: AsyncIterator[dict[str, Any]], work: Callable[[UnitOfWork, ObjectId], Awaitable[bool]]
    ) -> None:
        async for row in found:
            key: ObjectId = row["_id"]
            if asyncio.get_running_loop().time() > self._until:
                return

            async def of_one(unit: UnitOfWork, key: ObjectId = key) -> bool:
                return await work(unit, key)

            try:
                self._done += await governed_transaction(self._store, CLOCK, self._operation, of_one)
            except RootKeysUnavailableError:
                raise
            except RegistrarError:
                # Somebody changed it meanwhile; the next round looks at it again.
                continue
            except DamagedScanError as error:
                self._stuck.append(f"{key}: {error}")

    def ended(self) -> int:
        """How many were done. RotationStuckError where some cannot be."""
        if self._stuck:
            raise RotationStuckError(f"{len(self._stuck)} keys do not open, the first of {self._stuck[0]}")
        return self._done
