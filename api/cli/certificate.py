"""`registrar certificate verify` and `registrar transcript verify`: signed documents, checked without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.console import fail, out
from archive_store.certificates.verification import (
    CERTIFICATE,
    SIZE_LIMIT,
    TRANSCRIPT,
    is_ended,
    parsed,
    verify_certificate,
)
from archive_store.foundation.data_integrity import ProofError

certificate_app = typer.Typer(help="Signed certificates (毕业证书).", no_args_is_help=True)
transcript_app = typer.Typer(help="Signed transcripts (成绩单).", no_args_is_help=True)
_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The signed document.")]
_Key = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The school's key document, did.json.")]
_Status = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The status list that the document names."),
]


@certificate_app.callback()
def _certificate() -> None:
    """Signed certificates (毕业证书)."""


@transcript_app.callback()
def _transcript() -> None:
    """Signed transcripts (成绩单)."""


@certificate_app.command("verify")
def certificate_verify(file: _File, key: _Key, status: _Status = None) -> None:
    """Tell what a certificate says, or what is wrong with it, with exit status 1."""
    _verify(file, key, status, CERTIFICATE, "the certificate")


@transcript_app.command("verify")
def transcript_verify(file: _File, key: _Key, status: _Status = None) -> None:
    """Tell what a transcript says, or what is wrong with it, with exit status 1."""
    _verify(file, key, status, TRANSCRIPT, "the transcript")


def _verify(file: Path, key: Path, status: Path | None, kind: str, what: str) -> None:
    try:
        keys, document = _read(key, "the key document"), _read(file, what)
        subject = verify_certificate(document, keys, kind=kind)
        ended = status is not None and is_ended(document, _read(status, "the status list"), keys)
    except ProofError as error:
        fail(f"{file}: {error}")
    if ended:
        fail(f"{file}: it was revoked or superseded")
    out.print_json(data=dict(subject))
    if status is None:
        out.print("signed by the school; whether it was revoked was not looked up", highlight=False)
    else:
        out.print("signed by the school, and valid by the status list", highlight=False)


def _read(file: Path, what: str) -> dict[str, Any]:
    with file.open("rb") as opened:
        return parsed(opened.read(SIZE_LIMIT + 1), what)
