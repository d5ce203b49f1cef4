"""The export of the audit history: a folder that can be checked without database and keys. FORMAT.md has the shape.

It holds names of persons in the clear and changed values encrypted, so it is as private as the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import ENTRIES
from archive_store.audit.log import NothingLoggedError, checkpoint_key, load_tiles, newest_checkpoint
from archive_store.audit.merkle import HASH_BYTES, TILE_WIDTH, TileKey
from archive_store.foundation.store import Store

_ENTRIES_AT_ONCE = 1_000
_TILES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ExportedHistory:
    """What was written: so many entries, under this checkpoint."""

    entries: int
    note: str


async def export_history(store: Store, to: Path) -> ExportedHistory:
    """Write the log as of its newest checkpoint into a new folder, which only its owner may read.

    FileExistsError where the folder is there; NothingLoggedError where nothing is in the log. What is stored is
    written as it is: whether it is sound is for the verifier to say. The checkpoint comes last, so a folder without is
    not whole.
    """
    checkpoint = await newest_checkpoint(store)
    if checkpoint is None:
        raise NothingLoggedError("no entry is in the log yet")
    await asyncio.to_thread(to.mkdir, mode=0o700, parents=True)
    entries = await _write_entries(store, to / "entries.jsonl", checkpoint.size)
    keys = list(_tiles(checkpoint.size))
    for start in range(0, len(keys), _TILES_AT_ONCE):
        part = keys[start : start + _TILES_AT_ONCE]
        tiles = await load_tiles(store, [key for key, _ in part])
        for key, width in part:
            await _write(to / tile_path(key, width), tiles.get(key, b"")[: width * HASH_BYTES])
    line = checkpoint_key(store)
    for number, text in enumerate((f"{line.first_verifier_key}\n", *line.successions)):
        await _write(to / "keys" / f"{number:03}", text.encode())
    await _write(to / "checkpoint", checkpoint.note.encode())
    return ExportedHistory(entries, checkpoint.note)


async def _write_entries(store: Store, to: Path, size: int) -> int:
    """Each leaf and a line break; returns how many."""
    written = 0
    query = {"log_index": {"$gte": 0, "$lt": size, "$type": "number"}}
    entries = store.database.whatever_is_stored(ENTRIES)
    rows = entries.find(query).sort("log_index", 1).batch_size(_ENTRIES_AT_ONCE)
    async with aiofiles.open(to, "wb") as file:
        lines: list[bytes] = []
        async for row in rows:
            lines.append(leaf_bytes(row) + b"\n")
            if len(lines) == _ENTRIES_AT_ONCE:
                await file.write(b"".join(lines))
                written, lines = written + len(lines), []
        await file.write(b"".join(lines))
    return written + len(lines)


async def _write(file: Path, content: bytes) -> None:
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    async with aiofiles.open(file, "wb") as opened:
        await opened.write(content)


def _tiles(size: int) -> Iterator[tuple[TileKey, int]]:
    """Each tile of a tree of this size, with its width in hashes."""
    level = 0
    while size:
        full, width = divmod(size, TILE_WIDTH)
        yield from ((TileKey(level, number), TILE_WIDTH) for number in range(full))
        if width:
            yield TileKey(level, full), width
        size, level = full, level + 1


def tile_path(key: TileKey, width: int) -> str:
    """The path of a tile by C2SP tlog-tiles, such as `tile/0/x001/234.p/5`."""
    digits = f"{key.number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{key.level}/{path}" + ("" if width == TILE_WIDTH else f".p/{width}")
