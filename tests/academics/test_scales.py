"""The scale of grade points as a versioned rule: who changes it, and that an average names its version."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archive_store.academics.documents import DEFAULT_GRADE_POINT_RULES
from archive_store.academics.queries import grades_of_students
from archive_store.access.policy import AccessPolicy
from archive_store.access.rules import DEFAULT_ACCESS_RULES, AccessRules, Relationship
from archive_store.foundation.clock import school_day
from archive_store.foundation.records import bson_value
from archive_store.policies.operations import GOVERNED_TYPES
from archive_store.policies.rules import access_differences
from schema.nodes import global_id
from tests.academics.terms import OFFICE, SECOND, arranged, enter, scores
from tests.organisation.test_graphql import APPROVE, run
from tests.school import School

REPLACE = """mutation ($input: GradePointScaleReplaceInput!) { gradePointScaleReplace(input: $input) {
  differences changeRequest { id chain } errors { code field } } }"""
SCALE = "query ($version: Int) { gradePointScale(version: $version) { version effectiveFrom rules } }"
GPA = "query ($id: ID!, $scale: Int) { student(id: $id) { gpa(scale: $scale) { value scale } } }"
RULES = bson_value(DEFAULT_GRADE_POINT_RULES)
STRICT = {**RULES, "bands": [{"least": "90", "points": "4.0"}, {"least": "60", "points": "2.0"}]}


async def replaced(school: School, subject: str, rules: Any, **more: Any) -> Any:
    day = school_day(school.store.clock.now()).isoformat()
    given = {"rules": rules, "effectiveFrom": day, "reason": "校务会议决定", **more}
    data, _ = await run(school, subject, REPLACE, input=given)
    return data["gradePointScaleReplace"]


async def test_the_principal_decides_and_an_average_names_its_version(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    student = global_id("Student", held.students[0])
    data, _ = await run(school, "teacher", SCALE)
    assert (data["gradePointScale"]["version"], data["gradePointScale"]["rules"]) == (0, RULES)
    dry = await replaced(school, "director", STRICT, dryRun=True)
    assert dry == {"differences": ["bands"], "changeRequest": None, "errors": []}
    told = await replaced(school, "director", STRICT)
    assert told["changeRequest"]["chain"] == ["VICE_PRINCIPAL", "PRINCIPAL"]
    for signer in ("vice-principal", "principal"):
        before, _ = await run(school, OFFICE, GPA, id=student)
        assert before["student"]["gpa"] == {"value": 3.0, "scale": 0}
        await run(school, signer, APPROVE, id=told["changeRequest"]["id"])
    school.store.versions_seen.clear()
    for asked, gpa in ((None, (2.0, 1)), (1, (2.0, 1)), (0, (3.0, 0))):
        data, _ = await run(school, OFFICE, GPA, id=student, scale=asked)
        assert tuple(data["student"]["gpa"].values()) == gpa
        data, _ = await run(school, "teacher", SCALE, version=asked)
        assert data["gradePointScale"]["version"] == gpa[1]
    data, _ = await run(school, "teacher", SCALE, version=2)
    assert data["gradePointScale"] is None


async def test_a_scale_of_a_day_to_come_tells_no_average_yet(school: School) -> None:
    held = await arranged(school)
    await enter(school, held.arrangement, scores(held.students, "80"))
    coming = (school_day(school.store.clock.now()) + timedelta(days=5)).isoformat()
    told = await replaced(school, "director", STRICT, effectiveFrom=coming)
    for signer in ("vice-principal", "principal"):
        await run(school, signer, APPROVE, id=told["changeRequest"]["id"])
    school.store.versions_seen.clear()
    data, _ = await run(school, OFFICE, GPA, id=global_id("Student", held.students[0]))
    assert data["student"]["gpa"] == {"value": 3.0, "scale": 0}
    data, _ = await run(school, OFFICE, SCALE, version=1)
    assert data["gradePointScale"] is None


@pytest.mark.parametrize("subject", [OFFICE, "teacher", "information", "principal", "logistics"])
async def test_who_may_not_ask(school: School, subject: str) -> None:
    before = await school.counts()
    told = await replaced(school, subject, STRICT)
    assert [error["code"] for error in told["errors"]] == ["forbidden"]
    assert await school.counts() == before


def bands(*given: tuple[str, str]) -> dict[str, Any]:
    return {**RULES, "bands": [{"least": least, "points": points} for least, points in given]}


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (bands(), "rules.bands"),
        (bands(("60", "1.0"), ("90", "0.5")), "rules.bands.1.least"),
        (bands(("90", "1.0"), ("60", "2.0")), "rules.bands.1.points"),
        (bands(("90", "1.0"), ("90", "1.0")), "rules.bands.1.least"),
        (bands(("100.5", "1.0")), "rules.bands.0.least"),
        (bands(("90", "-1")), "rules.bands.0.points"),
        (bands(("90", "nan")), "rules.bands.0.points"),
        (bands(("90", "4.123")), "rules.bands.0.points"),
        ({**RULES, "levels": {"A": "4"}}, "rules.levels.B"),
        ({**RULES, "makeup_most": "x"}, "rules.makeupMost"),
        (RULES, "rules"),
        ([], "rules"),
    ],
)
async def test_what_is_no_scale(school: School, rules: Any, field: str) -> None:
    before = await school.counts()
    told = await replaced(school, "director", rules)
    assert [error["field"] for error in told["errors"]] == [field]
    assert await school.counts() == before


async def test_the_access_policy_says_which_teachers_read_grades(school: School) -> None:
    assert (
        AccessRules.model_validate(
            {
                name: value
                for name, value in bson_value(DEFAULT_ACCESS_RULES).items()
                if name != "grade_readers"
            }
        )
        == DEFAULT_ACCESS_RULES
    )
    held = await arranged(school, SECOND)
    await enter(school, held.arrangement, scores(held.students, "80"))
    teacher = await school.viewer("teacher")

    async def read(readers: frozenset[Relationship]) -> int:
        rules = teacher.policy.rules.model_copy(update={"grade_readers": readers})
        viewer = replace(teacher, policy=AccessPolicy(rules))
        (told,) = await grades_of_students(school.store, viewer, held.students[:1])
        return len(told.grades) if told else 0

    assert await read(frozenset({Relationship.TEACHER})) == 1
    assert await read(frozenset({Relationship.HOMEROOM_TEACHER})) == 0
    assert await read(frozenset()) == 0
    for wrong in ("GUARDIAN", "BUSINESS_LINE"):
        with pytest.raises(ValueError, match="HOMEROOM_TEACHER"):
            AccessRules.model_validate({**bson_value(DEFAULT_ACCESS_RULES), "grade_readers": [wrong]})


def test_a_replacement_tells_which_teachers_lose_grades() -> None:
    after = DEFAULT_ACCESS_RULES.model_copy(
        update={"grade_readers": frozenset({Relationship.HOMEROOM_TEACHER})}
    )
    found = access_differences(DEFAULT_ACCESS_RULES, after, GOVERNED_TYPES)
    assert {(held.relationship, held.loses) for held in found} == {
        (Relationship.TEACHER, ("GradeRecord.score", "GradeRecord.status"))
    }
