"""Checkpoints and proofs over GraphQL, checked as somebody else would: by RFC 9162 and the signed note alone."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from bson import ObjectId

from archive_store.audit.chain import leaf_bytes
from archive_store.audit.documents import ENTRIES
from archive_store.audit.sequencer import sequence_entries
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.audit.test_merkle import roots_of_consistency
from tests.audit.test_sequencer import append
from tests.school import School

pytestmark = pytest.mark.anyio

CHECKPOINT = "query ($size: Int) { checkpoint(treeSize: $size) { origin treeSize rootHash note at } }"
INCLUSION = """query ($index: Int!, $size: Int) { inclusionProof(logIndex: $index, treeSize: $size) {
    logIndex leafHash hashes text checkpoint { treeSize rootHash } } }"""
CONSISTENCY = """query ($from: Int!, $to: Int!) { consistencyProof(fromSize: $from, toSize: $to) {
    fromSize toSize hashes } }"""


async def ask(school: School, query: str, subject: str = "logistics", **variables: Any) -> Any:
    context = Context(school.store, await school.viewer(subject))
    return await build_schema().execute(query, variable_values=variables, context_value=context)


async def data(school: School, query: str, **variables: Any) -> Any:
    result = await ask(school, query, **variables)
    assert result.errors is None, result.errors
    (found,) = result.data.values()
    return found


async def sized(school: School, *growth: int) -> list[int]:
    """The sizes of a log that grew by so many entries at a time."""
    sizes = [(await sequence_entries(school.store, seconds=60)).size]
    for entries in growth:
        await append(school.store, *(ObjectId() for _ in range(entries)))
        sizes.append((await sequence_entries(school.store, batch=10_000, seconds=60)).size)
    return sizes


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2."""
    fn, sn, root = index, size - 1, leaf_hash
    for hashed in path:
        assert sn
        if fn & 1 or fn == sn:
            root = hashlib.sha256(b"\1" + hashed + root).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = hashlib.sha256(b"\1" + root + hashed).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return root


async def test_no_checkpoint_yet(school: School) -> None:
    assert await data(school, CHECKPOINT) is None
    result = await ask(school, INCLUSION, index=0)
    assert result.errors is not None
    assert result.errors[0].extensions is not None
    assert (result.errors[0].extensions["code"], result.errors[0].extensions["field"]) == (
        "not_found",
        "treeSize",
    )


async def test_the_newest_checkpoint_and_older_ones(school: School) -> None:
    first, second = await sized(school, 3)
    newest = await data(school, CHECKPOINT)
    older = await data(school, CHECKPOINT, size=first)
    assert (newest["treeSize"], older["treeSize"]) == (second, first)
    key = school.store.keyring.checkpoint
    assert key is not None
    for told in (newest, older):
        text = f"{key.origin}\n{told['treeSize']}\n{told['rootHash']}\n"
        assert told["origin"] == key.origin
        assert key.has_signed(text, told["note"])
    assert await data(school, CHECKPOINT, size=second + 1) is None


async def test_each_entry_is_proved_under_each_checkpoint(school: School) -> None:
    sizes = await sized(school, 1, 250)
    rows = await school.store.database.mongo[ENTRIES].find().sort("log_index").to_list()
    for size in sizes:
        for index in {0, 1, size // 2, size - 1}:
            proof = await data(school, INCLUSION, index=index, size=size)
            leaf_hash = hashlib.sha256(b"\0" + leaf_bytes(rows[index])).digest()
            assert base64.b64decode(proof["leafHash"]) == leaf_hash
            path = [base64.b64decode(hashed) for hashed in proof["hashes"]]
            root = root_of_inclusion(index, size, leaf_hash, path)
            assert base64.b64encode(root).decode() == proof["checkpoint"]["rootHash"]
            head, _, note = proof["text"].partition("\n\n")
            assert head.split("\n") == ["c2sp.org/tlog-proof@v1", f"index {index}", *proof["hashes"]]
            assert note == (await data(school, CHECKPOINT, size=size))["note"]


async def test_each_size_is_proved_to_begin_a_later_one(school: School) -> None:
    sizes = await sized(school, 1, 250)
    roots = {
        size: base64.b64decode((await data(school, CHECKPOINT, size=size))["rootHash"]) for size in sizes
    }
    for at, older in enumerate(sizes):
        for size in sizes[at:]:
            told = await data(school, CONSISTENCY, **{"from": older, "to": size})
            proof = [base64.b64decode(hashed) for hashed in told["hashes"]]
            both = roots[older], roots[size]
            assert roots_of_consistency(older, size, *both, proof) == both


@pytest.mark.parametrize(
    ("query", "variables", "field"),
    [
        (INCLUSION, {"index": 10_000}, "logIndex"),
        (INCLUSION, {"index": -1}, "logIndex"),
        (INCLUSION, {"index": 0, "size": 1}, "treeSize"),
        (CONSISTENCY, {"from": 1, "to": 10_000}, "toSize"),
        (CONSISTENCY, {"from": 3, "to": 2}, "fromSize"),
        (CONSISTENCY, {"from": -1, "to": 2}, "fromSize"),
        (CONSISTENCY, {"from": 0, "to": 0}, "toSize"),
    ],
)
async def test_what_is_not_in_the_log(
    school: School, query: str, variables: dict[str, int], field: str
) -> None:
    await sized(school)
    result = await ask(school, query, **variables)
    assert result.errors is not None
    assert result.errors[0].extensions is not None
    assert (result.errors[0].extensions["code"], result.errors[0].extensions["field"]) == ("not_found", field)


HISTORY = """query ($id: ID!) { student(id: $id) { auditHistory(first: 3) { edges { node { logIndex
    proof { logIndex leafHash leaf hashes checkpoint { treeSize rootHash note } } } } } } }"""


async def proofs_of(school: School, subject: str) -> list[Any]:
    student = await school.student()
    found = await ask(school, HISTORY, subject, id=global_id("Student", student.key))
    assert found.errors is None, found.errors
    return [edge["node"] for edge in found.data["student"]["auditHistory"]["edges"]]


async def test_an_entry_carries_its_proof_once_it_is_covered(school: School) -> None:
    student = await school.student()
    assert all(node == {"logIndex": None, "proof": None} for node in await proofs_of(school, "director"))
    await school.approve("director", await school.request("information", student, phone="13900001111"))
    await sized(school)
    nodes = await proofs_of(school, "director")
    assert len(nodes) == 2
    for node in nodes:
        proof = node["proof"]
        assert proof["logIndex"] == node["logIndex"]
        leaf_hash = hashlib.sha256(b"\0" + proof["leaf"].encode()).digest()
        assert base64.b64encode(leaf_hash).decode() == proof["leafHash"]
        path = [base64.b64decode(hashed) for hashed in proof["hashes"]]
        root = root_of_inclusion(node["logIndex"], proof["checkpoint"]["treeSize"], leaf_hash, path)
        assert base64.b64encode(root).decode() == proof["checkpoint"]["rootHash"]
        assert "13900001111" not in proof["leaf"]


async def test_who_is_no_auditor_gets_the_proof_without_the_bytes(school: School) -> None:
    await sized(school)
    for node in await proofs_of(school, "information"):
        assert node["proof"]["leaf"] is None
        assert node["proof"]["leafHash"]


async def test_an_entry_past_the_newest_checkpoint_has_a_place_and_no_proof(school: School) -> None:
    await sized(school)
    entries = school.store.database.mongo[ENTRIES]
    await entries.update_one({"subject_id": (await school.student()).key}, {"$set": {"log_index": 10_000}})
    assert await proofs_of(school, "director") == [{"logIndex": 10_000, "proof": None}]
