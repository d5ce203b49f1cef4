"""Places of uploads and of readers: each holds some megabytes for as long as its sender or reader likes.

Where none is free the answer is TRY_AGAIN: to a sender at once, who would hold a connection and learn nothing; to a
reader after some seconds, since pages ask for many ranges at once, of which each is read soon.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError

PLACES = 16
PLACES_OF_A_PERSON = 4
# A page that shows a PDF asks for several ranges at once.
READERS = 32
READERS_OF_A_PERSON = 8
_READER_WAITS_SECONDS, _LOOKS_AGAIN_SECONDS = 5.0, 0.02
_uploading: Counter[ObjectId] = Counter()
_reading: Counter[ObjectId] = Counter()


def upload_place(person_id: ObjectId) -> AbstractContextManager[None]:
    """Hold a place for one upload of the person; TRY_AGAIN where all are taken, or all that one person may have."""
    return _place(_uploading, person_id, PLACES, PLACES_OF_A_PERSON)


@asynccontextmanager
async def reader_place(person_id: ObjectId) -> AsyncIterator[None]:
    """As `upload_place`, for one who reads a scan; waits for a place."""
    gives_up = asyncio.get_running_loop().time() + _READER_WAITS_SECONDS
    while _is_full(_reading, person_id, READERS, READERS_OF_A_PERSON):
        if asyncio.get_running_loop().time() >= gives_up:
            break
        await asyncio.sleep(_LOOKS_AGAIN_SECONDS)
    with _place(_reading, person_id, READERS, READERS_OF_A_PERSON):
        yield


def _is_full(taken: Counter[ObjectId], person_id: ObjectId, most: int, most_of_a_person: int) -> bool:
    return taken[person_id] >= most_of_a_person or taken.total() >= most


@contextmanager
def _place(taken: Counter[ObjectId], person_id: ObjectId, most: int, most_of_a_person: int) -> Iterator[None]:
    if _is_full(taken, person_id, most, most_of_a_person):
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    taken[person_id] += 1
    try:
        yield
    finally:
        taken[person_id] -= 1
        if not taken[person_id]:
            del taken[person_id]
