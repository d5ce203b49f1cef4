"""Signed notes (C2SP signed-note), verifier keys, and the two texts we sign: checkpoints and successions, pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive_store.verifier.findings import MalformedError
from archive_store.verifier.merkle import HASH_SIZE

LONGEST_NOTE = 1 << 20
LARGEST_SIZE = (1 << 63) - 1
_ED25519 = b"\1"
_SIGNATURE_LINE = re.compile("— ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


def from_base64(text: str) -> bytes:
    """Strict: what encodes to the very same text. A changed last character may else decode to the same bytes."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedError("it has no sound base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise MalformedError("it has no canonical base64")
    return decoded


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 public key of a log: its origin, id (4 bytes) and public key (32 bytes)."""

    name: str
    key_id: bytes
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """From `<origin>+<key id>+<base64>`; MalformedError."""
        match text.split("+", 2):
            case [name, key_id, encoded]:
                key = from_base64(encoded)
            case _:
                raise MalformedError("it is no verifier key")
        # The name is printed: what is not printable, as all blanks but one are, could write to a terminal.
        is_name = bool(name) and name.isprintable() and " " not in name
        if not is_name or key[:1] != _ED25519 or len(key) != 33:
            raise MalformedError("it is no Ed25519 verifier key")
        if hashlib.sha256(f"{name}\n".encode() + key).digest()[:4].hex() != key_id:
            raise MalformedError("the id of the key is not that of the key")
        return cls(name, bytes.fromhex(key_id), key[1:])


@dataclass(frozen=True, slots=True)
class Note:
    """A signed text, with its signatures as (name, key id, signature)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """MalformedError for what is no signed note. Whose signatures they are is not looked at."""
        if len(data) > LONGEST_NOTE:
            raise MalformedError("it is too long for a signed note")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("it is not UTF-8") from error
        text, blank, tail = whole.rpartition("\n\n")
        if not blank or not text or not tail.endswith("\n") or _CONTROL.search(whole):
            raise MalformedError("it is no signed note")
        signatures = []
        for line in tail[:-1].split("\n"):
            found = _SIGNATURE_LINE.fullmatch(line)
            if found is None:
                raise MalformedError("it has a line that is no signature")
            signature = from_base64(found[2])
            if len(signature) < 5:
                raise MalformedError("it has a signature without a key id")
            signatures.append((found[1], signature[:4], signature[4:]))
        return cls(text + "\n", tuple(signatures))

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Whether it has a signature of the key, and none of the key's is wrong. Those of others are passed over."""
        wanted = (key.name, key.key_id)
        signatures = {signature for name, key_id, signature in self.signatures if (name, key_id) == wanted}
        public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
        for signature in signatures:
            try:
                public_key.verify(signature, self.text.encode())
            except InvalidSignature:
                return False
        return bool(signatures)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log signs (C2SP tlog-checkpoint): origin, size, root (32 bytes) and the name of its hash."""

    origin: str
    size: int
    root: bytes
    hash_name: str

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        origin, size, root, *extensions = _lines(text, 3)
        if not re.fullmatch("0|[1-9][0-9]{0,18}", size, re.ASCII) or int(size) > LARGEST_SIZE:
            raise MalformedError("its size is no size")
        hash_name = "sha256"
        for extension in extensions:
            if extension == "hash SM3":
                hash_name = "sm3"
            elif extension.startswith("hash "):
                raise MalformedError("its hash is none that FORMAT.md names")
        digest = from_base64(root)
        if len(digest) != HASH_SIZE:
            raise MalformedError("its root is no hash")
        return cls(origin, int(size), digest, hash_name)


def parse_succession(text: str) -> tuple[str, VerifierKey]:
    """The origin, and the key that the succession names; MalformedError."""
    origin, word, key = _lines(text, 3)[:3]
    if word != "key" or text != f"{origin}\nkey\n{key}\n":
        raise MalformedError("it is no succession")
    return origin, VerifierKey.parse(key)


def _lines(text: str, least: int) -> list[str]:
    lines = text.split("\n")[:-1]
    if len(lines) < least or not all(lines):
        raise MalformedError("it has too few lines, or a blank one")
    return lines
