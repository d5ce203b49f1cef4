"""The tree that was signed, as far as the exported tiles tell it; each tile is believed only up to the signed root."""

from __future__ import annotations

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
from archive_store.verifier.tile_sources import TileSources, level_counts

_MOST_TRIALS = 4096


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
        self._sources = TileSources(folder, hash_, self._counts, actual)
        self.is_known = self._sources.could_suffice and self._descend(root)
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
                    for tile in self._sources.candidates(level, number)
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
            list(self._sources.candidates(level, count // TILE_WIDTH)) if count % TILE_WIDTH else [b""]
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
        exported = self._sources.exported[level]
        different = [
            number
            for number, tile in enumerate(tiles)
            if above[number] is not None and (tile is None or exported.get(number) != tile)
        ]
        self.findings += changed_tiles(level, different)

    def _compare_edge(self, level: int, tile: bytes) -> None:
        number, width = divmod(self._counts[level], TILE_WIDTH)
        if self._sources.exported[level].get(number) != tile:
            self.findings.append(Finding(Flaw.CHANGED_TILE, file=tile_path(level, number, width)))
