"""The tree in tiles against another make of it, pymerkle."""

from __future__ import annotations

import random
from functools import cache

import pytest
from pymerkle import InmemoryTree

from archive_store.audit import merkle
from archive_store.audit.merkle import Span, TileKey, TreeHash

TREE = TreeHash("sha256")
SIZES = [*range(1, 40), 255, 256, 257, 511, 512, 513, 700]


def leaf(index: int) -> bytes:
    return b"leaf %d" % index


@cache
def tiles_of(size: int) -> dict[TileKey, bytes]:
    """Grown in batches, from nothing but the edge of the tree before."""
    kept: dict[TileKey, bytes] = {}
    grown, batches = 0, random.Random(size)
    while grown < size:
        batch = min(size - grown, batches.choice([1, 2, 3, 100, 256, 300]))
        edge = {key: kept[key] for key in merkle.tiles_at_the_edge(grown)}
        changed = merkle.append(TREE, edge, grown, [TREE.leaf(leaf(grown + at)) for at in range(batch)])
        kept |= {key: edge[key] for key in changed}
        grown += batch
    return kept


@cache
def oracle() -> InmemoryTree:
    tree = InmemoryTree(algorithm="sha256")
    for index in range(max(SIZES)):
        tree.append_entry(leaf(index))
    return tree


def span_hashes(spans: list[Span], size: int) -> list[bytes]:
    wanted = merkle.tiles_for(spans)
    loaded = {key: held for key, held in tiles_of(size).items() if key in wanted}
    return [merkle.span_hash(TREE, loaded, span) for span in spans]


def test_the_root_of_no_leaf() -> None:
    assert (
        merkle.span_hash(TREE, {}, Span(0, 0)).hex()
        == (
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # RFC 6962 §2.1: the hash of nothing
        )
    )


@pytest.mark.parametrize("size", SIZES)
def test_roots_of_all_sizes_up_to_this(size: int) -> None:
    for older in range(1, size + 1):
        assert span_hashes([Span(0, older)], size) == [oracle().get_root(older)], older


@pytest.mark.parametrize("size", SIZES)
def test_each_leaf_is_proved(size: int) -> None:
    for index in range(0, size, 1 if size < 100 else 37):
        path = span_hashes(merkle.inclusion_spans(index, size), max(SIZES))
        proof = oracle().prove_inclusion(index + 1, size)
        assert path == list(proof.path)[1:], index


@pytest.mark.parametrize("size", SIZES)
def test_each_older_tree_is_proved_to_begin_this_one(size: int) -> None:
    for older in range(1, size + 1, 1 if size < 100 else 29):
        proof = span_hashes(merkle.consistency_spans(older, size), max(SIZES))
        roots = oracle().get_root(older), oracle().get_root(size)
        assert roots_of_consistency(older, size, *roots, proof) == roots


def roots_of_consistency(
    older: int, size: int, older_root: bytes, root: bytes, proof: list[bytes]
) -> tuple[bytes, bytes] | None:
    """Both roots as RFC 9162 §2.1.4.2 takes them from a proof; None where it is none."""
    if older == size:
        return None if proof or older_root != root else (older_root, root)
    if older & (older - 1) == 0:
        proof = [older_root, *proof]
    if not proof:
        return None
    fn, sn = older - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = proof[0]
    for hashed in proof[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old, new = TREE.node(hashed, old), TREE.node(hashed, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = TREE.node(new, hashed)
        fn, sn = fn >> 1, sn >> 1
    return (old, new) if sn == 0 else None


def test_tiles_have_the_widths_of_the_specification() -> None:
    widths = {key: len(held) // 32 for key, held in tiles_of(700).items()}
    assert widths == {
        TileKey(0, 0): 256,
        TileKey(0, 1): 256,
        TileKey(0, 2): 188,
        TileKey(1, 0): 2,
    }


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_spans(index, size)


def test_no_proof_that_a_larger_tree_begins_a_smaller_one() -> None:
    with pytest.raises(ValueError, match="more leaves"):
        merkle.consistency_spans(6, 5)


def test_a_tile_cut_short_gives_no_hash() -> None:
    cut = {key: held[:-32] for key, held in tiles_of(5).items()}
    with pytest.raises(ValueError, match="not whole"):
        merkle.span_hash(TREE, cut, Span(0, 5))


def test_sm3_gives_another_tree() -> None:
    # GB/T 32905-2016, appendix A.1: the hash of "abc".
    sm3 = TreeHash("sm3")
    assert sm3._digest(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3.leaf(b"") != TREE.leaf(b"")
