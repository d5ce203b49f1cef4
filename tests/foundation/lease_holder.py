"""A process that competes for a lease: `python -m tests.foundation.lease_holder NAME SECONDS TIMES`.

Prints a line `begins ends term` for each time that it held the lease, by the clock that all processes of a machine
share. `TIMES` of 0 takes the lease once, says so, and sleeps with it. The database comes by `LEASE_MONGODB_URL`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

from archive_store.foundation.database import Database
from archive_store.foundation.leases import Lease


def clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def compete(database: Database, name: str, seconds: float, times: int) -> None:
    chance = random.Random(os.getpid())
    while times:
        lease = Lease(database, name, seconds=seconds)  # one not released is forgotten
        if not await lease.acquire():
            await asyncio.sleep(chance.uniform(0, seconds / 4))
            continue
        begins, ends = clock(), clock() + lease.seconds_left
        await asyncio.sleep(chance.uniform(0, seconds))
        if chance.random() < 0.5 and lease.is_held:
            ends = min(ends, clock())
            await lease.release()
        say(begins, ends, lease.term)
        times -= 1


async def main(name: str, seconds: float, times: int) -> None:
    database = Database(os.environ["LEASE_MONGODB_URL"], os.environ["LEASE_DATABASE"])
    if times:
        await compete(database, name, seconds, times)
    else:
        lease = Lease(database, name, seconds=seconds)
        assert await lease.acquire()
        say("held", lease.term)
        await asyncio.sleep(3600)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
