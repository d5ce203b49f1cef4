"""`registrar audit export` and `registrar audit verify`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api.cli.client import ServerError
from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.exports import ExportedHistory, export_history
from archive_store.audit.verification import VerificationReport, verify_history
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.operations import is_installed
from archive_store.students.record_check import records_unlike_history


async def export(settings: Settings, to: Path) -> ExportedHistory:
    async with _installed(settings) as store:
        try:
            return await export_history(store, to)
        except FileExistsError:
            raise ServerError(f"{to} is there already; nothing was written") from None
        except LookupError as error:
            raise ServerError(str(error)) from None


async def verify(settings: Settings) -> VerificationReport:
    async with _installed(settings) as store:
        report = await verify_history(store, RECORD_TYPES)
        flawed = {finding.subject for finding in report.findings}
        report.findings += await records_unlike_history(store, flawed)
        return report


@asynccontextmanager
async def _installed(settings: Settings) -> AsyncIterator[Store]:
    async with open_archive(settings, prepares=False) as store:
        if not await is_installed(store):
            raise ServerError(f"no school is installed in the database {settings.mongodb_database}")
        yield store
