"""Hashes of RFC 6962 §2.1 trees (RFC 9162 §2.1 is the same), pure.

Hashes of one level are kept as one string of bytes, 32 each: a list of them would take three times the memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Protocol

HASH_SIZE = 32
_pairs = Struct("64s").iter_unpack
TILE_WIDTH = 256
TILE_BYTES = TILE_WIDTH * HASH_SIZE


class Digest(Protocol):
    """What `hashlib` gives."""

    def digest(self) -> bytes: ...

    def update(self, data: bytes, /) -> None: ...


Hash = Callable[[bytes], Digest]


class UnsupportedHashError(Exception):
    """The machine's OpenSSL has not the hash."""


def hash_function(name: str) -> Hash:
    """`H` by its name in a checkpoint."""
    if name == "sha256":
        return hashlib.sha256
    try:
        hashlib.new(name)
    except ValueError as error:
        raise UnsupportedHashError(f"this machine's OpenSSL has no {name.upper()}") from error
    return partial(hashlib.new, name)


def leaf_hash(hash_: Hash, leaf: bytes) -> bytes:
    return hash_(b"\0" + leaf).digest()


def parents(hash_: Hash, hashes: bytes) -> bytes:
    """The level above an even number of hashes."""
    return b"".join([hash_(b"\1" + pair).digest() for (pair,) in _pairs(hashes)])


def tile_roots(hash_: Hash, hashes: bytes) -> bytes:
    """The hash over each 256 of the hashes, whose number is a multiple of that."""
    for _ in range(8):
        hashes = parents(hash_, hashes)
    return hashes


def tree_root(hash_: Hash, hashes: bytes) -> bytes:
    """The root over any number of hashes of one level, of which the last may be of an incomplete subtree.

    Level by level, a last one without a partner goes up as it is: that is the split at the largest power of two.
    """
    if not hashes:
        return hash_(b"").digest()
    while len(hashes) > HASH_SIZE:
        even = len(hashes) & ~63
        hashes = parents(hash_, hashes[:even]) + hashes[even:]
    return hashes


def root_of_tiles(hash_: Hash, roots: bytes, partial_leaves: bytes) -> bytes:
    """The root of a tree from the roots of its whole tiles and the leaf hashes of the last, partial one."""
    if partial_leaves:
        roots += tree_root(hash_, partial_leaves)
    return tree_root(hash_, roots)
