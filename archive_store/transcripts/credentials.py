"""The signed document of a transcript: a W3C Verifiable Credential 2.0, as that of a certificate is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from archive_store.certificates.credentials import (
    CREDENTIALS_CONTEXT,
    TERMS_CONTEXT,
    issuer_of,
    signed_credential,
    status_entry,
    time_text,
)
from archive_store.certificates.verification import TRANSCRIPT
from archive_store.foundation.credential_keys import CredentialKey

TRANSCRIPT_LISTS = "/transcripts/status"
TITLE = ("成绩单", "Academic Transcript")


def transcript_credential(
    public_url: str,
    key: CredentialKey,
    *,
    told: Mapping[str, Any],
    status_list: int,
    status_index: int,
    at: datetime,
) -> dict[str, Any]:
    """`told` signed. It names no record of ours, and neither the code of the public check nor the key."""
    zh, en = TITLE
    document = {
        "@context": [CREDENTIALS_CONTEXT, TERMS_CONTEXT],
        "type": ["VerifiableCredential", TRANSCRIPT],
        "name": [{"@value": zh, "@language": "zh"}, {"@value": en, "@language": "en"}],
        "issuer": issuer_of(public_url),
        "validFrom": time_text(at),
        "credentialSubject": {"type": "Person", **told},
        "credentialStatus": status_entry(public_url, TRANSCRIPT_LISTS, status_list, status_index),
    }
    return signed_credential(document, public_url, key, at)
