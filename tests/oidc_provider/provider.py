"""Starts the OpenID provider of `server.mjs`, and gets tokens of it as clients do.

Its keys are made here and handed to it, so that a test can also sign what the provider never would.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from api.dev.processes import Child, free_ports
from api.dev.programs import node_program

FOLDER = Path(__file__).parent
REGISTRAR = "urn:school:registrar"
CALLBACK = "https://web.example/callback"
CLIENT_SECRET = "a secret of the tests"


class ProviderKeys:
    """A signing key of each kind, and one for encryption, which must never count for a signature."""

    def __init__(self) -> None:
        self.es256 = ECKey.generate_key("P-256", _told("ES256"))
        self.rs256 = RSAKey.generate_key(2048, _told("RS256"))
        self.ed25519 = OKPKey.generate_key("Ed25519", _told("Ed25519"))
        self.encryption = RSAKey.generate_key(2048, _told("RSA-OAEP-256", use="enc"))

    def document(self) -> dict[str, Any]:
        """With the private parts, for the provider."""
        kept: tuple[Key, ...] = (self.es256, self.rs256, self.ed25519, self.encryption)
        return {"keys": [key.as_dict(private=True) for key in kept]}


def _told(alg: str, use: str = "sig") -> Any:
    return {"alg": alg, "use": use, "kid": f"{alg}-{secrets.token_hex(4)}"}


class Provider:
    """The running provider, as its clients and its tests see it."""

    def __init__(self, issuer: str, keys: ProviderKeys) -> None:
        self.issuer = issuer
        self.keys = keys
        self._http = httpx.Client(base_url=issuer, trust_env=False, timeout=30)

    def close(self) -> None:
        self._http.close()

    def is_up(self) -> bool:
        try:
            return self._http.get("/jwks").is_success
        except httpx.TransportError:
            return False

    def service_token(
        self, resource: str = REGISTRAR, *, client: str = "service", scope: str = "student:read"
    ) -> str:
        """By client credentials."""
        told = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = self._http.post("/token", data=told, auth=(client, CLIENT_SECRET))
        return str(_good(answer).json()["access_token"])

    def person_tokens(
        self, account: str, resource: str = REGISTRAR, *, client: str = "web", nonce: str | None = "n-1"
    ) -> dict[str, Any]:
        """By authorization code and PKCE, as a browser goes through it: `access_token`, `id_token` …"""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": client,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid student:read",
            "resource": resource,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "s-1",
        } | ({"nonce": nonce} if nonce else {})
        with httpx.Client(base_url=self.issuer, trust_env=False, timeout=30) as browser:
            page = _redirect(browser.get("/auth", params=asked))
            assert "/interaction/" in page, page
            back = _redirect(browser.post(page, data={"account": account}))
            arrived = _redirect(browser.get(back))
        assert arrived.startswith(CALLBACK), arrived
        told = {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": parse_qs(urlsplit(arrived).query)["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        tokens: dict[str, Any] = _good(self._http.post("/token", data=told)).json()
        return tokens

    def rotate(self, keys: ProviderKeys) -> None:
        """From now on it publishes and signs with these alone."""
        self._tell("keys", keys.document())
        self.keys = keys

    @contextmanager
    def clock_ahead(self, seconds: int) -> Iterator[None]:
        """It lives in the future, or with negative seconds in the past."""
        self._tell("clock", seconds)
        try:
            yield
        finally:
            self._tell("clock", 0)

    @contextmanager
    def outage_of_keys(self) -> Iterator[None]:
        self._tell("outage", True)
        try:
            yield
        finally:
            self._tell("outage", False)

    def times_asked(self, path: str) -> int:
        return int(self._tell("asked").get(path, 0))

    def _tell(self, what: str, told: Any = None) -> Any:
        return _good(self._http.post(f"/test/{what}", json=told)).json()


def _good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer


def _redirect(answer: httpx.Response) -> str:
    assert answer.is_redirect, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.headers["location"]


@contextmanager
def running_provider(directory: Path) -> Iterator[Provider]:
    keys = ProviderKeys()
    keys_file = directory / "keys.json"
    keys_file.touch(mode=0o600)
    keys_file.write_text(json.dumps(keys.document()))
    [port] = free_ports(1)
    command = [str(node_program()), str(FOLDER / "server.mjs"), str(port), str(keys_file)]
    child = Child("the OpenID provider", command, directory / "provider.log", patience=5)
    provider = Provider(f"http://127.0.0.1:{port}", keys)
    try:
        child.wait_until("the OpenID provider answers", 60, provider.is_up)
        yield provider
    finally:
        provider.close()
        child.stop()
