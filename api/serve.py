"""Serving with uvicorn."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from api.logs import configure_logging
from archive_store.foundation.settings import Settings


def server_config(settings: Settings) -> uvicorn.Config:
    """One worker; processes share nothing, so a school starts as many as it likes behind a proxy."""
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )


def serve(settings: Settings) -> None:
    configure_logging()
    uvicorn.Server(server_config(settings)).run()
