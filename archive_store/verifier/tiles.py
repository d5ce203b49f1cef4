"""The tree that was signed, as far as the exported tiles tell it; each tile is believed only up to the signed root."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product

from archive_store.verifier.export_files import ExportFolder, tile_path
from archive_store.verifier.findings import Finding, Flaw
from archive_store.verifier.merkle import (
    HASH_SIZE,
    TILE_BYTES,
    TILE_WIDTH,
    Hash,
    root_of_tiles,
    tile_roots,
    tree_root,
)

# After as many tiles that are not there, none is looked for: a checkpoint may say any size.
_MOST_ABSENT = 1024
_MOST_TRIALS = 4096


def level_counts(size: int) -> list[int]:
    """How many hashes the tiles of each level have in a tree of that size."""
    counts = []
    while size:
        counts.append(size)
        size //= TILE_WIDTH
    return counts


def tile_findings(
    folder: ExportFolder, hash_: Hash, size: int, roots: bytes, partial: bytes
) -> list[Finding]:
    """Tiles that are not those of a tree whose whole level-0 tiles have these roots and were compared before."""
    findings = []
    hashes = partial
    for level, count in enumerate(level_counts(size)):
        whole = count // TILE_WIDTH if level else 0
        different = [
            number
            for number in range(whole)
            if folder.tile(level, number, TILE_WIDTH)
            != hashes[number * TILE_BYTES : (number + 1) * TILE_BYTES]
        ]
        findings += changed_tiles(level, different)
        width = count % TILE_WIDTH
        last = hashes[-width * HASH_SIZE :] if width else b""
        if width and folder.tile(level, count // TILE_WIDTH, width) != last:
            findings.append(Finding(Flaw.CHANGED_TILE, file=tile_path(level, count // TILE_WIDTH, width)))
        hashes = roots if level == 0 else tile_roots(hash_, hashes[: whole * TILE_BYTES])
    return findings


def changed_tiles(level: int, numbers: list[int]) -> list[Finding]:
    """One finding for whole tiles that follow each other."""
    findings = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            first, last = (tile_path(level, numbers[at], TILE_WIDTH) for at in (start, end - 1))
            name = first if first == last else f"{first}–{last}"
            findings.append(Finding(Flaw.CHANGED_TILE, file=name))
            start = end
    return findings


class SignedTree:
    """The leaf hashes that a signed root covers.

    Tiles are believed from the root downwards, so one bad tile hides 256 entries and no more. Where a tile is bad,
    what the tiles below it or the entries hash to is tried in its stead. `is_known` is False where nothing gives the
    root. `leaves` has the hashes of each level-0 tile, None of those that cannot be told.
    """

    def __init__(self, folder: ExportFolder, hash_: Hash, size: int, root: bytes, actual: bytes) -> None:
        self._folder, self._hash, self.size = folder, hash_, size
        self.findings: list[Finding] = []
        self.leaves: list[bytes | None] = []
        self.roots: list[bytes | None] = []
        self._counts = level_counts(size)
        self._exported = [dict(self._read(level, count)) for level, count in enumerate(self._counts)]
        found = len(self._exported[0]) if self._exported else 0
        if size // TILE_WIDTH > found + len(actual) // TILE_BYTES + _MOST_ABSENT:
            self.is_known = False
        else:
            self._actual = self._levels(actual)
            self._best = self._guess()
            self.is_known = self._descend(root)
        if not self.is_known:
            detail = "the tiles, as they are, do not give the signed root"
            self.findings.append(Finding(Flaw.CHANGED_TILE, file="tile", detail=detail))

    def root_at(self, size: int) -> bytes | None:
        """The root when the tree had that size, None where it cannot be told."""
        whole, partial = divmod(size, TILE_WIDTH)
        roots = self.roots[:whole]
        last = self.leaves[whole] if partial else b""
        known = [root for root in roots if root is not None]
        if last is None or len(known) < len(roots):
            return None
        return root_of_tiles(self._hash, b"".join(known), last[: partial * HASH_SIZE])

    def _read(self, level: int, count: int) -> Iterator[tuple[int, bytes]]:
        absent = 0
        for number in range(count // TILE_WIDTH):
            tile = self._folder.tile(level, number, TILE_WIDTH)
            absent = absent + 1 if tile is None else 0
            if tile is not None:
                yield number, tile
            if absent > _MOST_ABSENT:
                break
        if width := count % TILE_WIDTH:
            tile = self._folder.tile(level, count // TILE_WIDTH, width)
            if tile is not None:
                yield count // TILE_WIDTH, tile

    def _levels(self, leaves: bytes) -> list[bytes]:
        """The hashes of each level over leaves, whole tiles only."""
        levels = [leaves]
        for _ in self._counts[1:]:
            whole = len(levels[-1]) // TILE_BYTES * TILE_BYTES
            levels.append(tile_roots(self._hash, levels[-1][:whole]))
        return levels

    def _slice(self, hashes: bytes, level: int, number: int) -> bytes | None:
        """The hashes of a tile out of those of its level; None if there are too few."""
        start = number * TILE_BYTES
        end = min(start + TILE_BYTES, self._counts[level] * HASH_SIZE)
        return hashes[start:end] if len(hashes) >= end else None

    def _guess(self) -> list[dict[int, bytes]]:
        """For each tile above level 0 the hashes that most speak for: its own, its children's, the entries'."""
        best: list[dict[int, bytes]] = (
            [
                {
                    number: tile
                    for number in range(-(-self._counts[0] // TILE_WIDTH))
                    if (tile := self._exported[0].get(number) or self._slice(self._actual[0], 0, number))
                }
            ]
            if self._counts
            else []
        )
        for level in range(1, len(self._counts)):
            below = {
                number: tree_root(self._hash, tile)
                for number, tile in best[level - 1].items()
                if len(tile) == TILE_BYTES
            }
            tiles = {}
            for number in range(-(-self._counts[level] // TILE_WIDTH)):
                width = min(TILE_WIDTH, self._counts[level] - number * TILE_WIDTH)
                own = self._exported[level].get(number)
                tile = b"".join(
                    self._vote(own, below, level, number * TILE_WIDTH + slot, slot) for slot in range(width)
                )
                tiles[number] = tile
            best.append(tiles)
        return best

    def _vote(self, own: bytes | None, below: dict[int, bytes], level: int, number: int, slot: int) -> bytes:
        said = own[slot * HASH_SIZE : (slot + 1) * HASH_SIZE] if own else b""
        child = below.get(number, b"")
        actual = self._actual[level][number * HASH_SIZE : (number + 1) * HASH_SIZE]
        if child and child in (said, actual):
            return child
        return said or child or actual or bytes(HASH_SIZE)

    def _candidates(self, level: int, number: int) -> list[bytes]:
        told = (
            self._exported[level].get(number),
            self._best[level].get(number),
            self._slice(self._actual[level], level, number),
        )
        return list(dict.fromkeys(tile for tile in told if tile is not None))

    def _descend(self, root: bytes) -> bool:
        edge = self._edge(root)
        if edge is None:
            return False
        above: list[bytes | None] = []
        for level in reversed(range(len(self._counts))):
            tiles: list[bytes | None] = []
            for number in range(self._counts[level] // TILE_WIDTH):
                expected = above[number]
                fitting = (
                    tile
                    for tile in self._candidates(level, number)
                    if tree_root(self._hash, tile) == expected
                )
                tiles.append(None if expected is None else next(fitting, None))
            self._compare(level, tiles, above)
            if level == 0:
                self.roots = above
            if edge[level]:
                tiles.append(edge[level])
                self._compare_edge(level, edge[level])
            if level == 0:
                self.leaves = tiles
            else:
                above = [
                    None if tile is None else tile[at : at + HASH_SIZE]
                    for number, tile in enumerate(tiles)
                    for at in range(0, self._width(level, number) * HASH_SIZE, HASH_SIZE)
                ]
        return True

    def _width(self, level: int, number: int) -> int:
        return min(TILE_WIDTH, self._counts[level] - number * TILE_WIDTH)

    def _edge(self, root: bytes) -> list[bytes] | None:
        """The partial tile of each level, empty where there is none, that together give the root."""
        choices = [
            self._candidates(level, count // TILE_WIDTH) if count % TILE_WIDTH else [b""]
            for level, count in enumerate(self._counts)
        ]
        for edge in islice(product(*choices), _MOST_TRIALS):
            hashes = b""
            for tile in edge:
                if tile or hashes:
                    hashes = tree_root(self._hash, tile + hashes)
            if tree_root(self._hash, hashes) == root:
                return list(edge)
        return None

    def _compare(self, level: int, tiles: list[bytes | None], above: list[bytes | None]) -> None:
        """A tile that is not the signed one, or gives another hash than the signed one where that is not told."""
        exported = self._exported[level]
        different = [
            number
            for number, tile in enumerate(tiles)
            if above[number] is not None and (tile is None or exported.get(number) != tile)
        ]
        self.findings += changed_tiles(level, different)

    def _compare_edge(self, level: int, tile: bytes) -> None:
        number, width = divmod(self._counts[level], TILE_WIDTH)
        if self._exported[level].get(number) != tile:
            self.findings.append(Finding(Flaw.CHANGED_TILE, file=tile_path(level, number, width)))
