"""Conduct over GraphQL: what is asked for, and what each viewer is told of sanctions and appeals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.routing import DECIDING
from archive_store.audit.queries import TEXT
from schema.context import Context
from schema.nodes import global_id, key_of
from schema.tasks.queries import task_about_appeal
from tests.access.test_readings import events
from tests.conduct.cases import (
    COMMITTEE,
    GROUNDS,
    REASON,
    SIGNERS,
    appoint,
    ask,
    decide,
    family,
    file,
    impose,
    keys,
    of_sanction,
    serve,
    today,
)
from tests.crisis.teams import later
from tests.crisis.test_graphql import run
from tests.school import PURPOSE, School

APPEAL = """
  id status grounds filedByName filedAs filedOn decideBy isOverdue outcome decisionReason provincialUntil
  committee { name personId isChair }
  decide: viewerCan(action: DECIDE) { allowed reason { code } }
  appoint: viewerCan(action: APPOINT) { allowed reason { code } }
  auditHistory { edges { node { kind reason changes { field before after withheld } } } }
"""
SANCTION = f"""
  id kind reason documentNumber decidedOn months endsOn status servedOn appealUntil
  serve: viewerCan(action: SERVE) {{ allowed tiers reason {{ code }} }}
  remove: viewerCan(action: REMOVE) {{ allowed reason {{ code }} }}
  file: viewerCan(action: APPEAL) {{ allowed reason {{ code }} }}
  auditHistory {{ edges {{ node {{ kind reason changes {{ field before after withheld }} }} }} }}
  appeal {{ {APPEAL} }}
"""
STUDENT = f"""query ($id: ID!) {{ student(id: $id) {{
  awards {{ title level awardedBy reason status }} sanctions {{ {SANCTION} }}
}} }}"""
QUEUE = f"""query ($status: AppealStatus) {{ appeals(status: $status) {{ edges {{ node {{
  {APPEAL} sanction {{ id kind reason }} student {{ name }}
}} }} }} }}"""
APPROVE = """mutation ($input: ChangeRequestApproveInput!) {
  changeRequestApprove(input: $input) { errors { code } } }"""
IMPOSE = """mutation ($input: SanctionImposeInput!) { sanctionImpose(input: $input) {
  changeRequest { id status chain changes { field after withheld } reason } errors { code field messageZh } } }"""


async def appealed(school: School) -> tuple[ObjectId, ObjectId, ObjectId]:
    """A served sanction with an appeal under review: student, sanction, appeal."""
    student = await family(school)
    sanction_id = await impose(school, student)
    await serve(school, sanction_id)
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    return student, sanction_id, appeal_id


async def mutated(school: School, subject: str, name: str, **values: Any) -> dict[str, Any]:
    kind = name[0].upper() + name[1:]
    is_appeal = name.startswith("appeal") and name != "appealRecordAnswer"
    shown = "appeal { id status }" if is_appeal else "changeRequest { id }"
    mutation = f"""mutation ($input: {kind}Input!) {{
        {name}(input: $input) {{ {shown} errors {{ code field messageZh }} }} }}"""
    data, _ = await run(school, subject, mutation, input=values)
    return data[name]  # type: ignore[no-any-return]


async def test_a_whole_life_by_mutations(school: School) -> None:
    student = global_id("Student", await family(school))
    data, _ = await run(
        school,
        "information",
        IMPOSE,
        input={
            "studentId": student,
            "kind": "DEMERIT",
            "sanctionReason": REASON,
            "documentNumber": "校处〔2026〕3号",
            "decidedOn": today(school).isoformat(),
            "months": 6,
            "reason": "校务会议决定",
        },
    )
    asked = data["sanctionImpose"]
    assert asked["errors"] == []
    assert asked["changeRequest"]["chain"] == ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]
    changes = {line["field"]: line["after"] for line in asked["changeRequest"]["changes"]}
    assert (changes["kind"], changes["reason"]) == ("DEMERIT", REASON)
    # Whoever decides sees whom it is about and why; another by their rights on the student.
    query = f'{{ changeRequest(id: "{asked["changeRequest"]["id"]}") {{ reason changes {{ field after withheld }} }} }}'
    for subject, reason, about in (
        ("director", REASON, student),
        ("archive", None, student),
        ("deputy-2", None, None),
    ):
        data, _ = await run(school, subject, query)
        shown = {line["field"]: line["after"] for line in data["changeRequest"]["changes"]}
        assert (shown["reason"], shown["studentId"]) == (reason, about)
        assert (data["changeRequest"]["reason"] is None) == (reason is None)
    await sign(school, asked)
    sanction = await only_sanction(school, student)
    served = await mutated(
        school, "information", "sanctionServe", id=sanction, servedOn=today(school).isoformat(), reason="签收"
    )
    await sign(school, served)
    filed = await mutated(school, "parent", "appealFile", sanctionId=sanction, grounds=GROUNDS)
    appeal = filed["appeal"]["id"]
    members = [global_id("Person", key) for key in await keys(school, *COMMITTEE)]
    for subject, name, values, status in (
        ("principal", "appealAppoint", {"memberIds": members}, "UNDER_REVIEW"),
        (COMMITTEE[0], "appealExtend", {"extensionReason": "须补充\n调查"}, "UNDER_REVIEW"),
        (COMMITTEE[0], "appealDecide", {"outcome": "REVOKED", "decisionReason": "事实不清"}, "DECIDED"),
        ("pupil", "appealRecordProvincial", {"provincialFiledOn": today(school).isoformat()}, "PROVINCIAL"),
    ):
        told = await mutated(school, subject, name, id=appeal, **values)
        assert told["errors"] == [], told
        if told["appeal"] is not None:
            assert told["appeal"]["status"] == status
    answered = await mutated(
        school,
        "information",
        "appealRecordAnswer",
        id=appeal,
        provincialOutcome="UPHELD",
        provincialAnsweredOn=today(school).isoformat(),
        reason="省厅答复",
    )
    await sign(school, answered)
    data, _ = await run(school, "pupil", STUDENT, id=student)
    (held,) = data["student"]["sanctions"]
    assert held["appeal"]["status"] == "ANSWERED"
    assert (held["status"], held["appeal"]["outcome"]) == ("REVOKED", "REVOKED")
    award = await mutated(
        school,
        "information",
        "awardRecord",
        studentId=student,
        title="三好学生",
        level="SCHOOL",
        awardedBy="本校",
        awardedOn=today(school).isoformat(),
        awardReason="品学兼优",
        reason="校务会议决定",
    )
    await sign(school, award)
    data, _ = await run(school, "teacher", STUDENT, id=student)
    assert [held["title"] for held in data["student"]["awards"]] == ["三好学生"]


async def sign(school: School, asked: dict[str, Any]) -> None:
    assert asked["errors"] == []
    for signer in SIGNERS:
        data, _ = await run(school, signer, APPROVE, input={"id": asked["changeRequest"]["id"]})
        assert data["changeRequestApprove"]["errors"] == []


async def only_sanction(school: School, student: str) -> str:
    data, _ = await run(school, "director", STUDENT, id=student)
    (held,) = data["student"]["sanctions"]
    return str(held["id"])


@pytest.mark.parametrize(
    ("subject", "purpose", "kind", "reason"),
    [
        ("director", PURPOSE, "DEMERIT", REASON),
        ("director", None, "DEMERIT", None),
        ("information", PURPOSE, "DEMERIT", None),
        ("vice-principal", PURPOSE, "DEMERIT", None),
        ("principal", PURPOSE, "DEMERIT", None),
        ("deputy-1", PURPOSE, "DEMERIT", None),  # in whose line it is
        ("deputy-2", PURPOSE, None, None),
        ("teacher", PURPOSE, "DEMERIT", None),  # 班主任
        ("admissions", PURPOSE, None, None),
        ("logistics", PURPOSE, None, None),
        ("pupil", None, "DEMERIT", REASON),
        ("parent", None, "DEMERIT", REASON),
    ],
)
async def test_who_is_told_what_of_a_sanction(
    school: School, subject: str, purpose: str | None, kind: str | None, reason: str | None
) -> None:
    student = await family(school)
    await school.store.database.mongo["students"].update_one(
        {"_id": student}, {"$set": {"class_name": "2023级1班"}}
    )
    sanction_id = await impose(school, student)
    await serve(school, sanction_id)
    before = len(await events(school))
    query = {"id": global_id("Student", student)}
    data, extensions = await run(school, subject, STUDENT, purpose, **query)
    redacted = {line["field"] for line in extensions.get("redactions", ())}
    sanctions = data["student"]["sanctions"]
    node = f'{{ node(id: "{global_id("Sanction", sanction_id)}") {{ ... on Sanction {{ kind reason }} }} }}'
    if kind is None:
        assert sanctions is None and "Student.sanctions" in redacted
        assert REASON not in repr(data)
        data, _ = await run(school, subject, node, purpose)
        assert data["node"] is None
        return
    (held,) = sanctions
    assert (held["kind"], held["reason"]) == (kind, reason)
    assert ("Sanction.reason" in redacted) == (reason is None)
    entries = [edge["node"] for edge in held["auditHistory"]["edges"]]
    assert [entry["kind"] for entry in entries] == ["sanction:serve", "sanction:impose"]
    if reason is None:
        assert REASON not in repr(data) and len(await events(school)) == before
        assert [entry[TEXT] for entry in entries] == [None, None]
    else:
        read = [event for event in await events(school) if event.read_type == "Sanction"]
        assert read
    data, _ = await run(school, subject, node, purpose)
    assert data["node"] == {"kind": kind, "reason": reason}


TASKS = """query ($first: Int! = 20, $after: String) { viewer { tasks(first: $first, after: $after) {
  edges { cursor node { kind subject { ... on Appeal { id grounds decideBy } ... on ChangeRequest { id } } } }
  pageInfo { hasNextPage } } } }"""


async def tasks_of(school: School, subject: str, purpose: str | None = None) -> list[tuple[str, str]]:
    data, _ = await run(school, subject, TASKS, purpose)
    nodes = [edge["node"] for edge in data["viewer"]["tasks"]["edges"]]
    return [(node["kind"], node["subject"]["id"]) for node in nodes]


async def test_an_appeal_is_a_task_of_whoever_moves_it(school: School) -> None:
    student = await family(school)
    sanction_id = await impose(school, student)
    appeal_id = await file(school, sanction_id)
    shown = global_id("Appeal", appeal_id)
    appointing = [("APPEAL_APPOINTMENT", shown)]
    assert await tasks_of(school, "principal") == await tasks_of(school, "vice-principal") == appointing
    everybody = (*COMMITTEE, "director", "information", "teacher", "pupil", "parent", "service")
    for subject in everybody:
        assert await tasks_of(school, subject) == []
    context = Context(school.store, await school.viewer("principal"))
    assert await task_about_appeal(context, appeal_id) is not None
    await appoint(school, appeal_id)
    assert await task_about_appeal(context, appeal_id) is None
    for subject in COMMITTEE:
        assert await tasks_of(school, subject) == [("APPEAL_REVIEW", shown)]
        data, _ = await run(school, subject, TASKS, None)
        ((edge,),) = [data["viewer"]["tasks"]["edges"]]
        assert edge["node"]["subject"]["grounds"] == GROUNDS
    for subject in ("principal", "vice-principal", *everybody[len(COMMITTEE) :]):
        assert await tasks_of(school, subject) == []
    await decide(school, appeal_id, "UPHELD")
    for subject in COMMITTEE:
        assert await tasks_of(school, subject) == []


async def test_tasks_of_several_kinds_are_one_list(school: School) -> None:
    student = await family(school)
    appeal_id = await file(school, await impose(school, student))
    other = await impose_asked(school, (await school.student(1)).key)
    whole = [
        ("CHANGE_REQUEST_DECISION", global_id("ChangeRequest", other)),
        ("APPEAL_APPOINTMENT", global_id("Appeal", appeal_id)),
    ]
    assert await tasks_of(school, "vice-principal") == whole
    data, _ = await run(school, "vice-principal", TASKS, None, first=1)
    page = data["viewer"]["tasks"]
    assert page["pageInfo"]["hasNextPage"] and len(page["edges"]) == 1
    data, _ = await run(school, "vice-principal", TASKS, None, first=1, after=page["edges"][0]["cursor"])
    page = data["viewer"]["tasks"]
    assert [edge["node"]["kind"] for edge in page["edges"]] == ["APPEAL_APPOINTMENT"]
    assert not page["pageInfo"]["hasNextPage"]


async def impose_asked(school: School, student: ObjectId) -> ObjectId:
    """A sanction that awaits the vice principal; the key of its request."""
    outcome = await ask(school, "sanction.impose", of_sanction(school, student))
    assert outcome.change_request_id is not None
    await school.approve("director", outcome.change_request_id)
    return outcome.change_request_id


async def test_who_decides_is_told_why_while_they_decide(school: School) -> None:
    student = await family(school)
    outcome = await ask(school, "sanction.impose", of_sanction(school, student))
    query = f"""{{ changeRequest(id: "{global_id("ChangeRequest", outcome.change_request_id)}") {{
        reason changes {{ field after withheld }} }} }}"""

    async def told(subject: str) -> tuple[Any, bool]:
        data, _ = await run(school, subject, query, None)
        (line,) = [line for line in data["changeRequest"]["changes"] if line["field"] == "reason"]
        return line["after"], line["withheld"]

    assert await told("vice-principal") == (None, True)
    assert await told("director") == (REASON, False)
    await school.approve("director", outcome.change_request_id)
    assert await told("principal") == (None, True)
    assert await told("vice-principal") == (REASON, False)
    assert (await events(school))[-1].purpose == DECIDING
    await school.approve("vice-principal", outcome.change_request_id)
    # What they signed stays theirs to see; the record itself is read by rights on it.
    assert await told("vice-principal") == (REASON, False)
    sanction = await only_sanction(school, global_id("Student", student))
    node = f'{{ node(id: "{sanction}") {{ ... on Sanction {{ kind reason }} }} }}'

    async def read(subject: str) -> Any:
        data, _ = await run(school, subject, node, None)
        return data["node"] and data["node"]["reason"]

    assert await read("vice-principal") is None
    # Who decides on the end of a sanction sees what was imposed, while it is theirs to decide.
    then = later(school, days=190)
    values = {"sanction_id": key_of(sanction, "Sanction", field="id"), "student_id": student}
    asked = await ask(then, "sanction.remove", values, "pupil")
    assert (await read("director"), await read("vice-principal")) == (REASON, None)
    await then.approve("director", asked.change_request_id)
    assert (await read("director"), await read("vice-principal"), await read("principal")) == (
        None,
        REASON,
        None,
    )
    last = (await events(school))[-1]
    assert (last.read_type, last.purpose) == ("Sanction", DECIDING)
    assert await read("information") is None
    await then.approve("vice-principal", asked.change_request_id)
    assert await read("vice-principal") is None


async def test_a_student_in_another_class_has_no_sanctions_for_the_teacher(school: School) -> None:
    student = await family(school)
    await school.store.database.mongo["students"].update_one(
        {"_id": student}, {"$set": {"class_name": "2023级2班"}}
    )
    await impose(school, student)
    data, extensions = await run(school, "teacher", STUDENT, PURPOSE, id=global_id("Student", student))
    assert data["student"]["sanctions"] is None and data["student"]["awards"] == []
    assert [line["field"] for line in extensions["redactions"]] == ["Student.sanctions"]


async def test_the_committee_reads_while_it_reviews(school: School) -> None:
    _, sanction_id, appeal_id = await appealed(school)
    member = COMMITTEE[2]  # admissions, who otherwise reads nothing of it
    data, _ = await run(school, member, QUEUE)
    (edge,) = data["appeals"]["edges"]
    held = edge["node"]
    assert (held["grounds"], held["sanction"]["reason"]) == (GROUNDS, REASON)
    assert held["decide"] == {"allowed": False, "reason": {"code": "forbidden"}}
    purposes = {event.purpose for event in await events(school)}
    assert purposes == {"申诉复查 reviewing an appeal"}
    assert held["auditHistory"] is None
    data, _ = await run(school, COMMITTEE[0], QUEUE)
    assert data["appeals"]["edges"][0]["node"]["decide"]["allowed"]
    await decide(school, appeal_id, "UPHELD")
    data, extensions = await run(school, member, QUEUE)
    held = data["appeals"]["edges"][0]["node"]
    assert (held["grounds"], held["sanction"]["reason"], held["outcome"]) == (None, None, "UPHELD")
    assert {line["field"] for line in extensions["redactions"]} >= {"Appeal.grounds", "Sanction.reason"}
    data, _ = await run(school, "logistics", QUEUE)
    assert data["appeals"]["edges"] == []
    text = global_id("Appeal", appeal_id)
    data, _ = await run(school, "logistics", f'{{ node(id: "{text}") {{ id }} }}')
    assert data["node"] is None
    assert sanction_id


async def test_the_family_is_told_who_read_why(school: School) -> None:
    student, _, _ = await appealed(school)
    await run(school, COMMITTEE[2], QUEUE)
    await run(school, "director", STUDENT, PURPOSE, id=global_id("Student", student))
    query = f"""{{ student(id: "{global_id("Student", student)}") {{ accessHistory {{
        edges {{ node {{ actorName fields purpose }} }} }} }} }}"""
    data, _ = await run(school, "parent", query, None)
    told = [edge["node"] for edge in data["student"]["accessHistory"]["edges"]]
    fields = {(node["actorName"], field) for node in told for field in node["fields"]}
    both = {"sanctions.reason", "sanctions.appeal.grounds"}
    assert fields >= {(name, field) for name in ("陈招生", "赵主任") for field in both}
    assert {node["purpose"] for node in told if node["actorName"] == "陈招生"} == {
        "申诉复查 reviewing an appeal"
    }
    data, _ = await run(school, "principal", query, PURPOSE)
    assert len(data["student"]["accessHistory"]["edges"]) >= len(told)
    data, _ = await run(school, "information", query, PURPOSE)
    assert data["student"]["accessHistory"] is None


async def test_the_queue_by_status_and_what_is_late(school: School) -> None:
    _, _, appeal_id = await appealed(school)
    for subject, status, count in (
        ("principal", "UNDER_REVIEW", 1),
        ("principal", "DECIDED", 0),
        ("information", None, 1),
        ("pupil", None, 1),
        ("parent", "UNDER_REVIEW", 1),
        ("teacher", None, 0),
        ("deputy-2", None, 0),
    ):
        data, _ = await run(school, subject, QUEUE, status=status)
        assert len(data["appeals"]["edges"]) == count, subject
    data, _ = await run(school, "principal", QUEUE)
    assert data["appeals"]["edges"][0]["node"]["isOverdue"] is False
    data, _ = await run(later(school, days=30), "principal", QUEUE)
    held = data["appeals"]["edges"][0]["node"]
    assert held["isOverdue"] is True and held["appoint"]["allowed"] is True
    assert held["id"] == global_id("Appeal", appeal_id)


async def test_what_the_viewer_can_is_what_trying_would_say(school: School) -> None:
    student = await family(school)
    sanction_id = await impose(school, student)
    query = {"id": global_id("Student", student)}
    data, _ = await run(school, "information", STUDENT, **query)
    (held,) = data["student"]["sanctions"]
    tiers = ["DEPARTMENT_HEAD", "VICE_PRINCIPAL"]
    assert held["serve"] == {"allowed": True, "tiers": tiers, "reason": None}
    assert held["remove"] == {"allowed": False, "reason": {"code": "wrong_state"}}
    assert held["file"]["allowed"] is True
    data, _ = await run(school, "principal", STUDENT, **query)
    (held,) = data["student"]["sanctions"]
    assert {held[name]["reason"]["code"] for name in ("serve", "remove", "file")} == {"forbidden"}
    data, _ = await run(later(school, days=200), "pupil", STUDENT, **query)
    (held,) = data["student"]["sanctions"]
    assert held["remove"]["allowed"] is True and held["serve"]["allowed"] is False
    removal = await mutated(
        later(school, days=200),
        "pupil",
        "sanctionRemove",
        id=global_id("Sanction", sanction_id),
        reason="已改正",
    )
    assert removal["errors"] == [] and removal["changeRequest"]


@pytest.mark.parametrize(
    ("subject", "name", "code"),
    [("teacher", "sanctionRemove", "forbidden"), ("logistics", "sanctionRemove", "not_found")],
)
async def test_refusals_leak_nothing(school: School, subject: str, name: str, code: str) -> None:
    student = await family(school)
    await school.store.database.mongo["students"].update_one(
        {"_id": student}, {"$set": {"class_name": "2023级1班"}}
    )
    sanction_id = await impose(school, student)
    told = await mutated(school, subject, name, id=global_id("Sanction", sanction_id), reason="解除")
    assert [error["code"] for error in told["errors"]] == [code]


async def test_the_policy_is_replaced_by_all_tiers(school: School) -> None:
    query = "{ conductPolicy { version rules } }"
    data, _ = await run(school, "teacher", query)
    assert data["conductPolicy"]["version"] == 0
    rules = data["conductPolicy"]["rules"] | {"appeal_days": 12}
    mutation = """mutation ($input: ConductPolicyReplaceInput!) { conductPolicyReplace(input: $input) {
        differences changeRequest { id chain } errors { code field } } }"""
    asked = {"rules": rules, "effectiveFrom": today(school).isoformat(), "reason": "省厅新规"}
    data, _ = await run(school, "director", mutation, input={**asked, "dryRun": True})
    assert data["conductPolicyReplace"] == {
        "differences": ["appeal_days"],
        "changeRequest": None,
        "errors": [],
    }
    data, _ = await run(school, "director", mutation, input=asked)
    request = data["conductPolicyReplace"]["changeRequest"]
    assert request["chain"] == ["VICE_PRINCIPAL", "PRINCIPAL"]  # the director asked
    for signer in ("vice-principal", "principal"):
        data, _ = await run(school, signer, APPROVE, input={"id": request["id"]})
        assert data["changeRequestApprove"]["errors"] == []
    school.store.versions_seen.clear()
    data, _ = await run(school, "teacher", query)
    assert (data["conductPolicy"]["version"], data["conductPolicy"]["rules"]["appeal_days"]) == (1, 12)
    student = (await school.student()).key
    sanction_id = await impose(school, student)
    await serve(school, sanction_id)
    data, _ = await run(school, "director", STUDENT, id=global_id("Student", student))
    assert data["student"]["sanctions"][0]["appealUntil"] >= (today(school) + timedelta(days=12)).isoformat()
    bad = {**asked, "rules": rules | {"period_months_least": 20}}
    data, _ = await run(school, "director", mutation, input=bad)
    assert data["conductPolicyReplace"]["errors"][0]["field"] == "rules.periodMonthsLeast"
