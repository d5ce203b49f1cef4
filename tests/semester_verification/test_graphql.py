"""Semester verification over GraphQL: the mutations, and what each viewer is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.semester_verification.listing import list_due
from schema.nodes import global_id
from tests.access.test_readings import events
from tests.crisis.test_graphql import run
from tests.school import PURPOSE, School
from tests.semester_verification.campaigns import (
    HOMEROOM,
    confirm,
    family,
    in_two_classes,
    item_in_class,
    item_of,
    report,
    running,
    settle,
    today,
)

OPEN = """
mutation ($input: VerificationOpenInput!) {
  verificationOpen(input: $input) {
    verificationCampaign { id title schoolYear term opensOn closesOn status fields statuses openedByName }
    errors { code field messageZh }
  }
}
"""
PROGRESS = "pageInfo { hasNextPage } edges { node { className total verified mismatch resolved pending } }"
CAMPAIGN = f"""
query ($id: ID!) {{
  verificationCampaign(id: $id) {{
    status viewerPending leftPending
    total {{ className total verified pending mismatch }}
    progress {{ {PROGRESS} }}
    items(first: 10) {{ edges {{ node {{
      id state className changedSince verifiedByName verifiedAs verifiedFields recordRevision
      student {{ name birthDate identityNumber }}
      kind found {{ field value }} note answer outcome reportedByName changeRequest {{ status }}
      auditHistory {{ edges {{ node {{ kind changes {{ field before after withheld }} }} }} }}
    }} }} }}
  }}
}}
"""
CONFIRM = """
mutation ($input: VerificationConfirmInput!) {
  verificationConfirm(input: $input) { verificationItems { id state verifiedAs } errors { code field messageEn } }
}
"""
REPORT = """
mutation ($input: VerificationReportMismatchInput!) {
  verificationReportMismatch(input: $input) {
    verificationItem { state kind found { field value } changeRequest { operation status } }
    errors { code field messageEn }
  }
}
"""
ITEM = """
query ($id: ID!) { node(id: $id) { ... on VerificationItem { state note answer found { field value } } } }
"""


def _campaign(key: ObjectId) -> str:
    return global_id("VerificationCampaign", key)


def _item(key: ObjectId) -> str:
    return global_id("VerificationItem", key)


async def test_a_campaign_by_mutations(school: School) -> None:
    await in_two_classes(school)
    day = today(school)
    asked = {
        "title": "上学期核验",
        "schoolYear": 2025,
        "term": 1,
        "opensOn": str(day),
        "closesOn": str(day + timedelta(days=20)),
        "fields": ["name", "birthDate", "identityNumber"],
    }
    data, _ = await run(school, "information", OPEN, input=asked)
    opened = data["verificationOpen"]
    assert opened["errors"] == []
    campaign = opened["verificationCampaign"]
    assert (campaign["status"], campaign["fields"]) == ("SCHEDULED", asked["fields"])
    data, _ = await run(school, "information", OPEN, input=asked)
    assert data["verificationOpen"]["errors"][0]["code"] == "duplicate"
    await list_due(school.store, school.store.clock.now())
    data, _ = await run(school, "teacher", CAMPAIGN, id=campaign["id"])
    shown = data["verificationCampaign"]
    assert (shown["status"], shown["viewerPending"], shown["total"]["total"]) == ("OPEN", 3, 3)
    ids = [edge["node"]["id"] for edge in shown["items"]["edges"]]
    data, _ = await run(school, "teacher", CONFIRM, input={"ids": ids[:2]})
    assert [item["state"] for item in data["verificationConfirm"]["verificationItems"]] == ["VERIFIED"] * 2
    found = [{"field": "name", "found": "李新名"}]
    data, _ = await run(school, "teacher", REPORT, input={"id": ids[2], "fields": found, "note": "户口簿"})
    reported = data["verificationReportMismatch"]
    assert reported["errors"] == []
    assert reported["verificationItem"]["found"] == [{"field": "name", "value": "李新名"}]
    data, _ = await run(school, "director", CAMPAIGN, id=campaign["id"])
    told = {
        edge["node"]["className"]: edge["node"] for edge in data["verificationCampaign"]["progress"]["edges"]
    }
    assert told[HOMEROOM] == {
        "className": HOMEROOM,
        "total": 3,
        "verified": 2,
        "mismatch": 1,
        "resolved": 0,
        "pending": 0,
    }
    assert len(told) == 2
    text = """mutation ($input: VerificationRequestCorrectionInput!) { verificationRequestCorrection(input: $input) {
        verificationItem { state changeRequest { operation status chain } } errors { code field } } }"""
    data, _ = await run(school, "information", text, input={"id": ids[2]})
    assert data["verificationRequestCorrection"]["errors"] == []
    item = data["verificationRequestCorrection"]["verificationItem"]
    assert item["changeRequest"]["operation"] == "student.update"
    for verb, more in (
        ("Extend", {"closesOn": str(day + timedelta(days=40))}),
        ("Close", {}),
        ("Cancel", {}),
    ):
        given = {"id": campaign["id"], "reason": "会议决定", **more}
        text = f"""mutation ($input: Verification{verb}Input!) {{ verification{verb}(input: $input) {{
            verificationCampaign {{ status closesOn leftPending }} errors {{ code field }} }} }}"""
        data, _ = await run(school, "director", text, input=given)
        answer = data[f"verification{verb}"]
        if verb == "Cancel":
            assert answer["errors"] == [{"code": "wrong_state", "field": "id"}]
        else:
            assert answer["errors"] == []
    assert answer["verificationCampaign"] is None
    text = "{ verificationCampaigns { edges { node { status leftPending leftMismatches } } } }"
    data, _ = await run(school, "director", text)
    (edge,) = data["verificationCampaigns"]["edges"]
    assert edge["node"] == {"status": "CLOSED", "leftPending": 3, "leftMismatches": 1}
    data, _ = await run(school, "teacher", text)
    (edge,) = data["verificationCampaigns"]["edges"]
    assert edge["node"] == {"status": "CLOSED", "leftPending": None, "leftMismatches": None}


async def test_a_call_has_a_limit(school: School) -> None:
    ids = [_item(ObjectId()) for _ in range(101)]
    data, _ = await run(school, "information", CONFIRM, input={"ids": ids})
    (error,) = data["verificationConfirm"]["errors"]
    assert (error["code"], error["field"]) == ("too_many", "ids")
    data, _ = await run(school, "information", CONFIRM, input={"ids": []})
    assert data["verificationConfirm"]["errors"][0]["code"] == "required"


# Items, progress by class, and how many await the viewer; the teacher is 班主任 of one class and teaches the other.
IN_SIGHT = {
    "director": (6, 2, 0),
    "information": (6, 2, 0),
    "archive": (6, 2, 0),
    "teacher": (3, 1, 3),
    "logistics": (0, 0, 0),
    "analysis": (0, 0, 0),
    "student": (1, 0, 1),
    "guardian": (1, 0, 1),
}


@pytest.mark.parametrize("subject", IN_SIGHT)
async def test_what_is_in_sight(school: School, subject: str) -> None:
    await family(school)
    campaign = await running(school)
    data, _ = await run(school, subject, CAMPAIGN, id=_campaign(campaign))
    shown = data["verificationCampaign"]
    items, classes, pending = IN_SIGHT[subject]
    assert len(shown["items"]["edges"]) == items
    assert len(shown["progress"]["edges"]) == classes
    assert shown["viewerPending"] == pending
    assert shown["total"]["total"] == (items if classes else 0)


async def test_a_service_sees_nothing(school: School) -> None:
    campaign = await running(school)
    data, _ = await run(school, "service", CAMPAIGN, id=_campaign(campaign))
    assert data["verificationCampaign"] is None
    data, _ = await run(school, "service", "{ verificationCampaigns { edges { node { id } } } }")
    assert data["verificationCampaigns"]["edges"] == []


async def test_filters_tell_nothing_of_others(school: School) -> None:
    campaign = await running(school)
    text = """query ($id: ID!) { verificationCampaign(id: $id) {
        items(first: 10, className: "2023级2班", state: PENDING) {
            edges { node { id } } pageInfo { hasNextPage } } } }"""
    data, _ = await run(school, "teacher", text, id=_campaign(campaign))
    assert data["verificationCampaign"]["items"] == {"edges": [], "pageInfo": {"hasNextPage": False}}
    data, _ = await run(school, "director", text, id=_campaign(campaign))
    assert len(data["verificationCampaign"]["items"]["edges"]) == 3


@pytest.mark.parametrize(
    ("subject", "birth_date", "identity_number"),
    [
        ("director", True, True),
        ("information", True, False),
        ("archive", True, False),
        ("academic-affairs", False, False),
        ("teacher", True, False),
        ("guardian", True, True),
    ],
)
async def test_found_values_by_the_right_on_the_field(
    school: School, subject: str, birth_date: bool, identity_number: bool
) -> None:
    await family(school)
    campaign = await running(school)
    item = await item_of(school, campaign, 0)
    number = "11010120110131001X"
    await report(school, "teacher", item.key, "另有隐情", birth_date="2011-01-31", identity_number=number)
    data, extensions = await run(school, subject, ITEM, PURPOSE, id=_item(item.key))
    shown = {held["field"]: held["value"] for held in data["node"]["found"]}
    expected = {
        "birthDate": "2011-01-31" if birth_date else None,
        "identityNumber": number if identity_number else None,
    }
    assert shown == expected
    redacted = {line["field"] for line in extensions.get("redactions", ())}
    assert ("VerificationFound.value" in redacted) is (None in expected.values())
    # The note is for those who handle it, for who wrote it, and for who reads sensitive values.
    reads_note = subject in ("director", "information", "teacher", "guardian")
    assert (data["node"]["note"] == "另有隐情") is reads_note
    if not reads_note:
        assert data["node"]["note"] is None
    history = """query ($id: ID!) { node(id: $id) { ... on VerificationItem {
        auditHistory { edges { node { kind changes { field before after withheld } } } } } } }"""
    data, _ = await run(school, subject, history, PURPOSE, id=_item(item.key))
    told = str(data["node"]["auditHistory"])
    assert (number in told) is identity_number
    assert ("另有隐情" in told) is identity_number


async def test_reading_what_was_found_is_recorded(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await report(school, "teacher", item.key, "户口簿", birth_date="2011-01-31")
    before = len(await events(school))
    data, _ = await run(school, "information", ITEM, id=_item(item.key))
    assert data["node"]["note"] == "户口簿"
    read = (await events(school))[before:]
    assert len(read) == 1
    data, _ = await run(school, "archive", "query ($id: ID!) { node(id: $id) { id } }", id=_item(item.key))
    assert len(await events(school)) == before + 1


async def test_a_sensitive_value_needs_a_purpose(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await report(school, "teacher", item.key, identity_number="11010120110131001X")
    data, extensions = await run(school, "director", ITEM, id=_item(item.key))
    assert data["node"]["found"] == [{"field": "identityNumber", "value": None}]
    reasons = {line["field"]: line["reason"] for line in extensions["redactions"]}
    assert reasons["VerificationFound.value"] == "PURPOSE_REQUIRED"


async def test_the_reporter_reads_the_answer(school: School) -> None:
    await family(school)
    campaign = await running(school)
    item = await item_of(school, campaign, 0)
    await report(school, "teacher", item.key, "户口簿", birth_date="2011-01-31")
    await settle(school, "information", item.key)
    for subject, reads in (("teacher", True), ("archive", False), ("student", True)):
        data, _ = await run(school, subject, ITEM, id=_item(item.key))
        assert (data["node"]["answer"] == "已核对户口簿") is reads, subject


async def test_out_of_sight_is_not_found(school: School) -> None:
    await family(school)
    campaign = await running(school)
    other = await item_of(school, campaign, 5)
    unknown = _item(ObjectId())
    for subject in ("teacher", "student"):
        answers: list[Any] = []
        for key in (_item(other.key), unknown):
            data, _ = await run(school, subject, CONFIRM, input={"ids": [key]})
            again, _ = await run(school, subject, REPORT, input={"id": key, "kind": "EMPTY_RECORD"})
            node, _ = await run(school, subject, ITEM, id=key)
            answers.append((data, again, node))
        assert answers[0] == answers[1]


async def test_a_change_of_the_record_shows(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await confirm(school, "teacher", item.key)
    student = await school.student(0)
    await school.approve("director", await school.request("information", student, student_source="2"))
    text = (
        "query ($id: ID!) { node(id: $id) { ... on VerificationItem { changedSince recordRevision state } } }"
    )
    data, _ = await run(school, "teacher", text, id=_item(item.key))
    assert data["node"] == {"changedSince": True, "recordRevision": 1, "state": "VERIFIED"}
