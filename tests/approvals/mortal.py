"""`python -m tests.approvals.mortal SETTINGS`: acts on the store in children, and has each die at a database command.

Reads one order a line from standard input: `{act, values, at, moment}`. The child kills itself with SIGKILL at its
command number `at`, before it is sent (`started`) or once it is answered (`succeeded`). Answers a line
`{"killed": …}`, false where the child came to its end first.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from typing import Any

from bson import ObjectId
from pymongo import monitoring

from api.dev.demo import demo_paper
from archive_store.access.viewer import Viewer
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.archive import open_archive
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.imports.jobs import run_due
from archive_store.people.sign_in import load_viewer
from archive_store.scans.rotation import rewrap_keys, rotate_keys
from archive_store.scans.uploads import file_scan


class Death(monitoring.CommandListener):
    def __init__(self, at: int, moment: str) -> None:
        self._left = {"started": 0, "succeeded": 0} | {moment: at}
        self.is_near = False

    def _come(self, moment: str) -> None:
        if self.is_near:
            self._left[moment] -= 1
            if self._left[moment] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._come("started")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._come("succeeded")

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._come("succeeded")


async def approve(store: Store, viewer: Viewer, values: dict[str, Any]) -> None:
    await decide(store, viewer, ObjectId(values["request"]), Decision.APPROVED)


async def go_on_with_imports(store: Store, _viewer: Viewer, _values: dict[str, Any]) -> None:
    await run_due(store, store.clock.now())


async def file_paper(store: Store, viewer: Viewer, values: dict[str, Any]) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield demo_paper("JPEG", pages=1)

    await file_scan(store, viewer, ObjectId(values["student"]), "2023级体检表", body())


async def sequence(store: Store, _viewer: Viewer, _values: dict[str, Any]) -> None:
    await sequence_entries(store, batch=20, seconds=60)


async def rewrap(store: Store, _viewer: Viewer, _values: dict[str, Any]) -> None:
    await rewrap_keys(store, store.clock.now())


async def rotate(store: Store, _viewer: Viewer, _values: dict[str, Any]) -> None:
    await rotate_keys(store, store.clock.now())


ACTS = {act.__name__: act for act in (approve, go_on_with_imports, file_paper, sequence, rewrap, rotate)}


async def act(settings: Settings, order: dict[str, Any], death: Death) -> None:
    async with open_archive(settings) as store:
        viewer = await load_viewer(store, order["values"]["viewer"])
        assert viewer is not None
        death.is_near = True
        await ACTS[order["act"]](store, viewer, order["values"])
        death.is_near = False


def live(settings: Settings, order: dict[str, Any]) -> None:
    """In a child: to the end, or to the death."""
    death = Death(order["at"], order["moment"])
    monitoring.register(death)
    try:
        asyncio.run(act(settings, order, death))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        # Forked, not started: what a child imports is there already.
        child = os.fork()
        if child == 0:
            live(settings, json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in (0, -signal.SIGKILL):
            raise SystemExit(f"a child ended with {code}")
        sys.stdout.write(json.dumps({"killed": code != 0}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
