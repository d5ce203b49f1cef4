"""Changes real tokens of the provider: with its own keys, with other keys, and without any."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from tests.oidc_provider.provider import REGISTRAR, Provider

# Stands for a claim or header that the changed token lacks.
ABSENT: Any = object()


def encoded(part: bytes | object) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _changed(told: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (told | changes).items() if value is not ABSENT}


class Forge:
    """Holds a real access token of a person, and makes others of it."""

    def __init__(self, provider: Provider, account: str) -> None:
        self.provider = provider
        self.account = account
        self.keys = provider.keys
        self.token: str = provider.person_tokens(account)["access_token"]
        self.parts = self.token.split(".")
        self.header: dict[str, Any] = decoded(self.parts[0])
        self.claims: dict[str, Any] = decoded(self.parts[1])

    def id_token(self, *, client: str, nonce: str | None = "n-1") -> str:
        token: str = self.provider.person_tokens(self.account, client=client, nonce=nonce)["id_token"]
        return token

    def token_for(self, resource: str) -> str:
        token: str = self.provider.person_tokens(self.account, f"{REGISTRAR}:{resource}")["access_token"]
        return token

    def with_claims(self, **claims: Any) -> str:
        """As if the provider had said so itself: signed by its key."""
        return self.signed(self.keys.es256, {}, encoded(_changed(self.claims, claims)))

    def with_header(self, **header: Any) -> str:
        """The same, for the header."""
        return self.signed(self.keys.es256, header)

    def signed(self, key: Key, header: dict[str, Any], payload: str | None = None) -> str:
        """By any key, under any header; the signature is of the key's own algorithm."""
        text = f"{encoded(_changed(self.header, header))}.{self.parts[1] if payload is None else payload}"
        algorithm = JWSRegistry.algorithms[str(key.get("alg"))]
        return f"{text}.{encoded(algorithm.sign(text.encode(), key))}"

    def signed_as(self, alg: str, key: Key) -> str:
        """By this key with another algorithm than the key's."""
        text = f"{encoded(self.header | {'alg': alg, 'kid': key.kid})}.{self.parts[1]}"
        return f"{text}.{encoded(JWSRegistry.algorithms[alg].sign(text.encode(), key))}"

    def mac(self, secret: bytes, key: Key, alg: str = "HS256") -> str:
        """A MAC under `secret`, as if the public key that `kid` names were a shared secret."""
        text = f"{encoded(self.header | {'alg': alg, 'kid': key.kid})}.{self.parts[1]}"
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), f'sha{alg[2:]}'))}"

    def unsigned(self, alg: Any, signature: str = "") -> str:
        return f"{encoded(_changed(self.header, {'alg': alg}))}.{self.parts[1]}.{signature}"
