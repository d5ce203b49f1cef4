"""Places of uploads: each holds a thread and some megabytes for as long as its sender likes.

Where none is free the answer is TRY_AGAIN at once; who waits would hold a connection and learn nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from bson import ObjectId

from archive_store.foundation.errors import ErrorCode, RegistrarError

PLACES = 16
PLACES_OF_A_PERSON = 4
_taken: Counter[ObjectId] = Counter()


@contextmanager
def upload_place(person_id: ObjectId) -> Iterator[None]:
    """Hold a place for one upload of the person; TRY_AGAIN where all are taken, or all that one person may have."""
    if _taken[person_id] >= PLACES_OF_A_PERSON or _taken.total() >= PLACES:
        raise RegistrarError(ErrorCode.TRY_AGAIN)
    _taken[person_id] += 1
    try:
        yield
    finally:
        _taken[person_id] -= 1
        if not _taken[person_id]:
            del _taken[person_id]
