"""A witness as C2SP tlog-witness describes it, in memory, over real HTTP. It checks each proof by RFC 9162 §2.1.4.2."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from archive_store.foundation.signed_notes import CheckpointKey
from tests.audit.test_merkle import roots_of_consistency

NAME = "witness.example/w1"


class LoneWitness:
    """Holds one log, whose key it was given."""

    def __init__(self, log: CheckpointKey) -> None:
        self.log = log
        self.size, self.root = 0, b""
        self.requests = 0
        self.answers_with: Response | None = None
        self._key = Ed25519PrivateKey.generate()
        self.port = 0

    @property
    def setting(self) -> str:
        public = b"\x04" + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{NAME}+{self._id(public).hex()}+{base64.b64encode(public).decode()}@http://127.0.0.1:{self.port}/log"

    def _id(self, public: bytes) -> bytes:
        return hashlib.sha256(NAME.encode() + b"\n" + public).digest()[:4]

    async def add_checkpoint(self, request: Request) -> Response:
        self.requests += 1
        if self.answers_with is not None:
            return self.answers_with
        head, _, note = (await request.body()).decode().partition("\n\n")
        text = note.rpartition("\n\n")[0] + "\n"
        old_line, *proof_lines = head.split("\n")
        proof = [base64.b64decode(line, validate=True) for line in proof_lines]
        old = int(old_line.removeprefix("old "))
        origin, size_line, root_line = text.splitlines()[:3]
        size, root = int(size_line), base64.b64decode(root_line)
        if origin != self.log.origin:
            return Response(status_code=404)
        if not self.log.has_signed(text, f"{text}\n{note.splitlines()[len(text.splitlines()) + 1]}\n"):
            return Response(status_code=403)
        if old > size:
            return Response(status_code=400)
        if old != self.size:
            return Response(f"{self.size}\n", 409, media_type="text/x.tlog.size")
        if old == size and root != self.root:
            return Response(status_code=409)
        if old and roots_of_consistency(old, size, self.root, root, proof) != (self.root, root):
            return Response(status_code=422)
        self.size, self.root = size, root
        return PlainTextResponse(self._cosignature(text))

    def _cosignature(self, text: str) -> str:
        seconds = 1_800_000_000
        public = b"\x04" + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signed = self._key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        return (
            f"— {NAME} {base64.b64encode(self._id(public) + seconds.to_bytes(8, 'big') + signed).decode()}\n"
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        app = Starlette(routes=[Route("/log/add-checkpoint", self.add_checkpoint, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving
