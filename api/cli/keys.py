"""`registrar keyring rotate-scan-key`, `retire-scan-keys`, `rotate-file-keys` and `status`: the keys of scans."""

from __future__ import annotations

import asyncio

from rich.table import Table

from api.cli.client import ServerError
from api.cli.console import out
from archive_store.archive import open_archive
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.root_keys import RootKeysUnavailableError
from archive_store.foundation.settings import Settings
from archive_store.foundation.vault import VaultRootKeys
from archive_store.scans.rotation import (
    RootKeysInUseError,
    keys_left,
    order_file_key_rotation,
    retire_root_keys,
    root_key_uses,
)


async def rotate_root_key(settings: Settings) -> str:
    """Make a new root key where new keys are wrapped; its id."""
    if settings.root_keys == "vault":
        try:
            return await VaultRootKeys.from_settings(settings).rotate()
        except RootKeysUnavailableError as error:
            raise ServerError(error.why, "docs/keys.md says which rights an operator needs") from None
    rotated = await asyncio.to_thread(Keyring.rotate_scan_key, settings.keyring_file)
    return rotated.scans[-1].id


async def retire(settings: Settings) -> list[str]:
    async with open_archive(settings, prepares=False) as store:
        try:
            return await retire_root_keys(store)
        except RootKeysInUseError as error:
            told = (
                f"root key {key_id} still wraps {use.archive_files} archive files and {use.uploads} uploads"
                for key_id, use in error.uses.items()
            )
            raise ServerError(
                "nothing was retired", *told, "a worker of `registrar serve` wraps them anew"
            ) from None


async def rotate_file_keys(settings: Settings) -> int:
    """How many archive files are to get a new key."""
    async with open_archive(settings, prepares=False) as store:
        await order_file_key_rotation(store)
        return (await keys_left(store)).of_archive_files


async def print_status(settings: Settings) -> None:
    async with open_archive(settings, prepares=False) as store:
        uses = await root_key_uses(store)
        try:
            current, left = await store.root_keys.current_id(), await keys_left(store)
        except RootKeysUnavailableError as error:
            raise ServerError(error.why) from None
    table = Table("root key", "archive files", "unfinished uploads", box=None)
    for key_id in sorted(uses.keys() | {current}):
        use = uses.get(key_id)
        counts = (use.archive_files, use.uploads) if use else (0, 0)
        table.add_row(f"{key_id} (in use)" if key_id == current else key_id, *map(str, counts))
    out.print(table)
    out.print(f"to be wrapped under the root key in use: {left.under_older_root_keys}", highlight=False)
    out.print(f"archive files that are to get a new key: {left.of_archive_files}", highlight=False)
