"""Field encryption: MongoDB client-side encryption, called explicitly so that community servers serve.

Values of F3 and F4 leaves are encrypted at random; an equality look-up goes by a keyed blind index beside
them. Both ways are synchronous, so whole batches go to a thread together, one of their own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bson.binary import STANDARD, Binary
from bson.codec_options import CodecOptions
from pymongo import MongoClient
from pymongo.encryption import ClientEncryption
from pymongo.errors import EncryptionError

from archive_store.foundation.sealed_values import ValueSealer, unwrapped_key
from archive_store.foundation.workers import Workers

Change = Callable[[Sequence[Any]], list[Any]]

# So few values take less time than the way to a thread and back.
_FEW = 3
_KEY_NAME = "record-fields"
# Several, so that a roster's values do not keep a reader waiting.
_workers = Workers("field-cipher", 4)
_OPTIONS: CodecOptions[Any] = CodecOptions(uuid_representation=STANDARD, tz_aware=True)


class FieldCipher:
    """Encrypts and decrypts leaf values in batches; `None` stays `None`."""

    def __init__(self, mongodb_url: str, database: str, master_key: bytes, lookup_key: bytes) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url, tz_aware=True)
        self._vault = self._client[database]["field_keys"]
        self._encryption: ClientEncryption[Any] = ClientEncryption(
            {"local": {"key": master_key}},
            f"{database}.field_keys",
            self._client,
            _OPTIONS,
        )
        self._master_key = master_key
        self._sealer: ValueSealer | None = None
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
        # A wrong master key must stop the start, not the first reader; and what is sealed here must open there.
        self._encryption.decrypt(self._encrypt("probe"))

    def close(self) -> None:
        self._encryption.close()
        self._client.close()

    def _encrypt(self, value: Any) -> Any:
        return self._encrypt_all([value])[0]

    def _encrypt_all(self, values: Sequence[Any]) -> list[Any]:
        if self._sealer is None:
            key = self._encryption.get_key_by_alt_name(_KEY_NAME)
            if key is None:
                raise EncryptionError(LookupError("there is no data key"))
            material = unwrapped_key(self._master_key, bytes(key["keyMaterial"]))
            self._sealer = ValueSealer(bytes(key["_id"]), material, _OPTIONS)
        return self._sealer.seal(values)

    def _decrypt(self, value: Any) -> Any:
        return self._encryption.decrypt(value) if isinstance(value, Binary) and value.subtype == 6 else value

    def seal_many(self, values: Sequence[Any]) -> list[Any]:
        """As `encrypt_many`, in the caller's own thread."""
        return self._encrypt_all(values)

    async def encrypt_many(self, values: Sequence[Any]) -> list[Any]:
        if len(values) <= _FEW:
            return self._encrypt_all(values)
        return await _workers.run(self._encrypt_all, values)

    async def encrypt(self, value: Any) -> Any:
        return (await self.encrypt_many([value]))[0]

    async def decrypt(self, value: Any) -> Any:
        return await _workers.run(self._decrypt, value)

    async def encrypt_paths(self, documents: Sequence[dict[str, Any]], paths: Iterable[str]) -> None:
        """Replace the leaves at the dotted paths by their ciphertext, in place."""
        await self._replace(documents, paths, self._encrypt_all)

    def seal_paths(self, documents: Sequence[dict[str, Any]], paths: Iterable[str]) -> None:
        """As `encrypt_paths`, in the caller's own thread."""
        _replace_leaves(documents, [path.split(".") for path in paths], self._encrypt_all)

    async def decrypt_paths(self, documents: Sequence[dict[str, Any]], paths: Iterable[str]) -> None:
        """The reverse, in place; leaves that were not loaded are passed over."""
        await self._replace(documents, paths, lambda values: [self._decrypt(value) for value in values])

    async def _replace(
        self, documents: Sequence[dict[str, Any]], paths: Iterable[str], change: Change
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
        return hmac.digest(self._lookup_key, f"{kind}\0{value}".encode(), "sha256").hex()


def _replace_leaves(documents: Sequence[dict[str, Any]], paths: Sequence[list[str]], change: Change) -> None:
    places: list[tuple[dict[str, Any], str]] = []
    shallow = [parts[0] for parts in paths if len(parts) == 1]
    deep = [parts for parts in paths if len(parts) > 1]
    for document in documents:
        places += [(document, name) for name in shallow if document.get(name) is not None]
        for parts in deep:
            _find_leaf(document, parts, places)
    for (node, name), value in zip(places, change([node[name] for node, name in places]), strict=True):
        node[name] = value


def _find_leaf(node: Any, parts: list[str], places: list[tuple[dict[str, Any], str]]) -> None:
    if isinstance(node, list):
        for item in node:
            _find_leaf(item, parts, places)
    elif isinstance(node, dict) and parts[0] in node:
        if len(parts) > 1:
            _find_leaf(node[parts[0]], parts[1:], places)
        elif node[parts[0]] is not None:
            places.append((node, parts[0]))
