"""`registrar dev`: the embedded stack, the demo school and the server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

from rich.console import Console

from api.dev.demo import GUARDIAN_SUBJECT, SERVICE_SUBJECT, STAFF, STUDENT_SUBJECT, load_demo_school
from api.dev.issuer import AUDIENCE, ISSUER, JWKS_FILE, DemoIssuer
from api.dev.processes import StackError, port_is_free
from api.dev.stack import EmbeddedStack
from api.graphiql.page import GraphiQLMissingError
from api.logs import configure_logging
from api.serve import Server, server_config
from archive_store.archive import open_archive
from archive_store.foundation.keyring import Keyring
from archive_store.foundation.settings import Settings

TOKEN_SECONDS = 7 * 24 * 3600
DEMO_PURPOSE = "演示 demo"
_SETTINGS_FILE = "dev-settings.json"
_KEYRING_FILE = "keyring.json"
_FONT = "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"


def dev_settings(stack: EmbeddedStack, *, port: int) -> Settings:
    """Settings of a server on this stack; makes the keyring and the demo issuer on first use."""
    keyring_file = stack.directory / _KEYRING_FILE
    if not keyring_file.exists():
        Keyring.create(keyring_file, origin="registrar.example/demo")
    elif Keyring.load(keyring_file).checkpoint is None:
        Keyring.rotate_checkpoint_key(keyring_file)
    if Keyring.load(keyring_file).credential is None:
        Keyring.rotate_credential_key(keyring_file)
    DemoIssuer.load_or_create(stack.directory)
    values: dict[str, Any] = {
        **stack.settings(),
        "keyring_file": str(keyring_file),
        "oidc_issuer": ISSUER,
        "oidc_audience": AUDIENCE,
        "oidc_jwks_file": str(stack.directory / JWKS_FILE),
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "graphiql": True,
    }
    file = stack.directory / _SETTINGS_FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(values))
    return Settings(**values)


def settings_of_dev(directory: Path) -> Settings:
    """Settings of the `registrar dev` that runs on this data."""
    return Settings(**json.loads((directory / _SETTINGS_FILE).read_text()))


class _Server(Server):
    """Ends at the first signal; a second changes nothing, as ending takes seconds at most.

    uvicorn's own server drops its lifespan at a second Ctrl-C, with tracebacks of all that it had open.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


def _ignore_interrupts() -> None:
    """From here on the session only ends: nothing may break off the stopping of its servers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DevSession:
    """One run of `registrar dev`."""

    def __init__(self, data: Path, *, port: int, students: int, reset: bool) -> None:
        self._stack = EmbeddedStack(data)
        self._port = port
        self._students = students
        self._reset = reset
        self._out = Console()

    def run(self) -> None:
        configure_logging()
        # SIGTERM ends a session as Ctrl-C does: by the way that stops the children. Ctrl-C is set too, since a
        # process in the background of a script is started with it ignored.
        for ends in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ends, signal.default_int_handler)
        try:
            if not port_is_free(self._port):
                raise StackError(f"port {self._port} is in use: choose another with --port")
            if self._reset:
                self._stack.reset()
            with self._stack:
                settings = dev_settings(self._stack, port=self._port)
                try:
                    asyncio.run(self._serve(settings))
                finally:
                    _ignore_interrupts()
        except (StackError, GraphiQLMissingError) as error:
            Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
            sys.exit(1)
        except KeyboardInterrupt:
            pass

    async def _serve(self, settings: Settings) -> None:
        async with open_archive(settings) as store:
            await load_demo_school(store, self._students)
        server = _Server(server_config(settings))
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.05)
        if server.started:
            self._print_welcome()
        await serving
        _ignore_interrupts()

    def _print_welcome(self) -> None:
        issuer = DemoIssuer.load(self._stack.directory)
        address = f"http://127.0.0.1:{self._port}"
        show = self._out.print
        subjects = [subject for subject, *_ in STAFF] + [SERVICE_SUBJECT, STUDENT_SUBJECT, GUARDIAN_SUBJECT]
        tokens = {subject: issuer.token(subject, seconds=TOKEN_SECONDS) for subject in subjects}
        sent = {"Authorization": f"Bearer {tokens['director']}", "Registrar-Purpose": quote(DEMO_PURPOSE)}
        headers = quote(json.dumps(sent))
        show("\nDemo tokens (演示令牌), valid for 7 days:", soft_wrap=True)
        for subject, token in tokens.items():
            show(f"\n{subject}\n{token}", highlight=False, soft_wrap=True)
        show(f"\nGraphiQL: {address}/graphql", highlight=False, soft_wrap=True)
        show(f"GraphiQL as director: {address}/graphql?headers={headers}", highlight=False, soft_wrap=True)
        show(
            'Another role: paste {"Authorization": "Bearer …"} under Headers. Ctrl-C stops everything.',
            soft_wrap=True,
        )
        if settings_of_dev(self._stack.directory).certificate_font_file is None:
            show(
                "Printed certificates and transcripts carry no Chinese font (中文字体): apt install fonts-wqy-zenhei, "
                f"and set REGISTRAR_CERTIFICATE_FONT_FILE={_FONT}",
                highlight=False,
                soft_wrap=True,
            )
        show(
            "Sensitive fields are read for a stated purpose (调阅目的): the header Registrar-Purpose.",
            soft_wrap=True,
        )
