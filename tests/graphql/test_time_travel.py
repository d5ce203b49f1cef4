"""A student at a moment over GraphQL: a correction through its approval, what was known before it, and bad moments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from graphql import parse

from archive_store.foundation.clock import school_day
from schema.cost import REPLAY_WEIGHT, cost_of
from schema.nodes import global_id
from schema.root import build_schema
from tests.approvals.test_over_graphql import mutate
from tests.graphql.test_schema import recorded
from tests.http.test_http import ask
from tests.school import School

Bearer = Any


async def test_a_correction_from_a_day_that_is_over(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    """Asked for with its day, signed with its day; what was known before stays the answer of then."""
    student = await school.student()
    key, today = global_id("Student", student.key), school_day(school.store.clock.now())
    since, before = today - timedelta(days=30), today - timedelta(days=31)
    first = school.store.clock.now().isoformat()
    asked = await mutate(
        http,
        bearer("information"),
        "studentUpdate",
        "applied changeRequest { id status effectiveFrom digest }",
        studentId=key,
        changes={"phone": "13700000001", "nativePlace": "上海市"},
        effectiveFrom=since.isoformat(),
        reason="家长来电",
    )
    request = asked["changeRequest"]
    assert (asked["applied"], request["status"]) == (False, "SUBMITTED")
    assert request["effectiveFrom"] == since.isoformat()
    director = bearer("director")
    done = await mutate(
        http,
        director,
        "changeRequestApprove",
        "changeRequest { status }",
        id=request["id"],
        digest=request["digest"],
    )
    assert done["changeRequest"] == {"status": "APPLIED"}
    query = """query ($id: ID!, $known: DateTime!, $since: Date!, $before: Date!) {
        now: student(id: $id) { phone moment { asOf }
            auditHistory(first: 1) { edges { node { effectiveFrom } } } }
        known: student(id: $id, asOf: $since) { phone nativePlace revision moment { asOf } }
        unknown: student(id: $id, asOf: $since, knownAt: $known) { phone revision moment { asOf knownAt } }
        earlier: student(id: $id, asOf: $before) { phone } }"""
    told = await ask(
        http, director, query, id=key, known=first, since=since.isoformat(), before=before.isoformat()
    )
    history = {"edges": [{"node": {"effectiveFrom": since.isoformat()}}]}
    moment = {"asOf": since.isoformat()}
    assert told["data"] == {
        "now": {"phone": "13700000001", "moment": None, "auditHistory": history},
        "known": {"phone": "13700000001", "nativePlace": "上海市", "revision": 2, "moment": moment},
        "unknown": {"phone": student.phone, "revision": 1, "moment": moment | {"knownAt": first}},
        "earlier": {"phone": student.phone},
    }
    assert "redactions" not in told.get("extensions", {})

    diff = """query ($id: ID!, $known: DateTime!) { student(id: $id) {
        diff(from: { knownAt: $known }) { field before after }
        back: diff(from: {}, to: { knownAt: $known }, fields: ["phone", "address"]) { field before after } } }"""
    told = await ask(http, director, diff, id=key, known=first)
    places = {"field": "nativePlace", "before": student.native_place, "after": "上海市"}
    phones = {"field": "phone", "before": student.phone, "after": "13700000001"}
    assert told["data"]["student"] == {
        "diff": [places, phones],
        "back": [{"field": "phone", "before": "13700000001", "after": student.phone}],
    }
    # The archive group reads no telephone number, changed or not, and is told the same of each.
    told = await ask(http, bearer("archive"), diff, id=key, known=first)
    assert told["data"]["student"] == {"diff": [places], "back": []}
    lines = {line["field"]: line["reason"] for line in told["extensions"]["redactions"]}
    assert lines["Student.phone"] == lines["Student.address"] == "NOT_PERMITTED"
    # Logistics reads open values of the record, and no history.
    told = await ask(http, bearer("logistics"), diff, id=key, known=first)
    assert told["data"]["student"] == {"diff": None, "back": None}
    assert [line["field"] for line in told["extensions"]["redactions"]] == ["Student.diff"]


async def test_who_reads_no_history_sees_no_moment(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    """Also none of before the student was registered, which would tell when that was."""
    key, headers = global_id("Student", (await school.student()).key), bearer("logistics")
    fields = "{ id name status moment { asOf } }"
    query = f"query ($id: ID!, $known: DateTime!) {{ student(id: $id, knownAt: $known) {fields} }}"
    for known in ("2000-01-01T00:00:00Z", school.store.clock.now().isoformat()):
        told = await ask(http, headers, query, id=key, known=known)
        shown = told["data"]["student"]
        assert (shown["id"], shown["name"], shown["status"]) == (key, None, None)
        lines = [(line["field"], line["reason"]) for line in told["extensions"]["redactions"]]
        assert lines == [("Student.name", "NOT_PERMITTED"), ("Student.status", "NOT_PERMITTED")]
    told = await ask(http, bearer("archive"), query, id=key, known="2000-01-01T00:00:00Z")
    assert told == {"data": {"student": None}}


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ('asOf: "2999-01-01"', "out_of_range", "asOf"),
        ('asOf: "0001-01-01"', "out_of_range", "asOf"),
        ('knownAt: "2999-01-01T00:00:00Z"', "out_of_range", "knownAt"),
        ('knownAt: "2025-01-01T00:00:00"', "invalid_argument", "knownAt"),
        ('asOf: "gestern"', "invalid_date", None),
    ],
)
async def test_bad_moments(
    school: School, http: httpx.AsyncClient, bearer: Bearer, given: str, code: str, field: str | None
) -> None:
    key = global_id("Student", (await school.student()).key)
    queries = [f'{{ student(id: "{key}", {given}) {{ name }} }}']
    queries += [f'{{ student(id: "{key}") {{ diff(from: {{ {given} }}) {{ field }} }} }}']
    queries += [f'{{ student(id: "{key}") {{ diff(from: {{}}, to: {{ {given} }}) {{ field }} }} }}']
    for query, place in zip(queries, ("", "from.", "to."), strict=True):
        told = await ask(http, bearer("director"), query)
        (error,) = told["errors"]
        expected = field and f"{place}{field}"
        assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, expected)


async def test_bad_input_of_a_correction(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    student, before = await school.student(), await school.counts()
    first = student.status_periods[0].effective_from
    key, headers = global_id("Student", student.key), bearer("information")
    given = {"studentId": key, "changes": {"phone": "13700000001"}, "reason": "x"}
    early = (first - timedelta(days=1)).isoformat()
    told = await mutate(
        http, headers, "studentUpdate", "errors { rule messageEn }", **given, effectiveFrom=early
    )
    (error,) = told["errors"]
    assert (error["code"], error["field"]) == ("out_of_range", "effectiveFrom")
    assert error["rule"] and first.isoformat() in error["messageEn"]
    asked = f'{{ student(id: "{key}") {{ diff(from: {{}}, fields: ["pseudonym"]) {{ field }} }} }}'
    (fault,) = (await ask(http, headers, asked))["errors"]
    assert (fault["extensions"]["code"], fault["extensions"]["field"]) == ("unknown_field", "fields")
    assert await school.counts() == before


async def test_several_moments_are_one_query_and_one_reading(school: School, settings: Any) -> None:
    """Of one student or of several, however many moments."""
    keys = [global_id("Student", (await school.student(place)).key) for place in range(3)]
    counts = []
    for number in (1, 3):
        parts = " ".join(
            f'a{place}: student(id: "{key}", asOf: "2025-01-0{place + 1}") {{ name phone }}'
            for place, key in enumerate(keys[:number])
        )
        before = await school.counts()
        commands, result = await recorded(school, settings, "director", f"{{ {parts} }}")
        assert result.errors is None and all(held["phone"] for held in result.data.values())
        after = await school.counts()
        counts.append(sorted(commands.names))
        assert after["access_events"] - before.get("access_events", 0) == 1
    assert counts[0] == counts[1]
    assert counts[0].count("find students") == counts[0].count("find audit_entries") == 1
    diffs = 'students(first: 6) { edges { node { diff(from: { asOf: "2025-01-01" }) { field } } } }'
    commands, result = await recorded(school, settings, "archive", f"{{ {diffs} }}")
    assert result.errors is None
    assert sorted(commands.names) == ["find audit_entries", "find students", "find students"]


async def test_what_is_replayed_has_a_cost_of_its_own() -> None:
    schema = build_schema()._schema

    def cost(query: str) -> int:
        document = parse(query)
        return cost_of(schema, document, document.definitions[0], {})  # type: ignore[arg-type]

    now, then = (cost(f'{{ student(id: "x"{more}) {{ name }} }}') for more in ("", ', asOf: "2025-01-01"'))
    assert then - now == REPLAY_WEIGHT
    page = "students(first: 50) { edges { node { id diff(from: {}) { field } } } }"
    assert cost(f"{{ {page} }}") > 50 * REPLAY_WEIGHT
