"""Exports made from FORMAT.md by other means than those of the store and the verifier: pymerkle's tree, and json."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymerkle import InmemoryTree

ORIGIN = "school.example/registrar"
ZEROS = "0" * 64
AUDIT_KEY = hashlib.sha256(b"audit key of the vectors").digest()


def signing_key(name: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return b"\1" + key.public_key().public_bytes_raw()


def key_id(key: Ed25519PrivateKey, origin: str = ORIGIN) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + public_bytes(key)).digest()[:4]


def verifier_key(key: Ed25519PrivateKey, origin: str = ORIGIN) -> str:
    return f"{origin}+{key_id(key, origin).hex()}+{base64.b64encode(public_bytes(key)).decode()}"


def signature_line(text: str, key: Ed25519PrivateKey, origin: str = ORIGIN) -> str:
    signed = key_id(key, origin) + key.sign(text.encode())
    return f"— {origin} {base64.b64encode(signed).decode()}\n"


def note(text: str, *keys: Ed25519PrivateKey, others: str = "") -> bytes:
    """A note signed by the keys; `others` are lines of signatures before theirs."""
    return (text + "\n" + others + "".join(signature_line(text, key) for key in keys)).encode()


def succession(before: Ed25519PrivateKey, after: Ed25519PrivateKey) -> bytes:
    return note(f"{ORIGIN}\nkey\n{verifier_key(after)}\n", before)


def canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def make_entry(
    subject: tuple[str, int], sequence: int, previous_hash: str, number: int, /, **changes: Any
) -> tuple[bytes, str]:
    """An entry's line, and its hash in hex; the writer's seal is right also of a forged one, unlike a forger's."""
    entry: dict[str, Any] = {
        "actor_id": None if number % 7 == 0 else f"{number % 3:024x}",
        "actor_name": ["赵主任", "installation", 'O"Brien\\', "张]老师"][number % 4],
        "actor_posts": [[], ["DIRECTOR"], ["TEACHER", "HOMEROOM_TEACHER"]][number % 3],
        "at": f"2026-09-{1 + number // 86400 % 28:02d}T{number // 3600 % 24:02d}:{number // 60 % 60:02d}"
        f":{number % 60:02d}.{number % 1000:03d}+00:00",
        "kind": "student:update",
        "operation": "student.update",
        "previous_hash": previous_hash,
        "sealed": hashlib.shake_256(b"sealed %d" % number).hexdigest(140 + number % 9),
        "sequence": sequence,
        "subject_id": f"{0xA0 + subject[1]:024x}",
        "subject_type": subject[0],
    } | changes
    own = hmac.new(AUDIT_KEY, b"entry\0" + canonical(entry), hashlib.sha256).hexdigest()
    return canonical(entry | {"hash": own}), own


def history(subjects: Sequence[tuple[str, int]], **changes: Any) -> list[bytes]:
    """A line for each: the next entry of that subject; `changes` are members that all have."""
    ends: dict[tuple[str, int], tuple[int, str]] = {}
    lines = []
    for number, subject in enumerate(subjects):
        sequence, last = ends.get(subject, (0, ZEROS))
        line, own = make_entry(subject, sequence + 1, last, number, **changes)
        ends[subject] = (sequence + 1, own)
        lines.append(line)
    return lines


def subject_name(subject: tuple[str, int]) -> str:
    return f"{subject[0]}:{0xA0 + subject[1]:024x}"


def tree(lines: Sequence[bytes], hash_name: str = "sha256") -> InmemoryTree:
    grown = InmemoryTree(algorithm="sha256")
    if hash_name != "sha256":
        grown.hashfunc = partial(hashlib.new, hash_name)
    grown.append_entries(lines)
    return grown


def tile_files(grown: InmemoryTree) -> dict[str, bytes]:
    """The tiles of a tree, each hash the root that pymerkle gives for its leaves."""
    files = {}
    level, count = 0, grown.get_size()
    while count:
        width = 256**level
        hashes = [grown._get_root(at * width, (at + 1) * width) for at in range(count)]
        for start in range(0, count, 256):
            part = hashes[start : start + 256]
            number = start // 256
            name = f"{number:03d}" if number < 1000 else f"x{number // 1000:03d}/{number % 1000:03d}"
            name += "" if len(part) == 256 else f".p/{len(part)}"
            files[f"tile/{level}/{name}"] = b"".join(part)
        level, count = level + 1, count // 256
    return files


@dataclass(frozen=True)
class Export:
    """An export to be: the lines that were logged, and the keys from the first to the newest."""

    lines: Sequence[bytes]
    keys: Sequence[Ed25519PrivateKey] = field(default_factory=lambda: (signing_key("first"),))
    hash_name: str = "sha256"

    @property
    def trusted(self) -> str:
        return verifier_key(self.keys[0])

    def cut(self, size: int) -> Export:
        return replace(self, lines=self.lines[:size])

    def text(self, size: int | None = None) -> str:
        """The text of the checkpoint at a size, the whole if none is told."""
        lines = self.lines[:size]
        root = base64.b64encode(tree(lines, self.hash_name).get_root()).decode()
        extension = "hash SM3\n" if self.hash_name == "sm3" else ""
        return f"{ORIGIN}\n{len(lines)}\n{root}\n{extension}"

    def checkpoint(self, size: int | None = None, *, key: Ed25519PrivateKey | None = None) -> bytes:
        return note(self.text(size), key or self.keys[-1])

    def files(self) -> dict[str, bytes]:
        """Content by path below the export's folder."""
        named = {"keys/000": verifier_key(self.keys[0]).encode() + b"\n"}
        for number, (before, after) in enumerate(zip(self.keys, self.keys[1:], strict=False), start=1):
            named[f"keys/{number:03d}"] = succession(before, after)
        return {
            "checkpoint": self.checkpoint(),
            "entries.jsonl": b"".join(line + b"\n" for line in self.lines),
            **named,
            **tile_files(tree(self.lines, self.hash_name)),
        }


def with_lines(files: dict[str, bytes], lines: Sequence[bytes]) -> dict[str, bytes]:
    """The files with other lines, everything else as it was."""
    return files | {"entries.jsonl": b"".join(line + b"\n" for line in lines)}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder
