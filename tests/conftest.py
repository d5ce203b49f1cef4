"""One embedded stack for the whole run: real MongoDB and S3, started when the first test asks for them.

Under pytest-xdist the controller owns it, because it outlives every worker. Fixtures of the records
themselves stand in `tests/fixtures.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from api.dev.stack import EmbeddedStack, Endpoints

_FIXTURES = Path(__file__).with_name("fixtures.py")
pytest_plugins = ["fixtures"] if _FIXTURES.exists() else []

_running = pytest.StashKey[tuple[EmbeddedStack, Path]]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    """Where the run's own MongoDB replica set and S3 server listen, and the S3 credentials."""
    yield endpoints_of(request.config)


def endpoints_of(config: pytest.Config) -> Endpoints:
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is not None:
        return Endpoints(**worker["stack"])
    if _running not in config.stash:
        directory = Path(tempfile.mkdtemp(prefix="registrar-tests-"))
        config.stash[_running] = EmbeddedStack(directory).start(), directory
    return config.stash[_running][0].endpoints


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["stack"] = asdict(endpoints_of(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _running in config.stash:
        stack, directory = config.stash[_running]
        del config.stash[_running]
        stack.stop()
        shutil.rmtree(directory)
