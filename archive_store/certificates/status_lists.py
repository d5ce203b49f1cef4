"""Status lists (Bitstring Status List v1.0): places for what is signed, and the signed list of what has ended."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import date

import orjson

from archive_store.certificates.credentials import LIST_ENTRIES, status_list_credential
from archive_store.certificates.rules import RULE
from archive_store.foundation.clock import school_day
from archive_store.foundation.credential_keys import CredentialKey
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import UnitOfWork

# A list is left when it is half full, so that a free place is found by drawing.
_LIST_FILL = LIST_ENTRIES // 2
_MOST_LISTS = 10_000
VALID = "VALID"


def signing(store: Store) -> tuple[str, CredentialKey]:
    """The public address and the key that sign. WRONG_STATE where the installation has none."""
    if store.settings.public_url is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, rule=RULE, state="NO_PUBLIC_URL")
    if store.keyring.credential is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, rule=RULE, state="NO_CREDENTIAL_KEY")
    return store.settings.public_url, store.keyring.credential


async def draw_places(unit: UnitOfWork, record_type: type[Record], count: int) -> list[tuple[int, int]]:
    """Free places, list and index, drawn, so that they do not tell in which order the records were made.

    The records have `status_list`, `status_index` and `state`.
    """
    collection = unit.store.database.collection(record_type)
    held = await collection.count_documents({}, session=unit.session)
    number = held // _LIST_FILL + 1
    drawn: set[int] = set()
    while len(drawn) < count:
        more = {secrets.randbelow(LIST_ENTRIES) for _ in range(count - len(drawn))}
        query = {"status_list": number, "status_index": {"$in": sorted(more)}}
        rows = await collection.find(query, {"status_index": 1}, session=unit.session).to_list()
        drawn |= more - {row["status_index"] for row in rows}
    places = [(number, index) for index in drawn]
    secrets.SystemRandom().shuffle(places)
    return places


@dataclass(frozen=True, slots=True)
class SignedList:
    """A signed list as JSON text, how many of it have ended, the day it was signed, and a tag (ETag) of its own."""

    ended: int
    day: date
    body: bytes
    tag: str


@dataclass(slots=True)
class StatusLists:
    """The lists of one type of record, signed once a day and kept until another record of the list ends.

    What has ended stays so. Hence the number of those that have, asked of the store each time, tells whether the list
    kept is that of now, whichever process ended one.
    """

    record_type: type[Record]
    path: str
    _kept: dict[int, SignedList] = field(default_factory=dict)

    async def read(self, store: Store, number: str) -> SignedList:
        """The list of that number (from 1 on); NOT_FOUND of one that is not begun."""
        public_url, key = signing(store)
        if not (
            number.isascii() and number.isdigit() and len(number) <= 5 and 1 <= int(number) <= _MOST_LISTS
        ):
            raise RegistrarError(ErrorCode.NOT_FOUND)
        collection, place = store.database.collection(self.record_type), int(number)
        if place > 1 and await collection.find_one({"status_list": place}, {"_id": 1}) is None:
            raise RegistrarError(ErrorCode.NOT_FOUND)
        query: Row = {"status_list": place, "state": {"$ne": VALID}}
        kept = self._kept.get(place)
        today = school_day(store.clock.now())
        if kept is not None and kept.day == today and kept.ended == await collection.count_documents(query):
            return kept
        rows = await collection.find(query, {"status_index": 1}, limit=LIST_ENTRIES).to_list()
        signed = status_list_credential(
            public_url,
            key,
            lists=self.path,
            status_list=place,
            ended=[row["status_index"] for row in rows],
            at=store.clock.now(),
        )
        body = orjson.dumps(signed)
        made = SignedList(len(rows), today, body, hashlib.sha256(body).hexdigest())
        self._kept[place] = made
        return made
