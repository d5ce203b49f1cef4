"""The MongoDB replica set: connection, indexes, and transactions that are retried as the driver advises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import bson
from beanie import init_beanie
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from archive_store.foundation.records import Record

Row = dict[str, Any]
Result = TypeVar("Result")


class Database:
    """One database of a replica set. Rows come out as plain dicts, times as aware UTC."""

    def __init__(self, mongodb_url: str, name: str) -> None:
        self.client: AsyncMongoClient[Row] = AsyncMongoClient(
            mongodb_url, tz_aware=True, serverSelectionTimeoutMS=5_000, appname="registrar"
        )
        self.mongo: AsyncDatabase[Row] = self.client[name]

    async def prepare(self, record_types: Sequence[type[Record]]) -> None:
        """Bind the models and apply their indexes; safe to run at every start."""
        await init_beanie(database=self.mongo, document_models=list(record_types))

    def collection(self, record_type: type[Record]) -> AsyncCollection[Row]:
        name = record_type.Settings.name
        return self.mongo[name]

    def whatever_is_stored(self, name: str) -> AsyncCollection[Row]:
        """A collection as somebody else may have written it: what Python has no value for is no error of the reading.

        Dates out of range are numbers then, and text that is not UTF-8 is replaced.
        """
        options = self.mongo.codec_options.with_options(
            datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
        )
        return self.mongo.get_collection(name, codec_options=options)

    async def stored_rows(
        self, name: str, session: AsyncClientSession, *, sort: list[tuple[str, Any]] | None = None
    ) -> AsyncIterator[tuple[Row, bool]]:
        """All rows, as `whatever_is_stored` reads them, and of each whether it has no field twice.

        Of a field that is there twice the server looks at the first, and a driver shows the last.
        """
        options = self.whatever_is_stored(name).codec_options
        raw = self.mongo.get_collection(name, codec_options=CodecOptions(RawBSONDocument))
        found = raw.find(session=session)
        async for stored in found.sort(sort) if sort else found:
            data = stored.raw  # type: ignore[attr-defined]
            row: Row = bson.decode(data, options)
            yield row, len(bson.encode(row)) == len(data)

    async def transaction(self, work: Callable[[AsyncClientSession], Awaitable[Result]]) -> Result:
        """Run `work` in one transaction; it may run again, so it has no effect outside the session."""
        async with self.client.start_session() as session:
            return await self.transaction_of(session, work)

    async def transaction_of(
        self, session: AsyncClientSession, work: Callable[[AsyncClientSession], Awaitable[Result]]
    ) -> Result:
        """As `transaction`, in a session that is open."""
        return await session.with_transaction(
            work,
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority"),
        )

    async def kill_session(self, session_id: Any) -> None:
        """End the session of a process that may be dead, with what its transaction has locked."""
        await self.client.admin.command("killSessions", [{"id": session_id}])

    async def ping(self) -> None:
        await self.client.admin.command("ping")

    async def close(self) -> None:
        await self.client.close()
