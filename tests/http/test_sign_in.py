"""Who signs in, by what token and what header. Tokens that are refused: test_refused_tokens.py."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.dev.issuer import DemoIssuer
from api.sign_in import SignIn
from archive_store.access.rules import Scope
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from tests.oidc_provider.forge import ABSENT, Forge
from tests.oidc_provider.provider import REGISTRAR, Provider
from tests.school import School

QUERY = {"query": "{ viewer { name posts } }"}


async def answer(http: httpx.AsyncClient, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await http.post("/graphql", json=QUERY, headers=headers)


async def test_a_demo_token_signs_in(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    told = await answer(http, bearer("director")["Authorization"])
    assert told.json()["data"]["viewer"] == {"name": "赵主任", "posts": ["DIRECTOR"]}


def test_demo_tokens_name_a_subject_and_scopes(issuer: DemoIssuer) -> None:
    body = issuer.token("director", seconds=5).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "scope"}


async def test_a_person_signs_in_by_code_and_pkce(by_provider: httpx.AsyncClient, provider: Provider) -> None:
    told = await answer(by_provider, f"Bearer {provider.person_tokens('deputy-1')['access_token']}")
    assert told.json()["data"]["viewer"] == {"name": "钱副主任", "posts": ["DEPUTY_DIRECTOR"]}
    told = await answer(by_provider, f"Bearer {provider.person_tokens('nobody')['access_token']}")
    assert told.status_code == 401


@pytest.mark.parametrize("resource", ["", ":rs256", ":ed25519"])
async def test_a_service_signs_in_by_client_credentials(
    by_provider: httpx.AsyncClient, provider: Provider, resource: str
) -> None:
    told = await answer(by_provider, f"Bearer {provider.service_token(REGISTRAR + resource)}")
    assert told.json()["data"]["viewer"]["name"] == "教务系统"


@pytest.mark.parametrize(
    ("scope", "has"),
    [
        ("student:read", {Scope.STUDENT_READ}),
        ("student:read scan:read", {Scope.STUDENT_READ, Scope.SCAN_READ}),
        ("", set()),
    ],
    ids=["one", "two", "none"],
)
async def test_a_service_has_the_scopes_that_its_token_names(
    people: Store, sign_in: SignIn, provider: Provider, scope: str, has: set[Scope]
) -> None:
    viewer = await sign_in.viewer(people, f"Bearer {provider.service_token(scope=scope)}")
    assert viewer.scopes == has


ACCEPTED: dict[str, Callable[[Forge], str]] = {
    "one-audience-of-several": lambda forge: forge.with_claims(aud=["library", "registrar"]),
    "type-with-its-prefix": lambda forge: forge.with_header(typ="application/at+jwt"),
    "type-in-capitals": lambda forge: forge.with_header(typ="AT+JWT"),
    "unknown-header": lambda forge: forge.with_header(**{"pi.atm": "1"}),
    "pointers-to-keys-ignored": lambda forge: forge.with_header(
        jku="https://x.example/", x5u="https://x.example/"
    ),
    "clocks-that-differ-a-little": lambda forge: forge.with_claims(
        iat=int(time.time()) + 30, nbf=int(time.time()) + 30
    ),
    "just-expired": lambda forge: forge.with_claims(exp=int(time.time()) - 30),
    "posts-in-the-token-mean-nothing": lambda forge: forge.with_claims(posts=["PRINCIPAL"]),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepted(by_provider: httpx.AsyncClient, forge: Forge, name: str) -> None:
    told = await answer(by_provider, f"Bearer {ACCEPTED[name](forge)}")
    assert told.json()["data"]["viewer"] == {"name": "赵主任", "posts": ["DIRECTOR"]}


@pytest.mark.parametrize(
    "kind", ["JWT", "jwt", "application/jwt", ABSENT], ids=["JWT", "jwt", "application", "absent"]
)
async def test_tokens_without_their_type_are_taken_where_the_school_says_so(
    people: Store, provider_settings: Settings, forge: Forge, kind: Any
) -> None:
    lenient = SignIn(provider_settings.model_copy(update={"oidc_untyped_tokens": True}))
    assert (await lenient.viewer(people, f"Bearer {forge.with_header(typ=kind)}")).name == "赵主任"
    assert (await lenient.viewer(people, f"Bearer {forge.token}")).name == "赵主任"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic ZGlyZWN0b3I6", "Token x"])
async def test_no_token_is_refused(
    school: School, http: httpx.AsyncClient, authorization: str | None
) -> None:
    assert (await answer(http, authorization)).status_code == 401
    assert (await http.post("/scans", headers={"Authorization": authorization or ""})).status_code == 401


async def test_a_token_in_the_address_is_not_read(by_provider: httpx.AsyncClient, forge: Forge) -> None:
    told = await by_provider.post("/graphql", json=QUERY, params={"access_token": forge.token})
    assert told.status_code == 401
