"""Change of major (转专业、转系): its chain by GraphQL, its papers, a day to come, and what the history keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.approvals.deadlines import apply_due
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus
from schema.nodes import global_id, parse_global_id
from tests.organisation.structure import GRADES, open_class, open_majors
from tests.organisation.structure import done as done_in_structure
from tests.school import School
from tests.status_changes.changes import asked, day, paper, signed
from tests.status_changes.test_chains import ASK, PREVIEW, Office
from tests.status_changes.test_rules import code

Bearer = Any
KIND = ChangeKind.CHANGE_MAJOR
PAPERS = ("转专业申请表", "公示证明")
RECORD = """query ($id: ID!, $asOf: Date) { student(id: $id, asOf: $asOf) { majorCode className } }"""
HISTORY = """query ($id: ID!) { student(id: $id) { major { name } statusPeriods { status cause changeRequestId }
    auditHistory(first: 5) { edges { node { kind changes { field before after } } } } } }"""


async def university(school: School) -> list[ObjectId]:
    """The first student's class becomes one of undergraduates, with one beside it; the papers of a change."""
    student = await school.student()
    await open_majors(school)
    keys = {name: ObjectId() for name in ("campus", "cohort")}
    await done_in_structure(school, "campus.open", {"campus_id": keys["campus"], "name": "校本部"})
    cohort = {"name": "2023级本科", "stage": "UNDERGRAD", "enrolled_year": 2023, "grades": GRADES}
    await done_in_structure(school, "cohort.open", {"cohort_id": keys["cohort"], **cohort})
    for name in (student.class_name, "软工1班"):
        await open_class(school, keys, name)
    return [await paper(school, document_type) for document_type in PAPERS]


async def major_of(school: School) -> str | None:
    return (await school.student()).major_code


async def test_through_the_chain_with_another_class(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    papers = await university(school)
    office = Office(school, http, bearer)
    evidence = [global_id("Scan", key) for key in papers]
    key = global_id("Student", (await school.student()).key)
    old_class = (await school.student()).class_name
    await office.change(KIND, -20, toMajor="080901", evidence=evidence)
    request, chain = await office.change(KIND, -5, toMajor="050101", toClass="软工1班", evidence=evidence)
    assert chain == ["DEPARTMENT_HEAD"]
    student = await school.student()
    assert (student.status, student.major_code, student.class_name) == (
        StudentStatus.ENROLLED,
        "050101",
        "软工1班",
    )
    shown = (await office.send("director", HISTORY, id=key))["student"]
    assert shown["major"] == {"name": "汉语言文学"}
    last = shown["statusPeriods"][-1]
    assert (last["status"], last["cause"], last["changeRequestId"]) == ("ENROLLED", KIND.value, request)
    entries = [edge["node"] for edge in shown["auditHistory"]["edges"]]
    entry = next(held for held in entries if held["kind"] == "student:status:change_major")
    told = {change["field"]: (change["before"], change["after"]) for change in entry["changes"]}
    assert told["majorCode"] == ("080901", "050101")
    for days, held in ((-21, None), (-10, "080901"), (-1, "050101")):
        told = await office.send("director", RECORD, id=key, asOf=day(school, days).isoformat())
        assert told["student"]["majorCode"] == held, days
        assert told["student"]["className"] == ("软工1班" if days == -1 else old_class)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_without_publication_it_is_refused(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    papers = await university(school)
    office = Office(school, http, bearer)
    given = {
        "studentId": global_id("Student", (await school.student()).key),
        "kind": KIND.value,
        "effectiveFrom": day(school).isoformat(),
        "toMajor": "080901",
        "evidence": [global_id("Scan", papers[0])],
    }
    preview = (await office.send("information", PREVIEW, input=given))["statusChangePreview"]
    (unmet,) = [held for held in preview["findings"] if not held["isMet"]]
    assert (unmet["requirement"], unmet["missing"]) == ("MATERIALS", ["公示证明"])
    assert "第二十一条" in unmet["article"]
    answer = (await office.send("information", ASK, input={**given, "reason": "x"}))["studentStatusChange"]
    assert [error["code"] for error in answer["errors"]] == ["materials_missing"]
    for subject in ("teacher", "archive"):
        answer = (await office.send(subject, ASK, input={**given, "reason": "x"}))["studentStatusChange"]
        assert [error["code"] for error in answer["errors"]] == ["forbidden"], subject
    assert await major_of(school) is None


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({}, ErrorCode.REQUIRED),
        ({"to_major": "999999"}, ErrorCode.UNKNOWN_CODE),
        ({"to_major": "软件工程"}, ErrorCode.UNKNOWN_CODE),
        ({"to_major": "080902"}, ErrorCode.UNKNOWN_CODE),
        ({"to_major": "080901", "to_class": "没有的班"}, ErrorCode.UNKNOWN_CODE),
        ({"to_major": "080901", "status": "SUSPENDED"}, ErrorCode.INVALID_ARGUMENT),
    ],
)
async def test_what_is_refused(school: School, told: dict[str, Any], error: ErrorCode) -> None:
    papers = await university(school)
    rows = school.store.database.mongo["majors"]
    await rows.update_one({"code": "080902"}, {"$set": {"closed_on": "2024-01-01"}})
    assert await code(asked(school, KIND, day(school), materials=papers, **told)) is error
    other = asked(school, ChangeKind.SUSPEND, day(school), to_major="080901")
    assert await code(other) is ErrorCode.INVALID_ARGUMENT


async def test_the_same_major_and_one_of_another_stage(school: School) -> None:
    papers = await university(school)
    await signed(school, await asked(school, KIND, day(school, -1), materials=papers, to_major="080901"))
    same = asked(school, KIND, day(school), materials=papers, to_major="080901")
    assert await code(same) is ErrorCode.NOTHING_TO_CHANGE
    rows = school.store.database.mongo["majors"]
    await rows.update_one({"code": "080902"}, {"$set": {"stage": "POSTGRAD"}})
    other = asked(school, KIND, day(school), materials=papers, to_major="080902")
    assert await code(other) is ErrorCode.UNKNOWN_CODE


async def test_a_major_that_closes_meanwhile_is_not_taken_up(school: School) -> None:
    papers = await university(school)
    key = await asked(school, KIND, day(school), materials=papers, to_major="080901")
    yesterday = (day(school) - timedelta(days=1)).isoformat()
    await school.store.database.mongo["majors"].update_one(
        {"code": "080901"}, {"$set": {"closed_on": yesterday}}
    )
    assert await code(signed(school, key)) is ErrorCode.UNKNOWN_CODE
    assert await major_of(school) is None


async def test_a_change_of_major_leaves_a_class_of_another(school: School) -> None:
    papers = await university(school)
    classes = school.store.database.mongo["school_classes"]
    own = (await school.student()).class_name
    await classes.update_one({"name": own}, {"$set": {"major_code": "080901"}})
    await classes.update_one({"name": "软工1班"}, {"$set": {"major_code": "080902"}})
    stays = asked(school, KIND, day(school), materials=papers, to_major="080902")
    assert await code(stays) is ErrorCode.REQUIRED
    elsewhere: dict[str, Any] = {"materials": papers, "to_class": "软工1班"}
    other = asked(school, KIND, day(school), to_major="050101", **elsewhere)
    assert await code(other) is ErrorCode.UNKNOWN_CODE
    repeats = asked(school, ChangeKind.REPEAT, day(school), to_class="软工1班")
    assert await code(repeats) is ErrorCode.UNKNOWN_CODE
    await signed(school, await asked(school, KIND, day(school), to_major="080902", **elsewhere))
    assert ((await school.student()).class_name, await major_of(school)) == ("软工1班", "080902")


async def test_a_day_to_come_is_waited_for(
    school: School, http: httpx.AsyncClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = await university(school)
    office = Office(school, http, bearer)
    given = {
        "studentId": global_id("Student", (await school.student()).key),
        "kind": KIND.value,
        "effectiveFrom": day(school, 3).isoformat(),
        "toMajor": "080901",
        "evidence": [global_id("Scan", key) for key in papers],
        "reason": "按申请办理",
    }
    answer = (await office.send("information", ASK, input=given))["studentStatusChange"]
    assert answer["errors"] == []
    key = ObjectId(parse_global_id(answer["changeRequest"]["id"])[1])
    assert await school.approve("director", key) != "APPLIED"
    assert await major_of(school) is None
    due = school.store.clock.now() + timedelta(days=3)
    monkeypatch.setattr(school.store.clock, "now", lambda: due)
    assert await apply_due(school.store, due) == 1
    assert await major_of(school) == "080901"
