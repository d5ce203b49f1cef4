"""The ASGI application: routes, and nothing that a room of the store should know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from api.certificates import (
    certificate_document,
    certificate_paper,
    check_certificate,
    key_document,
    status_list,
)
from api.client_limits import ClientLimit
from api.exports import export_csv, export_workbook
from api.grade_sheets import grade_sheet_csv, grade_sheet_workbook
from api.graphiql.page import GraphiQLPage
from api.graphql import GraphQLEndpoint
from api.health import Readiness, live, metrics, ready
from api.imports import begin_import
from api.keys import measure_keys
from api.logs import RequestLog
from api.problems import EXCEPTION_HANDLERS
from api.scans import download_scan, scan_preview, scan_thumbnail, upload_scan
from api.sequencer import sequencer_of
from api.sign_in import SignIn
from api.stalls import StallLimits
from api.statistics import statistics_file
from api.transcripts import (
    check_transcript,
    transcript_document,
    transcript_paper,
    transcript_status_list,
)
from api.tus import one_upload, uploads
from api.witnesses import publisher_of
from api.worker import worker_of_jobs, working
from archive_store.archive import IMPORT_JOBS, JOBS, SCAN_JOBS, SLOW_JOBS, open_archive
from archive_store.audit.feed import NotificationFeed
from archive_store.certificates.credentials import CERTIFICATE_LISTS
from archive_store.certificates.documents import Certificate
from archive_store.certificates.status_lists import StatusLists
from archive_store.foundation.settings import Settings
from archive_store.transcripts.credentials import TRANSCRIPT_LISTS
from archive_store.transcripts.documents import Transcript
from schema.root import build_schema

GRAPHQL_BODY_OVERHEAD = 1024 * 1024
UPLOADS_PATHS = ("/scans/uploads", "/scans/uploads/")
UPLOAD_METHODS = ["DELETE", "GET", "OPTIONS", "PATCH", "POST"]


def create_app(settings: Settings) -> Starlette:
    """The application; the store opens and closes with its lifespan, and the worker runs as long."""
    graphiql = GraphiQLPage() if settings.graphiql else None
    endpoint = GraphQLEndpoint(
        build_schema(plans=settings.compiled_plans),
        graphiql=graphiql,
        upload_limit=settings.roster_size_limit + GRAPHQL_BODY_OVERHEAD,
        websocket_origins=settings.websocket_origins,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            open_archive(settings) as store,
            working(
                *worker_of_jobs(store, {**JOBS, "keys.measure": measure_keys}),
                *worker_of_jobs(store, SCAN_JOBS, lease_name="scan-worker", renews=True),
                *worker_of_jobs(store, IMPORT_JOBS, lease_name="import-worker", renews=True),
                *worker_of_jobs(store, SLOW_JOBS, lease_name="slow-worker", renews=True),
                *sequencer_of(store),
                *publisher_of(store),
            ),
        ):
            app.state.store = store
            app.state.sign_in = SignIn(settings)
            app.state.feed = NotificationFeed(store.database)
            try:
                yield
            finally:
                await app.state.feed.close()

    app = Starlette(
        routes=[
            Route("/graphql", endpoint, methods=["GET", "POST"]),
            WebSocketRoute("/graphql", endpoint),
            *([Route("/graphiql/{name}", graphiql.asset, methods=["GET"])] if graphiql else []),
            Route("/scans", upload_scan, methods=["POST", "PUT"]),
            *(Route(path, uploads, methods=["OPTIONS", "POST"]) for path in UPLOADS_PATHS),
            Route("/scans/uploads/{id}", one_upload, methods=UPLOAD_METHODS),
            Route("/scans/{id}/content", download_scan, methods=["GET"]),
            Route("/scans/{id}/preview", scan_preview, methods=["GET"]),
            Route("/scans/{id}/thumbnail", scan_thumbnail, methods=["GET"]),
            Route("/exports/students.csv", export_csv, methods=["GET"]),
            Route("/exports/students.xlsx", export_workbook, methods=["GET"]),
            Route("/grade-sheets/{id}.csv", grade_sheet_csv, methods=["GET"]),
            Route("/grade-sheets/{id}.xlsx", grade_sheet_workbook, methods=["GET"]),
            Route("/statistics/{question}.{ending}", statistics_file, methods=["GET"]),
            Route("/imports", begin_import, methods=["PUT"]),
            Route("/.well-known/did.json", key_document, methods=["GET"]),
            Route("/certificates/verify/{code}", check_certificate, methods=["GET"]),
            Route("/certificates/status/{list}", status_list, methods=["GET"]),
            Route("/certificates/{id}.json", certificate_document, methods=["GET"]),
            Route("/certificates/{id}.pdf", certificate_paper, methods=["GET"]),
            Route("/transcripts/verify/{code}", check_transcript, methods=["GET", "POST"]),
            Route("/transcripts/status/{list}", transcript_status_list, methods=["GET"]),
            Route("/transcripts/{id}.json", transcript_document, methods=["GET"]),
            Route("/transcripts/{id}.pdf", transcript_paper, methods=["GET"]),
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.readiness = Readiness()
    app.state.public_checks = ClientLimit(settings.public_checks_a_minute)
    app.state.certificate_lists = StatusLists(Certificate, CERTIFICATE_LISTS)
    app.state.transcript_lists = StatusLists(Transcript, TRANSCRIPT_LISTS)
    app.add_middleware(StallLimits)
    app.add_middleware(RequestLog)
    return app
