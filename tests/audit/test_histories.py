"""The audit history of each kind of node: who reads what of it, and that reading it is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.approvals import requests
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.histories import CHANGE_REQUEST_HISTORY, EMERGENCY_ACTION_HISTORY
from archive_store.approvals.operations import payload_of, perform
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.histories import SubjectHistory
from archive_store.audit.queries import HistoryEntry
from archive_store.crisis.histories import CRISIS_TEAM_HISTORY
from archive_store.oversight.histories import HISTORIES
from archive_store.people.histories import DELEGATION_HISTORY, PERSON_HISTORY
from archive_store.retrieval.histories import RETRIEVAL_GRANT_HISTORY
from archive_store.retrieval.operations import RetrievalGrantRevoke
from archive_store.scans.content import open_scan
from archive_store.scans.histories import SCAN_HISTORY
from archive_store.students.histories import STUDENT_HISTORY
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.access.test_readings import events, paper
from tests.approvals.test_emergency import REASON as EMERGENCY
from tests.approvals.test_emergency import acknowledge, updated
from tests.approvals.test_requests import delegated
from tests.crisis.teams import OCCASION, act, form
from tests.graphql.test_schema import recorded
from tests.retrieval.test_grants import given
from tests.school import PURPOSE, School

NEW_PHONE = "13900001111"


async def entries(
    school: School, history: SubjectHistory, subject: str, key: ObjectId, purpose: str | None = PURPOSE
) -> list[HistoryEntry] | None:
    """Oldest first."""
    (page,) = await history.pages(school.store, await school.viewer(subject, purpose), [key], first=50)
    return None if page is None else list(reversed(page.rows))


def told(found: list[HistoryEntry] | None) -> list[tuple[str, str | None]]:
    assert found is not None
    return [(entry.kind, entry.reason) for entry in found]


async def run(school: School, subject: str, query: str, purpose: str | None = PURPOSE) -> dict[str, Any]:
    context = Context(school.store, await school.viewer(subject, purpose))
    result = await build_schema().execute(query, context_value=context)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data


def node(name: str, key: ObjectId, fields: str) -> str:
    return f'{{ node(id: "{global_id(name, key)}") {{ ... on {name} {{ {fields} }} }} }}'


def test_every_type_of_record_is_in_the_table() -> None:
    assert {kind.value for kind in HISTORIES} == {kind.subject_type for kind in RECORD_TYPES}
    assert all(kind.value == history.record_type.subject_type for kind, history in HISTORIES.items())


async def test_a_request_tells_its_reasons_to_those_who_see_its_texts(school: School) -> None:
    student = await school.student()
    key = await school.request("information", student, phone=NEW_PHONE)
    decider = await school.viewer("director")
    await decide(school.store, decider, key, Decision.APPROVED, comment="已核实")
    whole = [("change_request:submit", "家长来电"), ("change_request:approve", "已核实")]
    assert told(await entries(school, CHANGE_REQUEST_HISTORY, "information", key)) == whole
    assert await events(school) == []  # their own request
    assert told(await entries(school, CHANGE_REQUEST_HISTORY, "director", key)) == whole
    (event,) = await events(school)
    assert (event.viewer_id, event.read_type, event.purpose) == (decider.person_id, "Student", PURPOSE)
    assert [(group.fields, group.subject_ids) for group in event.groups] == [(["phone"], [student.key])]
    for other in ("deputy-1", "vice-principal", "archive"):
        assert told(await entries(school, CHANGE_REQUEST_HISTORY, other, key)) == [
            (kind, None) for kind, _ in whole
        ]
    assert await entries(school, CHANGE_REQUEST_HISTORY, "academic-affairs", key) is None
    assert len(await events(school)) == 1


async def test_who_decides_need_not_state_a_purpose(school: School) -> None:
    key = await school.request("information", await school.student(), phone=NEW_PHONE)
    assert told(await entries(school, CHANGE_REQUEST_HISTORY, "director", key, None))[0][1] == "家长来电"
    (event,) = await events(school)
    assert "审批" in (event.purpose or "")


async def test_a_draft_is_its_requesters_alone(school: School) -> None:
    key = await school.request("information", await school.student(), phone=NEW_PHONE)
    collection = school.store.database.mongo["change_requests"]
    await collection.update_one({"_id": key}, {"$set": {"status": "DRAFT"}})
    assert await entries(school, CHANGE_REQUEST_HISTORY, "director", key) is None
    assert await entries(school, CHANGE_REQUEST_HISTORY, "information", key) is not None


async def test_texts_of_a_request_that_was_narrowed_may_still_speak_of_what_it_asked_for(
    school: School,
) -> None:
    key = await school.request("information", await school.student(), phone=NEW_PHONE)
    director = await school.viewer("director")
    await decide(school.store, director, key, Decision.RETURNED, comment=f"{NEW_PHONE}是空号")
    information = await school.viewer("information")
    narrowed = requests.Revision(values={"changes": {"class_seat_number": "07"}})
    await requests.revise(school.store, information, key, narrowed)
    deputy = await school.viewer("deputy-1")
    found = await entries(school, CHANGE_REQUEST_HISTORY, "deputy-1", key)
    assert {reason for _, reason in told(found)} == {None}
    (request,) = await change_requests_by_id(school.store, deputy, [key])
    assert request is not None
    (content,) = await contents_for(school.store, deputy, [request])
    assert (content.changes[0].withheld, content.reason, content.sees_text) == (False, None, False)
    assert f"{NEW_PHONE}是空号" in [
        reason for _, reason in told(await entries(school, CHANGE_REQUEST_HISTORY, "director", key))
    ]


async def test_what_superseded_a_request_does_not_tell_its_own_reason_there(school: School) -> None:
    student = await school.student()
    earlier = await school.request("information", student, class_seat_number="07")
    await school.approve("director", earlier)
    later = await school.request("information", student, class_seat_number="08", phone=NEW_PHONE)
    await school.approve("director", later)
    for subject in ("information", "director", "deputy-1"):
        found = await entries(school, CHANGE_REQUEST_HISTORY, subject, earlier)
        assert told(found)[-1] == ("change_request:supersede", None)
        assert told(found)[0] == ("change_request:submit", "家长来电")


async def test_an_emergency_tells_its_reasons_to_those_who_see_its_texts(school: School) -> None:
    key = await updated(school, phone=NEW_PHONE)
    await acknowledge(school, "director", key)
    kinds = ["emergency:execute", "emergency:acknowledge"]
    for subject, reason in (("information", EMERGENCY), ("vice-principal", EMERGENCY), ("deputy-1", None)):
        assert told(await entries(school, EMERGENCY_ACTION_HISTORY, subject, key)) == [
            (kinds[0], reason),
            (kinds[1], None),
        ]
    assert await entries(school, EMERGENCY_ACTION_HISTORY, "archive", key) is None
    (event,) = await events(school)  # who decides on it; whoever executed it knows what they wrote
    assert (event.viewer_name, event.read_type) == ((await school.viewer("vice-principal")).name, "Student")


async def test_a_sealed_paper_has_a_history_for_those_who_know_of_it(school: School) -> None:
    sealed, plain = await paper(school, "2023级诊断证明"), await paper(school, "2023级户口簿")
    for subject in ("teacher", "academic-affairs", "information"):
        assert await entries(school, SCAN_HISTORY, subject, sealed) is None
        assert await entries(school, SCAN_HISTORY, subject, plain) is not None
    (filed,) = await entries(school, SCAN_HISTORY, "academic-affairs", plain) or []
    shown = {change.field: not change.withheld for change in filed.changes}
    assert shown == {"file_name": False, "media_type": True, "size": True, "sha256": False}
    assert await entries(school, SCAN_HISTORY, "archive", sealed) is not None


async def test_why_a_paper_was_viewed_is_as_secret_as_the_paper(school: School) -> None:
    plain = await paper(school, "2023级户口簿")
    _, content = await open_scan(school.store, await school.viewer("director", "查户口"), plain)
    await content.aclose()
    before = len(await events(school))
    assert told(await entries(school, SCAN_HISTORY, "archive", plain))[-1] == ("scan:view", None)
    assert told(await entries(school, SCAN_HISTORY, "director", plain, None))[-1] == ("scan:view", None)
    assert len(await events(school)) == before
    assert told(await entries(school, SCAN_HISTORY, "director", plain))[-1] == ("scan:view", "查户口")
    event = (await events(school))[-1]
    assert (event.read_type, [(group.fields, group.subject_ids) for group in event.groups]) == (
        "Scan",
        [(["reason"], [plain])],
    )


async def grant_key(school: School) -> ObjectId:
    row = await school.store.database.mongo["retrieval_grants"].find_one({})
    assert row is not None
    return row["_id"]  # type: ignore[no-any-return]


async def test_a_grant_shows_its_purpose_to_its_grantee_and_for_a_stated_one(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    key, director = await grant_key(school), await school.viewer("director")
    revoke = payload_of(RetrievalGrantRevoke, {"grant_id": key})
    await perform(school.store, director, "retrieval_grant.revoke", revoke, reason="泄露病情")

    async def seen(subject: str, purpose: str | None) -> list[tuple[Any, str | None]]:
        found = await entries(school, RETRIEVAL_GRANT_HISTORY, subject, key, purpose)
        assert found is not None
        values = [{change.field: change.after for change in entry.changes} for entry in found]
        return [(value.get("purpose"), entry.reason) for value, entry in zip(values, found, strict=True)]

    before = len(await events(school))
    # Why it was taken from them may tell of what they may no longer read.
    assert await seen("logistics", None) == [("奖学金评审", "奖学金评审"), (None, None)]
    assert await seen("director", None) == [(None, None), (None, None)]
    assert len(await events(school)) == before
    assert await seen("director", PURPOSE) == [("奖学金评审", "奖学金评审"), (None, "泄露病情")]
    event = (await events(school))[-1]
    assert (event.read_type, [group.fields for group in event.groups]) == (
        "RetrievalGrant",
        [["purpose", "reason"]],
    )
    assert await seen("vice-principal", PURPOSE) == [("奖学金评审", "奖学金评审"), (None, None)]
    # To an auditor who does not decide on grants: what its classes open by post.
    assert await seen("principal", PURPOSE) == [(None, None), (None, None)]
    assert await entries(school, RETRIEVAL_GRANT_HISTORY, "archive", key) is None


async def test_a_crisis_team_shows_its_texts_to_its_own(school: School) -> None:
    key = await form(school)
    await act(school, "vice-principal", "activate", key)
    stand_down = school.store.operations["crisis_team.stand_down"].payload(team_id=key)
    by = await school.viewer("vice-principal")
    await perform(school.store, by, "crisis_team.stand_down", stand_down, reason="学生已出院")

    async def seen(subject: str, purpose: str | None) -> tuple[Any, Any, str | None]:
        found = await entries(school, CRISIS_TEAM_HISTORY, subject, key, purpose)
        assert found is not None
        first = {change.field: change.after for change in found[0].changes}
        return first["title"], first["occasion"], found[-1].reason

    assert await seen("teacher", None) == ("甲流处置小组", OCCASION, "学生已出院")
    (event,) = await events(school)
    assert event.read_type == "CrisisTeam" and "甲流处置小组" in (event.purpose or "")
    assert await seen("director", None) == ("甲流处置小组", None, None)
    assert await seen("director", PURPOSE) == ("甲流处置小组", OCCASION, "学生已出院")
    assert await entries(school, CRISIS_TEAM_HISTORY, "archive", key) is None
    # The grants that ended with it carry the same reason.
    grant = await entries(school, RETRIEVAL_GRANT_HISTORY, "logistics", await grant_key(school), None)
    assert told(grant)[-1] == ("retrieval_grant:revoke", None)


async def test_a_person_renamed_with_a_record_does_not_tell_the_records_reason(school: School) -> None:
    student = await school.student()
    key = await school.request("information", student, name="李明", phone=NEW_PHONE)
    await school.approve("director", key)
    await school.approve("vice-principal", key)
    for subject, reason in (("vice-principal", None), ("archive", None), ("director", "家长来电")):
        found = await entries(school, PERSON_HISTORY, subject, student.person_id)
        assert told(found)[-1] == ("person:rename", reason)
        assert found is not None and found[-1].changes[0].after == "李明"
    for subject in ("logistics", "teacher", "analysis"):
        assert await entries(school, PERSON_HISTORY, subject, student.person_id) is None


async def test_a_delegation_is_for_its_two_and_for_auditors(school: School) -> None:
    await delegated(school, "director", "teacher", "DIRECTOR")
    row = await school.store.database.mongo["delegations"].find_one({})
    assert row is not None
    for subject in ("director", "teacher", "vice-principal"):
        (entry,) = await entries(school, DELEGATION_HISTORY, subject, row["_id"]) or []
        assert not any(change.withheld for change in entry.changes)
    assert await entries(school, DELEGATION_HISTORY, "information", row["_id"]) is None


async def test_without_the_scope_a_service_reads_no_history(school: School) -> None:
    student, service = await school.student(), await school.viewer("service")
    without = replace(service, scopes=frozenset(Scope) - {Scope.AUDIT_READ})
    assert await STUDENT_HISTORY.pages(school.store, without, [student.key], first=1) == [None]
    assert (await STUDENT_HISTORY.pages(school.store, service, [student.key], first=1))[0] is not None


@pytest.mark.parametrize(("stored", "shown"), [(None, None), ("refused", None), (7, 7), (0, 0), (True, None)])
async def test_the_place_in_the_log_is_told_once_there_is_one(
    school: School, stored: Any, shown: int | None
) -> None:
    student = await school.student()
    query = node("Student", student.key, "auditHistory { edges { node { logIndex sequence } } }")
    assert (await run(school, "director", query))["node"]["auditHistory"]["edges"] == [
        {"node": {"logIndex": None, "sequence": 1}}
    ]
    collection = school.store.database.mongo[ENTRIES]
    await collection.update_one({"subject_id": student.key}, {"$set": {"log_index": stored}})
    assert (await run(school, "director", query))["node"]["auditHistory"]["edges"] == [
        {"node": {"logIndex": shown, "sequence": 1}}
    ]


CHAIN = """auditHistory { edges { node { kind changeRequestId approvalChain {
    tier post decision decidedByName onBehalfOfName comment isVoid } } } }"""


async def test_an_entry_shows_the_approvals_as_its_request_shows_them(school: School) -> None:
    student = await school.student()
    key = await school.request("information", student, name="李明", phone=NEW_PHONE)
    for subject in ("director", "vice-principal"):
        viewer = await school.viewer(subject)
        await decide(school.store, viewer, key, Decision.APPROVED, comment=f"{subject}同意")
    asked = node("Student", student.key, CHAIN)
    steps = "steps { tier post decision decidedByName onBehalfOfName comment isVoid }"
    comments = {}
    for subject in ("director", "information", "deputy-1", "vice-principal", "archive"):
        seen = await run(school, subject, asked)
        request = await run(school, subject, node("ChangeRequest", key, steps))
        [update, register] = [edge["node"] for edge in seen["node"]["auditHistory"]["edges"]]
        assert update["approvalChain"] == request["node"]["steps"]
        assert [step["tier"] for step in update["approvalChain"]] == ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]
        assert (register["changeRequestId"], register["approvalChain"]) == (None, None)
        comments[subject] = update["approvalChain"][0]["comment"]
    assert comments == dict.fromkeys(("director", "information", "vice-principal"), "director同意") | {
        "deputy-1": None,
        "archive": None,
    }
    # Who may not see the request.
    hidden = await run(school, "academic-affairs", asked)
    assert [edge["node"]["approvalChain"] for edge in hidden["node"]["auditHistory"]["edges"]] == [None] * 2


async def test_comments_are_read_only_where_they_are_asked_for(school: School) -> None:
    student = await school.student()
    await school.approve("director", await school.request("information", student, phone=NEW_PHONE))
    for fields, recorded_readings in (("decision", 0), ("decision comment", 1)):
        history = f"auditHistory {{ edges {{ node {{ approvalChain {{ {fields} }} }} }} }}"
        before = len(await events(school))
        await run(school, "director", node("Student", student.key, history))
        # The director reads of the phone in the history in any case.
        assert len(await events(school)) - before == 1 + recorded_readings


async def test_a_list_of_nodes_takes_one_query_of_entries_for_each_type(
    school: School, settings: Any
) -> None:
    for position in range(6):
        student = await school.student(position)
        await school.approve("director", await school.request("information", student, class_seat_number="31"))
        await paper(school, "2023级户口簿", position)
    edges = "edges { node { kind reason subject { id } approvalChain { decision } } }"
    query = f"""{{ changeRequests(first: %d) {{ edges {{ node {{ auditHistory(first: 3) {{ {edges} }} }} }} }}
        students(first: %d) {{ edges {{ node {{ auditHistory(first: 3) {{ {edges} }}
            scans {{ auditHistory(first: 3) {{ {edges} }} }} }} }} }} }}"""
    counts = []
    for first in (1, 6):
        commands, result = await recorded(school, settings, "information", query % (first, first))
        assert result.errors is None
        assert len(result.data["students"]["edges"]) == len(result.data["changeRequests"]["edges"]) == first
        counts.append(sorted(commands.names))
    assert counts[0] == counts[1]
    assert counts[0].count("aggregate audit_entries") == 3


async def test_keys_in_values_are_global_ids(school: School) -> None:
    student = await school.student()
    await given(school, "logistics", "director", student_id=student.key)
    history = "auditHistory { edges { node { changes { field after } } } }"
    query = node("RetrievalGrant", await grant_key(school), history)
    found = await run(school, "logistics", query)
    changes = found["node"]["auditHistory"]["edges"][0]["node"]["changes"]
    after = {change["field"]: change["after"] for change in changes}
    assert after["studentId"] == global_id("Student", student.key)
    assert after["granteeId"] == global_id("Person", (await school.viewer("logistics")).person_id)


async def test_a_history_that_may_not_be_read_is_null_and_said_so(school: School) -> None:
    await school.approve(
        "director", await school.request("information", await school.student(), phone=NEW_PHONE)
    )
    context = Context(school.store, await school.viewer("teacher"))
    query = "{ staff(first: 2) { edges { node { name auditHistory { edges { cursor } } } } } }"
    result = await build_schema().execute(query, context_value=context)
    assert result.errors is None and result.data is not None
    assert {edge["node"]["auditHistory"] for edge in result.data["staff"]["edges"]} == {None}
    lines = (result.extensions or {})["redactions"]
    assert [(line["field"], line["reason"]) for line in lines] == [("Person.auditHistory", "NOT_PERMITTED")]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [("first: 0", "first"), ("first: 101", "first"), ('after: "x"', "after"), ('after: "-1"', "after")],
)
async def test_wrong_pages_of_a_history(school: School, arguments: str, field: str) -> None:
    key = await school.request("information", await school.student(), phone=NEW_PHONE)
    query = node("ChangeRequest", key, f"auditHistory({arguments}) {{ edges {{ cursor }} }}")
    context = Context(school.store, await school.viewer("director"))
    result = await build_schema().execute(query, context_value=context)
    assert result.errors is not None
    assert [error.extensions["code"] for error in result.errors] == ["invalid_argument"]  # type: ignore[index]
    assert result.errors[0].extensions["field"] == field  # type: ignore[index]
