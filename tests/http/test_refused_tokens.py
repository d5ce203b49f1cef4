"""Every token that is refused, by name. Each is a real one of a real provider, or one changed in one way."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

import api.sign_in
from api.sign_in import SignIn
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.oidc_provider.forge import ABSENT, Forge, encoded
from tests.oidc_provider.provider import REGISTRAR

QUERY = {"query": "{ viewer { name posts } }"}
HOUR = 3600
FOREIGN = ECKey.generate_key("P-256", {"alg": "ES256", "kid": "foreign"})
PUBLIC = FOREIGN.as_dict(private=False)
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


def now() -> int:
    return int(time.time())


def issued_ahead(forge: Forge, seconds: int) -> str:
    with forge.provider.clock_ahead(seconds):
        return forge.provider.service_token()


def jwk_text(key: ECKey | RSAKey) -> bytes:
    return json.dumps(key.as_dict(private=False)).encode()


def another_payload(forge: Forge) -> str:
    return encoded(forge.claims | {"sub": "principal"})


REFUSED: dict[str, Callable[[Forge], str]] = {
    # Not a signed token at all
    "form-one-part": lambda forge: forge.parts[1],
    "form-two-parts": lambda forge: ".".join(forge.parts[:2]),
    "form-four-parts": lambda forge: forge.token + ".AAAA",
    "form-two-dots-alone": lambda forge: "..",
    "form-opaque-token": lambda forge: forge.token_for("opaque"),
    "form-encrypted-token": lambda forge: forge.token_for("encrypted"),
    "form-huge": lambda forge: forge.with_claims(note="x" * api.sign_in.TOKEN_LIMIT),
    "form-huge-header": lambda forge: forge.with_header(note="x" * 1000),
    "form-not-base64": lambda forge: f"{forge.parts[0]}.{forge.parts[1]}.{'*' * 86}",
    "form-not-ascii": lambda forge: forge.token + "é",
    "form-base64-padding": lambda forge: forge.token + "==",
    "form-inner-space": lambda forge: forge.token.replace(".", ". "),
    "form-header-not-json": lambda forge: f"{encoded(b'{alg')}.{forge.parts[1]}.{forge.parts[2]}",
    "form-header-a-list": lambda forge: f"{encoded(['alg'])}.{forge.parts[1]}.{forge.parts[2]}",
    "form-header-nested": lambda forge: f"{encoded(b'[' * 300)}.{forge.parts[1]}.{forge.parts[2]}",
    "form-payload-not-json": lambda forge: forge.signed(forge.keys.es256, {}, encoded(b"director")),
    "form-payload-a-list": lambda forge: forge.signed(forge.keys.es256, {}, encoded([forge.claims])),
    "form-payload-nested": lambda forge: forge.signed(forge.keys.es256, {}, encoded(b"[" * 5000)),
    # Signatures
    "signature-missing": lambda forge: ".".join(forge.parts[:2]) + ".",
    "signature-truncated": lambda forge: forge.token[:-4],
    "signature-of-zeros": lambda forge: ".".join([*forge.parts[:2], encoded(bytes(64))]),
    "signature-of-another-payload": lambda forge: ".".join(
        [forge.parts[0], another_payload(forge), forge.parts[2]]
    ),
    "signature-of-another-header": lambda forge: ".".join(
        [encoded(forge.header | {"typ": "application/at+jwt"}), *forge.parts[1:]]
    ),
    "signature-payload-truncated": lambda forge: ".".join(
        [forge.parts[0], forge.parts[1][:-4], forge.parts[2]]
    ),
    "signature-foreign-key": lambda forge: forge.signed(FOREIGN, {"kid": "foreign"}),
    "signature-foreign-key-under-our-kid": lambda forge: forge.signed(FOREIGN, {}),
    "signature-kid-of-another-key": lambda forge: forge.with_header(kid=forge.keys.rs256.kid),
    "signature-rs256-kid-of-another-key": lambda forge: forge.signed(forge.keys.rs256, {"alg": "RS256"}),
    "signature-by-an-encryption-key": lambda forge: forge.signed_as("RS256", forge.keys.encryption),
    "kid-missing": lambda forge: forge.with_header(kid=ABSENT),
    "kid-null": lambda forge: forge.with_header(kid=None),
    "kid-a-number": lambda forge: forge.with_header(kid=1),
    "kid-a-path": lambda forge: forge.mac(b"", ECKey.import_key({**PUBLIC, "kid": "../../dev/null"})),
    # Keys that the token brings or points to
    "key-embedded-jwk": lambda forge: forge.signed(FOREIGN, {"jwk": PUBLIC}),
    "key-embedded-jwk-without-kid": lambda forge: forge.signed(FOREIGN, {"jwk": PUBLIC, "kid": ABSENT}),
    "key-jku": lambda forge: forge.signed(FOREIGN, {"jku": "https://x.example/", "kid": "foreign"}),
    "key-x5u": lambda forge: forge.signed(FOREIGN, {"x5u": "https://x.example/"}),
    "key-x5c": lambda forge: forge.signed(
        FOREIGN, {"x5c": [base64.b64encode(FOREIGN.as_der(private=False)).decode()]}
    ),
    # Algorithms
    "alg-none": lambda forge: forge.unsigned("none"),
    "alg-none-capitalised": lambda forge: forge.unsigned("None"),
    "alg-none-upper-case": lambda forge: forge.unsigned("NONE"),
    "alg-none-mixed-case": lambda forge: forge.unsigned("nOnE"),
    "alg-none-with-a-space": lambda forge: forge.unsigned("none "),
    "alg-empty": lambda forge: forge.unsigned(""),
    "alg-none-with-the-signature": lambda forge: forge.unsigned("none", forge.parts[2]),
    "alg-null": lambda forge: forge.unsigned(None),
    "alg-missing": lambda forge: forge.unsigned(ABSENT),
    "alg-a-list": lambda forge: forge.unsigned(["ES256"], forge.parts[2]),
    "alg-lower-case": lambda forge: forge.with_header(alg="es256"),
    "alg-hs256-by-ec-pem": lambda forge: forge.mac(forge.keys.es256.as_pem(), forge.keys.es256),
    "alg-hs256-by-ec-der": lambda forge: forge.mac(forge.keys.es256.as_der(), forge.keys.es256),
    "alg-hs256-by-ec-jwk": lambda forge: forge.mac(jwk_text(forge.keys.es256), forge.keys.es256),
    "alg-hs256-by-rsa-pem": lambda forge: forge.mac(forge.keys.rs256.as_pem(), forge.keys.rs256),
    "alg-hs256-by-rsa-pem-stripped": lambda forge: forge.mac(
        forge.keys.rs256.as_pem().strip(), forge.keys.rs256
    ),
    "alg-hs256-by-rsa-der": lambda forge: forge.mac(forge.keys.rs256.as_der(), forge.keys.rs256),
    "alg-hs256-by-rsa-jwk": lambda forge: forge.mac(jwk_text(forge.keys.rs256), forge.keys.rs256),
    "alg-hs384-by-rsa-pem": lambda forge: forge.mac(forge.keys.rs256.as_pem(), forge.keys.rs256, "HS384"),
    "alg-hs512-by-rsa-pem": lambda forge: forge.mac(forge.keys.rs256.as_pem(), forge.keys.rs256, "HS512"),
    "alg-hs256-by-nothing": lambda forge: forge.mac(b"", forge.keys.es256),
    "alg-rs512-not-allowed": lambda forge: forge.signed_as("RS512", forge.keys.rs256),
    "alg-ps256-by-a-key-for-rs256": lambda forge: forge.signed_as("PS256", forge.keys.rs256),
    "alg-rs256-told-of-an-ec-key": lambda forge: forge.with_header(alg="RS256"),
    "alg-eddsa-the-old-name": lambda forge: forge.signed(
        forge.keys.ed25519, {"alg": "EdDSA", "kid": forge.keys.ed25519.kid}
    ),
    # Extensions
    "crit-unknown": lambda forge: forge.with_header(crit=["school"], school=True),
    "crit-known-header": lambda forge: forge.with_header(crit=["kid"]),
    "crit-empty": lambda forge: forge.with_header(crit=[]),
    "crit-not-a-list": lambda forge: forge.with_header(crit=1),
    "crit-b64": lambda forge: forge.with_header(crit=["b64"], b64=False),
    "crit-missing-for-b64": lambda forge: forge.with_header(b64=False),
    # Tokens of another type
    "type-id-token": lambda forge: forge.id_token(client="web"),
    "type-id-token-of-a-client-named-as-the-audience": lambda forge: forge.id_token(client="registrar"),
    "type-id-token-without-nonce": lambda forge: forge.id_token(client="registrar", nonce=None),
    "type-jwt": lambda forge: forge.with_header(typ="JWT"),
    "type-missing": lambda forge: forge.with_header(typ=ABSENT),
    "type-null": lambda forge: forge.with_header(typ=None),
    "type-logout-token": lambda forge: forge.with_header(typ="logout+jwt"),
    "type-introspection": lambda forge: forge.with_header(typ="token-introspection+jwt"),
    "type-dpop-proof": lambda forge: forge.with_header(typ="dpop+jwt"),
    # Issuers and audiences
    "issuer-another": lambda forge: forge.with_claims(iss="https://elsewhere.example"),
    "issuer-with-a-slash": lambda forge: forge.with_claims(iss=forge.provider.issuer + "/"),
    "issuer-a-list": lambda forge: forge.with_claims(iss=[forge.provider.issuer]),
    "issuer-missing": lambda forge: forge.with_claims(iss=ABSENT),
    "audience-another-resource": lambda forge: forge.provider.service_token("urn:school:library"),
    "audience-others-only": lambda forge: forge.with_claims(aud=["library", "registrar-web"]),
    "audience-in-capitals": lambda forge: forge.with_claims(aud="Registrar"),
    "audience-longer": lambda forge: forge.with_claims(aud="registrar library"),
    "audience-empty": lambda forge: forge.with_claims(aud=[]),
    "audience-mixed-types": lambda forge: forge.with_claims(aud=["registrar", 1]),
    "audience-missing": lambda forge: forge.with_claims(aud=ABSENT),
    # Times
    "time-expired": lambda forge: issued_ahead(forge, -24 * HOUR),
    "time-issued-in-the-future": lambda forge: issued_ahead(forge, HOUR),
    "time-exp-missing": lambda forge: forge.with_claims(exp=ABSENT),
    "time-exp-null": lambda forge: forge.with_claims(exp=None),
    "time-exp-a-text": lambda forge: forge.with_claims(exp=str(now() + HOUR)),
    "time-exp-true": lambda forge: forge.with_claims(exp=True),
    "time-exp-not-a-number": lambda forge: forge.with_claims(exp=float("nan")),
    "time-exp-infinite": lambda forge: forge.with_claims(exp=float("inf")),
    "time-exp-just-past-the-leeway": lambda forge: forge.with_claims(exp=now() - 61),
    "time-nbf-in-the-future": lambda forge: forge.with_claims(nbf=now() + HOUR),
    "time-nbf-past-the-leeway": lambda forge: forge.with_claims(nbf=now() + 90),
    "time-nbf-a-text": lambda forge: forge.with_claims(nbf="0"),
    "time-iat-a-text": lambda forge: forge.with_claims(iat="0"),
    # Subjects
    "subject-missing": lambda forge: forge.with_claims(sub=ABSENT),
    "subject-empty": lambda forge: forge.with_claims(sub=""),
    "subject-null": lambda forge: forge.with_claims(sub=None),
    "subject-a-number": lambda forge: forge.with_claims(sub=1),
    "subject-a-query": lambda forge: forge.with_claims(sub={"$ne": ""}),
    "subject-a-list": lambda forge: forge.with_claims(sub=["director"]),
    "subject-too-long": lambda forge: forge.with_claims(sub="d" * 256),
    "subject-with-a-nul": lambda forge: forge.with_claims(sub="director\0"),
    "subject-half-a-character": lambda forge: forge.with_claims(sub="\ud800"),
    "subject-nobody": lambda forge: forge.with_claims(sub="nobody"),
    "subject-a-client-named-as-a-person": lambda forge: forge.provider.service_token(client="director"),
    # Tokens that only their client may use
    "bound-to-a-key-of-its-client": lambda forge: forge.with_claims(
        cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused(by_provider: httpx.AsyncClient, forge: Forge, name: str) -> None:
    headers = {b"authorization": b"Bearer " + REFUSED[name](forge).encode()}
    told = await by_provider.post("/graphql", json=QUERY, headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) == (401, "unauthenticated")
    assert told.headers["www-authenticate"] == "Bearer"
    # The token that it was made of is good, so it was refused for what its name says.
    good = await by_provider.post("/graphql", json=QUERY, headers={"Authorization": f"Bearer {forge.token}"})
    assert good.json()["data"]["viewer"]["posts"] == ["DIRECTOR"]


def test_every_refused_token_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sign-in.md").read_text(encoding="utf-8")
    listed = text[text.index("## Tokens that are refused") :]
    assert set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", listed)) == REFUSED.keys() | REFUSED_UNTYPED.keys()


async def test_a_token_of_one_second_is_refused_after_it_and_the_leeway(
    people: Store, sign_in: SignIn, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"Bearer {forge.provider.service_token(REGISTRAR + ':brief')}"
    time.sleep(1.2)  # noqa: ASYNC251 - nobody else waits
    assert (await sign_in.viewer(people, token)).is_service
    monkeypatch.setattr(api.sign_in, "LEEWAY_SECONDS", 0)
    sign_in._viewers.clear()
    with pytest.raises(RegistrarError) as caught:
        await sign_in.viewer(people, token)
    assert caught.value.code is ErrorCode.UNAUTHENTICATED


# Where the school must take tokens that do not say their type, their claims have to tell.
REFUSED_UNTYPED: dict[str, Callable[[Forge], str]] = {
    "id-token-of-a-client-named-as-the-audience": lambda forge: forge.id_token(client="registrar"),
    "id-token-without-nonce": lambda forge: forge.id_token(client="registrar", nonce=None),
    "id-token-with-at-hash": lambda forge: untyped(forge, at_hash="x"),
    "id-token-of-keycloak": lambda forge: untyped(forge, typ="ID"),
    "refresh-token-of-keycloak": lambda forge: untyped(forge, typ="Refresh"),
    "id-token-of-cognito": lambda forge: untyped(forge, token_use="id"),
    "logout-token": lambda forge: untyped(forge, events=EVENTS),
    "typed-as-a-logout-token": lambda forge: forge.with_header(typ="logout+jwt"),
    "neither-client-nor-scope": lambda forge: untyped(forge, client_id=ABSENT, scope=ABSENT),
}


def untyped(forge: Forge, **claims: Any) -> str:
    told = {name: value for name, value in (forge.claims | claims).items() if value is not ABSENT}
    return forge.signed(forge.keys.es256, {"typ": "JWT"}, encoded(told))


@pytest.fixture
def lenient(provider_settings: Settings) -> SignIn:
    return SignIn(provider_settings.model_copy(update={"oidc_untyped_tokens": True}))


@pytest.mark.parametrize("name", REFUSED_UNTYPED)
async def test_refused_untyped(people: Store, lenient: SignIn, forge: Forge, name: str) -> None:
    assert (await lenient.viewer(people, f"Bearer {untyped(forge)}")).name == "赵主任"
    with pytest.raises(RegistrarError) as caught:
        await lenient.viewer(people, f"Bearer {REFUSED_UNTYPED[name](forge)}")
    assert caught.value.code is ErrorCode.UNAUTHENTICATED
