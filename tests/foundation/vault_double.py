"""A double of HashiCorp Vault, not Vault itself: real HTTP, real AES-256-GCM, and of Vault only what is used here.

Written after Vault's public documentation of the transit engine (`api-docs/secret/transit`) and of its statuses
(`api-docs`): ciphertexts `vault:v<version>:<base64 of nonce and sealed>`, `associated_data`, versions and
`min_decryption_version`, policies of exact paths, 400, 403, 404 and 503 when sealed, errors as `{"errors": […]}`.
The texts of its errors are those that a Vault 1.19.0 gave to the same requests.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SERVER = "server-token"
OPERATOR = "operator-token"
# As docs/keys.md gives it for the server, and what an operator needs to rotate.
SERVER_POLICY = {
    "transit/encrypt/registrar": {"update"},
    "transit/decrypt/registrar": {"update"},
    "transit/keys/registrar": {"read"},
}
OPERATOR_POLICY = SERVER_POLICY | {"transit/keys/registrar/rotate": {"update"}}


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, *errors: str) -> None:
        self.status, self.errors = status, list(errors)


@dataclass
class VaultDouble:
    """The state behind the address: a test changes it as an operator would."""

    url: str = ""
    sealed: bool = False
    ignores_associated_data: bool = False
    stalls_seconds: float = 0.0
    namespace: str | None = None
    key_type: str = "aes256-gcm96"
    keys: dict[str, list[bytes]] = field(default_factory=lambda: {"registrar": [secrets.token_bytes(32)]})
    min_decryption_version: int = 1
    policies: dict[str, dict[str, set[str]]] = field(
        default_factory=lambda: {SERVER: SERVER_POLICY, OPERATOR: OPERATOR_POLICY}
    )
    requests: list[str] = field(default_factory=list)

    def rotate(self, name: str = "registrar") -> None:
        self.keys[name].append(secrets.token_bytes(32))

    def answer(
        self, method: str, path: str, token: str | None, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        capability = "read" if method == "GET" else "update"
        if capability not in self.policies.get(token or "", {}).get(path, set()):
            raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")
        match path.split("/"):
            case ["transit", "keys", name]:
                return self._told(name)
            case ["transit", "keys", name, "rotate"]:
                self.rotate(name)
                return self._told(name)
            case ["transit", "encrypt", name]:
                return self._encrypt(name, body)
            case ["transit", "decrypt", name]:
                return self._decrypt(name, body)
            case _:
                raise Refused(404)

    def _told(self, name: str) -> dict[str, Any]:
        if name not in self.keys:
            raise Refused(404)
        return {
            "name": name,
            "type": self.key_type,
            "derived": False,
            "latest_version": len(self.keys[name]),
            "min_decryption_version": self.min_decryption_version,
            "keys": {str(version): 1 for version, _ in enumerate(self.keys[name], start=1)},
        }

    def _associated(self, body: dict[str, Any]) -> bytes:
        return b"" if self.ignores_associated_data else b64decode(body.get("associated_data", ""))

    def _encrypt(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name not in self.keys:
            raise Refused(400, "encryption key not found")
        nonce, version = secrets.token_bytes(12), len(self.keys[name])
        plain = b64decode(body["plaintext"], validate=True)
        sealed = nonce + AESGCM(self.keys[name][-1]).encrypt(nonce, plain, self._associated(body))
        return {"ciphertext": f"vault:v{version}:{b64encode(sealed).decode()}", "key_version": version}

    def _decrypt(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if name not in self.keys:
            raise Refused(400, "encryption key not found")
        _, told, sealed = body["ciphertext"].split(":")
        version, stored = int(told[1:]), b64decode(sealed)
        if version > len(self.keys[name]):
            raise Refused(400, "invalid ciphertext: version is too new")
        if version < self.min_decryption_version:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        try:
            key = AESGCM(self.keys[name][version - 1])
            plain = key.decrypt(stored[:12], stored[12:], self._associated(body))
        except (InvalidTag, ValueError):
            raise Refused(400, "cipher: message authentication failed") from None
        return {"plaintext": b64encode(plain).decode()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: VaultDouble

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"))

    def _serve(self, body: dict[str, Any]) -> None:
        path = self.path.removeprefix("/v1/")
        self.double.requests.append(f"{self.command} {path}")
        time.sleep(self.double.stalls_seconds)
        try:
            if self.headers.get("X-Vault-Namespace") != self.double.namespace:
                raise Refused(404)
            data = self.double.answer(self.command, path, self.headers.get("X-Vault-Token"), body)
            self._send(200, {"request_id": "0", "data": data})
        except Refused as refused:
            self._send(refused.status, {"errors": refused.errors})

    def _send(self, status: int, told: dict[str, Any]) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def vault_double() -> Iterator[VaultDouble]:
    double = VaultDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"double": double}))
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
