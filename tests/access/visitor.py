"""A visitor who goes through the doors over HTTP as one viewer after the other, and what a door showed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from api.app import create_app
from api.sign_in import SignIn
from archive_store.access.viewer import Viewer
from archive_store.foundation.clock import school_day
from archive_store.foundation.settings import Settings
from schema.access import GovernedType
from schema.nodes import global_id
from tests.access.marked_histories import MarkedHistories
from tests.access.marked_school import MarkedSchool, MarkedStudent
from tests.access.marks import Leaf

PURPOSE = {"Registrar-Purpose": "matrix"}


@dataclass
class Answer:
    """What a door showed: leaves told from the answer's shape, all its text, and its redactions by coordinate."""

    shown: set[Leaf] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    redactions: dict[str, str] = field(default_factory=dict)
    refused_field: str = ""  # by the last error


class _SignIn(SignIn):
    """Whoever is set is signed in; the purpose is that of the request, as ever."""

    signed_in: Viewer

    async def viewer(self, *_: Any) -> Viewer:
        return self.signed_in


class Visitor:
    """Goes through the doors over HTTP, as one viewer at a time."""

    def __init__(self, world: MarkedSchool, settings: Settings, histories: MarkedHistories) -> None:
        self.histories = histories
        self.world, self.tied, self.other = world, world.students[0], world.students[1]
        app = create_app(settings)
        app.state.store, app.state.sign_in = world.store, _SignIn(settings)
        self.routes = [
            (route.path, sorted(getattr(route, "methods", None) or ("WS",))) for route in app.routes
        ]  # type: ignore[attr-defined]
        self._sign_in: _SignIn = app.state.sign_in
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://registrar.test")
        self.viewer: Viewer

    def become(self, viewer: Viewer) -> None:
        self.viewer = self._sign_in.signed_in = viewer

    async def get(self, address: str, answer: Answer, **params: str) -> httpx.Response:
        headers = PURPOSE if self.viewer.reading.purpose else {}
        got = await self.http.get(address, params=params, headers=headers)
        answer.texts += [got.text, *(f"{name}: {value}" for name, value in got.headers.items())]
        return got

    async def ask(self, answer: Answer, query: str, **variables: Any) -> dict[str, Any]:
        headers = PURPOSE if self.viewer.reading.purpose else {}
        got = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        assert got.status_code == 200, got.text
        answer.texts.append(got.text)
        told: dict[str, Any] = got.json()
        lines = (told.get("extensions") or {}).get("redactions", [])
        answer.redactions = {line["field"]: line["reason"] for line in lines}
        assert len(answer.redactions) == len(lines)
        for error in told.get("errors", ()):
            assert error["extensions"]["code"] in ("forbidden", "purpose_required"), error
            answer.refused_field = error["extensions"]["field"] or ""
        return told.get("data") or {}

    @property
    def students(self) -> Iterable[tuple[str, MarkedStudent]]:
        return ("tied", self.tied), ("other", self.other)

    @property
    def today(self) -> str:
        return school_day(self.world.store.clock.now()).isoformat()

    @property
    def ids(self) -> dict[str, str]:
        return {name: global_id("Student", student.key) for name, student in self.students}

    def name_of(self, node: Mapping[str, Any]) -> str:
        return next(name for name, text in self.ids.items() if text == node["id"])


def shown_paths(governed: GovernedType, node: Mapping[str, Any] | None) -> set[str]:
    if node is None:
        return set()
    found = {path for name, path in governed.leaves.items() if node.get(name) is not None}
    for name, nested in governed.lists.items():
        for item in node.get(name) or ():
            found |= shown_paths(nested, item)
    return found
