"""Root keys: what wraps the keys of archive files and of unfinished uploads. A provider holds them; `RootKeys` is what
all providers are asked.

A wrapped key is bound to its purpose and its owner, so that it opens for no other. No error's message holds a key.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from bson import ObjectId
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from archive_store.foundation.errors import ErrorCode, RegistrarError

_NONCE_SIZE = 12


class RootKeyError(Exception):
    """A wrapped key cannot be opened; asking again does not help."""


class RootKeyMissingError(RootKeyError):
    """The root key that wrapped it is not among those held."""

    def __init__(self, root_key_id: str) -> None:
        self.root_key_id = root_key_id
        super().__init__(f"the root key {root_key_id} is not held")


class KeyNotGenuineError(RootKeyError):
    """The wrapped bytes are damaged, or were made for another owner, purpose or root key."""

    def __init__(self) -> None:
        super().__init__("a wrapped key is not genuine")


class RootKeysUnavailableError(RegistrarError):
    """Who holds the root keys does not answer, or refuses us: TRY_AGAIN. `why` is for the log and names no secret."""

    def __init__(self, why: str) -> None:
        super().__init__(ErrorCode.TRY_AGAIN)
        self.why = why


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key as it is stored, and the id of the root key that opens it."""

    root_key_id: str
    wrapped: bytes


class RootKeys(Protocol):
    """A provider of root keys. Every call may raise RootKeysUnavailableError.

    A root key's id tells its provider: those of Vault read `vault:NAME:v3`, those of the keyring `<keyring id>.3`.
    """

    async def wrap(self, key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
        """Wrap under the current root key."""
        ...

    async def unwrap(self, wrapped: WrappedKey, purpose: bytes, owner: ObjectId) -> bytes:
        """RootKeyMissingError, KeyNotGenuineError."""
        ...

    async def current_id(self) -> str:
        """The id of the root key that `wrap` uses now."""
        ...


def seal_key(wrapping_key: bytes, key: bytes, purpose: bytes, owner: ObjectId) -> bytes:
    """`nonce ‖ AES-256-GCM(wrapping_key, nonce, key, purpose ‖ owner)`: 60 bytes of a key of 32."""
    nonce = secrets.token_bytes(_NONCE_SIZE)
    return nonce + AESGCM(wrapping_key).encrypt(nonce, key, purpose + owner.binary)


def open_key(wrapping_key: bytes, wrapped: bytes, purpose: bytes, owner: ObjectId) -> bytes:
    """What `seal_key` sealed; KeyNotGenuineError for all else."""
    try:
        nonce, sealed = wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:]
        return AESGCM(wrapping_key).decrypt(nonce, sealed, purpose + owner.binary)
    except (InvalidTag, ValueError):
        raise KeyNotGenuineError from None
