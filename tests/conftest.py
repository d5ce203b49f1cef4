"""Fixtures: one real MongoDB and one real S3 server a run, and a small school that each test gets fresh."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from api.app import create_app
from api.cli.install import FirstPeople, install_people
from api.dev.demo import demo_people
from api.dev.issuer import DemoIssuer
from api.dev.roster import demo_workbook
from api.dev.session import dev_settings
from api.dev.stack import EmbeddedStack
from api.sign_in import SignIn
from archive_store.archive import open_archive
from archive_store.audit.remembered import memory_file
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.imports.operations import import_roster
from tests.school import PURPOSE, School

STUDENTS = 6


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path_factory.mktemp("stack") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def settings(stack: EmbeddedStack) -> Settings:
    # A test that wants a worker runs its own.
    asleep = {"worker_seconds": 0.0, "sequencer_seconds": 0.0}
    return dev_settings(stack, port=0).model_copy(update=asleep | s3_of_environment())


def s3_of_environment() -> dict[str, Any]:
    """Settings of another S3 server than SeaweedFS, where the environment gives one; a bucket of its own each time."""
    if not (endpoint := os.environ.get("REGISTRAR_TEST_S3_ENDPOINT")):
        return {}
    return {
        "s3_endpoint": endpoint,
        "s3_access_key": SecretStr(os.environ["REGISTRAR_TEST_S3_ACCESS_KEY"]),
        "s3_secret_key": SecretStr(os.environ["REGISTRAR_TEST_S3_SECRET_KEY"]),
        "s3_secure": os.environ.get("REGISTRAR_TEST_S3_SECURE", "") not in ("", "0", "false"),
        "s3_bucket": f"registrar-test-{secrets.token_hex(6)}",
    }


@pytest.fixture(scope="session")
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_archive(settings) as opened:
        yield opened


@pytest.fixture
async def empty_store(store: Store) -> Store:
    """The store without a record, indexes and keys kept."""
    for name in await store.database.mongo.list_collection_names():
        if name != "field_keys":
            await store.database.mongo[name].delete_many({})
    memory_file(store).unlink(missing_ok=True)
    store.versions_seen.clear()
    return store


@pytest.fixture
async def school(empty_store: Store) -> School:
    """A person for every role, and `STUDENTS` students in two classes."""
    await install_people(empty_store, FirstPeople.model_validate({"people": demo_people()}))
    built = School(empty_store)
    information = await built.viewer("information")
    await import_roster(
        empty_store, information, demo_workbook(STUDENTS), file_name="2023级花名册.xlsx", dry_run=False
    )
    return built


@pytest.fixture
def issuer(stack: EmbeddedStack, settings: Settings) -> DemoIssuer:
    return DemoIssuer.load(stack.directory)


@pytest.fixture
async def http(store: Store, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, without a token."""
    app = create_app(settings)
    app.state.store = store
    app.state.sign_in = SignIn(settings)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://registrar.test") as client:
        yield client


@pytest.fixture
def bearer(issuer: DemoIssuer) -> Any:
    """Subject, and the purpose it states, to its headers."""

    def headers(subject: str, purpose: str = PURPOSE) -> dict[str, str]:
        told = {"Registrar-Purpose": quote(purpose)} if purpose else {}
        return {"Authorization": f"Bearer {issuer.token(subject, seconds=600)}", **told}

    return headers
