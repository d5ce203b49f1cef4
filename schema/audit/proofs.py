"""Checkpoints (存证点) of the audit log and proofs under them, for whoever checks the history themselves."""

from __future__ import annotations

import base64
from datetime import datetime

import strawberry

from archive_store.access.viewer import Viewer
from archive_store.audit import log
from archive_store.foundation.store import Store
from schema.context import Request


@strawberry.type(description="存证点: what was signed of the audit log at one size (C2SP tlog-checkpoint).")
class Checkpoint:
    origin: str = strawberry.field(description="Name of the log.")
    tree_size: int = strawberry.field(description="Entries under it.")
    root_hash: str = strawberry.field(description="Root of their Merkle tree (RFC 6962), base64.")
    note: str = strawberry.field(description="The signed note, with signatures of witnesses that came since.")
    at: datetime = strawberry.field(description="When it was signed.")


@strawberry.type(description="存在性证明: that an entry is in the log (RFC 6962 §2.1.1).")
class InclusionProof:
    log_index: int = strawberry.field(description="Place of the entry in the log, from 0.")
    leaf_hash: str = strawberry.field(description="Hash of the entry's canonical bytes as a leaf, base64.")
    hashes: list[str] = strawberry.field(description="From the leaf's sibling up, base64.")
    checkpoint: Checkpoint
    text: str = strawberry.field(description="The same as a C2SP tlog-proof, checkpoint included.")
    leaf: str | None = strawberry.field(
        description="The entry's canonical bytes, values encrypted; to auditors, where an entry is shown.",
        default=None,
    )


@strawberry.type(
    description="一致性证明: that the log of one size begins the log of a later one (RFC 6962 §2.1.2)."
)
class ConsistencyProof:
    from_size: int
    to_size: int
    hashes: list[str] = strawberry.field(description="Base64.")


def shown_checkpoint(checkpoint: log.Checkpoint) -> Checkpoint:
    return Checkpoint(
        origin=checkpoint.origin,
        tree_size=checkpoint.size,
        root_hash=_base64(checkpoint.root),
        note=checkpoint.note,
        at=checkpoint.at,
    )


def shown_proof(proof: log.InclusionProof, leaf: bytes | None = None) -> InclusionProof:
    return InclusionProof(
        leaf=None if leaf is None else leaf.decode(),
        log_index=proof.index,
        leaf_hash=_base64(proof.leaf_hash),
        hashes=[_base64(hashed) for hashed in proof.hashes],
        checkpoint=shown_checkpoint(proof.checkpoint),
        text=proof.text,
    )


async def resolve_checkpoint(info: Request, tree_size: int | None = None) -> Checkpoint | None:
    """The newest, or that of a size; null where none was signed."""
    store = info.context.store
    found = await (log.newest_checkpoint(store) if tree_size is None else log.checkpoint_of(store, tree_size))
    return shown_checkpoint(found) if found else None


async def resolve_inclusion_proof(
    info: Request, log_index: int, tree_size: int | None = None
) -> InclusionProof:
    """Under the newest checkpoint, or that of a size."""
    (proof,) = await log.inclusion_proofs(info.context.store, [log_index], tree_size)
    return shown_proof(proof)


async def resolve_consistency_proof(info: Request, from_size: int, to_size: int) -> ConsistencyProof:
    """Between two sizes of the log."""
    hashes = await log.consistency_proof(info.context.store, from_size, to_size)
    return ConsistencyProof(
        from_size=from_size, to_size=to_size, hashes=[_base64(hashed) for hashed in hashes]
    )


async def proofs_of_entries(store: Store, viewer: Viewer, indexes: list[int]) -> list[InclusionProof | None]:
    """For entries that the viewer is shown: under the newest checkpoint, null where that does not cover one yet."""
    newest = await log.newest_checkpoint(store)
    covered = sorted({index for index in indexes if newest is not None and index < newest.size})
    if newest is None or not covered:
        return [None] * len(indexes)
    leaves = await log.leaves_at(store, covered) if viewer.audits else {}
    proofs = {
        proof.index: shown_proof(proof, leaves.get(proof.index))
        for proof in await log.inclusion_proofs(store, covered, newest.size)
    }
    return [proofs.get(index) for index in indexes]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
