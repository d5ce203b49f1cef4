"""A range of the entries, scanned first and folded into tiles once its place in the log is known.

`Range` does it here; `worker.py` does it in a process of its own, which `workers.py` speaks to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.merkle import HASH_SIZE, TILE_BYTES, TILE_WIDTH, hash_function, tile_roots
from archive_store.verifier.scan import EntryScan, scan_range

# Tiles that are folded at a time, so that what is in between stays small.
_TILES_AT_A_TIME = 64


@dataclass
class Folded:
    """The leaf hashes before the first whole tile of a range, the roots of its whole tiles, and the leaf hashes after.

    `wanted` has the leaf hashes of the tiles that were asked for, `different` the tiles, first and last, that are not
    those of the export.
    """

    head: bytes = b""
    roots: bytes = b""
    tail: bytes = b""
    wanted: dict[int, bytes] = field(default_factory=dict)
    different: list[tuple[int, int]] = field(default_factory=list)


class EntryRange(Protocol):
    """The steps of a range, in their order; `leaves` at the end, if at all."""

    def count(self) -> int: ...

    def place(self, first: int, size: int, wanted: Iterable[int], *, is_last: bool) -> None:
        """Tell the place of the first entry in the log, the size of the exported tree, and the tiles to hand back.

        Of the last range nobody needs the ends of chains.
        """

    def folded(self) -> Folded: ...

    def scanned(self) -> EntryScan:
        """The scan without its leaf hashes, and of the last range without the ends of chains."""

    def leaves(self) -> bytes: ...


class Range:
    """A range that is scanned in this process."""

    def __init__(self, folder: ExportFolder, start: int, end: int, hash_name: str) -> None:
        self._folder, self._hash = folder, hash_function(hash_name)
        self._scan = scan_range(folder, start, end, hash_name)
        self._leaves = self._scan.leaves
        self._scan.leaves = bytearray()
        self._placed: tuple[int, int, frozenset[int]] = (0, 0, frozenset())

    def count(self) -> int:
        return self._scan.count

    def place(self, first: int, size: int, wanted: Iterable[int], *, is_last: bool) -> None:
        self._placed = first, size, frozenset(wanted)
        if is_last:
            self._scan.ends = {}

    def folded(self) -> Folded:
        """Fold into tiles, and compare those that are whole in the exported tree."""
        first, size, asked = self._placed
        until_tile = min(-first % TILE_WIDTH, self._scan.count) * HASH_SIZE
        tiles = (len(self._leaves) - until_tile) // TILE_BYTES
        after = until_tile + tiles * TILE_BYTES
        folded = Folded(head=bytes(self._leaves[:until_tile]), tail=bytes(self._leaves[after:]))
        first_tile = (first + TILE_WIDTH - 1) // TILE_WIDTH
        roots = []
        for done in range(0, tiles, _TILES_AT_A_TIME):
            begin = until_tile + done * TILE_BYTES
            some = bytes(self._leaves[begin : min(after, begin + _TILES_AT_A_TIME * TILE_BYTES)])
            roots.append(tile_roots(self._hash, some))
            for offset in range(0, len(some), TILE_BYTES):
                number = first_tile + done + offset // TILE_BYTES
                tile = some[offset : offset + TILE_BYTES]
                if number in asked:
                    folded.wanted[number] = tile
                if (number + 1) * TILE_WIDTH <= size and self._folder.tile(0, number, TILE_WIDTH) != tile:
                    extend(folded.different, number)
        folded.roots = b"".join(roots)
        return folded

    def scanned(self) -> EntryScan:
        return self._scan

    def leaves(self) -> bytes:
        return bytes(self._leaves)


def extend(ranges: list[tuple[int, int]], number: int) -> None:
    """Add a number, not below those before, to numbers kept as first and last."""
    if ranges and ranges[-1][1] >= number - 1:
        ranges[-1] = (ranges[-1][0], number)
    else:
        ranges.append((number, number))
