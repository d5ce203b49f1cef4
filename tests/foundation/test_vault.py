"""Root keys in Vault's transit engine, against a double of it (`vault_double.py` says of what kind).

With REGISTRAR_TEST_VAULT_URL and REGISTRAR_TEST_VAULT_TOKEN what a real one is to do is asked of that as well; it needs
a transit key `registrar` and the rights to use and to rotate it.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from bson import ObjectId
from pydantic import SecretStr, ValidationError

import archive_store.foundation.vault as vault_module
from archive_store.foundation.errors import ErrorCode
from archive_store.foundation.root_keys import (
    KeyNotGenuineError,
    RootKeyMissingError,
    RootKeysUnavailableError,
    WrappedKey,
)
from archive_store.foundation.settings import Settings
from archive_store.foundation.vault import VaultRootKeys
from tests.foundation.vault_double import OPERATOR, SERVER, VaultDouble, vault_double

KEY, PURPOSE, OWNER = bytes(range(32)), b"registrar/test", ObjectId()


@pytest.fixture
def double() -> Iterator[VaultDouble]:
    with vault_double() as running:
        yield running


def keys_of(double: VaultDouble, token: str = SERVER, **options: object) -> VaultRootKeys:
    return VaultRootKeys(double.url, token=SecretStr(token), **options)  # type: ignore[arg-type]


REAL_URL, REAL_TOKEN = (os.environ.get(f"REGISTRAR_TEST_VAULT_{name}") for name in ("URL", "TOKEN"))


@pytest.fixture(params=["double", *(["real"] if REAL_URL and REAL_TOKEN else [])])
def vault(request: pytest.FixtureRequest) -> Iterator[VaultRootKeys]:
    if request.param == "double":
        with vault_double() as running:
            yield keys_of(running, OPERATOR)
        return
    assert REAL_URL and REAL_TOKEN
    yield VaultRootKeys(REAL_URL, token=SecretStr(REAL_TOKEN))


async def test_a_key_opens_for_its_owner_and_purpose_alone(vault: VaultRootKeys) -> None:
    wrapped = await vault.wrap(KEY, PURPOSE, OWNER)
    assert wrapped.root_key_id == await vault.current_id()
    assert await vault.unwrap(wrapped, PURPOSE, OWNER) == KEY
    for purpose, owner in ((b"another", OWNER), (PURPOSE, ObjectId())):
        with pytest.raises(KeyNotGenuineError):
            await vault.unwrap(wrapped, purpose, owner)


async def test_after_a_rotation_the_new_version_wraps_and_the_old_one_opens(vault: VaultRootKeys) -> None:
    before = await vault.wrap(KEY, PURPOSE, OWNER)
    rotated = await vault.rotate()
    assert rotated != before.root_key_id
    after = await vault.wrap(KEY, PURPOSE, OWNER)
    assert after.root_key_id == await vault.current_id() == rotated
    assert await vault.unwrap(before, PURPOSE, OWNER) == await vault.unwrap(after, PURPOSE, OWNER) == KEY


async def test_damaged_and_foreign_keys_are_not_genuine(vault: VaultRootKeys) -> None:
    wrapped = await vault.wrap(KEY, PURPOSE, OWNER)
    await vault.rotate()
    other_version = await vault.current_id()
    flipped = bytes([*wrapped.wrapped[:-8], wrapped.wrapped[-8] ^ 1, *wrapped.wrapped[-7:]])
    for wrong in (
        WrappedKey(wrapped.root_key_id, flipped),
        WrappedKey(wrapped.root_key_id, wrapped.wrapped[:-4]),
        WrappedKey(wrapped.root_key_id, b"vault:v1:"),
        WrappedKey(wrapped.root_key_id, b"\xff\0"),
        WrappedKey(other_version, wrapped.wrapped),
    ):
        with pytest.raises(KeyNotGenuineError):
            await vault.unwrap(wrong, PURPOSE, OWNER)


async def test_a_transit_key_that_is_not_there_is_missing(double: VaultDouble) -> None:
    double.policies[SERVER] = {"transit/decrypt/gone": {"update"}}
    sealed = b"vault:v1:" + b"A" * 80
    with pytest.raises(RootKeyMissingError, match="vault:gone:v1"):
        await keys_of(double).unwrap(WrappedKey("vault:gone:v1", sealed), PURPOSE, OWNER)
    with pytest.raises(RootKeyMissingError):
        await keys_of(double).unwrap(WrappedKey("0123456789abcdef", sealed), PURPOSE, OWNER)


async def test_a_retired_version_is_missing(double: VaultDouble) -> None:
    vault = keys_of(double)
    wrapped = await vault.wrap(KEY, PURPOSE, OWNER)
    double.rotate()
    double.min_decryption_version = 2
    with pytest.raises(RootKeyMissingError, match="vault:registrar:v1"):
        await vault.unwrap(wrapped, PURPOSE, OWNER)


async def test_the_servers_policy_does_not_let_it_rotate(double: VaultDouble) -> None:
    with pytest.raises(RootKeysUnavailableError) as refused:
        await keys_of(double).rotate()
    assert refused.value.why == "Vault refuses the token"
    assert len(double.keys["registrar"]) == 1


async def test_a_vault_that_does_not_bind_is_refused(double: VaultDouble) -> None:
    double.ignores_associated_data = True
    with pytest.raises(RootKeysUnavailableError) as refused:
        await keys_of(double).wrap(KEY, PURPOSE, OWNER)
    assert "associated_data" in refused.value.why


@pytest.mark.parametrize("key_type", ["rsa-2048", "ed25519", "aes256-cbc"])
async def test_a_key_of_another_type_is_refused(double: VaultDouble, key_type: str) -> None:
    double.key_type = key_type
    with pytest.raises(RootKeysUnavailableError) as refused:
        await keys_of(double).wrap(KEY, PURPOSE, OWNER)
    assert "aes256-gcm96" in refused.value.why


async def test_what_is_not_at_hand_is_to_be_tried_again_and_then_goes_on(double: VaultDouble) -> None:
    vault = keys_of(double)
    wrapped = await vault.wrap(KEY, PURPOSE, OWNER)
    policies = double.policies
    for state in ({"sealed": True}, {"policies": {}}, {"namespace": "other"}, {"keys": {}}):
        held = {name: getattr(double, name) for name in state}
        for name, value in state.items():
            setattr(double, name, value)
        for asked in (vault.wrap(KEY, PURPOSE, OWNER), vault.current_id()):
            with pytest.raises(RootKeysUnavailableError) as raised:
                await asked
            assert (raised.value.code, raised.value.status) == (ErrorCode.TRY_AGAIN, 503)
        for name, value in held.items():
            setattr(double, name, value)
        assert await vault.unwrap(wrapped, PURPOSE, OWNER) == KEY
    assert double.policies is policies


async def test_a_vault_that_is_away_or_stalls_is_to_be_tried_again(
    double: VaultDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_module, "_TIMEOUT_SECONDS", (0.2, 0.2))
    double.stalls_seconds = 1.0
    with pytest.raises(RootKeysUnavailableError, match="try_again"):
        await keys_of(double).current_id()
    away = VaultRootKeys("http://127.0.0.1:9", token=SecretStr(SERVER))
    with pytest.raises(RootKeysUnavailableError):
        await away.current_id()


async def test_a_token_of_a_file_is_read_at_each_use(double: VaultDouble, tmp_path: Path) -> None:
    file = tmp_path / "token"
    vault = VaultRootKeys(double.url, token_file=file)
    with pytest.raises(RootKeysUnavailableError):
        await vault.current_id()
    file.touch(mode=0o600)
    file.write_text("no token\n")
    with pytest.raises(RootKeysUnavailableError):
        await vault.current_id()
    file.write_text(f"{SERVER}\n")
    assert await vault.current_id() == "vault:registrar:v1"
    file.chmod(0o604)
    with pytest.raises(RootKeysUnavailableError) as refused:
        await vault.current_id()
    assert "everybody" in refused.value.why


async def test_the_namespace_goes_with_each_request(double: VaultDouble) -> None:
    double.namespace = "school"
    assert await keys_of(double, namespace="school").current_id() == "vault:registrar:v1"


async def test_nothing_of_the_environment_is_taken(
    double: VaultDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "another")
    monkeypatch.setenv("VAULT_NAMESPACE", "another")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert await keys_of(double).current_id() == "vault:registrar:v1"


async def test_no_error_and_no_log_tells_a_key_or_the_token(
    double: VaultDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vault = keys_of(double)
    wrapped = await vault.wrap(KEY, PURPOSE, OWNER)
    told = [repr(vault), str(vault.__dict__)]
    for state in ({"sealed": True}, {"policies": {}}, {"keys": {"registrar": [bytes(32)]}}):
        held = {name: getattr(double, name) for name in state}
        for name, value in state.items():
            setattr(double, name, value)
        for asked in (vault.wrap(KEY, PURPOSE, OWNER), vault.unwrap(wrapped, PURPOSE, OWNER)):
            try:
                await asked
            except (RootKeysUnavailableError, KeyNotGenuineError) as error:
                told += traceback.format_exception(error)
                told += [str(error), repr(error), str(getattr(error, "why", ""))]
        for name, value in held.items():
            setattr(double, name, value)
    told.append(caplog.text)
    text = "\n".join(told)
    assert "RootKeysUnavailableError" in text and "KeyNotGenuineError" in text
    for secret in (SERVER, KEY.hex(), vault_module._base64(KEY), wrapped.wrapped.decode()):
        assert secret not in text


@pytest.mark.parametrize(
    "told",
    [
        {"root_keys": "vault"},
        {"vault_url": "https://vault.example"},
        {"vault_url": "https://vault.example", "vault_token": "one", "vault_token_file": "/two"},
        {"vault_url": "http://vault.example", "vault_token": "one"},
        {"vault_url": "http://localhost.example", "vault_token": "one"},
        {"vault_url": "https://vault.example", "vault_token": "one", "vault_key": "a/b"},
    ],
)
def test_settings_that_are_not_whole_are_refused(settings: Settings, told: dict[str, str]) -> None:
    kept = settings.model_dump()
    Settings(**kept | {"root_keys": "vault", "vault_url": "https://vault.example", "vault_token": "one"})
    with pytest.raises(ValidationError):
        Settings(**kept | told)
