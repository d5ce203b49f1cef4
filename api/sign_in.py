"""Sign-in: OIDC bearer tokens checked by signature, algorithm, issuer, audience and time.

A token only names a subject. Posts come from the store.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import unquote

import httpx
import orjson
import structlog
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from starlette.requests import HTTPConnection

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.sign_in import load_viewer

# Asymmetric only: a public key must never serve as the secret of a MAC.
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519")
LEEWAY_SECONDS = 60
# What sensitive values are read for; percent-encoded UTF-8.
PURPOSE_HEADER = "registrar-purpose"
TOKEN_LIMIT = 8_192
KEYS_REREAD_AFTER_SECONDS = 300
KEYS_REREAD_AT_MOST_EVERY_SECONDS = 10
# A grant that is given or ends reaches a signed-in person within this time.
VIEWER_REREAD_AFTER_SECONDS = 5
VIEWERS_REMEMBERED = 10_000

log = structlog.get_logger("registrar.sign_in")


class SignIn:
    """Checks tokens of the one issuer that the settings name, and remembers their viewers for seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys: KeySet | None = None
        self._keys_read_at = 0.0
        self._viewers: OrderedDict[bytes, tuple[float, Viewer]] = OrderedDict()

    async def viewer_of(self, request: HTTPConnection) -> Viewer:
        """The viewer of a request, for the purpose (调阅目的) that its header states."""
        viewer = await self.viewer(request.app.state.store, request.headers.get("authorization"))
        return viewer.for_purpose(unquote(request.headers.get(PURPOSE_HEADER, "")))

    async def viewer(self, store: Store, authorization: str | None) -> Viewer:
        """The viewer of an `Authorization: Bearer …` header; UNAUTHENTICATED for anything less."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LIMIT:
            raise RegistrarError(ErrorCode.UNAUTHENTICATED)
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._viewers.get(digest)
        if remembered is not None and time.time() < remembered[0]:
            return remembered[1]
        claims = await self._checked_claims(token.strip())
        viewer = await load_viewer(store, claims["sub"], _scopes(claims))
        if viewer is None:
            raise RegistrarError(ErrorCode.UNAUTHENTICATED)
        until = min(time.time() + VIEWER_REREAD_AFTER_SECONDS, claims["exp"] + LEEWAY_SECONDS)
        self._viewers[digest] = (until, viewer)
        self._viewers.move_to_end(digest)
        if len(self._viewers) > VIEWERS_REMEMBERED:
            self._viewers.popitem(last=False)
        return viewer

    async def _checked_claims(self, token: str) -> dict[str, Any]:
        keys = await self._current_keys()
        try:
            try:
                return self._claims(token, keys)
            except (BadSignatureError, InvalidKeyIdError):
                # The issuer may have rotated its keys.
                if time.monotonic() - self._keys_read_at < KEYS_REREAD_AT_MOST_EVERY_SECONDS:
                    raise
                return self._claims(token, await self._current_keys(reread=True))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise RegistrarError(ErrorCode.UNAUTHENTICATED) from error

    def _claims(self, token: str, keys: KeySet) -> dict[str, Any]:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._settings.oidc_issuer},
            aud={"essential": True, "value": self._settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(claims)
        return claims

    async def _current_keys(self, *, reread: bool = False) -> KeySet:
        age = time.monotonic() - self._keys_read_at
        if self._keys is None or reread or age > KEYS_REREAD_AFTER_SECONDS:
            try:
                self._keys = KeySet.import_key_set(await self._read_keys())
            except (OSError, ValueError, httpx.HTTPError) as error:
                log.error("issuer_keys_unreadable", exc_info=error)
                if self._keys is None:
                    raise RegistrarError(ErrorCode.TRY_AGAIN) from error
            self._keys_read_at = time.monotonic()
        return self._keys

    async def _read_keys(self) -> Any:
        settings = self._settings
        if settings.oidc_jwks_file is not None:
            return orjson.loads(settings.oidc_jwks_file.read_bytes())
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(str(settings.oidc_jwks_url))
            return answer.raise_for_status().json()


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """The `scope` claim (RFC 8693 §4.2): names between blanks."""
    told = claims.get("scope")
    return frozenset(told.split()) if isinstance(told, str) else frozenset()
