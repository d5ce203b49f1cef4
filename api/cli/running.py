"""How commands come to their settings, and how their coroutines are run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from api.cli.client import ServerError
from api.cli.console import fail
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.keyring import KeyringError
from archive_store.foundation.object_store import ObjectStoreError
from archive_store.foundation.settings import Settings

Data = Annotated[
    Path | None, typer.Option(help="Data of a running `registrar dev`, instead of the environment.")
]
Result = TypeVar("Result")


def settings_from_environment() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = ", ".join(
            f"REGISTRAR_{'_'.join(map(str, fault['loc'])).upper()}" if fault["loc"] else fault["msg"]
            for fault in error.errors(include_url=False, include_input=False)
        )
        fail(
            f"missing or wrong settings: {wrong}",
            "docs/settings.md describes each; `registrar dev` needs none",
        )


def settings_of(data: Path | None) -> Settings:
    """Of the `registrar dev` that runs on this data, else of the environment."""
    from api.dev.session import settings_of_dev

    try:
        return settings_of_dev(data) if data else settings_from_environment()
    except FileNotFoundError:
        fail(f"no data of `registrar dev` in {data}")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine; what a user can mend is told in one line."""
    try:
        return asyncio.run(work)
    except RegistrarError as error:
        fail(f"{error.message.zh} {error.message.en}", f"code {error.code}")
    except ServerError as error:
        fail(*error.lines)
    except (PyMongoError, ObjectStoreError) as error:
        fail(f"the stores do not answer: {type(error).__name__}", "are MongoDB and the S3 server running?")
    except (KeyringError, OSError) as error:
        fail(str(error))
