"""The Merkle tree of RFC 6962 §2.1 in tiles of height 8 (C2SP tlog-tiles), pure. FORMAT.md has the bytes.

A node is named by its height and its number among those of that height; it stands for `2^height` leaves. Whatever is
computed here needs some tiles and no leaf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import NamedTuple

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


class TileKey(NamedTuple):
    """A tile, by its level and its number within it, from 0."""

    level: int
    number: int


class Span(NamedTuple):
    """The leaves from `first` up to, not including, `end`; one node or several whose hash is that of RFC 6962."""

    first: int
    end: int


class _Node(NamedTuple):
    height: int
    number: int

    @property
    def tile(self) -> TileKey:
        level, below = divmod(self.height, TILE_HEIGHT)
        return TileKey(level, (self.number << below) // TILE_WIDTH)


class TreeHash:
    """The hashes of one tree, by `sha256` or `sm3`."""

    def __init__(self, hash_name: str) -> None:
        self.hash_name = hash_name

    def empty(self) -> bytes:
        return self._digest(b"")

    def leaf(self, data: bytes) -> bytes:
        return self._digest(b"\0" + data)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self._digest(b"\1" + left + right)

    def _digest(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def fold(self, hashes: Sequence[bytes]) -> bytes:
        """The node over so many nodes of one height, a power of two."""
        while len(hashes) > 1:
            hashes = [self.node(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
        return hashes[0]


def tiles_at_the_edge(size: int) -> list[TileKey]:
    """The partial tiles of a tree of this size, which grow with the next leaf: one a level, where there is one."""
    keys, level = [], 0
    while size:
        size, width = divmod(size, TILE_WIDTH)
        if width:
            keys.append(TileKey(level, size))
        level += 1
    return keys


def append(
    tree: TreeHash, tiles: MutableMapping[TileKey, bytes], size: int, leaf_hashes: Iterable[bytes]
) -> set[TileKey]:
    """Append to a tree of `size` leaves, of which `tiles` has the edge; returns the tiles that changed."""
    changed = set()
    for leaf_hash in leaf_hashes:
        level, index, hashed = 0, size, leaf_hash
        while True:
            key = TileKey(level, index // TILE_WIDTH)
            tiles[key] = tiles.get(key, b"") + hashed
            changed.add(key)
            if len(tiles[key]) < TILE_WIDTH * HASH_BYTES:
                break
            hashed = tree.fold(_split(tiles[key]))
            level, index = level + 1, index // TILE_WIDTH
        size += 1
    return changed


def tiles_for(spans: Iterable[Span]) -> set[TileKey]:
    """The tiles that `span_hash` reads for these spans."""
    return {node.tile for span in spans for node in _nodes(span)}


def span_hash(tree: TreeHash, tiles: Mapping[TileKey, bytes], span: Span) -> bytes:
    """The Merkle tree hash of the leaves of a span as proofs name them. KeyError or ValueError where tiles lack it."""
    hashes = [_node_hash(tree, tiles, node) for node in _nodes(span)]
    if not hashes:
        return tree.empty()
    root = hashes.pop()
    while hashes:
        root = tree.node(hashes.pop(), root)
    return root


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove the leaf `index` in a tree of `size` leaves: PATH of RFC 6962 §2.1.1."""
    if not 0 <= index < size:
        raise ValueError("no such leaf in a tree of that size")
    spans, first, end = [], 0, size
    while end - first > 1:
        middle = first + _largest_power_below(end - first)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(first, middle))
            first = middle
    return spans[::-1]


def consistency_spans(old: int, size: int) -> list[Span]:
    """The spans whose hashes prove that a tree of `old` leaves begins this one: PROOF of RFC 6962 §2.1.2."""
    if not 0 <= old <= size:
        raise ValueError("the older tree has more leaves")
    if old in (0, size):
        return []
    spans, first, end, is_whole = [], 0, size, True
    while old < end:
        middle = first + _largest_power_below(end - first)
        if old <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(first, middle))
            first, is_whole = middle, False
    # The older root is known to who asks, so it is left out where it is itself a node.
    return ([] if is_whole else [Span(first, end)]) + spans[::-1]


def _largest_power_below(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _nodes(span: Span) -> Iterator[_Node]:
    """The largest nodes that make up a span, from the left."""
    first, end = span
    while first < end:
        height = (end - first).bit_length() - 1
        yield _Node(height, first >> height)
        first += 1 << height


def _node_hash(tree: TreeHash, tiles: Mapping[TileKey, bytes], node: _Node) -> bytes:
    below = node.height % TILE_HEIGHT
    start = (node.number << below) % TILE_WIDTH * HASH_BYTES
    hashes = tiles[node.tile][start : start + (HASH_BYTES << below)]
    if len(hashes) != HASH_BYTES << below:
        raise ValueError(f"tile {node.tile.level}/{node.tile.number} is not whole")
    return tree.fold(_split(hashes))


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
