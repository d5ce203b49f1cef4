"""The emergency path as a front end sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from archive_store.approvals import emergencies
from archive_store.foundation.clock import school_day
from archive_store.students.status_periods import in_force
from schema.nodes import global_id
from tests.approvals.test_emergency import NEW, REASON, held, updated
from tests.approvals.test_over_graphql import mutate
from tests.http.test_http import ask
from tests.organisation.structure import build
from tests.school import School

Bearer = Any
ACTION = """emergencyAction { id operation status executedByName escalatedAt targetId reason
    changes { field before after withheld } receipts { post acknowledgedByName onBehalfOfName }
    ruling { post decidedByName comment }
    ratify: viewerCan(action: RATIFY) { allowed reason { code } }
    acknowledge: viewerCan(action: ACKNOWLEDGE) { allowed reason { code } }
    reverse: viewerCan(action: REVERSE) { allowed reason { code } } }"""


async def test_from_execution_to_ratification(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    student = await school.student()
    key = global_id("Student", student.key)
    told = await mutate(
        http,
        bearer("information"),
        "studentUpdateEmergency",
        ACTION,
        studentId=key,
        changes={"phone": NEW},
        reason=REASON,
    )
    assert told["errors"] == []
    action = told["emergencyAction"]
    assert (action["operation"], action["status"], action["targetId"]) == ("student.update", "EXECUTED", key)
    assert action["changes"] == [{"field": "phone", "before": None, "after": NEW, "withheld": True}]
    assert [action[name]["reason"] for name in ("ratify", "acknowledge", "reverse")] == [
        {"code": "self_approval"}
    ] * 3
    query = """{ notifications(first: 5) { edges { node { kind subjectId } } }
        emergencyActions(first: 5, where: {status: EXECUTED, overdue: false}) { edges { node { id } } } }"""
    seen = (await ask(http, bearer("vice-principal"), query))["data"]
    assert seen["notifications"]["edges"][0]["node"] == {
        "kind": "emergency:executed",
        "subjectId": action["id"],
    }
    assert seen["emergencyActions"]["edges"] == [{"node": {"id": action["id"]}}]
    early = await mutate(http, bearer("director"), "emergencyRatify", ACTION, id=action["id"])
    assert early["errors"] == [{"code": "wrong_state", "field": "id"}]
    receipt = await mutate(http, bearer("vice-principal"), "emergencyAcknowledge", ACTION, id=action["id"])
    held = receipt["emergencyAction"]
    assert [one["post"] for one in held["receipts"]] == ["VICE_PRINCIPAL"]
    assert held["changes"][0]["before"] == student.phone
    assert (held["ratify"]["reason"], held["reverse"]["allowed"]) == ({"code": "wrong_state"}, True)
    done = await mutate(http, bearer("director"), "emergencyRatify", ACTION, id=action["id"], comment="属实")
    assert done["emergencyAction"]["status"] == "RATIFIED"
    assert done["emergencyAction"]["ruling"] == {
        "post": "DIRECTOR",
        "decidedByName": "赵主任",
        "comment": "属实",
    }
    again = await mutate(http, bearer("vice-principal"), "emergencyRatify", ACTION, id=action["id"])
    assert again["errors"] == [{"code": "wrong_state", "field": "id"}]


async def test_a_suspension_is_reversed(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    key = global_id("Student", (await school.student()).key)
    given = {
        "studentId": key,
        "effectiveFrom": school_day(school.store.clock.now()).isoformat(),
        "reason": REASON,
    }
    refused = await mutate(http, bearer("director"), "studentSuspendEmergency", ACTION, **given)
    assert (refused["emergencyAction"], refused["errors"]) == (None, [{"code": "forbidden", "field": None}])
    told = await mutate(http, bearer("information"), "studentSuspendEmergency", ACTION, **given)
    action = told["emergencyAction"]["id"]
    status = "query ($id: ID!) { student(id: $id) { status } }"
    assert (await ask(http, bearer("teacher"), status, id=key))["data"]["student"]["status"] == "SUSPENDED"
    undone = await mutate(http, bearer("director"), "emergencyReverse", ACTION, id=action, comment="误报")
    assert undone["emergencyAction"]["status"] == "REVERSED"
    assert (await ask(http, bearer("teacher"), status, id=key))["data"]["student"]["status"] == "ENROLLED"


async def test_a_suspension_whose_length_counts_names_its_last_day(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    await build(school)
    today = school_day(school.store.clock.now())
    given = {
        "studentId": global_id("Student", (await school.student()).key),
        "effectiveFrom": today.isoformat(),
        "reason": REASON,
    }
    refused = await mutate(http, bearer("information"), "studentSuspendEmergency", ACTION, **given)
    assert refused["errors"] == [{"code": "required", "field": "until"}]
    until = today + timedelta(days=30)
    told = await mutate(
        http, bearer("information"), "studentSuspendEmergency", ACTION, **given, until=until.isoformat()
    )
    assert told["errors"] == []
    running = in_force((await school.student()).status_periods)[-1]
    assert (running.status, running.planned_to) == ("SUSPENDED", until)


async def test_a_name_is_no_emergency(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    told = await mutate(
        http,
        bearer("information"),
        "studentUpdateEmergency",
        ACTION,
        studentId=global_id("Student", (await school.student()).key),
        changes={"name": "王改名"},
        reason=REASON,
    )
    assert told["errors"] == [{"code": "forbidden", "field": None}]


async def test_who_finds_it_by_its_id(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    key = await updated(school)
    query = """query ($id: ID!) { node(id: $id) { ... on EmergencyAction { status reason
        changes { before after } escalatedAt reverse: viewerCan(action: REVERSE) { allowed } } }
        emergencyAction(id: $id) { id } }"""

    async def seen(subject: str) -> Any:
        told = await ask(http, bearer(subject, ""), query, id=global_id("EmergencyAction", key))
        assert bool(told["data"]["node"]) == bool(told["data"]["emergencyAction"])
        return told["data"]["node"]

    for subject in ("archive", "teacher", "analysis", "service"):
        assert await seen(subject) is None
    principal = await seen("principal")
    assert (principal["reason"], principal["changes"]) == (None, [{"before": None, "after": None}])
    assert not principal["reverse"]["allowed"]
    late = (await held(school, key)).due_at.replace(year=2099)
    assert await emergencies.escalate_overdue(school.store, late) == 1
    principal = await seen("principal")
    assert principal["reverse"]["allowed"] and principal["changes"][0]["after"] == NEW
