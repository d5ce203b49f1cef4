"""Leaves that are encrypted, whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
from bson.binary import Binary

from archive_store.foundation.store import Store


@pytest.mark.parametrize("value", [False, True, 0, "", "王", [], {"a": None}])
async def test_a_value_that_counts_as_nothing_is_encrypted_too(store: Store, value: Any) -> None:
    documents = [{"kept": value, "told": value}]
    await store.cipher.encrypt_paths(documents, ["kept", "absent.leaf"])
    assert isinstance(documents[0]["kept"], Binary)
    assert documents[0]["told"] == value
    await store.cipher.decrypt_paths(documents, ["kept"])
    assert documents == [{"kept": value, "told": value}]


async def test_none_stays_none(store: Store) -> None:
    documents = [{"kept": None}]
    await store.cipher.encrypt_paths(documents, ["kept"])
    assert documents == [{"kept": None}]
