"""Talking to the server from the command line."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx


class ServerError(Exception):
    """What the server or the way to it refused: an error line, then hint lines.

    `told` is the error as the server told it, `status` that of its answer; None and 0 where it told none.
    """

    def __init__(self, *lines: str, told: dict[str, Any] | None = None, status: int = 0) -> None:
        self.lines = lines
        self.told = told
        self.status = status
        super().__init__(lines[0])


@asynccontextmanager
async def client(url: str, token: str, purpose: str = "") -> AsyncIterator[httpx.AsyncClient]:
    _check_url(url)
    if not re.fullmatch(r"[!-~]+", token):
        raise ServerError("the token is no sign-in token", "it has only ASCII characters, and no spaces")
    timeout = httpx.Timeout(30, read=300, write=300)
    headers = {"Authorization": f"Bearer {token}", "Registrar-Purpose": quote(purpose)}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout) as opened:
        try:
            yield opened
        except httpx.HTTPError as error:
            raise ServerError(
                f"cannot reach {url}: {type(error).__name__}", "is the server running?"
            ) from error


def _check_url(url: str) -> None:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ServerError(f"{url} is no address of a server", "it reads like http://127.0.0.1:8000")


def check(response: httpx.Response) -> None:
    """Raise the server's own words for a refusal."""
    if response.is_success:
        return
    try:
        told = response.json()["error"]
        line, details = f"{told['message']['zh']} {told['message']['en']}", details_of(told)
    except (ValueError, KeyError, TypeError):
        raise ServerError(
            f"the server answered {response.status_code}", status=response.status_code
        ) from None
    raise ServerError(line, *details, told=told, status=response.status_code)


def details_of(told: dict[str, Any]) -> list[str]:
    """Code, field and rule of an error in a hint line; no line where it has none of them."""
    parts = [f"{name} {told[name]}" for name in ("code", "field", "rule") if told.get(name)]
    return [", ".join(parts)] if parts else []


async def check_streamed(response: httpx.Response) -> None:
    """As `check`, of an answer whose body is not read yet."""
    if not response.is_success:
        await response.aread()
    check(response)


async def ask(server: httpx.AsyncClient, query: str, **variables: Any) -> dict[str, Any]:
    """`data` of the answer to a GraphQL query; ServerError."""
    asked = {"query": query, "variables": variables}
    return graphql_data(await server.post("/graphql", json=asked))


def graphql_data(response: httpx.Response) -> dict[str, Any]:
    """`data` of a GraphQL answer; its errors as `ServerError`."""
    check(response)
    answer = response.json()
    if errors := answer.get("errors"):
        raise ServerError(*(error["message"] for error in errors))
    data: dict[str, Any] = answer["data"]
    return data


def check_payload(payload: dict[str, Any]) -> None:
    """Raise the errors of a mutation's payload."""
    if errors := payload["errors"]:
        first = errors[0]
        raise ServerError(f"{first['messageZh']} {first['messageEn']}", *details_of(first))
