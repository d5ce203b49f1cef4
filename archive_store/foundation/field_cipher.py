"""Field encryption: MongoDB client-side encryption, called explicitly so that community servers serve.

Values of F3 and F4 leaves are encrypted at random; an equality look-up goes by a keyed blind index beside
them. libmongocrypt is synchronous, so whole batches go to a thread together, one of their own.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bson.binary import STANDARD, Binary
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.encryption import Algorithm, ClientEncryption  # type: ignore[attr-defined]
from pymongo.errors import EncryptionError

from archive_store.foundation.workers import Workers

# So few values take less time than the way to a thread and back.
_FEW = 3
_KEY_NAME = "record-fields"
# Several, so that a roster's values do not keep a reader waiting.
_workers = Workers("field-cipher", 4)
_RANDOM = Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random


class FieldCipher:
    """Encrypts and decrypts leaf values in batches; `None` stays `None`."""

    def __init__(self, mongodb_url: str, database: str, master_key: bytes, lookup_key: bytes) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url, tz_aware=True)
        self._vault = self._client[database]["field_keys"]
        self._encryption: ClientEncryption[Any] = ClientEncryption(
            {"local": {"key": master_key}},
            f"{database}.field_keys",
            self._client,
            CodecOptions(uuid_representation=STANDARD, tz_aware=True),
        )
        self._lookup_key = lookup_key

    async def prepare(self) -> None:
        """Create the data key on first use; a unique name keeps two processes from making two."""
        await _workers.run(self._prepare)

    def _prepare(self) -> None:
        self._vault.create_index(
            "keyAltNames", unique=True, partialFilterExpression={"keyAltNames": {"$exists": True}}
        )
        if self._encryption.get_key_by_alt_name(_KEY_NAME) is None:
            try:
                self._encryption.create_data_key("local", key_alt_names=[_KEY_NAME])
            except EncryptionError:
                if self._encryption.get_key_by_alt_name(_KEY_NAME) is None:
                    raise
        # A wrong master key must stop the start, not the first reader.
        self._encryption.decrypt(self._encrypt("probe"))

    def close(self) -> None:
        self._encryption.close()
        self._client.close()

    def _encrypt(self, value: Any) -> Any:
        return None if value is None else self._encryption.encrypt(value, _RANDOM, key_alt_name=_KEY_NAME)

    def _decrypt(self, value: Any) -> Any:
        return self._encryption.decrypt(value) if isinstance(value, Binary) and value.subtype == 6 else value

    async def encrypt_many(self, values: Sequence[Any]) -> list[Any]:
        if len(values) <= _FEW:
            return [self._encrypt(value) for value in values]
        return await _workers.run(lambda: [self._encrypt(value) for value in values])

    async def encrypt(self, value: Any) -> Any:
        return (await self.encrypt_many([value]))[0]

    async def decrypt(self, value: Any) -> Any:
        return await _workers.run(self._decrypt, value)

    async def encrypt_paths(self, documents: Sequence[dict[str, Any]], paths: Iterable[str]) -> None:
        """Replace the leaves at the dotted paths by their ciphertext, in place."""
        await self._replace(documents, paths, self._encrypt)

    async def decrypt_paths(self, documents: Sequence[dict[str, Any]], paths: Iterable[str]) -> None:
        """The reverse, in place; leaves that were not loaded are passed over."""
        await self._replace(documents, paths, self._decrypt)

    async def _replace(
        self, documents: Sequence[dict[str, Any]], paths: Iterable[str], change: Callable[[Any], Any]
    ) -> None:
        split = [path.split(".") for path in paths]
        # The way to a thread and back is saved where there is nothing to do there.
        split = [
            parts for parts in split if any(document.get(parts[0]) is not None for document in documents)
        ]
        if len(split) * len(documents) <= _FEW:
            _replace_leaves(documents, split, change)
        else:
            await _workers.run(_replace_leaves, documents, split, change)

    def blind_index(self, kind: str, value: str) -> str:
        """Keyed digest for equality look-up (domain: blind indexes of identity numbers), 64 hex digits."""
        return hmac.new(self._lookup_key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()


def _replace_leaves(
    documents: Sequence[dict[str, Any]], paths: Sequence[list[str]], change: Callable[[Any], Any]
) -> None:
    for document in documents:
        for parts in paths:
            _replace_leaf(document, parts, change)


def _replace_leaf(node: Any, parts: list[str], change: Callable[[Any], Any]) -> None:
    if isinstance(node, list):
        for item in node:
            _replace_leaf(item, parts, change)
    elif isinstance(node, dict) and parts[0] in node:
        if len(parts) == 1:
            node[parts[0]] = change(node[parts[0]])
        else:
            _replace_leaf(node[parts[0]], parts[1:], change)
