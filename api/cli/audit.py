"""`registrar audit verify`."""

from __future__ import annotations

from api.cli.client import ServerError
from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.verification import VerificationReport, verify_history
from archive_store.foundation.settings import Settings
from archive_store.people.operations import is_installed


async def verify(settings: Settings) -> VerificationReport:
    async with open_archive(settings, prepares=False) as store:
        if not await is_installed(store):
            raise ServerError(f"no school is installed in the database {settings.mongodb_database}")
        return await verify_history(store, RECORD_TYPES)
