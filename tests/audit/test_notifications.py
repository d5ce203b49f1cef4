"""Notifications: to whom they are told, and of what the reader may see."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.dev.demo import demo_paper
from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.audit.documents import NOTIFICATIONS
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.notifications import list_notifications
from archive_store.foundation.posts import Post
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.scans.uploads import file_scan
from archive_store.students.accounts import link_account
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.graphql.test_schema import recorded
from tests.school import School

QUERY = """query ($first: Int = 20, $after: String) { notifications(first: $first, after: $after) {
    edges { node { kind subjectId } } pageInfo { hasNextPage endCursor } } }"""


async def told(school: School, subject: str, **variables: Any) -> Any:
    context = Context(school.store, await school.viewer(subject))
    result = await build_schema().execute(QUERY, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data["notifications"]


async def nodes(school: School, subject: str) -> list[tuple[str, str | None]]:
    edges = (await told(school, subject))["edges"]
    return [(edge["node"]["kind"], edge["node"]["subjectId"]) for edge in edges]


async def notify(school: School, recipient: Any, *subjects: Subject) -> None:
    """Tell the recipient of each of the subjects, in this order."""
    viewer = await school.viewer("director")

    async def work(unit: UnitOfWork) -> None:
        for subject in subjects:
            unit.notify(recipient, "test:told", subject)

    await governed_transaction(school.store, viewer.actor, "test", work)


async def test_a_request_is_told_to_who_decides_and_then_to_who_asked(school: School) -> None:
    request = await school.request("information", await school.student(), phone="13700000001")
    shown = global_id("ChangeRequest", request)
    assert (await nodes(school, "director"))[0] == ("change_request:awaits_decision", shown)
    assert await nodes(school, "information") == []
    await school.approve("director", request)
    assert await nodes(school, "information") == [("change_request:applied", shown)]
    for subject in ("archive", "vice-principal", "teacher", "logistics", "analysis", "service"):
        assert await nodes(school, subject) == []


async def test_a_subject_without_a_global_id_is_not_told(school: School) -> None:
    viewer = await school.viewer("director")
    await notify(school, viewer.person_id, Subject("Person", viewer.person_id))
    assert (await nodes(school, "director"))[0] == ("test:told", None)


async def test_a_subject_out_of_sight_is_null(school: School) -> None:
    student = await school.student()
    await link_account(school.store, student.key, "pupil")
    other = await school.student(1)
    archive = await school.viewer("archive")

    async def body() -> Any:
        yield demo_paper("JPEG", pages=1)

    scan = await file_scan(school.store, archive, student.key, "2023级体检表.jpg", body())
    request = await school.request("information", other, phone="13700000001")
    subjects = [
        Subject("Student", student.key),
        Subject("Student", other.key),
        Subject("Scan", scan.key),
        Subject("Scan", other.key),
        Subject("ChangeRequest", request),
        Subject("RetrievalGrant", student.key),
    ]
    assert RetrievalGrant.subject_type == "RetrievalGrant"
    shown = [global_id(subject.type, subject.id) for subject in subjects]
    seen_by = {
        "archive": {0, 1, 2, 4},
        "logistics": {0, 1},
        "analysis": set(),
        "pupil": {0, 2},
        "information": {0, 1, 4},  # the paper is sealed
    }
    for subject, positions in seen_by.items():
        viewer = await school.viewer(subject)
        await notify(school, viewer.person_id, *subjects)
        found = [node[1] for node in reversed(await nodes(school, subject))]
        assert found == [shown[n] if n in positions else None for n in range(len(shown))], subject


async def test_what_is_told_to_a_post_is_told_to_who_holds_it_now(school: School) -> None:
    student = await school.student()
    await notify(school, Post.ACADEMIC_AFFAIRS, Subject("Student", student.key))
    assert await nodes(school, "academic-affairs") == [("test:told", global_id("Student", student.key))]
    # The service account of the demo school holds the post, too.
    assert await nodes(school, "service") == []
    assert await nodes(school, "admissions") == []


async def test_pages_are_newest_first_and_join_to_the_whole(school: School) -> None:
    viewer = await school.viewer("logistics")
    keys = [(await school.student(position)).key for position in range(5)]
    for position, key in enumerate(keys):
        recipient: Any = viewer.person_id if position % 2 else Post.LOGISTICS
        await notify(school, recipient, Subject("Student", key))
    seen: list[str | None] = []
    after = None
    while True:
        page = await told(school, "logistics", first=2, after=after)
        seen += [edge["node"]["subjectId"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [global_id("Student", key) for key in reversed(keys)]


async def test_a_page_costs_one_look_a_type_however_long(school: School, settings: Any) -> None:
    viewer = await school.viewer("principal")
    student = await school.student()
    request = await school.request("information", student, phone="13700000001")
    counts = []
    for times in (1, 10):
        subjects = [Subject("Student", student.key), Subject("ChangeRequest", request)]
        await notify(school, viewer.person_id, *subjects * times)
        query = "{ notifications(first: 50) { edges { node { kind at subjectId } } } }"
        commands, result = await recorded(school, settings, "principal", query)
        assert result.errors is None
        counts.append(sorted(commands.names))
    assert counts[0] == counts[1] == ["find change_requests", "find notifications", "find students"]
    commands, _ = await recorded(
        school, settings, "principal", "{ notifications { edges { node { kind } } } }"
    )
    assert commands.names == ["find notifications"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("first: 0", "invalid_argument"), ("first: 101", "invalid_argument"), ('after: "x"', "not_found")],
)
async def test_wrong_pages(
    school: School, http: httpx.AsyncClient, bearer: Any, arguments: str, code: str
) -> None:
    query = f"{{ notifications({arguments}) {{ edges {{ cursor }} }} }}"
    answer = await http.post("/graphql", json={"query": query}, headers=bearer("director"))
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_no_value_is_in_a_notification(school: School) -> None:
    await school.request("information", await school.student(), phone="13700000001")
    rows = await school.store.database.mongo[NOTIFICATIONS].find().to_list()
    assert {name for row in rows for name in row} == {
        *("_id", "recipient_post", "recipient_person", "kind", "subject_type", "subject_id", "at")
    }
    page = await list_notifications(school.store, await school.viewer("director"), first=1)
    assert page.rows[0].kind == "change_request:awaits_decision"
