"""`Store`: the parts that every query and operation is handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archive_store.foundation.clock import Clock
from archive_store.foundation.database import Database
from archive_store.foundation.field_cipher import FieldCipher
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.object_store import ObjectStore
from archive_store.foundation.settings import Settings

if TYPE_CHECKING:
    from archive_store.foundation.operation import Operation


@dataclass(frozen=True)
class Store:
    """An open archive store. `operations` is the table from operation name to handler."""

    settings: Settings
    database: Database
    cipher: FieldCipher
    objects: ObjectStore
    keyring: Keyring
    clock: Clock
    operations: Mapping[str, Operation[Any]]
