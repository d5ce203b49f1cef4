"""Signed certificates: W3C's own vectors, and one forgery a test, refused for what is wrong with it."""

from __future__ import annotations

import copy
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from api.cli.main import app
from archive_store.certificates.credentials import (
    CERTIFICATE_LISTS,
    certificate_credential,
    encoded_list,
    key_document,
    status_list_credential,
)
from archive_store.certificates.documents import CertificateKind, Paper
from archive_store.certificates.verification import is_ended, parsed, verify_certificate
from archive_store.foundation.credential_keys import CredentialKey, new_credential_key
from archive_store.foundation.data_integrity import (
    ProofError,
    check_proof,
    from_multibase,
    hash_data,
    multibase,
    multikey,
    public_key,
    signed,
)
from archive_store.foundation.keyring import Keyring, KeyringError

URL = "https://registrar.school.example"
AT = datetime(2026, 7, 1, tzinfo=UTC)
# W3C, Data Integrity EdDSA Cryptosuites v1.0, appendix "Representation: eddsa-jcs-2022".
PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
SECRET = "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq"
CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]
ALUMNI = {
    "@context": CONTEXT,
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
DOCUMENT_HASH = "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19"
METHOD = f"https://vc.example/issuers/5678#{PUBLIC}"
PROOF_VALUE = "z63t83Y53KfzJ5ZosfKTnqfMcKB2dmTrfjSaQjeNNjAD5srBowQfmWqeRb8rRjmeEuCBEsddF9LsVogtuTsijJKh4"


def _w3c_key() -> Ed25519PrivateKey:
    secret = from_multibase(SECRET)
    assert secret[:2] == b"\x80\x26"
    return Ed25519PrivateKey.from_private_bytes(secret[2:])


def test_the_vectors_of_w3c() -> None:
    key = _w3c_key()
    assert multikey(key) == PUBLIC
    made = signed(ALUMNI, key, verification_method=METHOD, created="2023-02-24T23:36:38Z")
    assert hash_data(made, made["proof"])[32:].hex() == DOCUMENT_HASH
    assert made["proof"]["proofValue"] == PROOF_VALUE
    check_proof(made, public_key(PUBLIC))


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\1", bytes(range(64)), b"\xff" * 34])
def test_multibase_goes_both_ways(data: bytes) -> None:
    assert from_multibase(multibase(data)) == data


def test_what_is_no_multibase() -> None:
    for text in ("", "z0", "zOIl", "u00", "z" + "2" * 101, None):
        with pytest.raises(ValueError):
            from_multibase(text)


KEY = new_credential_key()


def certificate(key: CredentialKey = KEY, index: int = 7) -> dict[str, Any]:
    paper = Paper(
        name="王小明",
        gender="1",
        birth_date=date(2011, 3, 4),
        studied_from="2023-09",
        studied_until="2026-06",
        school_name="示范中学",
        stage="JUNIOR",
        issued_on=date(2026, 7, 1),
    )
    told = {"number": "CZ20260001", "kind": CertificateKind.GRADUATION, "paper": paper, "at": AT}
    return certificate_credential(URL, key, status_list=1, status_index=index, **told)


def test_a_certificate_is_checked_with_the_key_document_alone() -> None:
    subject = verify_certificate(certificate(), key_document(URL, KEY))
    assert (subject["name"], subject["certificateNumber"]) == ("王小明", "CZ20260001")


def test_one_signed_before_the_key_was_followed_stays_valid() -> None:
    after = KEY.successor().successor()
    assert verify_certificate(certificate(), key_document(URL, after))
    assert CredentialKey.from_json(after.as_json()) == after
    forged = after.as_json()
    forged["earlier"][0]["public"] = new_credential_key().public
    with pytest.raises(ValueError, match="named"):
        CredentialKey.from_json(forged)


def _change(path: str, value: Any) -> dict[str, Any]:
    held = copy.deepcopy(certificate())
    *names, last = path.split(".")
    place = held
    for name in names:
        place = place[name]
    place[last] = value
    return held


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (_change("credentialSubject.name", "李小明"), "changed or forged"),
        (_change("credentialStatus.statusListIndex", "8"), "changed or forged"),
        (_change("extra", 1), "changed or forged"),
        (_change("proof.created", "2026-06-30T00:00:00Z"), "changed or forged"),
        (_change("proof.proofValue", "z" + "1" * 64), "changed or forged"),
        (_change("proof.proofValue", "zz"), "cannot be read"),
        (_change("proof.cryptosuite", "eddsa-rdfc-2022"), "cryptosuite"),
        (_change("proof.proofPurpose", "authentication"), "purpose"),
        (_change("proof.verificationMethod", f"did:web:elsewhere.example#{KEY.public}"), "not the school's"),
        (_change("proof.@context", ["https://www.w3.org/ns/credentials/v2"]), "another @context"),
        (_change("proof", [certificate()["proof"]]), "no proof, or more than one"),
        (_change("issuer", "did:web:elsewhere.example"), "issuer"),
        (_change("type", ["VerifiableCredential"]), "SchoolCertificateCredential"),
        (_change("@context", ["https://elsewhere.example"]), "Verifiable Credential 2.0"),
        (certificate(new_credential_key()), "not the school's"),
    ],
)
def test_a_forged_one_is_refused_for_what_is_wrong(forged: dict[str, Any], told: str) -> None:
    with pytest.raises(ProofError, match=told):
        verify_certificate(forged, key_document(URL, KEY))


def test_one_of_the_future_is_refused() -> None:
    with pytest.raises(ProofError, match="future"):
        verify_certificate(certificate(), key_document(URL, KEY), now=datetime(2026, 6, 30, tzinfo=UTC))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000])
def test_what_is_no_document(data: bytes) -> None:
    with pytest.raises(ProofError):
        parsed(data, "the certificate")


def test_the_status_list_tells_who_is_ended_and_for_a_week() -> None:
    keys = key_document(URL, KEY)
    listed = status_list_credential(
        URL, KEY, lists=CERTIFICATE_LISTS, status_list=1, ended=[7, 131_071], at=AT
    )
    assert is_ended(certificate(), listed, keys, now=AT)
    assert is_ended(certificate(index=131_071), listed, keys, now=AT)
    assert not is_ended(certificate(index=6), listed, keys, now=AT)
    with pytest.raises(ProofError, match="expired"):
        is_ended(certificate(), listed, keys, now=AT + timedelta(days=8))
    another = status_list_credential(URL, KEY, lists=CERTIFICATE_LISTS, status_list=2, ended=[], at=AT)
    with pytest.raises(ProofError, match="not the one"):
        is_ended(certificate(), another, keys, now=AT)
    listed["credentialSubject"]["encodedList"] = encoded_list([])
    with pytest.raises(ProofError, match="forged"):
        is_ended(certificate(), listed, keys, now=AT)


def test_the_command_needs_the_key_document_only(tmp_path: Path) -> None:
    files = {
        "keys": key_document(URL, KEY),
        "good": certificate(),
        "forged": _change("credentialSubject.name", "李小明"),
        "list": status_list_credential(
            URL, KEY, lists=CERTIFICATE_LISTS, status_list=1, ended=[7], at=datetime.now(UTC)
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")

    def verify(name: str, *more: str) -> Any:
        told = ["certificate", "verify", str(tmp_path / name), "--key", str(tmp_path / "keys"), *more]
        return CliRunner().invoke(app, told)

    good, forged = verify("good"), verify("forged")
    assert (good.exit_code, forged.exit_code) == (0, 1), good.output
    assert "王小明" in good.output
    assert verify("good", "--status", str(tmp_path / "list")).exit_code == 1


def test_the_keyring_keeps_public_keys_of_before(tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    first = Keyring.create(file).credential
    assert first is not None
    after = Keyring.rotate_credential_key(file).credential
    assert after is not None
    assert after.publics == (first.public, after.public)
    held = json.loads(file.read_text())
    assert first.seed.hex() not in file.read_text()
    del held["credential"]
    file.write_text(json.dumps(held))
    assert Keyring.load(file).credential is None
    file.write_text(json.dumps({**held, "credential": {"seed": "00", "earlier": []}}))
    with pytest.raises(KeyringError):
        Keyring.load(file)
