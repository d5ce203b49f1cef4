"""`registrar audit export` and `registrar audit verify`, of the database and of an export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from api.cli.client import ServerError
from api.cli.console import err, fail, out
from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.exports import ExportedHistory, export_history
from archive_store.audit.log import NoCheckpointKeyError, NothingLoggedError
from archive_store.audit.verification import VerificationReport, verify_history
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.operations import is_installed
from archive_store.students.record_check import records_unlike_history
from archive_store.verifier.findings import VerifierError
from archive_store.verifier.inputs import KEY_IS_EXPORTED, exported_key, read_checkpoint, read_key
from archive_store.verifier.verification import verify_export


async def export(settings: Settings, to: Path) -> ExportedHistory:
    async with installed_archive(settings) as store:
        try:
            return await export_history(store, to)
        except FileExistsError:
            raise ServerError(f"{to} is there already; nothing was written") from None
        except NothingLoggedError as error:
            raise ServerError(str(error)) from None


async def verify(settings: Settings) -> VerificationReport:
    async with installed_archive(settings) as store:
        report = await verify_history(store, RECORD_TYPES)
        flawed = {finding.subject for finding in report.findings}
        report.findings += await records_unlike_history(store, flawed)
        return report


def verify_folder(folder: Path, key: str | None, checkpoints: Sequence[Path], *, as_json: bool) -> None:
    """Verify an export and print the report; without a key by that which it names itself. Exit status 1 if flawed."""
    if key is None:
        err.print(f"[red]warning:[/red] {KEY_IS_EXPORTED}", highlight=False, soft_wrap=True)
    try:
        trusted = exported_key(folder) if key is None else read_key(key)
        report = verify_export(folder, trusted, [read_checkpoint(file) for file in checkpoints])
    except VerifierError as error:
        fail(*error.lines)
    if as_json:
        out.print_json(data=report.as_json())
    else:
        out.print("\n".join(report.lines()), highlight=False, markup=False, soft_wrap=True)
    if not report.sound:
        raise typer.Exit(1)


@asynccontextmanager
async def installed_archive(settings: Settings, *, prepares: bool = False) -> AsyncIterator[Store]:
    """The archive store of a school that began; with `prepares` as `open_archive`, as who writes needs it."""
    async with open_archive(settings, prepares=prepares) as store:
        if not await is_installed(store):
            raise ServerError(f"no school is installed in the database {settings.mongodb_database}")
        try:
            yield store
        except NoCheckpointKeyError as error:
            raise ServerError(str(error)) from None
