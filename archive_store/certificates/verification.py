"""Checking a signed certificate or transcript offline: the document and the school's public key document.

No database, no network.

Sources: Verifiable Credentials Data Model v2.0 §7.1, Data Integrity 1.0 §4.4, Bitstring Status List v1.0 §3.2.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from archive_store.foundation.data_integrity import ProofError, check_proof, public_key

SIZE_LIMIT = 1024 * 1024
_CONTEXT = "https://www.w3.org/ns/credentials/v2"
CERTIFICATE, TRANSCRIPT = "SchoolCertificateCredential", "SchoolTranscriptCredential"
_STATUS_LIST = "BitstringStatusListCredential"
_LEAST_ENTRIES = 131_072
# A list of 16 MiB holds more certificates than there are people.
_MOST_LIST_BYTES = 16 * 1024 * 1024


def parsed(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object of a file. ProofError, naming `what`, where it is none or says something twice."""
    if len(data) > SIZE_LIMIT:
        raise ProofError(f"{what} is larger than {SIZE_LIMIT} bytes")
    try:
        # Of two values under one name, another program may take the other.
        document = json.loads(data, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ProofError(f"{what} is not JSON, or names something twice") from error
    if not isinstance(document, dict):
        raise ProofError(f"{what} is not a JSON object")
    return document


def verify_certificate(
    document: Mapping[str, Any],
    keys: Mapping[str, Any],
    *,
    kind: str = CERTIFICATE,
    now: datetime | None = None,
) -> Mapping[str, Any]:
    """What it says (its `credentialSubject`), where it is of that kind and as the school signed it; else ProofError."""
    _verify(document, keys, kind, now or datetime.now(UTC))
    subject = document.get("credentialSubject")
    if not isinstance(subject, dict):
        raise ProofError("it says nothing of anybody")
    return subject


def is_ended(
    document: Mapping[str, Any],
    status_list: Mapping[str, Any],
    keys: Mapping[str, Any],
    *,
    now: datetime | None = None,
) -> bool:
    """Whether a verified document was revoked or superseded, by the school's signed list; else ProofError."""
    _verify(status_list, keys, _STATUS_LIST, now or datetime.now(UTC))
    entry, listed = document.get("credentialStatus"), status_list.get("credentialSubject")
    if not isinstance(entry, dict) or not isinstance(listed, dict):
        raise ProofError("there is no status to look up")
    if (entry.get("type"), listed.get("type")) != ("BitstringStatusListEntry", "BitstringStatusList"):
        raise ProofError("its status is of another kind")
    if not entry.get("statusPurpose") == listed.get("statusPurpose") == "revocation":
        raise ProofError("the status list serves another purpose")
    if entry.get("statusListCredential") != status_list.get("id"):
        raise ProofError("the status list is not the one that the document names")
    bits, place = _bits(listed.get("encodedList")), entry.get("statusListIndex")
    if not isinstance(place, str) or not (place.isascii() and place.isdigit() and len(place) < 10):
        raise ProofError("its place in the status list cannot be read")
    index = int(place)
    if index >= len(bits) * 8:
        raise ProofError("its place is beyond the end of the status list")
    return bool(bits[index // 8] & 0x80 >> index % 8)


def _verify(document: Mapping[str, Any], keys: Mapping[str, Any], kind: str, now: datetime) -> None:
    contexts, kinds = document.get("@context"), document.get("type")
    if not isinstance(contexts, list) or not contexts or contexts[0] != _CONTEXT:
        raise ProofError("it is not a W3C Verifiable Credential 2.0")
    if not isinstance(kinds, list) or "VerifiableCredential" not in kinds or kind not in kinds:
        raise ProofError(f"it is not a {kind}")
    issuer = keys.get("id")
    if not isinstance(issuer, str) or document.get("issuer") != issuer:
        raise ProofError(f"its issuer is not the owner of the key document, {issuer}")
    proof = document.get("proof")
    if not isinstance(proof, dict):
        raise ProofError("it has no proof, or more than one")
    check_proof(document, _key(keys, issuer, proof.get("verificationMethod")))
    for moment in (document.get("validFrom"), proof.get("created")):
        if _time(moment) > now:
            raise ProofError("it is dated in the future")
    if "validUntil" in document and _time(document["validUntil"]) < now:
        raise ProofError("it has expired")


def _key(keys: Mapping[str, Any], issuer: str, name: object) -> Any:
    assertion, methods = keys.get("assertionMethod"), keys.get("verificationMethod")
    if not isinstance(assertion, list) or not isinstance(methods, list):
        raise ProofError("the key document has no keys")
    found = [method for method in methods if isinstance(method, dict) and method.get("id") == name]
    if len(found) != 1 or name not in assertion:
        raise ProofError(f"it was signed by a key that is not the school's: {name}")
    if found[0].get("type") != "Multikey" or found[0].get("controller") != issuer:
        raise ProofError(f"the key document does not give {name} as a key of the school")
    try:
        return public_key(found[0].get("publicKeyMultibase"))
    except ValueError:
        raise ProofError(f"the key document has no Ed25519 key as {name}") from None


def _time(told: object) -> datetime:
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ProofError("it has no date, or one that cannot be read")
    return moment


def _bits(encoded: object) -> bytes:
    try:
        if not isinstance(encoded, str) or not encoded.startswith("u"):
            raise ValueError("not base64url")
        data = base64.b64decode(encoded[1:] + "=" * (-(len(encoded) - 1) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
        bits = unpacking.decompress(data, _MOST_LIST_BYTES)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise ProofError("the status list cannot be read") from error
    if not unpacking.eof or len(bits) * 8 < _LEAST_ENTRIES:
        raise ProofError("the status list is too short, or too long")
    return bits


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        raise ValueError("a name stands twice")
    return held


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
