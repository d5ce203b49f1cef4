"""Sign-in tokens that are refused, and those that are not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from api.dev.issuer import AUDIENCE, ISSUER, JWKS_FILE, DemoIssuer
from api.dev.stack import EmbeddedStack
from api.sign_in import SignIn
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from tests.school import School

QUERY = {"query": "{ viewer { name posts } }"}


@pytest.fixture
def key(stack: EmbeddedStack, settings: Settings) -> ECKey:
    return ECKey.import_key(json.loads((stack.directory / "demo-issuer-key.json").read_text()))


def signed(key: Any, header: dict[str, Any] | None = None, **claims: Any) -> str:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": AUDIENCE, "sub": "director", "iat": now, "exp": now + 60} | claims
    kept = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(
        {"alg": "ES256", "kid": key.kid} | (header or {}), kept, key, algorithms=["ES256", "HS256"]
    )


def unsigned(**claims: Any) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(time.time())
    told = {"iss": ISSUER, "aud": AUDIENCE, "sub": "director", "exp": now + 60} | claims
    return f"{part({'alg': 'none'})}.{part(told)}."


def mac_with(secret: bytes, kid: str) -> str:
    """HS256 with the issuer's public key as the secret, as an attacker would make it."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode()).rstrip(b"=")
    text = head + b"." + unsigned().split(".")[1].encode()
    mac = base64.urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"=")
    return (text + b"." + mac).decode()


async def answer(http: httpx.AsyncClient, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await http.post("/graphql", json=QUERY, headers=headers)


async def test_a_good_token_signs_in_with_the_posts_of_the_store(
    school: School, http: httpx.AsyncClient, key: ECKey
) -> None:
    told = await answer(http, f"Bearer {signed(key, posts=['PRINCIPAL'])}")
    assert told.json()["data"]["viewer"] == {"name": "赵主任", "posts": ["DIRECTOR"]}


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"sub": "nobody"},
        {"sub": None},
        {"sub": {"$ne": ""}},
        {"sub": ""},
    ],
)
async def test_wrong_claims_are_refused(
    school: School, http: httpx.AsyncClient, key: ECKey, claims: dict[str, Any]
) -> None:
    told = await answer(http, f"Bearer {signed(key, **claims)}")
    assert (told.status_code, told.json()["error"]["code"]) == (401, "unauthenticated")
    assert told.headers["www-authenticate"] == "Bearer"


async def test_wrong_signatures_are_refused(
    school: School, http: httpx.AsyncClient, key: ECKey, stack: EmbeddedStack
) -> None:
    other = ECKey.generate_key("P-256", auto_kid=True)
    public = (stack.directory / JWKS_FILE).read_bytes()
    good = signed(key)
    tokens = [
        unsigned(),
        signed(other),
        signed(other, {"kid": key.kid}),
        signed(OctKey.import_key(public), {"alg": "HS256", "kid": key.kid}),
        mac_with(key.as_pem(private=False), key.kid),
        good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        good.rsplit(".", 1)[0] + ".",
        "x.y.z",
        "a" * 100_000,
    ]
    for token in tokens:
        told = await answer(http, f"Bearer {token}")
        assert told.status_code == 401, token[:40]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic ZGlyZWN0b3I6", "Token x"])
async def test_no_token_is_refused(
    school: School, http: httpx.AsyncClient, authorization: str | None
) -> None:
    assert (await answer(http, authorization)).status_code == 401
    assert (await http.post("/scans", headers={"Authorization": authorization or ""})).status_code == 401


async def test_rotated_keys_are_read_again(school: School, settings: Settings, tmp_path: Path) -> None:
    old, new = ECKey.generate_key("P-256", auto_kid=True), ECKey.generate_key("P-256", auto_kid=True)
    file = tmp_path / "jwks.json"

    def publish(key: ECKey) -> None:
        file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))

    publish(old)
    sign_in = SignIn(settings.model_copy(update={"oidc_jwks_file": file}))
    assert (await sign_in.viewer(school.store, f"Bearer {signed(old)}")).name == "赵主任"
    publish(new)
    sign_in._keys_read_at -= 60
    assert (await sign_in.viewer(school.store, f"Bearer {signed(new)}")).name == "赵主任"
    with pytest.raises(RegistrarError) as caught:
        await sign_in.viewer(school.store, f"Bearer {signed(old, jti='2')}")
    assert caught.value.code is ErrorCode.UNAUTHENTICATED


async def test_unreadable_keys_ask_to_try_again(school: School, settings: Settings, tmp_path: Path) -> None:
    sign_in = SignIn(settings.model_copy(update={"oidc_jwks_file": tmp_path / "missing.json"}))
    with pytest.raises(RegistrarError) as caught:
        await sign_in.viewer(school.store, "Bearer x.y.z")
    assert caught.value.code is ErrorCode.TRY_AGAIN


def test_demo_tokens_name_a_subject_and_scopes(issuer: DemoIssuer) -> None:
    body = issuer.token("director", seconds=5).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "scope"}
