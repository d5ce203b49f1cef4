"""`registrar audit verify`."""

from __future__ import annotations

from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.verification import VerificationReport, verify_history
from archive_store.foundation.settings import Settings


async def verify(settings: Settings) -> VerificationReport:
    async with open_archive(settings) as store:
        return await verify_history(store, RECORD_TYPES)
