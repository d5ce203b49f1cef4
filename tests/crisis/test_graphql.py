"""Crisis teams over GraphQL: the mutations, the list, what is withheld, what the viewer may."""

from __future__ import annotations

from typing import Any

import pytest

from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.access.test_readings import events
from tests.crisis.teams import act, form, key, later
from tests.school import School

FORM = """
mutation ($input: CrisisTeamFormInput!) {
  crisisTeamForm(input: $input) {
    crisisTeam { id title occasion status leaderName validTo members { name posts retrievals { studentId views } } }
    errors { code field rule messageZh }
  }
}
"""
LIST = """
query ($where: CrisisTeamFilter) {
  crisisTeams(first: 5, where: $where) {
    edges { node {
      id title occasion status isReviewOverdue
      reviews { findings lessons timeline authorName }
      members { name retrievals { studentId documentType } }
      close: viewerCan(action: CLOSE) { allowed reason { code } }
      review: viewerCan(action: SUBMIT_REVIEW) { allowed }
    } }
  }
}
"""


async def run(
    school: School, subject: str, query: str, purpose: str | None = None, **variables: Any
) -> tuple[Any, dict[str, Any]]:
    context = Context(school.store, await school.viewer(subject, purpose))
    result = await build_schema().execute(query, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    return result.data, result.extensions or {}


async def asked(school: School, **changes: Any) -> dict[str, Any]:
    student = global_id("Student", (await school.student(0)).key)
    teacher = global_id("Person", await key(school, "teacher"))
    logistics = global_id("Person", await key(school, "logistics"))
    retrievals = [{"secrecy": "SENSITIVE", "studentId": student, "views": 3}]
    return {
        "title": "甲流处置小组",
        "occasion": "七年级一名学生突发疾病",
        "leaderId": teacher,
        "days": 5,
        "members": [
            {"personId": teacher},
            {"personId": logistics, "posts": ["INFORMATION_GROUP"], "retrievals": retrievals},
        ],
        **changes,
    }


async def test_a_whole_life_by_mutations(school: School) -> None:
    data, _ = await run(school, "vice-principal", FORM, input=await asked(school))
    formed = data["crisisTeamForm"]
    assert formed["errors"] == []
    team = formed["crisisTeam"]
    assert (team["status"], team["leaderName"], team["validTo"]) == ("FORMED", "卫老师", None)
    assert team["occasion"] == "七年级一名学生突发疾病"
    assert team["members"][1]["posts"] == ["INFORMATION_GROUP"]
    review = '{findings: "通讯录\\n未更新", lessons: "每学期核对"}'
    for subject, name, more, status in (
        ("vice-principal", "crisisTeamActivate", "", "ACTIVE"),
        ("teacher", "crisisTeamStandDown", ', reason: "已处置"', "STOOD_DOWN"),
        ("teacher", "crisisTeamSubmitReview", f", {review[1:-1]}", "STOOD_DOWN"),
        ("principal", "crisisTeamClose", "", "CLOSED"),
    ):
        asked_for = f'{name}(input: {{id: "{team["id"]}"{more}}})'
        mutation = f"mutation {{ {asked_for} {{ crisisTeam {{ status }} errors {{ code }} }} }}"
        data, _ = await run(school, subject, mutation)
        assert data[name] == {"crisisTeam": {"status": status}, "errors": []}, name
    closed = f'{{ node(id: "{team["id"]}") {{ ... on CrisisTeam {{ closedAt }} }} }}'
    data, _ = await run(school, "logistics", closed)
    assert data["node"]["closedAt"]


@pytest.mark.parametrize(
    ("subject", "changes", "code", "field"),
    [
        ("director", {}, "forbidden", None),
        ("principal", {"days": 31}, "out_of_range", "days"),
        ("principal", {"leaderId": "x"}, "not_found", "leaderId"),
        ("principal", {"occasion": ""}, "required", "occasion"),
    ],
)
async def test_refusals_are_typed(
    school: School, subject: str, changes: dict[str, Any], code: str, field: str | None
) -> None:
    data, _ = await run(school, subject, FORM, input=await asked(school, **changes))
    (error,) = data["crisisTeamForm"]["errors"]
    assert (error["code"], error["field"]) == (code, field)
    assert error["messageZh"]


async def test_change_members_by_mutation(school: School) -> None:
    team = await form(school)
    change = """mutation ($input: CrisisTeamChangeMembersInput!) {
      crisisTeamChangeMembers(input: $input) { crisisTeam { members { name } } errors { code field } }
    }"""
    teacher = global_id("Person", await key(school, "teacher"))
    wanted = {
        "id": global_id("CrisisTeam", team),
        "leaderId": teacher,
        "members": [{"personId": teacher}],
        "reason": "后勤已到位",
    }
    data, _ = await run(school, "vice-principal", change, input=wanted)
    assert data["crisisTeamChangeMembers"] == {"crisisTeam": {"members": [{"name": "卫老师"}]}, "errors": []}


async def test_texts_go_by_class_and_one_query_is_one_reading(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    await act(school, "vice-principal", "stand_down", team)
    await act(school, "teacher", "submit_review", team)
    withheld = {"AfterActionReview.findings", "AfterActionReview.lessons", "AfterActionReview.timeline"}
    withheld |= {"CrisisTeam.occasion"}
    data, extensions = await run(school, "director", LIST)
    (edge,) = data["crisisTeams"]["edges"]
    node = edge["node"]
    assert (node["title"], node["occasion"]) == ("甲流处置小组", None)
    assert node["reviews"] == [{"findings": None, "lessons": None, "timeline": None, "authorName": "卫老师"}]
    assert {line["field"] for line in extensions["redactions"]} == withheld
    assert {line["reason"] for line in extensions["redactions"]} == {"PURPOSE_REQUIRED"}
    assert await events(school) == []
    data, extensions = await run(school, "director", LIST, purpose="了解情况")
    assert data["crisisTeams"]["edges"][0]["node"]["reviews"][0]["findings"] == "通讯录未更新"
    assert "redactions" not in extensions
    (event,) = await events(school)
    assert (event.purpose, event.read_type) == ("了解情况", "CrisisTeam")
    assert event.groups[0].fields == [
        "occasion",
        *(f"reviews.{name}" for name in ("findings", "lessons", "timeline")),
    ]


async def test_the_list_by_condition_and_what_the_viewer_may(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    await act(school, "vice-principal", "stand_down", team)
    then = later(school, days=9)
    for where, count in (
        ({"reviewOverdue": True}, 1),
        ({"reviewOverdue": False}, 0),
        ({"status": "STOOD_DOWN"}, 1),
        ({"status": "ACTIVE"}, 0),
    ):
        data, _ = await run(then, "teacher", LIST, where=where)
        assert len(data["crisisTeams"]["edges"]) == count
    data, _ = await run(then, "principal", LIST)
    node = data["crisisTeams"]["edges"][0]["node"]
    assert node["isReviewOverdue"] is True
    assert node["close"] == {"allowed": False, "reason": {"code": "required"}}
    assert node["review"] == {"allowed": False}
    data, _ = await run(then, "information", LIST)
    assert data["crisisTeams"]["edges"] == []


async def test_a_team_out_of_sight_is_not_found(school: School) -> None:
    team = global_id("CrisisTeam", await form(school))
    data, _ = await run(school, "information", f'{{ node(id: "{team}") {{ id }} }}')
    assert data["node"] is None
    stand_down = f'mutation {{ crisisTeamStandDown(input: {{id: "{team}"}}) {{ errors {{ code }} }} }}'
    data, _ = await run(school, "information", stand_down)
    assert data["crisisTeamStandDown"]["errors"] == [{"code": "not_found"}]


async def test_its_people_are_told_which_team(school: School) -> None:
    team = global_id("CrisisTeam", await form(school))
    data, _ = await run(school, "teacher", "{ notifications { edges { node { kind subjectId } } } }")
    assert data["notifications"]["edges"][0]["node"] == {"kind": "crisis_team:formed", "subjectId": team}
