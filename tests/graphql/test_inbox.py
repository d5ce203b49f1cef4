"""`viewer.tasks`: what awaits the viewer's decision, from the one list of change requests."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bson import ObjectId

from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from schema.tasks.queries import task_about
from tests.school import School

QUERY = """query ($first: Int! = 20, $after: String) { viewer { tasks(first: $first, after: $after) {
    edges { cursor node { id kind at subject { ... on ChangeRequest { id createdAt steps { decidedAt }
        changes { field after withheld } } } } } pageInfo { hasNextPage endCursor } } } }"""


async def inbox(school: School, subject: str, **variables: Any) -> Any:
    context = Context(school.store, await school.viewer(subject))
    result = await build_schema().execute(QUERY, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data["viewer"]["tasks"]


async def subjects(school: School, subject: str) -> list[str]:
    return [edge["node"]["subject"]["id"] for edge in (await inbox(school, subject))["edges"]]


async def test_a_task_goes_from_who_decides_to_who_decides_next(school: School) -> None:
    student = await school.student()
    phone = await school.request("information", student, phone="13900001111")
    name = await school.request("information", await school.student(1), name="李明")
    shown = {key: global_id("ChangeRequest", key) for key in (phone, name)}
    assert await subjects(school, "director") == [shown[name], shown[phone]]
    for other in ("information", "archive", "vice-principal", "principal", "teacher", "service"):
        assert await subjects(school, other) == []
    [_, oldest] = (await inbox(school, "director"))["edges"]
    node = oldest["node"]
    assert oldest["cursor"] == node["id"] == global_id("Task", phone)
    assert (node["kind"], node["at"]) == ("CHANGE_REQUEST_DECISION", node["subject"]["createdAt"])
    assert node["subject"]["changes"] == [{"field": "phone", "after": "13900001111", "withheld": False}]
    await school.approve("director", name)
    assert await subjects(school, "director") == [shown[phone]]
    [edge] = (await inbox(school, "vice-principal"))["edges"]
    assert edge["node"]["subject"]["id"] == shown[name]
    assert edge["node"]["at"] == edge["node"]["subject"]["steps"][0]["decidedAt"]
    await school.approve("vice-principal", name)
    await school.approve("director", phone)
    assert await subjects(school, "director") == await subjects(school, "vice-principal") == []


async def test_pages_join_to_the_whole(school: School) -> None:
    keys = [
        await school.request("information", await school.student(n), phone="13900001111") for n in range(5)
    ]
    seen, after = [], None
    while True:
        page = await inbox(school, "director", first=2, after=after)
        seen += [edge["node"]["subject"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [global_id("ChangeRequest", key) for key in reversed(keys)]


async def test_the_task_of_one_request(school: School) -> None:
    keys = [
        await school.request("information", await school.student(n), phone="13900001111") for n in range(3)
    ]
    director = Context(school.store, await school.viewer("director"))
    for key in keys:
        task = await task_about(director, key)
        assert task is not None and task.id == global_id("Task", key)
    await school.approve("director", keys[1])
    assert await task_about(director, keys[1]) is None
    assert await task_about(director, ObjectId()) is None
    assert await task_about(Context(school.store, await school.viewer("archive")), keys[0]) is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("first: 0", "invalid_argument"), ("first: 101", "invalid_argument"), ('after: "x"', "not_found")],
)
async def test_wrong_pages(
    school: School, http: httpx.AsyncClient, bearer: Any, arguments: str, code: str
) -> None:
    query = f"{{ viewer {{ tasks({arguments}) {{ edges {{ cursor }} }} }} }}"
    for subject in ("director", "service"):
        answer = await http.post("/graphql", json={"query": query}, headers=bearer(subject))
        assert answer.json()["errors"][0]["extensions"]["code"] == code
