"""Values sealed here open by libmongocrypt, whatever they are; and nothing else about them is the same twice."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from bson.binary import Binary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import EncryptionError

from archive_store.foundation.sealed_values import ENCRYPTED_SUBTYPE, ValueSealer, unwrapped_key
from archive_store.foundation.store import Store

VALUES: list[Any] = [
    "",
    "330106201009080010",
    "汉" * 15,
    "x" * 15,
    "x" * 16,
    "x" * 17,
    "x" * 100_000,
    True,
    0,
    -(2**31),
    2**40,
    1.5,
    b"",
    b"\0" * 33,
    [],
    {},
    [1, "二", None, {"三": [3]}],
    {"changes": [{"field": "name", "before": None, "after": "王"}], "reason": None},
    ObjectId("0123456789abcdef01234567"),
    datetime(2026, 9, 1, tzinfo=UTC),
    uuid.UUID(int=7),
]


async def test_every_kind_of_value_opens_by_libmongocrypt(store: Store) -> None:
    sealed = await store.cipher.encrypt_many(VALUES)
    assert all(isinstance(value, Binary) and value.subtype == ENCRYPTED_SUBTYPE for value in sealed)
    assert [await store.cipher.decrypt(value) for value in sealed] == VALUES
    assert await store.cipher.encrypt_many([None, "a", None]) != [None, "a", None]


_LEAVES = st.one_of(
    st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.binary(), st.floats(allow_nan=False)
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.one_of(_LEAVES, st.lists(_LEAVES), st.dictionaries(st.sampled_from("abc"), _LEAVES)))
)
def test_any_values_together(store: Store, values: list[Any]) -> None:
    sealed = store.cipher._encrypt_all(values)
    assert [store.cipher._decrypt(value) for value in sealed] == values
    # What libmongocrypt sealed has the same shape: the header, and the length but for the value.
    for value, ours in zip(values, sealed, strict=True):
        theirs = store.cipher._encryption.encrypt(
            value, "AEAD_AES_256_CBC_HMAC_SHA_512-Random", key_alt_name="record-fields"
        )
        assert (theirs[:18], len(theirs)) == (ours[:18], len(ours))


async def test_the_same_value_is_never_sealed_alike(store: Store) -> None:
    sealed = await store.cipher.encrypt_many(["13900001111"] * 500)
    assert len({bytes(value) for value in sealed}) == 500
    # Nor does any block stand in two of them, first or later.
    blocks = [
        bytes(value)[place : place + 16] for value in sealed for place in range(18, len(value) - 32, 16)
    ]
    assert len(blocks) == len(set(blocks))


@pytest.mark.parametrize("at", [0, 1, 17, 18, 40, -1])
async def test_a_changed_byte_opens_no_more(store: Store, at: int) -> None:
    (sealed,) = await store.cipher.encrypt_many(["13900001111"])
    changed = bytearray(sealed)
    changed[at] ^= 1
    with pytest.raises(EncryptionError):
        await store.cipher.decrypt(Binary(bytes(changed), ENCRYPTED_SUBTYPE))


def test_another_master_key_unwraps_nothing() -> None:
    with pytest.raises(EncryptionError):
        unwrapped_key(b"x" * 96, b"y" * 160)
    with pytest.raises(EncryptionError):
        ValueSealer(b"short", b"k" * 96, None)  # type: ignore[arg-type]
