"""The log as its lines are: ranges put together, and the root at any size that was asked for beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from archive_store.verifier.chains import Chains
from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.findings import Finding, Flaw
from archive_store.verifier.merkle import (
    HASH_SIZE,
    TILE_BYTES,
    TILE_WIDTH,
    Hash,
    root_of_tiles,
    tile_roots,
)
from archive_store.verifier.ranges import EntryRange, Folded, extend
from archive_store.verifier.scan import EntryScan
from archive_store.verifier.tiles import changed_tiles

Span = tuple[int, int]


class ScannedLog:
    """The lines of an export. `size` is that of its tiles, `sizes` are those whose roots will be asked for."""

    def __init__(
        self,
        export: ExportFolder,
        hash_: Hash,
        ranges: Sequence[EntryRange],
        size: int,
        sizes: Iterable[int],
    ) -> None:
        self._export, self._hash, self._ranges, self._size = export, hash_, ranges, size
        self.chains = Chains()
        self.is_unterminated = self.gave_up = False
        self._roots = bytearray()
        # The leaf hashes of the tile that is not whole yet.
        self._pending = b""
        self._wanted: dict[int, bytes] = {}
        self._different: list[Span] = []
        self._malformed: list[Span] = []
        counts = [each.count() for each in ranges]
        self.count = sum(counts)
        self._asked = frozenset(
            size // TILE_WIDTH for size in sizes if size % TILE_WIDTH and size <= self.count
        )
        # All are told first, so that they fold side by side.
        firsts = [0, *accumulate(counts)]
        for each, first in zip(ranges, firsts, strict=False):
            each.place(first, size, self._asked, is_last=each is ranges[-1])
        for each, first in zip(ranges, firsts, strict=False):
            self._add(each.folded())
            self._add_scan(each.scanned(), first)

    def _add(self, folded: Folded) -> None:
        self._pending += folded.head
        if len(self._pending) == TILE_BYTES:
            self._end_tile()
        self._roots += folded.roots
        self._pending += folded.tail
        self._wanted |= folded.wanted
        for first, last in folded.different:
            extend(self._different, first)
            extend(self._different, last)
            self._different[-1] = (self._different[-1][0], last)

    def _end_tile(self) -> None:
        """A whole tile that goes from one range into the next."""
        number = len(self._roots) // HASH_SIZE
        if number in self._asked:
            self._wanted[number] = self._pending
        is_of_tree = (number + 1) * TILE_WIDTH <= self._size
        if is_of_tree and self._export.tile(0, number, TILE_WIDTH) != self._pending:
            extend(self._different, number)
        self._roots += tile_roots(self._hash, self._pending)
        self._pending = b""

    def _add_scan(self, scan: EntryScan, first: int) -> None:
        self.chains.join(scan, first)
        self._malformed += [(first + start, first + end) for start, end in scan.malformed]
        self.is_unterminated = scan.unterminated
        self.gave_up = self.gave_up or scan.gave_up

    def leaves(self) -> bytes:
        """The leaf hashes of all lines."""
        return b"".join(each.leaves() for each in self._ranges)

    def tree_at(self, size: int) -> tuple[bytes, bytes]:
        """The roots of the whole level-0 tiles of the tree of that size, and the leaf hashes of its partial one."""
        whole, partial = divmod(size, TILE_WIDTH)
        leaves = self._wanted.get(whole, self._pending) if partial else b""
        return bytes(self._roots[: whole * HASH_SIZE]), leaves[: partial * HASH_SIZE]

    def root_at(self, size: int) -> bytes | None:
        """The root over the first lines, None if there are fewer; the size is one of those asked for."""
        return root_of_tiles(self._hash, *self.tree_at(size)) if size <= self.count else None

    def different_tiles(self) -> list[Finding]:
        """Whole level-0 tiles that are not those of the lines."""
        return [
            finding
            for first, last in self._different
            for finding in changed_tiles(0, list(range(first, last + 1)))
        ]

    def malformed_entries(self) -> list[Finding]:
        """Lines that are no entries, where each stands in its place in the log."""
        return [Finding(Flaw.MALFORMED, first, last) for first, last in self._malformed]

    def malformed_lines(self) -> list[Finding]:
        """Lines that are no entries, where their places in the log are not known."""
        return [
            Finding(Flaw.MALFORMED, line=first + 1, last_line=last + 1 if last > first else None)
            for first, last in self._malformed
        ]
