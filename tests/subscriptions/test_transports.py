"""graphql-transport-ws as a client of bare messages sees it, and what plain HTTP answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from archive_store.foundation.settings import Settings
from schema.limits import ALIASES_LIMIT, QUERY_LIMIT
from schema.nodes import global_id
from tests.school import School
from tests.subscriptions.conftest import Live, served
from tests.subscriptions.test_tasks import NOTIFICATION, TASK, UPDATE, ask

PROTOCOL = "graphql-transport-ws"
COSTLY = """{ students(first: 100) { edges { node { auditHistory(first: 100) { edges { node {
    changes { field } } } } } } } }"""


@asynccontextmanager
async def connected(
    live: Live, *, protocols: tuple[str, ...] = (PROTOCOL,), headers: Any = None, **told: Any
) -> AsyncIterator[ClientConnection]:
    url = live.url.replace("http", "ws", 1)
    async with connect(
        url,
        subprotocols=protocols,
        additional_headers=headers,
        proxy=None,
        **told,  # type: ignore[arg-type]
    ) as socket:
        yield socket


async def say(socket: ClientConnection, *messages: Any) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def heard(socket: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        text = await socket.recv()
    assert isinstance(text, str)  # never a binary frame
    return json.loads(text)


async def closed(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed):
        while True:
            await heard(socket)
    assert socket.close_code is not None
    return socket.close_code


async def begun(socket: ClientConnection, params: Any = None) -> None:
    await say(socket, {"type": "connection_init", **({} if params is None else {"payload": params})})
    assert await heard(socket) == {"type": "connection_ack"}


def subscribe(query: str, name: str = "1", **variables: Any) -> Any:
    return {"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}}


async def answer(socket: ClientConnection, query: str, **variables: Any) -> Any:
    await say(socket, subscribe(query, **variables))
    message = await heard(socket)
    if message["type"] == "next":
        assert await heard(socket) == {"id": "1", "type": "complete"}
    return message


async def test_headers_of_the_handshake_sign_in_as_well(live: Live, school: School, bearer: Any) -> None:
    async with connected(live, headers=bearer("director")) as socket:
        await begun(socket)
        await say(socket, subscribe(TASK))
        await live.subscribed(1)
        request_id, _ = await ask(live, school, bearer)
        message = await heard(socket)
        assert message["payload"]["data"]["taskAdded"]["subject"]["id"] == request_id
        await say(socket, {"id": "1", "type": "complete"})
        await live.subscribed(0)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([subscribe(NOTIFICATION)], 4401),
        ([{"type": "connection_init"}], 4401),
        ([{"type": "connection_init", "payload": []}], 4400),
        ([{"type": "connection_init", "payload": {"Authorization": 7}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4401),
        ([{"type": "start"}], 4400),
        ([[]], 4400),
        ([{"type": []}], 4400),
        ([{"type": "subscribe", "id": "1"}], 4400),
        ([{"type": "subscribe", "id": "1", "payload": {"query": 1}}], 4400),
        ([{"type": "subscribe", "id": {}, "payload": {"query": "{ viewer { name } }"}}], 4400),
        ([{"type": "complete"}], 4400),
    ],
)
async def test_what_is_not_of_the_protocol_closes_the_connection(
    live: Live, messages: list[Any], code: int
) -> None:
    async with connected(live) as socket:
        await say(socket, *messages)
        assert await closed(socket) == code


async def test_frames_that_are_no_json_or_too_long(live: Live) -> None:
    for told, code in ((b"{}", 4400), ("{", 4400), ('"' + "x" * 300_000 + '"', 1009)):
        async with connected(live) as socket:
            await socket.send(told)
            assert await closed(socket) == code


async def test_a_second_init_and_a_second_use_of_an_id(live: Live, bearer: Any) -> None:
    async with connected(live) as socket:
        await begun(socket, bearer("director"))
        await say(socket, {"type": "connection_init"})
        assert await closed(socket) == 4429
    async with connected(live) as socket:
        await begun(socket, bearer("director"))
        await say(socket, subscribe(TASK), subscribe(TASK))
        assert await closed(socket) == 4409
    await live.subscribed(0)


async def test_who_says_nothing_is_closed(
    school: School, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.graphql.INIT_WITHIN_SECONDS", 0.2)
    async with served(settings) as live, connected(live) as socket:
        assert await closed(socket) == 4408


async def test_the_older_protocol_is_off(live: Live) -> None:
    async with connected(live, protocols=("graphql-ws",)) as socket:
        assert await closed(socket) == 4406


async def test_pages_of_other_origins_are_refused_unless_they_are_set(
    live: Live, school: School, settings: Any, bearer: Any
) -> None:
    own = live.url.removesuffix("/graphql")
    async with connected(live, origin=own) as socket:
        await begun(socket, bearer("director"))
    for origin in ("https://evil.example", "null", own + "1"):
        with pytest.raises(InvalidStatus) as refused:
            async with connected(live, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    set_ = settings.model_copy(update={"websocket_origins": ("https://desk.example",)})
    async with served(set_) as other:
        async with connected(other, origin="https://desk.example") as socket:
            await begun(socket, bearer("director"))
        with pytest.raises(InvalidStatus):
            async with connected(other, origin="https://desk.example:8443"):
                pass


def test_origins_are_set_between_blanks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = settings.model_dump(exclude={"websocket_origins"})
    monkeypatch.setenv("REGISTRAR_WEBSOCKET_ORIGINS", "https://desk.example http://localhost:3000")
    assert Settings(**rest).websocket_origins == ("https://desk.example", "http://localhost:3000")
    for wrong in ("*", "desk.example", "https://desk.example/", "https://one,https://two/x"):
        monkeypatch.setenv("REGISTRAR_WEBSOCKET_ORIGINS", wrong)
        with pytest.raises(ValidationError):
            Settings(**rest)


async def test_queries_and_mutations_are_answered_with_the_same_rights(
    live: Live, school: School, bearer: Any
) -> None:
    student = await school.student()
    name = global_id("Student", student.key)
    read = "query ($id: ID!) { student(id: $id) { phone } }"
    content = "query ($id: ID!) { changeRequest(id: $id) { changes { after withheld } } }"
    async with connected(live) as socket:
        await begun(socket, bearer("information"))
        told = await answer(socket, UPDATE, id=name, phone="13900001111")
        request = told["payload"]["data"]["studentUpdate"]["changeRequest"]["id"]
        told = await answer(socket, read, id=name)
        assert told["payload"]["data"] == {"student": {"phone": None}}
        [line] = told["payload"]["extensions"]["redactions"]
        assert (line["field"], line["reason"]) == ("Student.phone", "NOT_PERMITTED")
    shown = {"archive": (None, True), "director": ("13900001111", False)}
    for subject, (after, withheld) in shown.items():
        async with connected(live) as socket:
            await begun(socket, bearer(subject))
            told = await answer(socket, content, id=request)
            [change] = told["payload"]["data"]["changeRequest"]["changes"]
            assert change == {"after": after, "withheld": withheld}, subject
    # The purpose is part of `connection_init`, percent-encoded as in the header or plain.
    purposes = {"": None, "%E6%A0%B8%E5%AF%B9": student.phone, "核对": student.phone}
    for purpose, phone in purposes.items():
        async with connected(live) as socket:
            params = bearer("director", purpose="") | {"Registrar-Purpose": purpose}
            await begun(socket, params)
            told = await answer(socket, read, id=name)
            assert told["payload"]["data"] == {"student": {"phone": phone}}, purpose


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription {", "invalid_query"),
        ("subscription { nothing }", "invalid_query"),
        ("subscription { notificationAdded { id } taskAdded { id } }", "invalid_query"),
        (
            f"subscription {{ notificationAdded {{ {' '.join(f'a{n}: id' for n in range(ALIASES_LIMIT + 1))} }} }}",
            "too_complex",
        ),
        (f"subscription {{ notificationAdded {{ {'id ' * 2_000} }} }}", "invalid_query"),
        ("{ students(first: 0) { edges { cursor } } }", "invalid_argument"),
        ("#" * QUERY_LIMIT + NOTIFICATION, "too_large"),
        (COSTLY, "too_complex"),
    ],
)
async def test_limits_and_errors_are_those_of_queries(live: Live, bearer: Any, query: str, code: str) -> None:
    async with connected(live) as socket:
        await begun(socket, bearer("director"))
        message = await answer(socket, query)
        errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == code
        assert errors[0]["extensions"].keys() == {"code", "field", "rule", "messageZh", "messageEn"}
    assert live.feed.subscribers == 0


async def test_an_operation_that_is_not_there(live: Live, bearer: Any) -> None:
    message = subscribe("query A { viewer { name } }")
    message["payload"]["operationName"] = "B"
    async with connected(live) as socket:
        await begun(socket, bearer("director"))
        await say(socket, message)
        [error] = (await heard(socket))["payload"]
        assert error["extensions"]["code"] == "invalid_query"


async def test_a_connection_has_so_many_operations(live: Live, bearer: Any) -> None:
    async with connected(live) as socket:
        await begun(socket, bearer("director"))
        await say(socket, *(subscribe(NOTIFICATION, str(n)) for n in range(21)))
        message = await heard(socket)
        assert (message["id"], message["type"]) == ("20", "error")
        assert message["payload"][0]["extensions"]["code"] == "too_large"
        await live.subscribed(20)


async def test_a_token_that_has_expired_begins_no_operation(
    live: Live, bearer: Any, issuer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sign_in.LEEWAY_SECONDS", 0)
    async with connected(live) as socket:
        await begun(socket, {"Authorization": f"Bearer {issuer.token('director', seconds=2)}"})
        await asyncio.sleep(2.5)
        message = await answer(socket, "{ viewer { name } }")
        assert message["payload"][0]["extensions"]["code"] == "unauthenticated"


async def test_plain_http_answers_no_subscription(live: Live, bearer: Any) -> None:
    async with httpx.AsyncClient(trust_env=False, headers=bearer("director")) as http:
        refused = await http.post(live.url, json={"query": NOTIFICATION})
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_query")
        stream = {"Accept": "text/event-stream"}
        answered = await http.post(live.url, json={"query": "{ viewer { name } }"}, headers=stream)
        assert answered.headers["content-type"] == "text/event-stream"
        assert answered.text.split("\r\n")[0] == "event: next"
        assert "event: complete" in answered.text
        answered = await http.post(live.url, json={"query": "subscription {"}, headers=stream)
        assert '"code":"invalid_query"' in answered.text and "event: complete" in answered.text
        # Nor is the third way of Strawberry's open.
        mixed = {"Accept": 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'}
        assert (await http.post(live.url, json={"query": NOTIFICATION}, headers=mixed)).status_code == 400
    assert live.feed.subscribers == 0
