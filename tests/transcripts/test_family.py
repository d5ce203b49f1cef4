"""What the family sees: the student's whole record and history, and what was issued of it; and of nobody else's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.transcripts.documents import Transcript
from schema.nodes import global_id
from tests.certificates.papers import done as done_in_certificates
from tests.certificates.papers import graduate, issue_values, range_values
from tests.conduct.cases import done, impose, today
from tests.http.test_http import ask
from tests.objections.test_objections import raised
from tests.school import School
from tests.transcripts.papers import Graded, graded, issue, stored

RECORD = """query ($id: ID!) { student(id: $id) {
    name identityNumber phone birthDate guardians { name phone }
    statusPeriods { status effectiveFrom } auditHistory(first: 5) { edges { node { kind } } }
    grades { score course { code } } gpa { value } attendance { due }
    awards { title } sanctions { kind reason }
    objections { field statement }
    certificates { number birthDate paperUrl }
    transcripts { number purpose paperUrl auditHistory(first: 3) { edges { node { kind changes {
        field after withheld } } } } } } }"""
NODE = """query ($id: ID!) { node(id: $id) { id ... on Student { name } ... on Certificate { number }
    ... on Transcript { issuedAs: number } } }"""
ISSUE = """mutation ($in: TranscriptIssueInput!) { transcriptIssue(input: $in) {
    transcript { id number state capacity purpose correctedSince studentId digest } errors { code field } } }"""
REVOKE = """mutation ($in: TranscriptRevokeInput!) { transcriptRevoke(input: $in) {
    changeRequest { operation } errors { code field } } }"""


async def whole_record(school: School) -> Graded:
    """A student with something of everything."""
    held = await graded(school)
    student = await school.student()
    await impose(school, held.student)
    award = {"award_id": ObjectId(), "student_id": held.student, "title": "三好学生", "level": "COUNTY"}
    await done(school, "award.record", {**award, "awarded_by": "区教委", "awarded_on": today(school)})
    await raised(school, held.student)
    await done_in_certificates(school, "certificate_range.open", range_values(school), ("director",))
    await graduate(school, student)
    await done_in_certificates(school, "certificate.issue", issue_values(school, student))
    await issue(school, held.student, "parent", "留学申请")
    return held


@pytest.mark.parametrize("subject", ["pupil", "parent"])
async def test_what_the_family_sees(
    school: School, http: httpx.AsyncClient, bearer: Any, subject: str
) -> None:
    held = await whole_record(school)
    student = await school.student()
    answer = await ask(http, bearer(subject, ""), RECORD, id=global_id("Student", held.student))
    assert "errors" not in answer
    assert answer.get("extensions", {}).get("redactions", []) == []
    told = answer["data"]["student"]
    assert (told["name"], told["identityNumber"], told["phone"]) == (
        *(student.name, student.identity_number),
        student.phone,
    )
    assert told["guardians"][0]["phone"]
    assert told["statusPeriods"][0]["status"] == "ENROLLED"
    assert told["auditHistory"]["edges"]
    assert [grade["score"] for grade in told["grades"]] == ["85.5", "A"]
    assert told["gpa"] == {"value": 3.73}
    assert told["attendance"] == []
    assert told["awards"] == [{"title": "三好学生"}]
    assert [sanction["kind"] for sanction in told["sanctions"]] == ["DEMERIT"]
    assert told["sanctions"][0]["reason"]
    assert [objection["field"] for objection in told["objections"]] == ["address"]
    assert told["objections"][0]["statement"]
    assert told["certificates"][0]["birthDate"] == student.birth_date.isoformat()
    (transcript,) = told["transcripts"]
    assert transcript["purpose"] == "留学申请"
    changes = transcript["auditHistory"]["edges"][0]["node"]["changes"]
    assert {"field": "purpose", "after": "留学申请", "withheld": False} in changes
    for path in (told["certificates"][0]["paperUrl"], transcript["paperUrl"]):
        paper = await http.get(path, headers=bearer(subject, ""))
        assert paper.content.startswith(b"%PDF-")


@pytest.mark.parametrize("subject", ["stranger", "other-parent"])
async def test_and_of_nobody_else_s(
    school: School, http: httpx.AsyncClient, bearer: Any, subject: str
) -> None:
    held = await whole_record(school)
    other = await school.student(4)
    await link_account(school.store, other.key, "stranger")
    await link_guardian_account(school.store, other.key, 0, "other-parent")
    headers = bearer(subject)
    own = await ask(http, headers, RECORD, id=global_id("Student", other.key))
    assert own["data"]["student"]["name"] == other.name
    (row,) = await school.store.database.collection(Transcript).find().to_list()
    (certificate,) = await school.store.database.mongo["certificates"].find().to_list()
    nodes = [global_id("Student", held.student), global_id("Transcript", row["_id"])]
    nodes.append(global_id("Certificate", certificate["_id"]))
    refusal = await ask(http, headers, RECORD, id=nodes[0])
    assert refusal["data"] == {"student": None}
    for key in nodes:
        assert (await ask(http, headers, NODE, id=key))["data"] == {"node": None}
    for path in (f"/transcripts/{nodes[1]}", f"/certificates/{nodes[2]}"):
        for suffix in (".pdf", ".json"):
            assert (await http.get(path + suffix, headers=headers)).status_code == 404
    answer = await ask(http, headers, ISSUE, **{"in": {"studentId": nodes[0], "purpose": "核对"}})
    assert answer["data"]["transcriptIssue"] == {
        "transcript": None,
        "errors": [{"code": "not_found", "field": "studentId"}],
    }
    history = await ask(
        http,
        headers,
        "{ auditEntries(first: 5, where: {subjectType: TRANSCRIPT}) { edges { node { kind } } } }",
    )
    assert row["number"] not in repr(history)
    assert "data" not in history or not (history["data"] or {}).get("auditEntries")


async def test_transcripts_over_graphql(school: School, http: httpx.AsyncClient, bearer: Any) -> None:
    held = await graded(school)
    key = global_id("Student", held.student)

    async def asked(subject: str, stated: str, **more: Any) -> Any:
        told = {"studentId": key, **more}
        return (await ask(http, bearer(subject, stated), ISSUE, **{"in": told}))["data"]["transcriptIssue"]

    first = await asked("director", "奖学金评审")
    assert first["errors"] == []
    assert (first["transcript"]["capacity"], first["transcript"]["purpose"]) == ("SCHOOL", "奖学金评审")
    made = (await asked("academic-affairs", "", purpose="转学"))["transcript"]
    assert (made["purpose"], made["studentId"], made["correctedSince"]) == ("转学", key, False)
    none = await asked("academic-affairs", "")
    assert none["errors"] == [{"code": "purpose_required", "field": "purpose"}]
    told = {"id": made["id"], "reason": "误发"}
    answer = await ask(http, bearer("academic-affairs", ""), REVOKE, **{"in": told})
    assert answer["data"]["transcriptRevoke"]["changeRequest"] == {"operation": "transcript.revoke"}
    answer = await ask(http, bearer("information"), REVOKE, **{"in": told})
    assert answer["data"]["transcriptRevoke"]["errors"][0]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("subject", "stated", "why"),
    [
        ("information", "核对", "NOT_PERMITTED"),
        ("logistics", "核对", "NOT_PERMITTED"),
        ("archive", "核对", "NOT_PERMITTED"),
        ("principal", "核对", "NOT_PERMITTED"),
        ("director", "", "PURPOSE_REQUIRED"),
    ],
)
async def test_who_does_not_read_the_grades_is_told_of_none(
    school: School, http: httpx.AsyncClient, bearer: Any, subject: str, stated: str, why: str
) -> None:
    held = await graded(school)
    made = await stored(school, await issue(school, held.student))
    query = "query ($id: ID!) { student(id: $id) { name transcripts { number purpose } } }"
    answer = await ask(http, bearer(subject, stated), query, id=global_id("Student", held.student))
    assert answer["data"]["student"]["transcripts"] is None
    (line,) = answer["extensions"]["redactions"]
    assert (line["field"], line["reason"]) == ("Student.transcripts", why)
    node = await ask(http, bearer(subject, stated), NODE, id=global_id("Transcript", made.key))
    assert node["data"] == {"node": None}
    assert made.number not in repr((answer, node))
