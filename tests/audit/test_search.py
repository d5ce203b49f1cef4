"""Searching the audit history of all records: for whom, in pages that tell of nothing hidden, and by an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.policy import AccessPolicy
from archive_store.access.rules import DEFAULT_ACCESS_RULES, AccessRules, FieldAccessPolicy, Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.documents import ENTRIES
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.queries import HistoryEntry
from archive_store.foundation import versioned
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.paging import Cursor
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.unit_of_work import Subject
from archive_store.oversight import queries
from archive_store.oversight.histories import HISTORIES, SubjectType
from archive_store.oversight.queries import EntryFilter, search_entries
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.access.test_readings import events, paper
from tests.graphql.test_schema import recorded
from tests.school import School

NEW_PHONE = "13900001111"


async def everything(
    school: School, viewer: Viewer, where: EntryFilter | None = None, *, first: int = 100
) -> list[HistoryEntry]:
    """All pages, each of which but the last must be full."""
    found: list[HistoryEntry] = []
    after = None
    while True:
        got = await search_entries(school.store, viewer, first=first, after=after, where=where)
        found += got.page.rows
        assert len(got.cursors) == len(got.page.rows)
        if not got.page.has_next:
            return found
        assert len(got.page.rows) == first
        after = got.cursors[-1]


async def stored(school: School) -> list[dict[str, Any]]:
    return await school.store.database.mongo[ENTRIES].find().sort([("at", -1), ("_id", -1)]).to_list()


def auditor(viewer: Viewer, **rules: Any) -> Viewer:
    """The viewer under rules by which their posts audit."""
    changed = viewer.policy.rules.model_copy(update={"audit_readers": viewer.posts, **rules})
    return replace(viewer, policy=AccessPolicy(changed))


async def test_auditors_are_those_whom_the_policy_names(school: School) -> None:
    for subject in ("director", "vice-principal", "principal"):
        assert await everything(school, await school.viewer(subject))
    others = ("deputy-1", "information", "archive", "analysis", "academic-affairs", "logistics", "teacher")
    for subject in (*others, "service"):
        with pytest.raises(RegistrarError) as caught:
            await search_entries(school.store, await school.viewer(subject), first=1)
        assert caught.value.code is ErrorCode.FORBIDDEN
    director = await school.viewer("director")
    without = replace(director, scopes=frozenset(Scope) - {Scope.AUDIT_READ})
    with pytest.raises(RegistrarError):
        await search_entries(school.store, without, first=1)
    assert await everything(school, replace(director, scopes=frozenset(Scope)))
    # Who signs in the principal's seat does not audit in it.
    assert not (await school.viewer("teacher")).audits


async def test_a_version_from_before_there_were_auditors_has_the_default(school: School) -> None:
    old = bson_value(DEFAULT_ACCESS_RULES)
    del old["audit_readers"]
    assert AccessRules.model_validate(old) == DEFAULT_ACCESS_RULES
    collection = school.store.database.collection(FieldAccessPolicy)
    await collection.update_one({}, {"$unset": {"rules.audit_readers": 1}})
    school.store.versions_seen.clear()
    held = await versioned.newest_version(school.store, FieldAccessPolicy)
    assert held.rules.audit_readers == {Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
    assert (await school.viewer("principal")).audits
    await collection.update_one({}, {"$set": {"rules.audit_readers": ["LOGISTICS"]}})
    school.store.versions_seen.clear()
    assert (await school.viewer("logistics")).audits and not (await school.viewer("principal")).audits


async def test_pages_join_to_all_entries_newest_first(school: School) -> None:
    await school.approve(
        "director", await school.request("information", await school.student(), phone=NEW_PHONE)
    )
    await paper(school, "2023级诊断证明")
    whole = [row["_id"] for row in await stored(school)]
    for first in (1, 3, 7, 100):
        # Without a purpose nothing is opened that would be recorded meanwhile.
        found = await everything(school, await school.viewer("principal", None), first=first)
        assert [entry.id for entry in found] == whole
    assert len(whole) > 30


async def test_entries_of_one_moment_are_neither_lost_nor_told_twice(school: School) -> None:
    """A roster's entries are all of one transaction."""
    rows = await stored(school)
    assert max([row["at"] for row in rows].count(row["at"]) for row in rows) > 10
    found = await everything(
        school, await school.viewer("principal", None), EntryFilter(operation="roster.import"), first=2
    )
    assert [entry.id for entry in found] == [
        row["_id"] for row in rows if row["operation"] == "roster.import"
    ]


async def test_each_value_is_redacted_by_the_rights_to_its_subject(school: School) -> None:
    student = await school.student()
    await school.approve("director", await school.request("information", student, phone=NEW_PHONE))
    where = EntryFilter(subject=Subject("Student", student.key), kind="student:update")
    (seen,) = await everything(school, await school.viewer("principal"), where)
    assert [(one.after, one.withheld) for one in seen.changes] == [(None, True)]
    assert (seen.reason, seen.actor_id) == (None, (await school.viewer("director")).person_id)
    assert await events(school) == []
    (seen,) = await everything(school, await school.viewer("director", None), where)
    assert seen.changes[0].withheld and await events(school) == []
    (seen,) = await everything(school, await school.viewer("director"), where)
    assert (seen.changes[0].after, seen.reason) == (NEW_PHONE, "家长来电")
    (event,) = await events(school)
    assert [(group.fields, group.subject_ids) for group in event.groups] == [(["phone"], [student.key])]


async def test_only_what_a_page_shows_is_recorded_as_read(school: School) -> None:
    keys = [(await school.student(position)).key for position in (0, 1)]
    for position in (0, 1):
        student = await school.student(position)
        await school.approve("director", await school.request("information", student, phone=NEW_PHONE))
    got = await search_entries(
        school.store, await school.viewer("director"), first=1, where=EntryFilter(kind="student:update")
    )
    assert got.page.has_next
    (event,) = await events(school)
    assert [group.subject_ids for group in event.groups] == [[keys[1]]]


async def test_what_an_auditor_may_not_know_of_leaves_no_gap(school: School) -> None:
    """Sealed papers, viewed more often than a page is long, between entries that are shown."""
    sealed = await paper(school, "2023级诊断证明")
    plain = await paper(school, "2023级户口簿")
    viewer = replace(await school.viewer("archive"), name="查阅人")
    for number in range(40):

        async def look(unit: Any, key: ObjectId = sealed if number % 8 else plain) -> None:
            unit.audit(Subject("Scan", key), "scan:view")

        await governed_transaction(school.store, viewer.actor, "scan.view", look)
    informed = auditor(await school.viewer("information"))
    where = EntryFilter(subject_type=SubjectType.SCAN)
    expected = [row["_id"] for row in await stored(school) if row["subject_id"] == plain]
    assert len(expected) == 6
    for first in (1, 2, 5, 6, 7):
        assert [entry.id for entry in await everything(school, informed, where, first=first)] == expected
    # Under no condition: as if the paper were not there.
    nothing = {
        "of the paper": EntryFilter(subject=Subject("Scan", sealed)),
        "of none": EntryFilter(subject=Subject("Scan", ObjectId())),
    }
    for condition in nothing.values():
        got = await search_entries(school.store, informed, first=5, where=condition)
        assert (got.page.rows, got.page.has_next, got.cursors) == ([], False, [])
    knowing = auditor(informed, sealed_known_to=informed.posts)
    assert len(await everything(school, knowing, where)) == len(expected) + 36


async def test_an_auditor_sees_entries_about_what_their_posts_read(school: School) -> None:
    await school.request("information", await school.student(), phone=NEW_PHONE)
    found = await everything(school, auditor(await school.viewer("logistics")))
    # F0 alone: what is open to everybody; nothing of records, whose history is internal.
    assert {entry.subject.type for entry in found} == {"ApprovalPolicy", "FieldAccessPolicy"}
    child, nothing = (await school.student()).key, frozenset[str]()
    parent = replace(
        auditor(await school.viewer("teacher")),
        class_names=nothing,
        homeroom_class_names=nothing,
        ward_ids=frozenset({child}),
    )
    assert {entry.subject for entry in await everything(school, parent)} == {Subject("Student", child)}


async def test_a_stranger_type_is_nobodys(school: School) -> None:
    """As a newer version of the program may write it while this one still runs."""
    row = (await stored(school))[0]
    strange = {**row, "_id": ObjectId(), "subject_type": "Stranger"}
    await school.store.database.mongo[ENTRIES].insert_one(strange)
    found = await everything(school, await school.viewer("director", None), first=5)
    assert strange["_id"] not in {entry.id for entry in found}


async def conditions(school: School) -> Mapping[str, Any]:
    """A value for each condition that some entry meets, most of them the same one."""
    student = await school.student()
    request = await school.request("information", student, class_seat_number="31")
    await school.approve("director", request)
    now = school.store.clock.now()
    return {
        "subject": Subject("Student", student.key),
        "subject_type": SubjectType.STUDENT,
        "actor_id": (await school.viewer("director")).person_id,
        "operation": "change_request.decide",
        "kind": "student:update",
        "change_request_id": request,
        "since": now - timedelta(hours=1),
        "until": now + timedelta(seconds=1),
    }


async def test_conditions_hold_together(school: School) -> None:
    told = await conditions(school)
    request, viewer = told["change_request_id"], await school.viewer("director", None)
    rows = await stored(school)
    await school.store.cipher.decrypt_paths(rows, ["sealed"])
    meets = {
        "subject": lambda row: row["subject_id"] == told["subject"].id,
        "subject_type": lambda row: row["subject_type"] == "Student",
        "actor_id": lambda row: row["actor_id"] == told["actor_id"],
        "operation": lambda row: row["operation"] == told["operation"],
        "kind": lambda row: row["kind"] == told["kind"],
        "change_request_id": lambda row: row["sealed"]["change_request"] == request,
        "since": lambda row: row["at"] >= told["since"],
        "until": lambda row: row["at"] < told["until"],
    }
    assert meets.keys() == told.keys() == set(EntryFilter.__slots__)
    for size in range(len(told) + 1):
        for names in combinations(told, size):
            where = EntryFilter(**{name: told[name] for name in names})
            found = [entry.id for entry in await everything(school, viewer, where)]
            assert found == [row["_id"] for row in rows if all(meets[name](row) for name in names)], names
            assert found


async def test_times_bound_a_span_from_its_first_moment_to_before_its_last(school: School) -> None:
    viewer, rows = await school.viewer("director", None), await stored(school)
    at = rows[0]["at"]
    assert await everything(school, viewer, EntryFilter(since=at, until=at)) == []
    within = await everything(school, viewer, EntryFilter(since=at, until=at + timedelta(milliseconds=1)))
    assert [entry.id for entry in within] == [row["_id"] for row in rows if row["at"] == at]


async def test_a_request_out_of_sight_leads_to_nothing(school: School) -> None:
    told = await conditions(school)
    where = EntryFilter(change_request_id=told["change_request_id"])
    for viewer, seen in (
        (await school.viewer("vice-principal"), 1),
        (auditor(await school.viewer("academic-affairs")), 0),
    ):
        assert len(await everything(school, viewer, where)) == seen
    waiting = await school.request("information", await school.student(1), phone=NEW_PHONE)
    for key in (waiting, ObjectId()):
        assert (
            await everything(school, await school.viewer("director"), EntryFilter(change_request_id=key))
            == []
        )


def stages(plan: Mapping[str, Any]) -> set[str]:
    below = [plan.get("inputStage"), *plan.get("inputStages", ())]
    return {plan["stage"]}.union(*(stages(each) for each in below if each))


def index_names(plan: Mapping[str, Any]) -> str:
    below = [plan.get("inputStage"), *plan.get("inputStages", ())]
    return " ".join([f"^{plan.get('indexName')}", *(index_names(each) for each in below if each)])


LEADS = {
    "subject": "^subject_type_1_subject_id_1",
    "subject_type": "^subject_type_1_at_-1",
    "actor_id": "^actor_id_1",
    "operation": "^operation_1",
    "kind": "^kind_1",
    "since": "^at_-1",
    "until": "^at_-1",
}


async def test_no_combination_of_conditions_reads_the_whole_collection(school: School) -> None:
    told = await conditions(school)
    limited = frozenset({"change_request_id"})  # it is one of `at`
    place = (school.store.clock.now(), ObjectId())
    checked = 0
    for size in range(len(told) + 1):
        for names in combinations(sorted(told.keys() - limited), size):
            for behind in (None, place):
                where = EntryFilter(**{name: told[name] for name in names})
                query = queries.query_of(queries.conditions_of(where), behind)
                found = school.store.database.mongo[ENTRIES].find(query).sort(queries.NEWEST).limit(21)
                plan = (await found.explain())["queryPlanner"]["winningPlan"]
                plan = plan.get("queryPlan", plan)
                used = stages(plan)
                assert "COLLSCAN" not in used, (names, plan)
                # A subject's own entries may be sorted; those of a whole type or person are not.
                assert "SORT" not in used or "subject" in names, (names, plan)
                if len(names) == 1:
                    # By an index of its own, else a rare kind would cost as much as all entries.
                    assert LEADS[names[0]] in index_names(plan), (names, plan)
                checked += 1
    assert checked == 2 * 2 ** (len(told) - 1)


async def test_a_page_costs_one_query_a_type_however_long(school: School, settings: Any) -> None:
    for position in range(6):
        student = await school.student(position)
        await school.approve("director", await school.request("information", student, class_seat_number="31"))
    await paper(school, "2023级户口簿")
    counts = []
    for first in (20, 60):
        query = f"""{{ auditEntries(first: {first}) {{ edges {{ node {{ kind reason
            subject {{ id ... on Student {{ name }} }} approvalChain {{ decision }} }} }} }} }}"""
        commands, result = await recorded(school, settings, "vice-principal", query)
        assert result.errors is None
        assert len(result.data["auditEntries"]["edges"]) == first
        counts.append([name for name in commands.names if name == "find audit_entries"])
        assert len(commands.names) < 16, commands.names
    assert counts == [["find audit_entries"]] * 2


async def ask(school: School, subject: str, arguments: str, fields: str = "cursor") -> Any:
    context = Context(school.store, await school.viewer(subject))
    query = f"{{ auditEntries{arguments} {{ edges {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    return await build_schema().execute(query, context_value=context)


async def test_over_graphql_an_entry_names_its_subject_where_that_is_seen(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, class_seat_number="31")
    await school.approve("director", request)
    where = f'(where: {{subjectId: "{global_id("Student", student.key)}", from: "2020-01-01T00:00:00"}})'
    node = "node { subjectType actorId kind subject { id ... on Student { classSeatNumber } } }"
    result = await ask(school, "principal", where, node)
    assert result.errors is None
    edge = result.data["auditEntries"]["edges"][0]["node"]
    assert edge == {
        "subjectType": "STUDENT",
        "actorId": global_id("Person", (await school.viewer("director")).person_id),
        "kind": "student:update",
        "subject": {"id": global_id("Student", student.key), "classSeatNumber": "31"},
    }
    # A student's person is no member of the staff; a role grant is no node.
    for kind in ("PERSON", "ROLE_GRANT"):
        result = await ask(school, "principal", f"(where: {{subjectType: {kind}}})", node)
        subjects = [edge["node"]["subject"] for edge in result.data["auditEntries"]["edges"]]
        assert None in subjects and (kind == "PERSON") is any(subjects)
    # The actor is told by key to auditors alone.
    history = "{ students(first: 1) { edges { node { auditHistory { edges { node { actorId } } } } } } }"
    context = Context(school.store, await school.viewer("information"))
    found = await build_schema().execute(history, context_value=context)
    assert found.data is not None
    (first,) = found.data["students"]["edges"]
    assert {edge["node"]["actorId"] for edge in first["node"]["auditHistory"]["edges"]} == {None}


NOBODY = ObjectId("0" * 24)
STUDENT = global_id("Student", NOBODY)


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ("(first: 0)", "invalid_argument", "first"),
        ("(first: 101)", "invalid_argument", "first"),
        ('(after: "x")', "invalid_argument", "after"),
        (f'(after: "{STUDENT}")', "invalid_argument", "after"),
        ('(where: {subjectId: "x"})', "not_found", "where.subjectId"),
        ('(where: {subjectId: ""})', "not_found", "where.subjectId"),
        (f'(where: {{subjectId: "{global_id("Task", NOBODY)}"}})', "not_found", "where.subjectId"),
        (f'(where: {{actorId: "{STUDENT}"}})', "not_found", "where.actorId"),
        ('(where: {actorId: ""})', "not_found", "where.actorId"),
        (f'(where: {{changeRequestId: "{STUDENT}"}})', "not_found", "where.changeRequestId"),
        (f'(where: {{kind: "{"k" * 101}"}})', "too_long", "where.kind"),
        ('(where: {operation: "a\\u0000"})', "invalid_argument", "where.operation"),
        (
            '(where: {from: "2026-02-01T00:00:00Z", to: "2026-01-01T00:00:00Z"})',
            "invalid_argument",
            "where.to",
        ),
        ('(where: {from: "0001-01-01T00:00:00+08:00"})', "invalid_argument", "where.from"),
        ('(where: {to: "9999-12-31T23:59:59-08:00"})', "invalid_argument", "where.to"),
    ],
)
async def test_bad_arguments_are_named(school: School, arguments: str, code: str, field: str) -> None:
    result = await ask(school, "director", arguments)
    assert result.errors is not None
    (error,) = result.errors
    assert (error.extensions["code"], error.extensions["field"]) == (code, field)


@pytest.mark.parametrize("value", ["", "x", "9" * 30, "-" + "9" * 30, "1.5", None])
async def test_a_cursor_of_no_moment_is_refused(school: School, value: str | None) -> None:
    with pytest.raises(RegistrarError) as caught:
        await search_entries(
            school.store,
            await school.viewer("director"),
            first=1,
            after=Cursor("NEWEST", value, ObjectId()).encode(),
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "after")


async def test_a_moment_survives_its_cursor(school: School) -> None:
    (entry, *_) = await everything(school, await school.viewer("director", None))
    for millisecond in range(1000):
        at = datetime(2026, 3, 1, 12, 0, 0, millisecond * 1000, UTC)
        cursor = queries._cursor_of(replace(entry, at=at))
        assert queries._place_of(cursor) == (at, entry.id)


async def test_other_errors_than_forbidden_do_not_come_first(school: School) -> None:
    """Who may not search is told that, whatever they ask for."""
    for arguments in ('(after: "x")', '(where: {kind: "student:update"})'):
        result = await ask(school, "information", arguments)
        assert [error.extensions["code"] for error in result.errors] == ["forbidden"]


def test_a_type_out_of_reach_is_not_even_looked_for() -> None:
    viewer = Viewer(ObjectId(), "", AccessPolicy(DEFAULT_ACCESS_RULES))
    reach = {kind for kind, history in HISTORIES.items() if history.in_reach(viewer)}
    assert SubjectType.STUDENT not in reach and SubjectType.EXPORT not in reach
