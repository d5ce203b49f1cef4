"""Holding an upload: one request or job at a time works on it, by the clock of the MongoDB server.

Whoever was cut off and wakes late changes nothing, since each change asks that it is still the holder.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.scans.upload_documents import UPLOADS, Upload

# A holder that was killed is replaced after this time.
HOLD_SECONDS = 30.0
_RENEW_SECONDS = 10.0
IS_FREE: Row = {"$expr": {"$lte": [{"$ifNull": ["$held_until", 0]}, "$$NOW"]}}
# A client that lost its connection may come back before we notice.
_WAIT_SECONDS, _ASK_AGAIN_SECONDS = 3.0, 0.2


class HeldUpload:
    """An upload that nobody else changes meanwhile; `upload` is how it stands."""

    def __init__(self, store: Store, holder: str, upload: Upload) -> None:
        self._store = store
        self._holder = holder
        self.upload = upload

    async def change(self, values: Mapping[str, Any]) -> None:
        """Set fields by their paths; TRY_AGAIN where it is no longer held. Done again it changes nothing more."""
        update: Row = {"$set": {name: bson_value(value) for name, value in values.items()}}
        row = await self._uploads.find_one_and_update(  # house-rule: an upload is no record
            {"_id": self.upload.id, "holder": self._holder}, update, return_document=ReturnDocument.AFTER
        )
        if row is None:
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        self.upload = Upload.model_validate(row)

    async def reload(self) -> None:
        """How the upload stands after a transaction changed it; TRY_AGAIN where it is no longer held."""
        row = await self._uploads.find_one({"_id": self.upload.id, "holder": self._holder})
        if row is None:
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        self.upload = Upload.model_validate(row)

    async def forget(self) -> None:
        """Remove the upload, whose objects are gone or filed."""
        await self._uploads.delete_one(  # house-rule: an upload is no record
            {"_id": self.upload.id, "holder": self._holder}
        )

    async def renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with suppress(PyMongoError):
                await self._uploads.update_one(  # house-rule: an upload is no record
                    {"_id": self.upload.id, "holder": self._holder},
                    [{"$set": {"held_until": _end_of_hold()}}],
                )

    async def release(self) -> None:
        with suppress(PyMongoError):
            await self._uploads.update_one(  # house-rule: an upload is no record
                {"_id": self.upload.id, "holder": self._holder},
                {"$set": {"holder": None, "held_until": None}},
            )

    @property
    def _uploads(self) -> Any:
        return self._store.database.mongo[UPLOADS]


@asynccontextmanager
async def holding(
    store: Store, upload_id: ObjectId, whose: Mapping[str, Any], *, waits: bool = True
) -> AsyncIterator[HeldUpload]:
    """Hold the upload if it is one of `whose`; NOT_FOUND, or LOCKED while another works on it."""
    holder = uuid.uuid4().hex
    upload = await _hold(store, upload_id, whose, holder, _WAIT_SECONDS if waits else 0.0)
    held = HeldUpload(store, holder, upload)
    renewing = asyncio.create_task(held.renew())
    try:
        yield held
    finally:
        renewing.cancel()
        await asyncio.shield(held.release())


async def _hold(
    store: Store, upload_id: ObjectId, whose: Mapping[str, Any], holder: str, seconds: float
) -> Upload:
    uploads, mine = store.database.mongo[UPLOADS], {"_id": upload_id, **whose}
    gives_up = asyncio.get_running_loop().time() + seconds
    while True:
        row = await uploads.find_one_and_update(  # house-rule: an upload is no record
            mine | IS_FREE,
            [{"$set": {"holder": holder, "held_until": _end_of_hold()}}],
            return_document=ReturnDocument.AFTER,
        )
        if row is not None:
            return Upload.model_validate(row)
        if await uploads.find_one(mine, {"_id": 1}) is None:
            raise RegistrarError(ErrorCode.NOT_FOUND, field="upload")
        if asyncio.get_running_loop().time() >= gives_up:
            raise RegistrarError(ErrorCode.LOCKED, field="upload")
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


def _end_of_hold() -> Row:
    return {"$add": ["$$NOW", int(HOLD_SECONDS * 1000)]}
