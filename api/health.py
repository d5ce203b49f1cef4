"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from archive_store.foundation.store import Store
from archive_store.people.operations import is_installed


async def live(request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"live": True})


async def ready(request: Request) -> Response:
    """MongoDB and the object store answer and the school is installed; 503 otherwise, naming the part."""
    store: Store = request.app.state.store
    parts = {}
    for name, probe in (
        ("mongodb", store.database.ping()),
        ("object_store", store.objects.probe()),
        ("installed", _require_installed(store)),
    ):
        try:
            await asyncio.wait_for(probe, timeout=5)
            parts[name] = True
        except Exception:
            parts[name] = False
    return JSONResponse(
        {"ready": all(parts.values()), **parts}, status_code=200 if all(parts.values()) else 503
    )


async def _require_installed(store: Store) -> None:
    if not await is_installed(store):
        raise LookupError("not installed")


async def metrics(request: Request) -> Response:
    """Prometheus text format. Counters carry no personal data."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
