"""Places of uploads and of readers: each holds some megabytes for as long as its sender or reader likes.

Where none is free the answer is TRY_AGAIN at once; who waits would hold a connection and learn nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError

PLACES = 16
PLACES_OF_A_PERSON = 4
# A page that shows a PDF asks for several ranges at once.
READERS = 32
READERS_OF_A_PERSON = 8
_uploading: Counter[ObjectId] = Counter()
_reading: Counter[ObjectId] = Counter()


def upload_place(person_id: ObjectId) -> AbstractContextManager[None]:
    """Hold a place for one upload of the person; TRY_AGAIN where all are taken, or all that one person may have."""
    return _place(_uploading, person_id, PLACES, PLACES_OF_A_PERSON)


def reader_place(person_id: ObjectId) -> AbstractContextManager[None]:
    """As `upload_place`, for one who reads a scan."""
    return _place(_reading, person_id, READERS, READERS_OF_A_PERSON)


@contextmanager
def _place(taken: Counter[ObjectId], person_id: ObjectId, most: int, most_of_a_person: int) -> Iterator[None]:
    if taken[person_id] >= most_of_a_person or taken.total() >= most:
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    taken[person_id] += 1
    try:
        yield
    finally:
        taken[person_id] -= 1
        if not taken[person_id]:
            del taken[person_id]
