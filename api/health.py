"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archive_store.foundation.store import Store
from archive_store.people.operations import is_installed

PROBE_SECONDS = 5
KEPT_SECONDS = 2


async def live(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"live": True})


class Readiness:
    """Whether the parts answer. Nobody signs in to ask, so all who ask share one probe and its answer for seconds."""

    def __init__(self) -> None:
        self._probing: asyncio.Task[dict[str, bool]] | None = None
        self._probed_at = 0.0

    async def parts(self, store: Store) -> dict[str, bool]:
        is_old = time.monotonic() - self._probed_at > KEPT_SECONDS
        if self._probing is None or (self._probing.done() and is_old):
            self._probing = asyncio.create_task(self._probe(store))
        # Who stops asking leaves the others their answer.
        return await asyncio.shield(self._probing)

    async def _probe(self, store: Store) -> dict[str, bool]:
        probes = {
            "mongodb": store.database.ping(),
            "object_store": store.objects.probe(),
            "root_keys": store.root_keys.current_id(),
            "installed": _require_installed(store),
        }
        answers = await asyncio.gather(*(_answers(probe) for probe in probes.values()))
        self._probed_at = time.monotonic()
        return dict(zip(probes, answers, strict=True))


async def _answers(probe: Awaitable[object]) -> bool:
    try:
        await asyncio.wait_for(probe, PROBE_SECONDS)
    except Exception:
        return False
    return True


async def ready(request: Request) -> Response:
    """MongoDB, the object store and the root keys' provider answer and the school is installed; else 503, naming it."""
    parts = await request.app.state.readiness.parts(request.app.state.store)
    return JSONResponse(
        {"ready": all(parts.values()), **parts}, status_code=200 if all(parts.values()) else 503
    )


async def _require_installed(store: Store) -> None:
    if not await is_installed(store):
        raise LookupError("not installed")


async def metrics(request: Request) -> Response:
    """Prometheus text format. Counters carry no personal data."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
