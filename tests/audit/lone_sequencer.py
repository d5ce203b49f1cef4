"""`python -m tests.audit.lone_sequencer SETTINGS [quick]`: the sequencer's worker alone, as the server runs it.

`quick` has it work without pause under a short lease. It says `ready`, and goes on until killed.
"""

from __future__ import annotations

import asyncio
import json
import sys

from api.sequencer import LEASE_NAME, sequence, sequencer_of
from api.worker import Worker
from archive_store.archive import open_archive
from archive_store.foundation.settings import Settings


async def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    async with open_archive(settings, prepares=False) as store:
        (worker,) = sequencer_of(store)
        if sys.argv[2:] == ["quick"]:
            jobs = {"audit.sequence": sequence}
            worker = Worker(store, jobs, seconds=0.01, lease_seconds=0.8, lease_name=LEASE_NAME)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main())
