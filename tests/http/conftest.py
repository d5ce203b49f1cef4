"""The OpenID provider, one a run, and the school that signs in by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.app import create_app
from api.cli.install import FirstPeople, install_people
from api.dev.demo import demo_people
from api.dev.stack import EmbeddedStack
from api.sign_in import SignIn
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.http.serving import MortalServer, running_server
from tests.oidc_provider.forge import Forge
from tests.oidc_provider.provider import Provider, running_provider


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    """The address of a server on the same stack."""
    with running_server(settings) as url:
        yield url


@pytest.fixture
def mortal(stack: EmbeddedStack, settings: Settings) -> Iterator[MortalServer]:
    """A server of a process of its own, not started yet."""
    server = MortalServer(stack.directory)
    yield server
    server.kill()


@pytest.fixture
def provider_settings(settings: Settings, provider: Provider) -> Settings:
    """Settings of a school that names its provider, and finds the keys by discovery."""
    return settings.model_copy(update={"oidc_issuer": provider.issuer, "oidc_jwks_file": None})


@pytest.fixture
async def people(empty_store: Store) -> Store:
    """A person for every role, and a service account; no student."""
    await install_people(empty_store, FirstPeople.model_validate({"people": demo_people()}))
    return empty_store


@pytest.fixture
def sign_in(provider_settings: Settings) -> SignIn:
    return SignIn(provider_settings)


@pytest.fixture
async def by_provider(
    people: Store, provider_settings: Settings, sign_in: SignIn
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application whose people sign in by the provider, without a token."""
    app = create_app(provider_settings)
    app.state.store = people
    app.state.sign_in = sign_in
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://registrar.test") as client:
        yield client


@pytest.fixture(scope="session")
def forge(provider: Provider) -> Forge:
    """Keep the provider's keys while using it; a test that rotates them sets them back."""
    return Forge(provider, "director")
