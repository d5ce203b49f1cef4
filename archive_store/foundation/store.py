"""`Store`: the parts that every query, operation and job is handed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from archive_store.foundation.clock import Clock
from archive_store.foundation.database import Database
from archive_store.foundation.field_cipher import FieldCipher
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.root_keys import RootKeys
from archive_store.foundation.settings import Settings


@dataclass(frozen=True)
class Store:
    """An open archive store. `operations` is the table from name to `approvals.operation.Operation`."""

    settings: Settings
    database: Database
    cipher: FieldCipher
    objects: ObjectStore
    keyring: Keyring
    root_keys: RootKeys
    clock: Clock
    operations: Mapping[str, Any]
    versions_seen: dict[type, Any] = field(default_factory=dict)  # see versioned.py


# Work that is due at a time, not asked for by anybody. It does what is due now, in transactions that may be interrupted
# between any two and done again, and returns how many things it did.
Job = Callable[[Store, datetime], Awaitable[int]]
