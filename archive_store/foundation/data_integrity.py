"""Signing JSON documents: W3C Data Integrity with the cryptosuite `eddsa-jcs-2022`, and Multikey. Pure, no database.

Canonical JSON (JCS, RFC 8785) comes from `rfc8785`, Ed25519 from `cryptography`. Sources: W3C Verifiable Credential
Data Integrity 1.0 §4, Data Integrity EdDSA Cryptosuites v1.0 §3.3, Controlled Identifiers v1.0 §2.2.2 (Multikey).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CRYPTOSUITE = "eddsa-jcs-2022"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_PUBLIC = b"\xed\x01"
_SIGNATURE_BYTES = 64
# The longest text that is decoded: a signature has 88 characters.
_MULTIBASE_LIMIT = 100


class ProofError(Exception):
    """A document is not as its issuer signed it; the message names what is wrong."""


def multibase(data: bytes) -> str:
    """Base58-btc under its multibase letter `z`."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, place = divmod(number, 58)
        text = _BASE58[place] + text
    return "z" + "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def from_multibase(text: object) -> bytes:
    """ValueError unless it is base58-btc under the letter `z`."""
    if not isinstance(text, str) or not text.startswith("z") or len(text) > _MULTIBASE_LIMIT:
        raise ValueError("not base58-btc")
    digits, number = text[1:], 0
    for letter in digits:
        number = number * 58 + _BASE58.index(letter)
    zeros = len(digits) - len(digits.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def multikey(key: Ed25519PrivateKey) -> str:
    """The public half of a key, as `publicKeyMultibase` has it."""
    return multibase(_ED25519_PUBLIC + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def public_key(text: object) -> Ed25519PublicKey:
    """ValueError unless it is the Multikey of an Ed25519 key."""
    data = from_multibase(text)
    if not data.startswith(_ED25519_PUBLIC) or len(data) != len(_ED25519_PUBLIC) + 32:
        raise ValueError("not an Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(data[len(_ED25519_PUBLIC) :])


def hash_data(document: Mapping[str, Any], proof: Mapping[str, Any]) -> bytes:
    """What is signed: the hash of the proof's options, then that of the document without its proof (64 bytes)."""
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    content = {name: value for name, value in document.items() if name != "proof"}
    return b"".join(hashlib.sha256(rfc8785.dumps(part)).digest() for part in (options, content))


def signed(
    document: Mapping[str, Any], key: Ed25519PrivateKey, *, verification_method: str, created: str
) -> dict[str, Any]:
    """The document with its proof, made at `created` (UTC, ISO 8601)."""
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
        "@context": document["@context"],
    }
    value = multibase(key.sign(hash_data(document, proof)))
    return {**document, "proof": {**proof, "proofValue": value}}


def check_proof(document: Mapping[str, Any], key: Ed25519PublicKey) -> None:
    """ProofError unless the document has one proof, by this key and over all of it."""
    proof = document.get("proof")
    if not isinstance(proof, dict):
        raise ProofError("it has no proof, or more than one")
    if (proof.get("type"), proof.get("cryptosuite")) != ("DataIntegrityProof", CRYPTOSUITE):
        raise ProofError(f"its proof is not of the cryptosuite {CRYPTOSUITE}")
    if proof.get("proofPurpose") != "assertionMethod":
        raise ProofError("its proof serves another purpose")
    if "@context" in proof and proof["@context"] != document.get("@context"):
        raise ProofError("its proof was made under another @context")
    try:
        signature = from_multibase(proof.get("proofValue"))
        if len(signature) != _SIGNATURE_BYTES:
            raise ValueError("another length")
        data = hash_data(document, proof)
    except (ValueError, rfc8785.CanonicalizationError) as error:
        raise ProofError("its proof cannot be read") from error
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise ProofError("the signature does not match what it says: it was changed or forged") from None
