"""The issuer's keys: fetched once, found again after a rotation, kept through an outage, and chosen with care."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import ValidationError

from api import issuer_keys
from api.issuer_keys import IssuerKeys, usable_keys
from api.sign_in import SignIn
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.oidc_provider.forge import Forge
from tests.oidc_provider.provider import Provider, ProviderKeys

FOREIGN = ECKey.generate_key("P-256", {"alg": "ES256", "kid": "foreign"})


@pytest.fixture
def rotating(provider: Provider) -> Iterator[Provider]:
    """The provider, which gets its keys back at the end."""
    before = provider.keys
    yield provider
    provider.rotate(before)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "READ_AT_MOST_EVERY_SECONDS", 0)


async def code_of(sign_in: SignIn, store: Store, token: str) -> ErrorCode | None:
    """Of the refusal; None where the token signs in."""
    try:
        await sign_in.viewer(store, f"Bearer {token}")
    except RegistrarError as error:
        return error.code
    return None


async def test_many_requests_fetch_the_keys_once(people: Store, sign_in: SignIn, forge: Forge) -> None:
    before = forge.provider.times_asked("/jwks")
    tokens = [forge.with_claims(jti=str(number)) for number in range(50)]
    assert {await code_of(sign_in, people, token) for token in tokens} == {None}
    assert forge.provider.times_asked("/jwks") == before + 1


async def test_requests_at_once_fetch_the_keys_once(people: Store, sign_in: SignIn, forge: Forge) -> None:
    before = forge.provider.times_asked("/jwks")
    tokens = [forge.with_claims(jti=str(number)) for number in range(50)]
    told = await asyncio.gather(*(code_of(sign_in, people, token) for token in tokens))
    assert set(told) == {None}
    assert forge.provider.times_asked("/jwks") == before + 1
    assert forge.provider.times_asked("/.well-known/openid-configuration") >= 1


async def test_unknown_keys_make_one_fetch_in_a_while(
    people: Store, sign_in: SignIn, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await code_of(sign_in, people, forge.token) is None
    before = forge.provider.times_asked("/jwks")
    strange = [forge.signed(FOREIGN, {"kid": f"unknown-{number}"}) for number in range(50)]
    assert {await code_of(sign_in, people, token) for token in strange} == {ErrorCode.UNAUTHENTICATED}
    assert forge.provider.times_asked("/jwks") == before
    sign_in._keys._tried_at -= issuer_keys.READ_AT_MOST_EVERY_SECONDS
    told = await asyncio.gather(*(code_of(sign_in, people, token) for token in strange))
    assert set(told) == {ErrorCode.UNAUTHENTICATED}
    assert forge.provider.times_asked("/jwks") == before + 1


async def test_a_bad_signature_fetches_nothing(
    people: Store, sign_in: SignIn, forge: Forge, no_pause: None
) -> None:
    assert await code_of(sign_in, people, forge.token) is None
    before = forge.provider.times_asked("/jwks")
    assert await code_of(sign_in, people, forge.signed(FOREIGN, {})) is ErrorCode.UNAUTHENTICATED
    assert forge.provider.times_asked("/jwks") == before


async def test_rotation_while_we_run(
    people: Store, sign_in: SignIn, rotating: Provider, no_pause: None
) -> None:
    old = [rotating.service_token() for _ in range(2)]
    assert await code_of(sign_in, people, old[0]) is None
    rotating.rotate(ProviderKeys())
    # The withdrawn key is good until the next reading, which the first token of the new one causes.
    assert await code_of(sign_in, people, old[1]) is None
    assert await code_of(sign_in, people, rotating.service_token()) is None
    sign_in._viewers.clear()
    assert await code_of(sign_in, people, old[0]) is ErrorCode.UNAUTHENTICATED


async def test_keys_that_are_old_are_read_again(
    people: Store, sign_in: SignIn, rotating: Provider, no_pause: None
) -> None:
    old = rotating.service_token()
    assert await code_of(sign_in, people, old) is None
    rotating.rotate(ProviderKeys())
    sign_in._viewers.clear()
    sign_in._keys._read_at -= issuer_keys.REREAD_AFTER_SECONDS
    assert await code_of(sign_in, people, old) is ErrorCode.UNAUTHENTICATED


async def test_an_outage_keeps_the_last_good_keys_for_a_day(
    people: Store, sign_in: SignIn, forge: Forge, no_pause: None
) -> None:
    assert await code_of(sign_in, people, forge.token) is None
    with forge.provider.outage_of_keys():
        sign_in._keys._read_at -= issuer_keys.REREAD_AFTER_SECONDS
        before = forge.provider.times_asked("/jwks")
        assert await code_of(sign_in, people, forge.with_claims(jti="2")) is None
        assert forge.provider.times_asked("/jwks") == before + 1
        assert await code_of(sign_in, people, forge.signed(FOREIGN, {"kid": "new"})) is (
            ErrorCode.UNAUTHENTICATED
        )
        sign_in._keys._read_at -= issuer_keys.TRUSTED_AT_MOST_SECONDS
        assert await code_of(sign_in, people, forge.with_claims(jti="3")) is ErrorCode.TRY_AGAIN
    assert await code_of(sign_in, people, forge.with_claims(jti="3")) is None


async def test_without_keys_the_answer_is_to_try_again(people: Store, sign_in: SignIn, forge: Forge) -> None:
    with forge.provider.outage_of_keys():
        before = forge.provider.times_asked("/jwks")
        told = await asyncio.gather(*(code_of(sign_in, people, forge.token) for _ in range(20)))
        assert set(told) == {ErrorCode.TRY_AGAIN}
        assert forge.provider.times_asked("/jwks") == before + 1
    sign_in._keys._tried_at -= issuer_keys.READ_AT_MOST_EVERY_SECONDS
    assert await code_of(sign_in, people, forge.token) is None


async def test_a_malformed_token_fetches_nothing(people: Store, sign_in: SignIn, provider: Provider) -> None:
    before = provider.times_asked("/jwks")
    assert await code_of(sign_in, people, "x.y.z") is ErrorCode.UNAUTHENTICATED
    assert provider.times_asked("/jwks") == before


@pytest.mark.parametrize("told", [{}, {"oidc_jwks_url": "/jwks"}], ids=["by-discovery", "by-its-address"])
async def test_the_keys_are_found(
    people: Store, provider_settings: Settings, forge: Forge, told: dict[str, str]
) -> None:
    update = {name: forge.provider.issuer + path for name, path in told.items()}
    sign_in = SignIn(provider_settings.model_copy(update=update))
    assert await code_of(sign_in, people, forge.token) is None


async def test_discovery_of_another_issuer_is_not_believed(
    people: Store, provider_settings: Settings, forge: Forge
) -> None:
    """The same server under another name: its document names the issuer, and that is not ours."""
    other = forge.provider.issuer.replace("127.0.0.1", "localhost")
    sign_in = SignIn(provider_settings.model_copy(update={"oidc_issuer": other}))
    assert await code_of(sign_in, people, forge.token) is ErrorCode.TRY_AGAIN


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"keys": 1}', b"null", b"\xff"])
async def test_an_unreadable_file_asks_to_try_again(
    people: Store, settings: Settings, bearer: Any, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(content)
    sign_in = SignIn(settings.model_copy(update={"oidc_jwks_file": file}))
    with pytest.raises(RegistrarError) as caught:
        await sign_in.viewer(people, bearer("director")["Authorization"])
    assert caught.value.code is ErrorCode.TRY_AGAIN


async def test_withdrawn_keys_are_withdrawn(settings: Settings, tmp_path: Path, no_pause: None) -> None:
    """An empty set is an answer, not an outage."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [FOREIGN.as_dict(private=False)]}))
    keys = IssuerKeys(settings.model_copy(update={"oidc_jwks_file": file}))
    assert len(list(await keys.current())) == 1
    file.write_text(json.dumps({"keys": []}))
    assert list(await keys.newer_than(await keys.current())) == []


def public(key: ECKey | RSAKey, **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **more}


UNUSABLE: dict[str, Any] = {
    "secret": {**OctKey.generate_key(256).as_dict(private=True), "kid": "a", "alg": "HS256"},
    "for-encryption": public(FOREIGN, use="enc"),
    "for-deriving": public(FOREIGN, key_ops=["deriveKey"]),
    "private": FOREIGN.as_dict(private=True),
    "without-kid": {name: value for name, value in public(FOREIGN).items() if name != "kid"},
    "kid-a-number": public(FOREIGN, kid=1),
    "of-a-kind-to-come": {"kty": "AKP", "alg": "ML-DSA-44", "kid": "a", "pub": "AA"},
    "curve-unknown": public(FOREIGN, crv="P-999"),
    "point-not-on-its-curve": public(FOREIGN, x="AAAA"),
    "not-an-object": "key",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_keys_that_are_ignored_hide_no_other(name: str) -> None:
    assert [key.kid for key in usable_keys({"keys": [UNUSABLE[name], public(FOREIGN)]})] == ["foreign"]


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_short_rsa_key_is_ignored() -> None:
    short, good = (RSAKey.generate_key(bits, auto_kid=True) for bits in (1024, 2048))
    assert [key.kid for key in usable_keys({"keys": [public(short), public(good)]})] == [good.kid]


@pytest.mark.parametrize(
    "told",
    [
        {"oidc_jwks_url": "https://id.example/jwks", "oidc_jwks_file": Path("jwks.json")},
        {"oidc_issuer": "school", "oidc_jwks_file": None},
    ],
    ids=["two-sources", "no-source"],
)
def test_settings_name_one_source_of_keys(settings: Settings, told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**{**settings.model_dump(), **told})
