"""The structure over GraphQL: what is shown to whom, and each mutation once."""

from __future__ import annotations

from typing import Any

from archive_store.foundation.settings import Settings
from archive_store.students.accounts import link_account, link_guardian_account
from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.graphql.test_schema import recorded
from tests.organisation.structure import FIRST, SECOND, THIRD, build, day, done, moves
from tests.school import School

CLASS = """id name grade capacity size openedOn closedOn cohort { name stage enrolledYear grade(asOf: "2024-10-01") }
  campus { name } homeroomTeachers { name kind validFrom validTo }"""
APPROVE = """mutation ($id: ID!) {
  changeRequestApprove(input: {id: $id}) { changeRequest { status } errors { code } } }"""
CLASSES = f"{{ classes(first: 10) {{ edges {{ node {{ {CLASS} }} }} pageInfo {{ hasNextPage }} }} }}"


async def run(school: School, subject: str, query: str, **variables: Any) -> tuple[Any, dict[str, Any]]:
    context = Context(school.store, await school.viewer(subject))
    result = await build_schema().execute(query, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    return result.data, result.extensions or {}


def names(data: Any) -> list[str]:
    return [edge["node"]["name"] for edge in data["classes"]["edges"]]


async def mutate(school: School, subject: str, mutation: str, shown: str, /, **given: Any) -> Any:
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    query = (
        f"mutation ($input: {kind}!) {{ {mutation}(input: $input) {{ {shown} errors {{ code field }} }} }}"
    )
    data, _ = await run(school, subject, query, input=given)
    return data[mutation]


async def test_the_whole_structure_by_mutations(school: School) -> None:
    reason = {"reason": "按学年安排"}
    asked = await mutate(
        school,
        "information",
        "schoolSetUp",
        "school { name } changeRequest { id awaits }",
        name="示范中学",
        code="3111000123",
        division="110105",
        **reason,
    )
    assert (asked["school"], asked["changeRequest"]["awaits"], asked["errors"]) == (
        None,
        "DEPARTMENT_HEAD",
        [],
    )
    await run(school, "director", APPROVE, id=asked["changeRequest"]["id"])
    campus = await mutate(school, "information", "campusOpen", "campus { id name }", name="东校区")
    cohort = await mutate(
        school,
        "information",
        "cohortOpen",
        "cohort { id grade grades { label validFrom } }",
        name="2023级",
        stage="JUNIOR",
        enrolledYear=2023,
        grades=[{"label": "七年级", "validFrom": "2023-09-01"}],
    )
    opened = await mutate(
        school,
        "information",
        "classOpen",
        "schoolClass { id name capacity campus { name } }",
        name=FIRST,
        cohortId=cohort["cohort"]["id"],
        campusId=campus["campus"]["id"],
        capacity=45,
        openedOn="2023-09-01",
    )
    assert opened["schoolClass"]["campus"] == {"name": "东校区"}
    more = await mutate(
        school,
        "information",
        "cohortChange",
        "changeRequest { changes { field after } }",
        id=cohort["cohort"]["id"],
        grades=[{"label": "初一", "validFrom": "2023-09-01"}],
        **reason,
    )
    assert more["changeRequest"]["changes"][0]["field"] == "grades"
    changed = await mutate(
        school,
        "director",
        "classChange",
        "changeRequest { awaits }",
        id=opened["schoolClass"]["id"],
        campusId=None,
        **reason,
    )
    # The director's own request is decided by the next tier.
    assert changed["changeRequest"]["awaits"] == "VICE_PRINCIPAL"
    closing = await mutate(
        school,
        "information",
        "classClose",
        "changeRequest { id }",
        id=opened["schoolClass"]["id"],
        closedOn=day(school),
    )
    assert closing["errors"] == [{"code": "wrong_state", "field": "classId"}]
    data, _ = await run(school, "teacher", "{ school { name code division campuses { name } } }")
    assert data["school"] == {
        "name": "示范中学",
        "code": "3111000123",
        "division": "110105",
        "campuses": [{"name": "东校区"}],
    }
    node = "query ($a: ID!, $b: ID!, $c: ID!) { a: node(id: $a) { id } b: node(id: $b) { id } c: node(id: $c) { id } }"
    keys = {"a": campus["campus"]["id"], "b": cohort["cohort"]["id"], "c": opened["schoolClass"]["id"]}
    data, _ = await run(school, "information", node, **keys)
    assert {name: found["id"] for name, found in data.items()} == keys


async def test_classes_by_post_and_by_tie(school: School) -> None:
    await build(school)
    student = await school.student(0)
    await link_account(school.store, student.key, "pupil")
    await link_guardian_account(school.store, student.key, 0, "parent")
    data, extensions = await run(school, "information", CLASSES)
    assert names(data) == [FIRST, SECOND, THIRD]
    assert "redactions" not in extensions
    first = data["classes"]["edges"][0]["node"]
    assert (first["size"], first["capacity"], first["grade"]) == (6, 45, "九年级")
    assert first["cohort"] == {"name": "2023级", "stage": "JUNIOR", "enrolledYear": 2023, "grade": "八年级"}
    assert first["homeroomTeachers"] == [
        {"name": "卫老师", "kind": "PRIMARY", "validFrom": "2023-08-01", "validTo": None}
    ]
    for subject, seen in (
        ("teacher", [FIRST, SECOND]),
        ("pupil", [FIRST]),
        ("parent", [FIRST]),
        ("analysis", []),
    ):
        data, _ = await run(school, subject, CLASSES)
        assert names(data) == seen, subject
        # How many others there are is for those who see them.
        sizes = [edge["node"]["size"] for edge in data["classes"]["edges"]]
        assert sizes == ([6, 0] if subject == "teacher" else [None] * len(seen))
    # Open values alone: the capacity is internal.
    data, extensions = await run(school, "logistics", CLASSES)
    assert {edge["node"]["capacity"] for edge in data["classes"]["edges"]} == {None}
    assert [line["field"] for line in extensions["redactions"]] == ["SchoolClass.capacity"]


async def test_pages_and_filters_of_classes(school: School) -> None:
    keys = await build(school)
    await done(school, "class.close", {"class_id": keys[THIRD], "closed_on": day(school, -1)})
    query = """query ($after: String, $where: SchoolClassFilter) { classes(first: 2, after: $after, where: $where) {
        edges { node { name } } pageInfo { hasNextPage endCursor } } }"""
    data, _ = await run(school, "information", query)
    assert (names(data), data["classes"]["pageInfo"]["hasNextPage"]) == ([FIRST, SECOND], True)
    rest, _ = await run(school, "information", query, after=data["classes"]["pageInfo"]["endCursor"])
    assert (names(rest), rest["classes"]["pageInfo"]["hasNextPage"]) == ([THIRD], False)
    closed, _ = await run(school, "information", query, where={"isOpen": False})
    assert names(closed) == [THIRD]
    campus = {"campusId": global_id("Campus", keys["campus"]), "isOpen": True}
    opened, _ = await run(school, "information", query, where=campus)
    assert names(opened) == [FIRST, SECOND]


async def test_a_roster_is_read_by_the_students_own_rights(school: School) -> None:
    await build(school)
    student = await school.student(0)
    await link_guardian_account(school.store, student.key, 0, "parent")
    query = """query ($name: String!) { schoolClass(name: $name) {
        students { edges { node { name birthDate phone } } } } }"""

    async def rows(subject: str, name: str = FIRST) -> tuple[list[dict[str, Any]], set[str]]:
        data, extensions = await run(school, subject, query, name=name)
        found = data["schoolClass"]["students"]["edges"] if data["schoolClass"] else []
        return [edge["node"] for edge in found], {line["field"] for line in extensions.get("redactions", ())}

    found, kept = await rows("logistics")
    assert len(found) == 6
    assert all(row["name"] and row["birthDate"] is None for row in found)
    assert kept == {"Student.birthDate", "Student.phone"}
    found, kept = await rows("teacher")
    assert len(found) == 6
    assert all(row["birthDate"] and row["phone"] is None for row in found)
    found, _ = await rows("parent")
    assert [(row["name"], row["phone"]) for row in found] == [(student.name, student.phone)]
    assert await rows("parent", SECOND) == ([], set())


async def test_the_class_of_a_student(school: School) -> None:
    query = "query ($id: ID!) { student(id: $id) { className schoolClass { name grade homeroomTeachers { name } } } }"
    student = await school.student(0)
    text = global_id("Student", student.key)
    data, _ = await run(school, "logistics", query, id=text)
    assert data["student"] == {"className": FIRST, "schoolClass": None}, "there is no structure yet"
    await build(school)
    await link_account(school.store, student.key, "pupil")
    for subject in ("logistics", "pupil"):
        data, _ = await run(school, subject, query, id=text)
        held = data["student"]["schoolClass"]
        assert held == {"name": FIRST, "grade": "九年级", "homeroomTeachers": [{"name": "卫老师"}]}


async def test_an_assignment_from_proposal_to_history(school: School) -> None:
    await build(school)
    propose = """query ($into: [String!]!) { classAssignmentProposal(into: $into, fromClasses: ["2023级1班"]) {
        moves { studentId className seatNumber } errors { code }
        classes { className before after maleAfter femaleAfter capacity } } }"""
    data, _ = await run(school, "information", propose, into=[SECOND, THIRD])
    proposal = data["classAssignmentProposal"]
    again, _ = await run(school, "information", propose, into=[SECOND, THIRD])
    assert again["classAssignmentProposal"] == proposal
    counted = {
        count["className"]: (count["before"], count["after"], count["maleAfter"], count["femaleAfter"])
        for count in proposal["classes"]
    }
    assert counted[FIRST] == (6, 0, 0, 0)
    assert {counted[SECOND], counted[THIRD]} == {(0, 3, 2, 1), (0, 3, 1, 2)}
    preview = """query ($moves: [ClassMoveInput!]!) { classAssignmentPreview(moves: $moves) {
        classes { className after } errors { code field } } }"""
    data, _ = await run(school, "information", preview, moves=proposal["moves"])
    assert data["classAssignmentPreview"]["errors"] == []
    broken = [proposal["moves"][0] | {"className": "9999级1班"}]
    data, _ = await run(school, "information", preview, moves=broken)
    assert data["classAssignmentPreview"]["errors"] == [{"code": "not_found", "field": "moves.0.className"}]
    asked = await mutate(
        school,
        "information",
        "classAssign",
        "applied changeRequest { id changes { field before after withheld } }",
        moves=proposal["moves"],
        reason="均衡编班",
    )
    assert (asked["applied"], asked["errors"]) == (False, [])
    request = asked["changeRequest"]
    (classes, _) = request["changes"]
    assert classes["field"] == "className"
    assert set(classes["before"].values()) == {FIRST}
    assert set(classes["after"].values()) == {SECOND, THIRD}
    revised = await mutate(
        school,
        "information",
        "classAssignRevise",
        "changeRequest { round }",
        id=request["id"],
        moves=proposal["moves"][:5],
    )
    assert revised["changeRequest"]["round"] == 2
    data, _ = await run(school, "director", APPROVE, id=request["id"])
    assert data["changeRequestApprove"]["changeRequest"]["status"] == "APPLIED"
    sizes = "{ classes(first: 5) { edges { node { name size } } } }"
    data, _ = await run(school, "information", sizes)
    assert sorted(edge["node"]["size"] for edge in data["classes"]["edges"]) == [1, 2, 3]


async def test_a_conflict_names_only_whose_class_changed(school: School) -> None:
    await build(school)
    a, b = await school.student(0), await school.student(1)
    given = [
        {"studentId": global_id("Student", student.key), "className": SECOND, "seatNumber": None}
        for student in (a, b)
    ]
    asked = await mutate(
        school, "information", "classAssign", "changeRequest { id }", moves=given, reason="调班"
    )
    await done(school, "class.assign", moves((b.key, THIRD, None)))
    approve = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id}) {
        conflicts { field before current requested } errors { code } } }"""
    data, _ = await run(school, "director", approve, id=asked["changeRequest"]["id"])
    told = data["changeRequestApprove"]
    assert [error["code"] for error in told["errors"]] == ["conflict"]
    assert told["conflicts"][0] == {
        "field": "className",
        "before": {str(b.key): FIRST},
        "current": {str(b.key): THIRD},
        "requested": {str(b.key): SECOND},
    }


async def test_homeroom_terms_by_mutation(school: School) -> None:
    await build(school)
    teacher = global_id("Person", (await school.viewer("teacher")).person_id)
    logistics = global_id("Person", (await school.viewer("logistics")).person_id)
    shown = "schoolClass { homeroomTeachers { personId validTo } } changeRequest { awaits }"
    ended = await mutate(
        school, "director", "homeroomEnd", shown, personId=teacher, className=FIRST, lastDay=day(school, -1)
    )
    assert ended["changeRequest"] is None
    assert ended["schoolClass"]["homeroomTeachers"] == [{"personId": teacher, "validTo": day(school, -1)}]
    term = {
        "validFrom": day(school),
        "qualified": True,
        "confidentialityUndertaken": True,
        "reason": "新学年",
    }
    asked = await mutate(
        school, "deputy-1", "homeroomAssign", shown, personId=logistics, className=FIRST, **term
    )
    assert (asked["errors"], asked["changeRequest"]["awaits"]) == ([], "DEPARTMENT_HEAD")
    query = """query ($name: String!, $on: Date) { schoolClass(name: $name) {
        homeroomTeachers(asOf: $on) { personId } } }"""
    for on, people in ((day(school, -1), [teacher]), (day(school), [])):
        data, _ = await run(school, "information", query, name=FIRST, on=on)
        assert [held["personId"] for held in data["schoolClass"]["homeroomTeachers"]] == people


async def test_one_way_to_name_a_class(school: School) -> None:
    context = Context(school.store, await school.viewer("information"))
    for given in ("", '(name: "a", id: "b")'):
        result = await build_schema().execute(f"{{ schoolClass{given} {{ id }} }}", context_value=context)
        assert result.errors is not None
        assert (result.errors[0].extensions or {})["code"] == "invalid_argument"


async def test_a_list_of_classes_costs_as_many_queries_as_one_class(
    school: School, settings: Settings
) -> None:
    await build(school)
    one, _ = await recorded(school, settings, "information", CLASSES.replace("first: 10", "first: 1"))
    many, result = await recorded(school, settings, "information", CLASSES)
    assert names(result.data) == [FIRST, SECOND, THIRD]
    assert len(many.names) == len(one.names)
