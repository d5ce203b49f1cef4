"""The proofs of the audit log in a transfer package: that the log has the entries of its history (RFC 9162 §2.1.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archive_store.preservation.packages import DamagedPackageError, Package
from archive_store.preservation.packages_check import Check, Property
from archive_store.verifier.findings import MalformedError
from archive_store.verifier.merkle import Hash, UnsupportedHashError, hash_function
from archive_store.verifier.notes import Checkpoint, Note, VerifierKey, from_base64

NAME = "审计日志存在性证明检测"


def check_proofs(history: Mapping[str, Any], package: Package, key: str | None) -> Check:
    """Every proof against the one checkpoint, and that against the log's `key` where it is given.

    Whoever gives the key expects a signed checkpoint, and a proof of each entry of the log that the history names.
    Without the key, that there is none is no flaw. DamagedPackageError for another shape.
    """
    if (told := history.get("checkpoint")) is None:
        is_flaw = key is not None or bool(history.get("proofs"))
        return _result(False if is_flaw else None, "the package has no checkpoint")
    try:
        note = Note.parse(str(told).encode())
        checkpoint, proofs = Checkpoint.parse(note.text), history["proofs"]
        hash_ = hash_function(checkpoint.hash_name)
        indexes = {event.log_index for scan in package.scans for event in scan.events}
        for proof in proofs:
            if proof["logIndex"] not in indexes:
                return _result(False, "a proof is of no entry of the history")
            path = [from_base64(hashed) for hashed in proof["hashes"]]
            root = _root(hash_, proof["logIndex"], checkpoint.size, from_base64(proof["leafHash"]), path)
            if root != checkpoint.root:
                return _result(
                    False, f"the proof of log entry {proof['logIndex']} does not lead to the checkpoint"
                )
    except (MalformedError, KeyError, TypeError, ValueError) as error:
        raise DamagedPackageError("the proofs of the audit log have another shape") from error
    except UnsupportedHashError as error:
        return _result(None, str(error))
    under = {index for index in indexes if index is not None and index < checkpoint.size}
    if key is not None and (unproven := under - {proof["logIndex"] for proof in proofs}):
        return _result(False, f"there is no proof of {len(unproven)} entries that the history names")
    if key is not None and not under:
        return _result(False, "no entry of the history is under the checkpoint")
    later = len(indexes - under)
    measured = f"{len(proofs)} entries are under the checkpoint of {checkpoint.size}, {later} are later"
    if key is None:
        return _result(True, f"{measured}; its signature was not checked, no key was given")
    if not note.is_signed_by(VerifierKey.parse(key)):
        return _result(False, "the checkpoint is not signed by the given key")
    return _result(True, f"{measured}, signed by the given key")


def _result(passed: bool | None, measured: str) -> Check:
    return Check(Property.AUTHENTICITY, NAME, passed, measured)


def _root(hash_: Hash, index: int, size: int, leaf_hash: bytes, path: Sequence[bytes]) -> bytes:
    """The root that the path leads to; ValueError where it is too long or too short."""
    if not 0 <= index < size:
        raise ValueError("the entry is not under the checkpoint")
    at, last, root = index, size - 1, leaf_hash
    for hashed in path:
        if last == 0:
            raise ValueError("the path is too long")
        if at & 1 or at == last:
            root = hash_(b"\1" + hashed + root).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = hash_(b"\1" + root + hashed).digest()
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ValueError("the path is too short")
    return root
