"""What could be the content of a tile: the export's own, what its children hash to, what the entries hash to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.merkle import HASH_SIZE, TILE_BYTES, TILE_WIDTH, Hash, tile_roots, tree_root

# After as many tiles that are not there, none is looked for: a checkpoint may say any size.
_MOST_ABSENT = 1024
# Where sources of a tile's hashes all differ, so many combinations of them are tried.
_MOST_COMBINATIONS = 256


def level_counts(size: int) -> list[int]:
    """How many hashes the tiles of each level have in a tree of that size."""
    counts = []
    while size:
        counts.append(size)
        size //= TILE_WIDTH
    return counts


class TileSources:
    """The exported tiles, and candidates for each; `actual` has the leaf hashes of the lines, aligned or not."""

    def __init__(self, folder: ExportFolder, hash_: Hash, counts: list[int], actual: bytes) -> None:
        self._hash, self._counts = hash_, counts
        self.exported = [dict(_read(folder, level, count)) for level, count in enumerate(counts)]
        found = len(self.exported[0]) if counts else 0
        # Else no more is known of the leaves than that there should be many more.
        whole = counts[0] // TILE_WIDTH if counts else 0
        self.could_suffice = whole <= found + len(actual) // TILE_BYTES + _MOST_ABSENT
        self._leaves = actual
        self._choices: list[dict[int, list[tuple[bytes, ...]]]] = [{}]
        if self.could_suffice:
            self._weigh(actual)

    def candidates(self, level: int, number: int) -> Iterator[bytes]:
        """Contents that the tile may have, the likeliest first."""
        own = self.exported[level].get(number)
        if own is not None:
            yield own
        if level == 0:
            yield from self._of_lines(number)
        else:
            choices = self._choices[level][number]
            yield from map(b"".join, islice(product(*choices), _MOST_COMBINATIONS))

    def _of_lines(self, number: int) -> Iterator[bytes]:
        """The lines in the tile's place, and those as far from the end, where lines before are missing or added."""
        count = self._counts[0]
        start, end = number * TILE_WIDTH, min((number + 1) * TILE_WIDTH, count)
        for shift in {0, len(self._leaves) // HASH_SIZE - count}:
            if start + shift >= 0:
                hashes = self._leaves[(start + shift) * HASH_SIZE : (end + shift) * HASH_SIZE]
                if len(hashes) == (end - start) * HASH_SIZE:
                    yield hashes

    def _weigh(self, actual: bytes) -> None:
        """For each hash of each tile above level 0 what it may be: one where two sources agree, else each."""
        for level, count in enumerate(self._counts[1:], start=1):
            actual = tile_roots(self._hash, actual[: len(actual) // TILE_BYTES * TILE_BYTES])
            below = {number: tree_root(self._hash, tile) for number, tile in self._likely(level - 1)}
            tiles = {}
            for number in range(-(-count // TILE_WIDTH)):
                own = self.exported[level].get(number, b"")
                tiles[number] = [
                    _choices(
                        own[slot * HASH_SIZE : (slot + 1) * HASH_SIZE],
                        below.get(at, b""),
                        actual[at * HASH_SIZE : (at + 1) * HASH_SIZE],
                    )
                    for slot, at in enumerate(
                        range(number * TILE_WIDTH, min(count, (number + 1) * TILE_WIDTH))
                    )
                ]
            self._choices.append(tiles)

    def _likely(self, level: int) -> Iterator[tuple[int, bytes]]:
        for number in range(self._counts[level] // TILE_WIDTH):
            if level:
                yield number, b"".join(choices[0] for choices in self._choices[level][number])
            elif (tile := next(self.candidates(0, number), None)) is not None:
                yield number, tile


def _choices(own: bytes, child: bytes, actual: bytes) -> tuple[bytes, ...]:
    if child and child in (own, actual):
        return (child,)
    told = tuple(dict.fromkeys(each for each in (own, child, actual) if each))
    return told or (bytes(HASH_SIZE),)


def _read(folder: ExportFolder, level: int, count: int) -> Iterator[tuple[int, bytes]]:
    absent = 0
    for number in range(-(-count // TILE_WIDTH)):
        tile = folder.tile(level, number, min(TILE_WIDTH, count - number * TILE_WIDTH))
        absent = absent + 1 if tile is None else 0
        if tile is not None:
            yield number, tile
        if absent > _MOST_ABSENT:
            break
