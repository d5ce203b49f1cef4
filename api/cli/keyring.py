"""`registrar keyring`: the file of root keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import fail, out
from archive_store.foundation.keyring import Keyring, KeyringError

keyring_app = typer.Typer(help="The file of root keys.", no_args_is_help=True)


@keyring_app.command("create")
def keyring_create(
    file: Annotated[Path, typer.Argument(help="File to write, mode 0600.")],
    origin: Annotated[
        str | None, typer.Option(help="Name of the audit log, such as school.example/registry.")
    ] = None,
) -> None:
    """Make new root keys. Keep a copy where the database and the bucket are not."""
    try:
        made = Keyring.create(file, origin=origin)
    except (KeyringError, ValueError, OSError) as error:
        fail(str(error))
    out.print(f"wrote {file}", highlight=False, soft_wrap=True)
    _tell_verifier_key(made)


@keyring_app.command("rotate-checkpoint-key")
def keyring_rotate_checkpoint_key(file: Annotated[Path, typer.Argument(help="The keyring.")]) -> None:
    """Make a new key for checkpoints, named by the one before, which is forgotten. Restart the servers then."""
    try:
        rotated = Keyring.rotate_checkpoint_key(file)
    except (KeyringError, OSError) as error:
        fail(str(error))
    _tell_verifier_key(rotated)


@keyring_app.command("checkpoint-key")
def keyring_checkpoint_key(file: Annotated[Path, typer.Argument(help="The keyring.")]) -> None:
    """Print the public key of checkpoints, which whoever checks the audit history must have from elsewhere."""
    try:
        _tell_verifier_key(Keyring.load(file))
    except KeyringError as error:
        fail(str(error))


def _tell_verifier_key(keyring: Keyring) -> None:
    if keyring.checkpoint is None:
        fail("the keyring has no checkpoint key", "registrar keyring rotate-checkpoint-key FILE makes it")
    sys.stdout.write(keyring.checkpoint.verifier_key + "\n")
