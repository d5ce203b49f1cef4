"""The GraphiQL page: whole from this server, and only where it is wanted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.cli.main import app
from api.dev.stack import EmbeddedStack
from api.graphiql.page import GraphiQLMissingError, GraphiQLPage
from api.sign_in import SignIn
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
_REFERENCE = re.compile(r'(?:src|href)="([^"]+)"')


@pytest.mark.parametrize("address", ["/graphql", "/graphql?headers=%7B%7D", "/graphql?query=%7Bviewer%7D"])
async def test_the_page_comes_to_browsers_and_names_no_host(http: httpx.AsyncClient, address: str) -> None:
    page = await http.get(address, headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "GraphiQL" in page.text and "//" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"


async def test_the_policy_lets_nothing_else_run(http: httpx.AsyncClient) -> None:
    pages = [await http.get("/graphql", headers=BROWSER) for _ in range(2)]
    policies = [page.headers["content-security-policy"] for page in pages]
    for page, policy in zip(pages, policies, strict=True):
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert not re.search(r"unsafe|https?:|\*", policy)
        nonce = re.search(r"style-src 'self' 'nonce-([\w-]{20,})';", policy)
        assert nonce and set(re.findall(r'nonce="(.*?)"', page.text)) == {nonce[1]}
        # Scripts come as files; none is in the page.
        assert all(" src=" in script for script in re.findall(r"<script.*?>", page.text))
    assert policies[0] != policies[1]


async def test_what_the_page_names_is_served(http: httpx.AsyncClient) -> None:
    page = (await http.get("/graphql", headers=BROWSER)).text
    named = [name for name in _REFERENCE.findall(page) if not name.startswith("data:")]
    assert len(named) == 5
    for name in named:
        file = await http.get(f"/{name}")
        kind = "text/css" if ".css" in name else "text/javascript"
        assert (file.status_code, file.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert file.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in file.headers["cache-control"]
        # Neither imports nor fonts from elsewhere.
        if kind == "text/css":
            assert set(re.findall(r"url\([\"']?(\w+:|//)", file.text)) == {"data:"}
            assert "@import" not in file.text


@pytest.mark.parametrize(
    "name",
    [
        "page.html",
        "page.py",
        "package.json",
        "../page.py",
        "..%2fpage.py",
        "%2e%2e/graphql.py",
        "..%2f..%2fgraphql.py",
        "node_modules/graphiql/package.json",
        "node_modules%2fgraphiql%2fpackage.json",
        "%2fetc%2fpasswd",
        "",
    ],
)
async def test_no_other_file_is_served(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.get(f"/graphiql/{name}")).status_code == 404


async def test_programs_are_answered_in_json(http: httpx.AsyncClient) -> None:
    told = await http.get("/graphql?query=%7Bviewer%7Bname%7D%7D", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["error"]["code"]) == (401, "unauthenticated")


async def test_off_is_off(store: Store, settings: Settings) -> None:
    off = create_app(settings.model_copy(update={"graphiql": False}))
    off.state.store, off.state.sign_in = store, SignIn(settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=off), base_url="http://off.test"
    ) as client:
        told = await client.get("/graphql", headers=BROWSER)
        assert (told.status_code, told.json()["error"]["code"]) == (401, "unauthenticated")
        for name in ("start.js", "graphiql.js"):
            assert (await client.get(f"/graphiql/{name}")).status_code == 404


def test_missing_scripts_are_told_in_one_line(
    settings: Settings, stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GraphiQLMissingError):
        GraphiQLPage(tmp_path)
    monkeypatch.setattr("api.app.GraphiQLPage", lambda: GraphiQLPage(tmp_path))
    given = json.loads((stack.directory / "dev-settings.json").read_text())
    environment = {f"REGISTRAR_{name.upper()}": str(value) for name, value in given.items()}
    told = CliRunner().invoke(app, ["serve"], env=environment | {"NO_COLOR": "1"})
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.splitlines()[0] == (
        "error: REGISTRAR_GRAPHIQL is on, but GraphiQL's scripts are not installed: run scripts/setup"
    )
