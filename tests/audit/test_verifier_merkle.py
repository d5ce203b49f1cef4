"""The verifier's tree against pymerkle, an implementation of RFC 9162 that neither side of Registrar uses."""

from __future__ import annotations

import hashlib
import random
from functools import cache, partial

import pytest
from pymerkle import InmemoryTree

from archive_store.verifier import merkle
from archive_store.verifier.export_files import tile_path
from tests.audit import export_builder

LARGE = [1023, 1024, 1025, 65535, 65536, 65537, 70_001]


def leaves(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


@cache
def oracle() -> InmemoryTree:
    return export_builder.tree(leaves(max(LARGE)))


@cache
def leaf_hashes() -> bytes:
    return b"".join(merkle.leaf_hash(hashlib.sha256, leaf) for leaf in leaves(max(LARGE)))


def test_the_roots_of_rfc_6962s_reference_tree() -> None:
    """The well-known roots of the leaves that Certificate Transparency's reference implementation tests with."""
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    hashes = [merkle.leaf_hash(hashlib.sha256, bytes.fromhex(leaf)) for leaf in inputs]
    for size, root in enumerate(roots):
        assert merkle.tree_root(hashlib.sha256, b"".join(hashes[:size])).hex() == root


@pytest.mark.parametrize("sizes", [range(600), LARGE], ids=["small", "large"])
def test_roots_are_pymerkles(sizes: list[int]) -> None:
    for size in sizes:
        hashes = leaf_hashes()[: size * 32]
        root = oracle().get_root(size)
        assert merkle.tree_root(hashlib.sha256, hashes) == root
        whole = size // 256 * 8192
        roots = merkle.tile_roots(hashlib.sha256, hashes[:whole])
        assert merkle.root_of_tiles(hashlib.sha256, roots, hashes[whole:]) == root


def test_roots_with_sm3() -> None:
    sm3 = merkle.hash_function("sm3")
    grown = export_builder.tree(leaves(300), "sm3")
    assert sm3(b"abc").digest().hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"  # GB/T 32905-2016, A.1
    )
    hashes = b"".join(merkle.leaf_hash(sm3, leaf) for leaf in leaves(300))
    for size in (0, 1, 2, 3, 255, 256, 257, 300):
        assert merkle.tree_root(sm3, hashes[: size * 32]) == grown.get_root(size)


def test_a_hash_that_the_machine_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(name: str, data: bytes = b"") -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", lacks)
    with pytest.raises(merkle.UnsupportedHashError, match="SM3"):
        merkle.hash_function("sm3")


def test_a_node_is_no_leaf() -> None:
    """RFC 6962 §2.1: the prefixes keep a node from passing for a leaf."""
    left, right = (merkle.leaf_hash(hashlib.sha256, leaf) for leaf in (b"a", b"b"))
    root = merkle.tree_root(hashlib.sha256, left + right)
    assert root != merkle.leaf_hash(hashlib.sha256, left + right)


def test_inclusion_and_consistency_hold_under_the_same_roots() -> None:
    """pymerkle's proofs verify against roots computed here."""
    from pymerkle import verify_consistency, verify_inclusion

    root = partial(merkle.tree_root, hashlib.sha256)
    some = random.Random(6962)
    for _ in range(50):
        later = some.randrange(1, 2000)
        prior, index = some.randrange(1, later + 1), some.randrange(later)
        hashes = leaf_hashes()
        leaf = hashes[index * 32 : index * 32 + 32]
        verify_inclusion(leaf, root(hashes[: later * 32]), oracle().prove_inclusion(index + 1, later))
        proof = oracle().prove_consistency(prior, later)
        verify_consistency(root(hashes[: prior * 32]), root(hashes[: later * 32]), proof)


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 999, 1, "tile/1/999.p/1"),
        (0, 1000, 256, "tile/0/x001/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),  # the example of C2SP tlog-tiles
        (3, 1000000, 7, "tile/3/x001/x000/000.p/7"),
    ],
)
def test_tile_paths(level: int, number: int, width: int, path: str) -> None:
    assert tile_path(level, number, width) == path
