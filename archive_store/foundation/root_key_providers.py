"""The providers of root keys: the keyring file, and with settings for it Vault. New keys are wrapped by the one that is
set; whatever the other wrapped opens as long as it is there, so that a school can change over either way.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from bson import ObjectId

from archive_store.foundation.keyring import Keyring, KeyringError, ScanKey
from archive_store.foundation.root_keys import (
    RootKeyMissingError,
    RootKeys,
    WrappedKey,
    open_key,
    seal_key,
)
from archive_store.foundation.settings import Settings
from archive_store.foundation.vault import VAULT_ID, VaultRootKeys

log = structlog.get_logger("registrar.keys")


class KeyringRootKeys:
    """The root keys of the keyring file, read again whenever it was replaced."""

    def __init__(self, file: Path, keyring: Keyring) -> None:
        self._file = file
        self._keyring = keyring
        # Not the file's state now: it can have been replaced since it was read.
        self._seen: tuple[int, ...] | None = None

    async def wrap(self, key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
        root = self._keys()[-1]
        return WrappedKey(root.id, seal_key(root.key, key, purpose, owner))

    async def unwrap(self, wrapped: WrappedKey, purpose: bytes, owner: ObjectId) -> bytes:
        for root in self._keys():
            if root.id == wrapped.root_key_id:
                return open_key(root.key, wrapped.wrapped, purpose, owner)
        raise RootKeyMissingError(wrapped.root_key_id)

    async def current_id(self) -> str:
        return self._keys()[-1].id

    def _keys(self) -> tuple[ScanKey, ...]:
        """Of the file as it stands; those held so far where it cannot be used."""
        state = _state(self._file)
        if state != self._seen:
            self._seen = state
            try:
                read = Keyring.load(self._file)
                if read.id != self._keyring.id:
                    raise KeyringError(f"{self._file} is the keyring of another installation")
            except KeyringError as error:
                log.error("keyring_not_reread", why=str(error))
            else:
                if read.scans != self._keyring.scans:
                    log.info("root_keys_changed", root_keys=[root.id for root in read.scans])
                self._keyring = read
        return self._keyring.scans


def _state(file: Path) -> tuple[int, ...] | None:
    """What changes with the content or the mode of a file."""
    try:
        found = os.lstat(file)
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns, found.st_size


class BothProviders:
    """The keyring and Vault: `first` wraps, and either opens what it wrapped."""

    def __init__(self, keyring: RootKeys, vault: RootKeys, *, first: RootKeys) -> None:
        self._keyring, self._vault, self._first = keyring, vault, first

    async def wrap(self, key: bytes, purpose: bytes, owner: ObjectId) -> WrappedKey:
        return await self._first.wrap(key, purpose, owner)

    async def unwrap(self, wrapped: WrappedKey, purpose: bytes, owner: ObjectId) -> bytes:
        provider = self._vault if VAULT_ID.fullmatch(wrapped.root_key_id) else self._keyring
        return await provider.unwrap(wrapped, purpose, owner)

    async def current_id(self) -> str:
        return await self._first.current_id()


def root_keys_of(settings: Settings, keyring: Keyring) -> RootKeys:
    """The providers of the settings."""
    of_keyring = KeyringRootKeys(settings.keyring_file, keyring)
    if settings.vault_url is None:
        return of_keyring
    of_vault = VaultRootKeys.from_settings(settings)
    first = of_vault if settings.root_keys == "vault" else of_keyring
    return BothProviders(of_keyring, of_vault, first=first)
