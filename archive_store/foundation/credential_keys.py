"""The credential key of the school: the Ed25519 key that signs certificates, and the public keys before it. Pure.

A key that is followed by another is forgotten; its public half stays, so that what it signed can be checked, with a
signature by which it named the next.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive_store.foundation.data_integrity import from_multibase, multibase, multikey, public_key

_SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class EarlierKey:
    """A public key (Multikey) that signed until the next took its place, and its signature naming that one."""

    public: str
    succession: str


@dataclass(frozen=True)
class CredentialKey:
    """The key in use, by its seed of 32 bytes; `earlier`, oldest first."""

    seed: bytes = field(repr=False)
    earlier: tuple[EarlierKey, ...] = ()

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public(self) -> str:
        """Multikey."""
        return multikey(self.private)

    @property
    def publics(self) -> tuple[str, ...]:
        """All public keys of the line, oldest first; the last is in use."""
        return (*(key.public for key in self.earlier), self.public)

    def successor(self) -> CredentialKey:
        """A new key, named by this one."""
        after = new_credential_key()
        named = EarlierKey(self.public, multibase(self.private.sign(_succession(self.public, after.public))))
        return CredentialKey(after.seed, (*self.earlier, named))

    def as_json(self) -> dict[str, Any]:
        earlier = [{"public": key.public, "succession": key.succession} for key in self.earlier]
        return {"seed": self.seed.hex(), "earlier": earlier}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> CredentialKey:
        """ValueError, KeyError or TypeError where it is none, or a key was not named by the one before it."""
        earlier = tuple(EarlierKey(key["public"], key["succession"]) for key in held["earlier"])
        key = cls(bytes.fromhex(held["seed"]), earlier)
        if len(key.seed) != _SEED_BYTES:
            raise ValueError("not a credential key")
        for before, after in zip(earlier, key.publics[1:], strict=True):
            try:
                public_key(before.public).verify(
                    from_multibase(before.succession), _succession(before.public, after)
                )
            except InvalidSignature:
                raise ValueError("a credential key was not named by the one before it") from None
        return key


def new_credential_key() -> CredentialKey:
    """The first key of a school."""
    return CredentialKey(secrets.token_bytes(_SEED_BYTES))


def _succession(before: str, after: str) -> bytes:
    return f"registrar credential key\n{before}\n{after}\n".encode()
