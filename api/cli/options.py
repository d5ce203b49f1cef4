"""Options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[str, typer.Option(envvar="REGISTRAR_URL", help="Address of the server.")]
Token = Annotated[str, typer.Option(envvar="REGISTRAR_TOKEN", help="Sign-in token.")]
Purpose = Annotated[str, typer.Option(help="What it is read for (调阅目的); recorded.")]
DEFAULT_URL = "http://127.0.0.1:8000"
