"""Root keys in the transit engine of HashiCorp Vault: they never leave it, and each wrapping is a call to it.

`transit/encrypt` and `transit/decrypt` with `associated_data`, so that Vault itself binds a wrapped key to its purpose
and owner. That takes an AEAD key (`aes256-gcm96`) and Vault 1.13 or newer; one that would not bind is refused. A root
key's id is `vault:NAME:v3`, with the name of the transit key and its version. hvac blocks, so it runs in threads.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from bson import ObjectId
from hvac.adapters import JSONAdapter
from hvac.api.secrets_engines import Transit
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultError
from pydantic import SecretStr

from archive_store.foundation.root_keys import (
    KeyNotGenuineError,
    RootKeyMissingError,
    RootKeysUnavailableError,
    WrappedKey,
)
from archive_store.foundation.settings import Settings
from archive_store.foundation.workers import Workers

VAULT_ID = re.compile(r"vault:(?P<name>[\w.-]+):v(?P<version>[1-9][0-9]*)", re.ASCII)
_CIPHERTEXT = re.compile(r"vault:v(?P<version>[1-9][0-9]*):(?P<sealed>[A-Za-z0-9+/]+=*)", re.ASCII)
# What it says of a key or a version of one that it does not have, or no longer opens with.
_GONE = ("disallowed by policy", "key not found", "version is too new")
_AEAD_TYPES = frozenset({"aes256-gcm96", "chacha20-poly1305"})
# To connect, and between two bytes of the answer.
_TIMEOUT_SECONDS = (3.0, 5.0)
_workers = Workers("vault", 4, waiting=64)


class VaultRootKeys:
    """The versions of one transit key. `token_file` is read for each call, so that an agent can renew it."""

    def __init__(
        self,
        url: str,
        *,
        token: SecretStr | None = None,
        token_file: Path | None = None,
        mount: str = "transit",
        key: str = "registrar",
        namespace: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self._url, self._namespace, self._ca_file = url, namespace, ca_file
        self._token, self._token_file = token, token_file
        self._mount, self._key = mount, key
        self._of_thread = threading.local()
        self._binds = False

    @classmethod
    def from_settings(cls, settings: Settings) -> VaultRootKeys:
        if settings.vault_url is None:
            raise ValueError("no vault_url is set")
        return cls(
            settings.vault_url,
            token=settings.vault_token,
            token_file=settings.vault_token_file,
            mount=settings.vault_mount,
            key=settings.vault_key,
            namespace=settings.vault_namespace,
            ca_file=settings.vault_ca_file,
        )

    async def wrap(self, key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
        return await _workers.run(self._wrap, key, purpose + owner.binary)

    async def unwrap(self, wrapped: WrappedKey, purpose: bytes, owner: ObjectId) -> bytes:
        return await _workers.run(self._unwrap, wrapped, purpose + owner.binary)

    async def current_id(self) -> str:
        return await _workers.run(self._current_id)

    async def rotate(self) -> str:
        """Make a new version, which is in use from now on; its id. Needs a right that the server does not."""
        await _workers.run(self._ask, lambda transit: transit.rotate_key(self._key, mount_point=self._mount))
        return await self.current_id()

    def _wrap(self, key: bytes, associated: bytes) -> WrappedKey:
        if not self._binds:
            self._require_binding()
        return self._encrypt(key, associated)

    def _require_binding(self) -> None:
        """An old Vault, or something before it that drops what it does not know, would bind keys to nothing."""
        self._current_id()
        probe = self._encrypt(bytes(32), b"one")
        try:
            self._unwrap(probe, b"another")
        except KeyNotGenuineError:
            self._binds = True
        else:
            raise RootKeysUnavailableError("this Vault ignores associated_data; it takes 1.13 or newer")

    def _encrypt(self, key: bytes, associated: bytes) -> WrappedKey:
        answer = self._ask(
            lambda transit: transit.encrypt_data(
                self._key,
                plaintext=_base64(key),
                associated_data=_base64(associated),
                mount_point=self._mount,
            )
        )
        found = _CIPHERTEXT.fullmatch(str(answer.get("ciphertext")))
        if found is None:
            raise RootKeysUnavailableError("Vault did not answer with a ciphertext")
        return WrappedKey(f"vault:{self._key}:v{found['version']}", found[0].encode())

    def _unwrap(self, wrapped: WrappedKey, associated: bytes) -> bytes:
        root = VAULT_ID.fullmatch(wrapped.root_key_id)
        if root is None:
            raise RootKeyMissingError(wrapped.root_key_id)
        # The version stands twice: an id that somebody changed must not make a key pass for one that was rewrapped.
        found = _CIPHERTEXT.fullmatch(wrapped.wrapped.decode("ascii", "replace"))
        if found is None or found["version"] != root["version"]:
            raise KeyNotGenuineError
        try:
            answer = self._call(
                lambda transit: transit.decrypt_data(
                    root["name"],
                    ciphertext=found[0],
                    associated_data=_base64(associated),
                    mount_point=self._mount,
                )
            )
            return b64decode(answer["plaintext"], validate=True)
        except InvalidRequest as error:
            said = " ".join(error.errors or ())
            if any(gone in said for gone in _GONE):
                raise RootKeyMissingError(wrapped.root_key_id) from None
            raise KeyNotGenuineError from None
        except (KeyError, TypeError, ValueError):
            raise RootKeysUnavailableError("Vault did not answer with a plaintext") from None

    def _current_id(self) -> str:
        answer = self._ask(lambda transit: transit.read_key(self._key, mount_point=self._mount))
        if answer.get("type") not in _AEAD_TYPES or answer.get("derived"):
            raise RootKeysUnavailableError("the transit key must be of type aes256-gcm96, and not derived")
        return f"vault:{self._key}:v{answer.get('latest_version')}"

    def _ask(self, call: Callable[[Transit], Any]) -> dict[str, Any]:
        try:
            return self._call(call)
        except InvalidRequest:
            raise RootKeysUnavailableError(
                "Vault refuses the request; is there such a transit key?"
            ) from None

    def _call(self, call: Callable[[Transit], Any]) -> dict[str, Any]:
        """The `data` of the answer. InvalidRequest passes; whatever else fails is RootKeysUnavailableError.

        No cause is told with it: the request that failed holds the token and a key.
        """
        try:
            answer = call(self._transit())
        except (Forbidden, Unauthorized):
            raise RootKeysUnavailableError("Vault refuses the token") from None
        except InvalidPath:
            raise RootKeysUnavailableError("Vault has no such transit engine or key") from None
        except InvalidRequest:
            raise
        except (VaultError, requests.RequestException) as error:
            raise RootKeysUnavailableError(f"Vault does not answer: {type(error).__name__}") from None
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}

    def _transit(self) -> Transit:
        """The calls, over a connection of this thread."""
        adapter: JSONAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is None:
            session = requests.Session()
            session.trust_env = False  # no proxy, certificate or password that nobody set here
            session.verify = True if self._ca_file is None else str(self._ca_file)
            adapter = JSONAdapter(
                self._url, session=session, namespace=self._namespace, timeout=_TIMEOUT_SECONDS
            )
            self._of_thread.adapter = adapter
        adapter.token = self._told_token()
        return Transit(adapter)

    def _told_token(self) -> str:
        if self._token_file is None:
            return self._token.get_secret_value() if self._token else ""
        try:
            with self._token_file.open(encoding="ascii") as opened:
                if os.fstat(opened.fileno()).st_mode & stat.S_IRWXO:
                    raise RootKeysUnavailableError("everybody can read the file of Vault's token")
                return opened.read().strip()
        except (OSError, ValueError):
            raise RootKeysUnavailableError("the file of Vault's token cannot be read") from None


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")
