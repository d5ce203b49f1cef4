"""Which leaves of a case each viewer reads, by every door, against the policy read plainly; what is recorded of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archive_store.access.viewer import Viewer
from archive_store.admission.documents import WITH_RECORD, AdmissionCase
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.students.documents import Student
from schema.access import GovernedType
from schema.admission.types import ADMISSION_CASE
from schema.context import Context
from schema.errors import snake_case
from schema.root import build_schema
from tests.access.expected import classes_read, is_family, reads_every_student, ties
from tests.admission.asking import MOVE, as_input, ask, step
from tests.admission.cases import act, add_papers, await_confirmation, candidate, open_case, review, stored
from tests.admission.test_over_graphql import CASE, case, named, tasks
from tests.graphql.test_federation import every_field
from tests.graphql.test_schema import recorded
from tests.school import School

STAFF = (
    *(
        "director",
        "deputy-1",
        "deputy-2",
        "information",
        "analysis",
        "archive",
        "vice-principal",
        "principal",
    ),
    *("academic-affairs", "admissions", "logistics", "teacher", "service"),
)
EVERYTHING = f"id {every_field(ADMISSION_CASE)}"
DOORS = f"""query ($id: ID!) {{
    one: admissionCase(id: $id) {{ {EVERYTHING} }}
    all: admissionCases(first: 10) {{ edges {{ node {{ {EVERYTHING} }} }} }}
    node: node(id: $id) {{ ... on AdmissionCase {{ {EVERYTHING} }} }} }}"""
HISTORY = """query ($id: ID!) { admissionCase(id: $id) { auditHistory(first: 50) { edges { node {
    changes { field before after withheld } } } } } }"""
FULL = {
    **candidate(),
    "name_pinyin": "Xin Sheng",
    "former_name": "旧名",
    "native_place": "北京",
    "health_status": "1",
    "address": "北京市东城区某街1号",
    "is_orphan": False,
    "guardians": [{"name": "李明", "relation": "51", "phone": "13900002222", "workplace": "某厂"}],
}


async def told(school: School, viewer: Viewer, query: str, **variables: Any) -> Any:
    result = await build_schema().execute(
        query, variable_values=variables, context_value=Context(school.store, viewer)
    )
    assert result.errors is None, result.errors
    return result.data


def said(held: AdmissionCase) -> set[str]:
    """The leaves that say something."""

    def walk(value: Any, path: str) -> set[str]:
        if isinstance(value, dict):
            return {leaf for name, below in value.items() for leaf in walk(below, f"{path}.{name}")}
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            return {leaf for item in value for leaf in walk(item, path)}
        return set() if value is None else {path}

    return {leaf.removeprefix(".") for leaf in walk(held.model_dump(mode="json"), "")}


def shown_leaves(governed: GovernedType, node: dict[str, Any] | None) -> set[str]:
    """The leaves with a value, those below a single object included."""
    found = {path for name, path in governed.leaves.items() if (node or {}).get(name) is not None}
    for name, nested in governed.lists.items():
        below = (node or {}).get(name) or ()
        for item in [below] if isinstance(below, dict) else below:
            found |= shown_leaves(nested, item)
    return found


def classes_of(viewer: Viewer, held: AdmissionCase, class_name: str | None) -> frozenset[FieldClass] | None:
    """The classes to be read, None of a case that is out of sight."""
    has_record = held.status in WITH_RECORD
    stands = {
        "_id": held.student_id if has_record else None,
        "class_name": class_name if has_record else None,
        # The line of admission ends with the entry; the record has lines of its own.
        "status": None if has_record else "PENDING_ADMISSION",
    }
    tied = is_family(viewer, stands) or stands["class_name"] in viewer.homeroom_class_names
    if not reads_every_student(viewer) and not tied:
        return None
    # Teaching a class gives no sight of how somebody came into it.
    return classes_read(replace(viewer, class_names=frozenset()), stands)


async def check(school: School, viewer: Viewer, key: Any) -> frozenset[str]:
    """What the viewer reads, by every door the same."""
    held = await stored(school, key)
    row = await school.store.database.collection(Student).find_one({"_id": held.student_id})
    classes = classes_of(viewer, held, row["class_name"] if row else None)
    class_of = field_classes(AdmissionCase)
    may = {path for path in ADMISSION_CASE.coordinates if class_of[path] in (classes or ())} & said(held)
    found = await told(school, viewer, DOORS, id=named(key))
    listed = [edge["node"] for edge in found["all"]["edges"] if edge["node"]["id"] == named(key)]
    doors = {"one": found["one"], "all": listed[0] if listed else None, "node": found["node"]}
    for door, node in doors.items():
        assert (node is None) is (classes is None), (door, viewer.name)
        assert shown_leaves(ADMISSION_CASE, node) == may, (door, viewer.name)
    history = ((await told(school, viewer, HISTORY, id=named(key)))["admissionCase"] or {}).get(
        "auditHistory"
    )
    assert (history is not None) is (FieldClass.F1 in (classes or ()))
    changes = [change for edge in (history or {"edges": ()})["edges"] for change in edge["node"]["changes"]]
    values = {snake_case(held["field"]): held["withheld"] for held in changes}
    for path in values.keys() & class_of.keys():
        assert values[path] is (class_of[path] not in (classes or ())), (path, viewer.name)
    assert history is None or len(values.keys() & class_of.keys()) > 10
    return frozenset(may)


@pytest.mark.parametrize("has_record", [False, True], ids=["collecting", "awaiting confirmation"])
async def test_the_leaves_that_each_viewer_reads(school: School, has_record: bool) -> None:
    key = await (await_confirmation if has_record else open_case)(school, **FULL)
    if not has_record:
        await await_confirmation(school, 2)  # whose family `child` and `parent` are
    read = {
        await check(school, await school.viewer(subject, purpose), key)
        for subject in (*STAFF, "child", "parent")
        for purpose in (None, "核对学籍")
    }
    # What is open, internal, personal, sensitive; to some nothing.
    assert len(read) >= 5
    line = replace(await school.viewer("deputy-1"), business_lines=frozenset({"新生入学"}))
    assert ties(line, {"_id": None, "class_name": None, "status": "PENDING_ADMISSION"})
    await check(school, line, key)
    homeroom = frozenset({candidate()["class_name"]})
    await check(school, replace(await school.viewer("teacher"), homeroom_class_names=homeroom), key)
    taught = replace(await school.viewer("teacher"), class_names=homeroom, homeroom_class_names=frozenset())
    assert await check(school, taught, key) == frozenset()


async def test_who_has_left_the_class_is_out_of_its_teachers_sight(school: School) -> None:
    key = await await_confirmation(school)
    teacher = await school.viewer("teacher")
    first = replace(teacher, homeroom_class_names=frozenset({candidate()["class_name"]}))
    second = replace(teacher, homeroom_class_names=frozenset({"2026级2班"}))

    async def seen(viewer: Viewer) -> tuple[bool, bool]:
        shown = (await told(school, viewer, CASE, id=named(key)))["admissionCase"]
        assert shown is None or shown["applicant"]["name"] == "新生1"
        return shown is not None, bool(shown and shown["confirm"]["allowed"])

    assert (await seen(first), await seen(second)) == ((True, True), (False, False))
    student_id = (await stored(school, key)).student_id
    students = school.store.database.mongo["students"]
    await students.update_one({"_id": student_id}, {"$set": {"class_name": "2026级2班"}})
    assert (await seen(first), await seen(second)) == ((False, False), (True, True))


async def test_a_seat_reads_the_values_only_until_it_has_signed(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    assert (await case(school, "academic-affairs", key))["applicant"]["phone"] == "13900001111"
    await review(school, "academic-affairs", key)
    # The other seat is still awaited.
    assert (await stored(school, key)).status == "IN_REVIEW"
    assert (await case(school, "academic-affairs", key))["applicant"]["phone"] is None
    assert (await case(school, "director", key))["applicant"]["phone"] == "13900001111"


async def test_of_the_tasks_only_what_is_shown_is_read(school: School) -> None:
    keys = [await open_case(school, number) for number in (1, 2, 3)]
    for key in keys:
        await add_papers(school, key)
        await act(school, "information", "submit", key)
    student = await school.student()
    request = await school.request("information", student, phone="13900005555")
    query = """query ($after: String) { viewer { tasks(first: 2, after: $after) { edges { node { kind
        subject { ... on AdmissionCase { id applicant { phone } } ... on ChangeRequest { id status } } } }
        pageInfo { hasNextPage endCursor } } } }"""
    events = school.store.database.mongo["access_events"]
    before = await events.count_documents({})
    page = (await ask(school, "director", query))["viewer"]["tasks"]
    kinds = [edge["node"]["kind"] for edge in page["edges"]]
    assert kinds == ["CHANGE_REQUEST_DECISION", "ADMISSION_REVIEW"] and request
    assert page["edges"][1]["node"]["subject"] == {
        "id": named(keys[2]),
        "applicant": {"phone": "13900001111"},
    }
    (event,) = (
        await events.find().sort("_id", -1).limit((await events.count_documents({})) - before).to_list()
    )
    assert event["groups"][0]["subject_ids"] == [keys[2]]
    assert page["pageInfo"]["hasNextPage"]
    rest = (await ask(school, "director", query, after=page["pageInfo"]["endCursor"]))["viewer"]["tasks"]
    assert [edge["node"]["subject"]["id"] for edge in rest["edges"]] == [named(keys[1]), named(keys[0])]
    assert not rest["pageInfo"]["hasNextPage"]
    assert len(await tasks(school, "director")) == 4


@pytest.mark.parametrize("subject", ["child", "parent", "teacher", "service"])
async def test_how_many_there_are_is_told_by_post_alone(school: School, subject: str) -> None:
    await await_confirmation(school)
    context = Context(school.store, await school.viewer(subject))
    result = await build_schema().execute("{ admissionProgress { status count } }", context_value=context)
    assert [(error.extensions or {})["code"] for error in result.errors or ()] == ["forbidden"]


async def test_a_refusal_tells_nothing_of_the_values(school: School) -> None:
    key = await open_case(school)
    number = candidate()["identity_number"]
    given = {"stage": "JUNIOR", "cohort": 2026, "applicants": [{"applicant": as_input(candidate())}]}
    supply = """mutation ($input: AdmissionSupplyInput!) { admissionSupply(input: $input) {
        supplied { admissionCaseId } errors { code field messageZh messageEn } } }"""
    payload = (await ask(school, "admissions", supply, input=given))["admissionSupply"]
    assert [error["code"] for error in payload["errors"]] == ["duplicate"]
    assert number not in str(payload) and "新生1" not in str(payload)
    # Who has no business with candidates is not told whether a number is known.
    for subject in ("logistics", "teacher", "archive"):
        payload = (await ask(school, subject, supply, input=given))["admissionSupply"]
        assert [error["code"] for error in payload["errors"]] == ["forbidden"], subject
    kind = ("admissionCaseSubmit", "AdmissionCaseInput")
    outcome = str(await step(school, "information", *kind, id=named(key)))
    moved = str(await ask(school, "information", MOVE, input={"step": "SUBMIT", "ids": [named(key)]}))
    assert number not in outcome + moved and "13900001111" not in outcome + moved


async def test_a_page_of_cases_costs_one_query_a_level_however_long(school: School, settings: Any) -> None:
    for number in (1, 2, 3):
        await add_papers(school, await open_case(school, number))
    fields = """id applicant { phone } missingEvidence sources { field } evidence { scan { id } } student { id name }
        reviewDigest viewerCan(action: SUBMIT) { allowed } auditHistory(first: 2) { edges { node { kind } } }"""
    counts = []
    for first in (1, 3):
        query = f"{{ admissionCases(first: {first}) {{ edges {{ node {{ {fields} }} }} }} }}"
        commands, result = await recorded(school, settings, "director", query)
        assert result.errors is None, result.errors
        assert len(result.data["admissionCases"]["edges"]) == first
        counts.append(sorted(commands.names))
    # The first one reads the rules in force, too.
    assert set(counts[1]) <= set(counts[0]) and len(counts[1]) <= len(counts[0])
