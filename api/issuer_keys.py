"""The issuer's public keys: where they come from, how long they are kept, when they are read again.

Nothing of a token decides an address here: the settings name the source.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import httpx
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings

REREAD_AFTER_SECONDS = 300
# Also the longest that a new key of the issuer stays unknown, and the pause after a failure.
READ_AT_MOST_EVERY_SECONDS = 10
# A key that the issuer withdrew must not live on because its withdrawal cannot be read.
TRUSTED_AT_MOST_SECONDS = 24 * 3600
READ_TIMEOUT_SECONDS = 10
SMALLEST_RSA_BITS = 2048
# No `oct`: a secret that everybody can read signs for everybody.
_KEY_TYPES = ("RSA", "EC", "OKP")

log = structlog.get_logger("registrar.sign_in")


class IssuerKeys:
    """The keys of the issuer that the settings name. Callers that need them at once share one reading."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: KeySet | None = None
        self._read_at = self._tried_at = -math.inf
        self._reading = asyncio.Lock()

    async def current(self) -> KeySet:
        """The keys, read again when they are old; TRY_AGAIN while there are none to trust."""
        if self._keys is None:
            await self._read()
        elif time.monotonic() - self._read_at > REREAD_AFTER_SECONDS and not self._reading.locked():
            # One caller reads; the others go on with the keys that were good until now.
            await self._read()
        return self._trusted()

    async def newer_than(self, keys: KeySet) -> KeySet:
        """What the issuer publishes now, for a token whose key is not among `keys`."""
        if self._keys is keys:
            await self._read()
        return self._trusted()

    def _trusted(self) -> KeySet:
        if self._keys is None or time.monotonic() - self._read_at > TRUSTED_AT_MOST_SECONDS:
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        return self._keys

    async def _read(self) -> None:
        async with self._reading:
            if time.monotonic() - self._tried_at < READ_AT_MOST_EVERY_SECONDS:
                return
            try:
                async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                    self._keys = KeySet(usable_keys(await self._document()))
                self._read_at = time.monotonic()
            except (OSError, ValueError, TypeError, KeyError, httpx.HTTPError, httpx.InvalidURL) as error:
                log.error("issuer_keys_unreadable", exc_info=error)
            self._tried_at = time.monotonic()

    async def _document(self) -> Any:
        settings = self._settings
        if settings.oidc_jwks_file is not None:
            return orjson.loads(settings.oidc_jwks_file.read_bytes())
        async with httpx.AsyncClient(timeout=READ_TIMEOUT_SECONDS) as client:
            address = settings.oidc_jwks_url or await self._discovered(client)
            return (await client.get(address)).raise_for_status().json()

    async def _discovered(self, client: httpx.AsyncClient) -> str:
        issuer = self._settings.oidc_issuer
        answer = await client.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        document = answer.raise_for_status().json()
        if document["issuer"] != issuer:
            raise ValueError("the discovery document is another issuer's")
        return str(document["jwks_uri"])


def usable_keys(document: Any) -> list[Key]:
    """The keys of a JWKS that may check a signature. One that may not, or cannot be read, hides no other."""
    keys: list[Key] = []
    for told in document["keys"]:
        try:
            key = _usable_key(told)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("issuer_key_ignored", reason=str(error)[:200])
        else:
            keys.append(key)
    return keys


def _usable_key(told: dict[str, Any]) -> Key:
    if told["kty"] not in _KEY_TYPES:
        raise ValueError("not a public key")
    if not isinstance(told["kid"], str):
        raise TypeError("its kid is not a text")
    if told.get("use", "sig") != "sig" or "verify" not in told.get("key_ops", ["verify"]):
        raise ValueError("not for signatures")
    key = JWKRegistry.import_key(told)
    if key.is_private:
        raise ValueError("a private key was published")
    if isinstance(key, RSAKey) and key.public_key.key_size < SMALLEST_RSA_BITS:
        raise ValueError("an RSA key that is too short")
    return key
