"""What is refused by GraphQL, and that nothing is written by it: skipped steps, seats, posts, late answers, batches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.admission.corrections import tell_overdue
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from schema.nodes import global_id
from tests.admission.asking import MOVE, ask, move_all, progress, step
from tests.admission.cases import act, add_papers, await_confirmation, open_case, pass_review, review, stored
from tests.admission.test_over_graphql import APPROVE, CORRECT, case, named, tasks
from tests.crisis.teams import later
from tests.school import School

SUBMIT = ("admissionCaseSubmit", "AdmissionCaseInput")
ENTER = ("admissionCaseEnter", "AdmissionCaseInput")
CALL = ("admissionCaseCallConfirmation", "AdmissionCaseInput")
REOPEN = ("admissionCaseReopen", "AdmissionCaseInput")
REVIEW = ("admissionCaseReview", "AdmissionCaseReviewInput")
CONFIRM = ("admissionCaseConfirm", "AdmissionCaseConfirmInput")
OBJECT = ("admissionCaseObject", "AdmissionCaseObjectInput")
REJECT = """mutation ($id: ID!) { changeRequestReject(input: {id: $id, comment: "证件不符"}) {
    changeRequest { status } errors { code } } }"""


async def refused(
    school: School, subject: str, kind: tuple[str, str], **given: Any
) -> tuple[str, str | None]:
    """Code and field of the one error; nothing is written by it, and no case is shown."""
    before = await school.documents()
    payload = await step(school, subject, *kind, **given)
    assert await school.documents() == before
    assert payload["admissionCase"] is None
    (error,) = payload["errors"]
    assert error["messageZh"] and error["messageEn"]
    return error["code"], error["field"]


async def test_no_step_is_skipped(school: School) -> None:
    key = await open_case(school)
    spoken: dict[str, Any] = {"id": named(key), "saidBy": "新生1"}
    objections = [{"field": "phone", "statement": "不对"}]
    late: tuple[tuple[str, tuple[str, str], dict[str, Any]], ...] = (
        ("director", REVIEW, {"id": named(key), "passed": True}),
        ("director", REOPEN, {"id": named(key)}),
        ("information", ENTER, {"id": named(key)}),
        ("information", CALL, {"id": named(key)}),
        ("information", CONFIRM, spoken),
        ("information", OBJECT, spoken | {"objections": objections}),
    )
    for subject, kind, given in late:
        assert await refused(school, subject, kind, **given) == ("wrong_state", "id"), kind
    assert await refused(school, "information", SUBMIT, id=named(key)) == ("required", "evidence.户口簿")
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    amend = ("admissionCaseAmend", "AdmissionCaseAmendInput")
    given = {"id": named(key), "applicant": {"nativePlace": "北京"}}
    assert await refused(school, "information", amend, **given) == ("wrong_state", "id")


async def test_one_seat_is_not_two(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    given: dict[str, Any] = {"id": named(key), "passed": True}
    # Who submitted has no seat, nor has a deputy whose line is another.
    for subject in ("information", "admissions", "archive", "deputy-1", "vice-principal", "principal"):
        assert (await refused(school, subject, REVIEW, **given))[0] == "forbidden", subject
    assert (await step(school, "academic-affairs", *REVIEW, **given))["errors"] == []
    assert (await refused(school, "academic-affairs", REVIEW, **given))[0] == "self_approval"
    assert await refused(school, "information", ENTER, id=named(key)) == ("wrong_state", "id")
    # Who finds against it says why.
    against = {"id": named(key), "passed": False}
    assert await refused(school, "director", REVIEW, **against) == ("required", "comment")
    assert (await stored(school, key)).status == "IN_REVIEW"


async def test_the_information_group_alone_enters(school: School) -> None:
    await await_confirmation(school, 2)  # whose family `child` and `parent` are
    key = await open_case(school)
    await add_papers(school, key)
    await pass_review(school, key)
    posts = (
        "director",
        "academic-affairs",
        "admissions",
        "archive",
        "vice-principal",
        "principal",
        "logistics",
    )
    for subject in posts:
        assert (await refused(school, subject, ENTER, id=named(key)))[0] == "forbidden", subject
        seen = await case(school, subject, key)
        assert (
            seen["enter"] == {"allowed": False, "reason": {"code": "forbidden"}} and seen["student"] is None
        )
    # Whom a post or a tie does not show it is not told that it is there.
    for subject in ("teacher", "child", "parent"):
        assert (await refused(school, subject, ENTER, id=named(key)))[0] in ("forbidden", "not_found"), (
            subject
        )
        assert await case(school, subject, key) is None
    entered = await step(school, "information", *ENTER, id=named(key))
    assert entered["errors"] == [] and entered["admissionCase"]["status"] == "ENTERED"
    assert await refused(school, "information", ENTER, id=named(key)) == ("wrong_state", "id")


async def test_what_is_objected_to_is_not_confirmed_before_it_is_answered(school: School) -> None:
    key = await await_confirmation(school)
    wrong = {"field": "phone", "statement": "号码不对"}
    for objections, expected in (
        ([{"field": "shoeSize", "statement": "不对"}], ("unknown_field", "objections.0")),
        ([wrong, wrong], ("duplicate", "objections.1")),
        ([wrong | {"proposed": {"email": "a@b.cn"}}], ("unknown_field", "objections.0.proposed")),
        ([], ("invalid_argument", "objections")),
    ):
        got = await refused(school, "parent", OBJECT, id=named(key), objections=objections)
        assert got == expected, objections
    assert (await refused(school, "director", OBJECT, id=named(key), objections=[wrong]))[0] == "forbidden"
    assert (await step(school, "parent", *OBJECT, id=named(key), objections=[wrong]))["errors"] == []
    again = await refused(school, "child", OBJECT, id=named(key), objections=[wrong])
    assert again == ("duplicate", "objections.0.field")
    assert await refused(school, "parent", CONFIRM, id=named(key)) == ("wrong_state", "fields")
    part = await refused(school, "parent", CONFIRM, id=named(key), fields=["name", "phone"])
    assert part == ("wrong_state", "fields.1")
    given = {
        "id": named(key),
        "changes": {"phone": "13900009999"},
        "answers": [{"field": "phone", "isCorrected": True}],
        "reason": "家长异议",
    }
    payload = (await ask(school, "information", CORRECT, input=given))["admissionCaseCorrect"]
    rejected = await ask(school, "director", REJECT, id=payload["changeRequest"]["id"])
    assert rejected["changeRequestReject"]["changeRequest"]["status"] == "REJECTED"
    assert (await case(school, "parent", key))["status"] == "OBJECTED"
    payload = (await ask(school, "information", CORRECT, input=given))["admissionCaseCorrect"]
    await ask(school, "director", APPROVE, id=payload["changeRequest"]["id"])
    confirmed = await step(school, "parent", *CONFIRM, id=named(key))
    assert confirmed["admissionCase"]["status"] == "CONFIRMED"
    assert (await refused(school, "parent", OBJECT, id=named(key), objections=[wrong]))[0] == "wrong_state"
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_correction_that_is_late(school: School) -> None:
    key = await await_confirmation(school)
    await open_case(school, 2)
    wrong = [{"field": "phone", "statement": "号码不对"}]
    assert (await step(school, "parent", *OBJECT, id=named(key), objections=wrong))["errors"] == []
    seen = await case(school, "parent", key)
    assert seen["dueAt"] and seen["isOverdue"] is False
    assert await progress(school, isOverdue=True) == {}
    assert await tasks(school, "information") == [("ADMISSION_CORRECTION", named(key))]
    due = (await stored(school, key)).due_at
    assert due is not None
    late = later(school, seconds=(due - school.store.clock.now() + timedelta(minutes=1)).total_seconds())
    assert (await case(late, "director", key))["isOverdue"] is True
    assert await progress(late, isOverdue=True) == {"OBJECTED": 1}
    assert await progress(late, isOverdue=False) == {"COLLECTING": 1}
    assert await tell_overdue(late.store, late.store.clock.now()) == 1
    told = "{ notifications(first: 20) { edges { node { kind subjectId } } } }"
    notes = (await ask(late, "director", told))["notifications"]["edges"]
    found = [(edge["node"]["kind"], edge["node"]["subjectId"]) for edge in notes]
    assert ("admission:overdue", named(key)) in found


async def test_a_batch_says_of_each_case_what_became_of_it(school: School) -> None:
    ready, missing = await open_case(school, 1), await open_case(school, 2)
    await add_papers(school, ready)
    given = {"step": "SUBMIT", "ids": [named(missing), named(ready), named(ready), named(ObjectId())]}
    payload = (await ask(school, "information", MOVE, input=given))["admissionCasesMove"]
    assert payload["moved"] == [named(ready)] and payload["errors"] == [] and payload["hasNext"] is False
    told = {line["admissionCaseId"]: line["errors"] for line in payload["refused"]}
    assert told.pop(named(missing)) == [{"code": "required", "field": "evidence.户口簿"}]
    assert [error["code"] for (error,) in told.values()] == ["not_found"]
    assert (await stored(school, missing)).status == "COLLECTING"


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({}, "invalid_argument", "ids"),
        ({"ids": [], "where": {}}, "invalid_argument", "ids"),
        ({"ids": [named(ObjectId()) for _ in range(201)]}, "too_many", "ids"),
        ({"ids": [global_id("Student", ObjectId())]}, "not_found", "ids.0"),
        ({"where": {"batch": "第1批" * 100}}, "too_long", "where.batch"),
    ],
)
async def test_a_batch_that_is_none(school: School, given: Any, code: str, field: str) -> None:
    before = await school.documents()
    payload = (await ask(school, "information", MOVE, input={"step": "SUBMIT"} | given))["admissionCasesMove"]
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [(code, field)]
    assert await school.documents() == before


async def test_a_family_moves_its_own_case_alone(school: School) -> None:
    own, other = await await_confirmation(school), await open_case(school, 2)
    before = await school.documents()
    # Neither by filter nor by id, whatever the state that it is in.
    assert await move_all(school, "parent", "SUBMIT", cohort=2026) == (0, [])
    given = {"step": "CONFIRM", "ids": [named(other)]}
    payload = (await ask(school, "parent", MOVE, input=given))["admissionCasesMove"]
    assert [line["errors"][0]["code"] for line in payload["refused"]] == ["not_found"]
    assert await school.documents() == before
    assert await move_all(school, "parent", "CONFIRM", cohort=2026) == (1, [])
    assert (await stored(school, own)).confirmed_as == "GUARDIAN"


async def test_a_signature_in_the_next_round_is_of_the_next_round(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    await review(school, "director", key)
    digest = (await case(school, "academic-affairs", key))["reviewDigest"]
    await review(school, "academic-affairs", key, passed=False)
    assert await tasks(school, "admissions") == [("ADMISSION_COLLECTION", named(key))]
    assert (await step(school, "admissions", *REOPEN, id=named(key)))["errors"] == []
    await act(school, "information", "submit", key)
    # What was read in the round before is not what is signed now.
    stale = await refused(school, "academic-affairs", REVIEW, id=named(key), passed=True, digest=digest)
    assert stale == ("conflict", "digest")
    assert await refused(school, "information", ENTER, id=named(key)) == ("wrong_state", "id")
