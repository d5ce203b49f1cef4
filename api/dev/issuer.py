"""The demo issuer: signs tokens for the demo school with a key of its own. No school's server trusts it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from archive_store.access.rules import Scope

ISSUER = "registrar-demo"
AUDIENCE = "registrar"
_KEY_FILE = "demo-issuer-key.json"
JWKS_FILE = "demo-issuer-jwks.json"


class DemoIssuer:
    """Signs with ES256."""

    def __init__(self, key: ECKey) -> None:
        self._key = key

    @classmethod
    def load(cls, directory: Path) -> DemoIssuer:
        """The issuer of this data directory; FileNotFoundError where there is none."""
        return cls(ECKey.import_key(json.loads((directory / _KEY_FILE).read_text())))

    @classmethod
    def load_or_create(cls, directory: Path) -> DemoIssuer:
        file = directory / _KEY_FILE
        if not file.exists():
            key = ECKey.generate_key("P-256", auto_kid=True)
            file.touch(mode=0o600)
            file.write_text(json.dumps(key.as_dict(private=True)))
            public: dict[str, Any] = {"keys": [{**key.as_dict(private=False), "alg": "ES256", "use": "sig"}]}
            (directory / JWKS_FILE).write_text(json.dumps(public))
        return cls.load(directory)

    def token(self, subject: str, *, seconds: float) -> str:
        """A token of this subject that expires after so many seconds."""
        now = int(time.time())
        claims = {
            **{"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + int(seconds)},
            # Only a service account's count, and of these only what the account was given.
            "scope": " ".join(Scope),
        }
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}, claims, self._key)
