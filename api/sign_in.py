"""Sign-in: OIDC access tokens checked by form, algorithm, type, signature, issuer, audience and time.

A token only names a subject. Posts come from the store. docs/sign-in.md lists the checks in their order.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import structlog
from joserfc import jws, jwt
from joserfc.errors import ClaimError, JoseError
from starlette.requests import HTTPConnection

from api.issuer_keys import IssuerKeys
from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.sign_in import load_viewer

# Asymmetric only: a public key must never serve as the secret of a MAC.
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519")
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068
LEEWAY_SECONDS = 60
# What sensitive values are read for; percent-encoded UTF-8.
PURPOSE_HEADER = "registrar-purpose"
TOKEN_LIMIT = 8_192
SUBJECT_LIMIT = 255
# A grant that is given or ends reaches a signed-in person within this time.
VIEWER_REREAD_AFTER_SECONDS = 5
VIEWERS_REMEMBERED = 10_000
# Where tokens do not say their type: what an ID or logout token carries, and what only an access token does.
_CLAIMS_OF_OTHER_TOKENS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events"})
_CLAIMS_OF_ACCESS_TOKENS = frozenset({"scope", "scp", "client_id", "cid", "appid"})

log = structlog.get_logger("registrar.sign_in")


class SignIn:
    """Checks tokens of the one issuer that the settings name, and remembers their viewers for seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings)
        # A header that we do not know is ignored, as RFC 7515 asks, unless the token calls it critical.
        self._registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._viewers: OrderedDict[bytes, tuple[float, Viewer]] = OrderedDict()

    async def viewer_of(self, request: HTTPConnection) -> Viewer:
        """The viewer of a request, for the purpose (调阅目的) that its header states."""
        return await self.viewer_told(request.app.state.store, request.headers)

    async def viewer_told(self, store: Store, headers: Mapping[str, str]) -> Viewer:
        """The viewer of such headers, in lower case, wherever they came from."""
        viewer = await self.viewer(store, headers.get("authorization"))
        return viewer.for_purpose(unquote(headers.get(PURPOSE_HEADER, "")))

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
        if _is_of_a_client(claims) and not viewer.is_service:
            # A client's own name must not read as a person's, whoever registers clients (RFC 9068, section 5).
            raise RegistrarError(ErrorCode.UNAUTHENTICATED)
        until = min(time.time() + VIEWER_REREAD_AFTER_SECONDS, claims["exp"] + LEEWAY_SECONDS)
        self._viewers[digest] = (until, viewer)
        self._viewers.move_to_end(digest)
        if len(self._viewers) > VIEWERS_REMEMBERED:
            self._viewers.popitem(last=False)
        return viewer

    async def _checked_claims(self, token: str) -> dict[str, Any]:
        try:
            kid = self._checked_key_id(token)
            keys = await self._keys.current()
            if all(key.kid != kid for key in keys):
                # The issuer may have rotated its keys.
                keys = await self._keys.newer_than(keys)
            claims = jwt.decode(token, keys, registry=self._registry).claims
            self._check_claims(claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            log.info("token_refused", reason=_reason(error))
            raise RegistrarError(ErrorCode.UNAUTHENTICATED) from error
        return claims

    def _checked_key_id(self, token: str) -> str:
        """The `kid` of a header that may go on to its signature; nothing else of the header chooses a key."""
        header = jws.extract_compact(token.encode(), registry=self._registry).headers()
        if header["alg"] not in ALGORITHMS:
            raise ValueError("algorithm")
        if "crit" in header:
            raise ValueError("critical extension")
        kind = str(header.get("typ", "JWT")).lower().removeprefix("application/")
        if kind != ACCESS_TOKEN_TYPE and not (kind == "jwt" and self._settings.oidc_untyped_tokens):
            raise ValueError("not an access token by its type")
        kid = header["kid"]
        if not isinstance(kid, str):
            raise TypeError("kid")
        return kid

    def _check_claims(self, claims: dict[str, Any]) -> None:
        # Also refuses `nbf` and `iat` in the future, and times that are not finite numbers.
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._settings.oidc_issuer},
            aud={"essential": True, "value": self._settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(claims)
        if len(claims["sub"]) > SUBJECT_LIMIT or not claims["sub"].isprintable():
            raise ValueError("sub")
        if "cnf" in claims:
            raise ValueError("bound to a key of its client: not a bearer token")
        if self._settings.oidc_untyped_tokens and _is_of_another_type(claims):
            raise ValueError("not an access token by its claims")


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """The `scope` claim (RFC 8693 §4.2): names between blanks."""
    told = claims.get("scope")
    return frozenset(told.split()) if isinstance(told, str) else frozenset()


def _is_of_another_type(claims: dict[str, Any]) -> bool:
    """Whether the claims tell of an ID, logout or refresh token, where the header does not say."""
    return bool(
        _CLAIMS_OF_OTHER_TOKENS & claims.keys()
        or not _CLAIMS_OF_ACCESS_TOKENS & claims.keys()
        # Keycloak and Cognito name the type of a token among its claims.
        or claims.get("typ", "Bearer") != "Bearer"
        or claims.get("token_use", "access") != "access"
    )


def _is_of_a_client(claims: dict[str, Any]) -> bool:
    """Whether a client got the token in its own name and not in a person's."""
    return claims["sub"] in (claims.get("client_id"), claims.get("azp"))


def _reason(error: Exception) -> str:
    """For the log: which check said no, in our words or the library's short ones, never the token's own."""
    if isinstance(error, ClaimError):
        return f"{error.error} {error.claim}"
    return error.error if isinstance(error, JoseError) else str(error)[:100]
