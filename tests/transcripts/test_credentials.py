"""Signed transcripts, checked without a server: one forgery a test, refused for what is wrong with it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from archive_store.certificates.credentials import key_document, status_list_credential
from archive_store.certificates.verification import TRANSCRIPT, verify_certificate
from archive_store.foundation.credential_keys import new_credential_key
from archive_store.foundation.data_integrity import ProofError
from archive_store.transcripts.credentials import TRANSCRIPT_LISTS, transcript_credential
from tests.certificates.test_credentials import KEY, URL, certificate

AT = datetime(2026, 11, 29, tzinfo=UTC)
TOLD = {
    **{"transcriptNumber": "CJ20261129-ABCDEFGH", "issuedOn": "2026-11-29", "name": "王小明"},
    "courses": [{"code": "MATH", "name": "数学", "credits": "4", "score": "59"}],
    "average": {"value": "0.00", "credits": "4", "scale": 0},
}


def transcript(key: Any = KEY) -> dict[str, Any]:
    return transcript_credential(URL, key, told=TOLD, status_list=1, status_index=7, at=AT)


def changed(path: str, value: Any) -> dict[str, Any]:
    held: Any = copy.deepcopy(transcript())
    *names, last = path.split(".")
    place = held
    for name in names:
        place = place[int(name)] if name.isdigit() else place[name]
    place[last] = value
    return held  # type: ignore[no-any-return]


def without_a_course() -> dict[str, Any]:
    held = transcript()
    held["credentialSubject"] = {**held["credentialSubject"], "courses": []}
    return held


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (changed("credentialSubject.courses.0.score", "95"), "changed or forged"),
        (changed("credentialSubject.average.value", "4.00"), "changed or forged"),
        (changed("credentialSubject.name", "李小明"), "changed or forged"),
        (changed("credentialSubject.issuedOn", "2027-01-01"), "changed or forged"),
        (without_a_course(), "changed or forged"),
        (changed("credentialStatus.statusListIndex", "8"), "changed or forged"),
        (changed("proof.verificationMethod", f"did:web:elsewhere.example#{KEY.public}"), "not the school's"),
        (changed("issuer", "did:web:elsewhere.example"), "issuer"),
        (changed("type", ["VerifiableCredential", "SchoolCertificateCredential"]), "it is not a School"),
        (transcript(new_credential_key()), "not the school's"),
        (certificate(), "it is not a SchoolTranscriptCredential"),
    ],
)
def test_a_forged_one_is_refused_for_what_is_wrong(forged: dict[str, Any], told: str) -> None:
    assert verify_certificate(transcript(), key_document(URL, KEY), kind=TRANSCRIPT)["name"] == "王小明"
    with pytest.raises(ProofError, match=told):
        verify_certificate(forged, key_document(URL, KEY), kind=TRANSCRIPT)


def test_the_command_needs_the_key_document_only(tmp_path: Path) -> None:
    lists = {"lists": TRANSCRIPT_LISTS, "status_list": 1, "at": AT}
    files = {
        "keys": key_document(URL, KEY),
        "good": transcript(),
        "forged": changed("credentialSubject.courses.0.score", "95"),
        "certificate": certificate(),
        "revoked": status_list_credential(URL, KEY, ended=[7], **lists),
        "valid": status_list_credential(URL, KEY, ended=[8], **lists),
        "other": status_list_credential(
            URL, KEY, ended=[], lists="/certificates/status", status_list=1, at=AT
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")

    def verify(name: str, status: str | None = None) -> Any:
        told = ["transcript", "verify", str(tmp_path / name), "--key", str(tmp_path / "keys")]
        return CliRunner().invoke(app, [*told, *(["--status", str(tmp_path / status)] if status else [])])

    good = verify("good")
    assert good.exit_code == 0, good.output
    assert "59" in good.output
    assert verify("good", "valid").exit_code == 0
    for name, status in (("forged", None), ("certificate", None), ("good", "revoked"), ("good", "other")):
        assert verify(name, status).exit_code == 1, (name, status)
