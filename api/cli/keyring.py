"""`registrar keyring`: the file of root keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import fail, out
from api.cli.running import Data, run, settings_of
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


@keyring_app.command("rotate-credential-key")
def keyring_rotate_credential_key(file: Annotated[Path, typer.Argument(help="The keyring.")]) -> None:
    """Make a new key that signs certificates; those of before stay valid. Restart the servers then."""
    try:
        rotated = Keyring.rotate_credential_key(file)
    except (KeyringError, OSError) as error:
        fail(str(error))
    if rotated.credential is not None:
        sys.stdout.write(rotated.credential.public + "\n")


@keyring_app.command("rotate-scan-key")
def keyring_rotate_scan_key(data: Data = None) -> None:
    """Make a new root key for scans. Running servers notice, and wrap what there is anew."""
    from api.cli.keys import rotate_root_key

    out.print(run(rotate_root_key(settings_of(data))), highlight=False, soft_wrap=True)


@keyring_app.command("retire-scan-keys")
def keyring_retire_scan_keys(data: Data = None) -> None:
    """Forget the older root keys of scans, where nothing is wrapped by them: backups of before open no scan then."""
    from api.cli.keys import retire

    retired = run(retire(settings_of(data)))
    out.print(f"retired {', '.join(retired) or 'none'}", highlight=False, soft_wrap=True)


@keyring_app.command("rotate-file-keys")
def keyring_rotate_file_keys(data: Data = None) -> None:
    """Have the worker give each archive file (案卷) a new key. No file is touched."""
    from api.cli.keys import rotate_file_keys

    out.print(f"{run(rotate_file_keys(settings_of(data)))} archive files get a new key", highlight=False)


@keyring_app.command("status")
def keyring_status(data: Data = None) -> None:
    """Tell how many archive files lie under which root key, and what is left to do."""
    from api.cli.keys import print_status

    run(print_status(settings_of(data)))


def _tell_verifier_key(keyring: Keyring) -> None:
    if keyring.checkpoint is None:
        fail("the keyring has no checkpoint key", "registrar keyring rotate-checkpoint-key FILE makes it")
    sys.stdout.write(keyring.checkpoint.verifier_key + "\n")
