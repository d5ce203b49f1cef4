"""What was signed last, remembered outside of the database: beside the keyring, in `<keyring file>.signed`.

Whoever writes to the database could set the log back, and have the sequencer sign another history from there on. It
must continue what this host remembers. The file holds no secret: the size and the root of the newest checkpoint.
"""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.log import ForgedLogError, root_of
from archive_store.audit.merkle import HASH_BYTES
from archive_store.foundation.store import Store


def memory_file(store: Store) -> Path:
    """To be removed by hand where a database was restored from a backup, and the second party told."""
    return store.settings.keyring_file.with_name(f"{store.settings.keyring_file.name}.signed")


Signed = tuple[int, bytes]  # size of the log, and its root


async def require_continued(
    store: Store, size: int, signed: Signed | None, session: AsyncClientSession | None = None
) -> None:
    """ForgedLogError unless the log of this size begins with what was `signed` here, as recalled before it was read."""
    if signed is None:
        return
    signed_size, root = signed
    if size < signed_size:
        raise ForgedLogError(f"a log of {signed_size} entries was signed here, and this one has {size}")
    if await root_of(store, signed_size, session) != root:
        raise ForgedLogError(f"another log of {signed_size} entries was signed here")


async def recall(store: Store) -> Signed | None:
    """What was signed here last. ForgedLogError where the file does not say.

    To be asked before the log is read: it may grow in between, and what is remembered with it.
    """
    return await asyncio.to_thread(_recall, memory_file(store))


async def remember(store: Store, size: int, root: bytes) -> None:
    """Once it is committed: a size that was signed and is not in the database would stop the log."""
    await asyncio.to_thread(_remember, memory_file(store), size, root)


def _recall(file: Path) -> Signed | None:
    try:
        size, root = file.read_text(encoding="ascii").split()
        signed = int(size), base64.b64decode(root, validate=True)
    except FileNotFoundError:
        return None
    except ValueError:
        raise ForgedLogError(f"{file} does not say what was signed") from None
    if signed[0] < 1 or len(signed[1]) != HASH_BYTES:
        raise ForgedLogError(f"{file} does not say what was signed")
    return signed


def _remember(file: Path, size: int, root: bytes) -> None:
    held = _recall(file)
    if held is not None and held[0] > size:  # a rival was faster
        return
    written = file.with_name(f".{file.name}.{os.getpid()}")
    written.write_text(f"{size} {base64.b64encode(root).decode()}\n", encoding="ascii")
    written.replace(file)
