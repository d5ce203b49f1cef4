"""The signed document of a certificate: a W3C Verifiable Credential 2.0, and the public list of what was revoked. Pure.

Sources: Verifiable Credentials Data Model v2.0, Bitstring Status List v1.0, did:web, Controlled Identifiers v1.0.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from archive_store.certificates.documents import CertificateKind, Paper
from archive_store.certificates.rules import KIND_NAMES
from archive_store.foundation.credential_keys import CredentialKey
from archive_store.foundation.data_integrity import signed
from archive_store.foundation.records import bson_value

CREDENTIALS_CONTEXT = "https://www.w3.org/ns/credentials/v2"
# Terms of our own, which no document of W3C defines, are under this address by JSON-LD's rule for the rest.
TERMS_CONTEXT = "https://www.w3.org/ns/credentials/undefined-terms/v2"
# The least number of entries that Bitstring Status List allows, so that a list tells little of any one.
LIST_ENTRIES = 131_072
STATUS_LIST_LIFETIME = timedelta(days=7)
STATUS_LIST_SECONDS = 300
CERTIFICATE_LISTS = "/certificates/status"


def issuer_of(public_url: str) -> str:
    """The school's did:web."""
    return "did:web:" + quote(public_url.split("://", 1)[1], safe=".-")


def key_document(public_url: str, key: CredentialKey) -> dict[str, Any]:
    """did.json: the public keys with which the school's certificates are checked, those of before included."""
    issuer = issuer_of(public_url)
    methods = [
        {
            "id": f"{issuer}#{public}",
            "type": "Multikey",
            "controller": issuer,
            "publicKeyMultibase": public,
        }
        for public in key.publics
    ]
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": issuer,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }


def certificate_credential(
    public_url: str,
    key: CredentialKey,
    *,
    number: str,
    kind: CertificateKind,
    paper: Paper,
    status_list: int,
    status_index: int,
    at: datetime,
) -> dict[str, Any]:
    """What the paper says, signed. It names no record of ours, and not the code of the public check."""
    zh, en = KIND_NAMES[kind]
    subject = {"type": "Person", "certificateNumber": number, "certificateKind": kind.value, **_told(paper)}
    document = {
        "@context": [CREDENTIALS_CONTEXT, TERMS_CONTEXT],
        "type": ["VerifiableCredential", "SchoolCertificateCredential"],
        "name": [{"@value": zh, "@language": "zh"}, {"@value": en, "@language": "en"}],
        "issuer": issuer_of(public_url),
        "validFrom": time_text(at),
        "credentialSubject": subject,
        "credentialStatus": status_entry(public_url, CERTIFICATE_LISTS, status_list, status_index),
    }
    return signed_credential(document, public_url, key, at)


def status_entry(public_url: str, lists: str, status_list: int, status_index: int) -> dict[str, Any]:
    """A document's place in a status list; `lists` is the path below which such lists are published."""
    return {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": str(status_index),
        "statusListCredential": f"{public_url}{lists}/{status_list}",
    }


def status_list_credential(
    public_url: str, key: CredentialKey, *, lists: str, status_list: int, ended: Iterable[int], at: datetime
) -> dict[str, Any]:
    """The list of that number below the path `lists`: the bit of each document that is no longer valid is 1.

    It holds for a week, so that nobody shows an old one for long.
    """
    address = f"{public_url}{lists}/{status_list}"
    document = {
        "@context": [CREDENTIALS_CONTEXT],
        "id": address,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer_of(public_url),
        "validFrom": time_text(at),
        "validUntil": time_text(at + STATUS_LIST_LIFETIME),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": encoded_list(ended),
        },
    }
    return signed_credential(document, public_url, key, at)


def encoded_list(ended: Iterable[int]) -> str:
    """The bits, the first one leftmost, as GZIP in multibase base64url without padding."""
    bits = bytearray(LIST_ENTRIES // 8)
    for index in ended:
        bits[index // 8] |= 0x80 >> index % 8
    # Without a time, so that the list tells of nothing but its bits.
    return "u" + base64.urlsafe_b64encode(gzip.compress(bytes(bits), mtime=0)).decode().rstrip("=")


def _told(paper: Paper) -> dict[str, Any]:
    told = {
        "name": paper.name,
        "gender": paper.gender,
        "birthDate": paper.birth_date,
        "studiedFrom": paper.studied_from,
        "studiedUntil": paper.studied_until,
        "schoolName": paper.school_name,
        "stage": paper.stage,
        "programme": paper.programme,
        "issuedOn": paper.issued_on,
    }
    return {name: bson_value(value) for name, value in told.items() if value is not None}


def signed_credential(
    document: dict[str, Any], public_url: str, key: CredentialKey, at: datetime
) -> dict[str, Any]:
    method = f"{issuer_of(public_url)}#{key.public}"
    return signed(document, key.private, verification_method=method, created=time_text(at))


def time_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
