"""A campaign's life and what is said of its records: who may, what is recorded, who is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import ChangeRequest, Decision
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.notifications import list_notifications
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.semester_verification.corrections import follow_requests
from archive_store.semester_verification.documents import (
    ROLL,
    CampaignStatus,
    Capacity,
    ItemState,
    MismatchKind,
    MismatchOutcome,
    VerificationCampaign,
    VerificationItem,
)
from archive_store.semester_verification.jobs import close_ended, remind_of_end
from archive_store.semester_verification.listing import list_due
from archive_store.semester_verification.queries import items_by_id
from tests.crisis.teams import later
from tests.school import School
from tests.semester_verification.campaigns import (
    HOMEROOM,
    OTHER,
    act,
    campaign_of,
    confirm,
    correct,
    family,
    in_two_classes,
    item_in_class,
    item_of,
    open_campaign,
    report,
    running,
    seen,
    settle,
    today,
)


async def told(school: School, subject: str) -> list[str]:
    page = await list_notifications(school.store, await school.viewer(subject), first=50)
    kinds = [notice.kind for notice in page.rows if notice.kind.startswith("verification:")]
    return [kind.removeprefix("verification:") for kind in reversed(kinds)]


async def refused(school: School, step: Any) -> RegistrarError:
    """The answer to a step; nothing is written by it."""
    await in_two_classes(school)
    before = await school.documents()
    with pytest.raises(RegistrarError) as caught:
        await step
    assert await school.documents() == before
    return caught.value


async def test_a_whole_life(school: School) -> None:
    campaign = await open_campaign(school, "information")
    assert (await campaign_of(school, campaign)).status is CampaignStatus.SCHEDULED
    assert await seen(school, "director", campaign) == []
    assert await list_due(school.store, school.store.clock.now()) == 6
    assert (await campaign_of(school, campaign)).status is CampaignStatus.OPEN
    assert await told(school, "teacher") == ["opened"]
    own = await seen(school, "teacher", campaign)
    assert len(own) == 3
    await confirm(school, "teacher", *own)
    item = await item_in_class(school, campaign)
    teacher = await school.viewer("teacher")
    assert (item.state, item.verified_as, item.verified_by, item.verified_by_name, item.record_revision) == (
        ItemState.VERIFIED,
        Capacity.HOMEROOM_TEACHER,
        teacher.person_id,
        teacher.name,
        1,
    )
    # A homeroom teacher reads no sensitive (F3) value, so that they vouch for none.
    assert "birth_date" in item.verified_fields
    assert "identity_number" not in item.verified_fields
    await act(school, "director", "close", campaign)
    held = await campaign_of(school, campaign)
    assert (held.status, held.left_pending, held.left_mismatches) == (CampaignStatus.CLOSED, 3, 0)
    assert await told(school, "director") == ["closed_with_left"]
    rows = school.store.database.mongo[ENTRIES].find({"subject_id": campaign}).sort("sequence", 1)
    assert [row["kind"] async for row in rows] == [
        f"verification:{verb}" for verb in ("open", "begin", "close")
    ]
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_one_campaign_a_semester(school: School) -> None:
    first = await open_campaign(school)
    assert (await refused(school, open_campaign(school, "information"))).code is ErrorCode.DUPLICATE
    await open_campaign(school, term=2)
    await act(school, "director", "cancel", first)
    await open_campaign(school)
    assert (await campaign_of(school, first)).status is CampaignStatus.CANCELLED


@pytest.mark.parametrize("subject", ["teacher", "archive", "principal", "service"])
async def test_who_may_not_open(school: School, subject: str) -> None:
    assert (await refused(school, open_campaign(school, subject))).code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize("verb", ["close", "cancel", "extend"])
async def test_who_may_not_end(school: School, verb: str) -> None:
    campaign = await running(school)
    day = today(school) + timedelta(days=60)
    step = act(school, "information", verb, campaign, closes_on=day)
    assert (await refused(school, step)).code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"fields": ("name", "pseudonym")}, ErrorCode.UNKNOWN_FIELD, "fields.1"),
        ({"fields": ("person_id",)}, ErrorCode.UNKNOWN_FIELD, "fields.0"),
        ({"fields": ()}, None, "fields"),
        ({"term": 3}, None, "term"),
    ],
)
async def test_what_cannot_be_verified(
    school: School, changes: dict[str, Any], code: ErrorCode | None, field: str
) -> None:
    refusal = await refused(school, open_campaign(school, **changes))
    assert refusal.field == field
    assert code in (None, refusal.code)


async def test_days_must_follow_each_other(school: School) -> None:
    day = today(school)
    for opens, closes in ((day, day - timedelta(days=1)), (day, day + timedelta(days=400))):
        refusal = await refused(school, open_campaign(school, opens_on=opens, closes_on=closes))
        assert (refusal.code, refusal.field) == (ErrorCode.OUT_OF_RANGE, "closes_on")


async def test_only_those_named_are_listed(school: School) -> None:
    student = await school.student(0)
    await school.store.database.collection(type(student)).update_one(
        {"_id": student.key}, {"$set": {"status": "GRADUATED"}}
    )
    campaign = await running(school)
    items = school.store.database.mongo[ROLL]
    assert await items.count_documents({"campaign_id": campaign}) == 5
    other = await running(school, term=2, grades=("没有的年级",))
    assert await items.count_documents({"campaign_id": other}) == 0


async def test_the_family_verifies_its_own(school: School) -> None:
    await family(school)
    campaign = await running(school)
    item = await item_of(school, campaign, 0)
    for subject in ("student", "guardian"):
        assert await seen(school, subject, campaign) == [item.key]
    await confirm(school, "guardian", item.key)
    held = await item_of(school, campaign, 0)
    assert (held.state, held.verified_as) == (ItemState.VERIFIED, Capacity.GUARDIAN)
    assert "identity_number" in held.verified_fields
    other = await item_of(school, campaign, 1)
    assert (await refused(school, confirm(school, "student", other.key))).code is ErrorCode.NOT_FOUND


async def test_whose_word_does_not_count(school: School) -> None:
    campaign = await running(school)
    own, other = await item_in_class(school, campaign), await item_in_class(school, campaign, OTHER)
    for subject, item, code in (
        ("teacher", other, ErrorCode.NOT_FOUND),  # who only teaches the class
        ("archive", own, ErrorCode.FORBIDDEN),  # who sees it and does not verify
        ("logistics", own, ErrorCode.NOT_FOUND),
        ("analysis", own, ErrorCode.NOT_FOUND),
        ("service", own, ErrorCode.NOT_FOUND),
    ):
        assert (await refused(school, confirm(school, subject, item.key))).code is code
    refusal = await refused(school, confirm(school, "teacher", own.key, other.key))
    assert (refusal.code, refusal.field) == (ErrorCode.NOT_FOUND, "ids.1")


async def test_two_confirm_at_once(school: School) -> None:
    campaign = await running(school)
    own = await seen(school, "teacher", campaign)
    done = await asyncio.gather(
        confirm(school, "teacher", *own), confirm(school, "information", *own), return_exceptions=True
    )
    lost = [answer for answer in done if answer is not None]
    assert all(isinstance(error, RegistrarError) and error.code is ErrorCode.TRY_AGAIN for error in lost)
    assert len(lost) < 2
    confirmed = school.store.database.mongo[ENTRIES].find({"kind": "verification_item:confirm"})
    assert len(await confirmed.to_list()) == 3
    # Whoever was second and asks again leaves the first word as it is.
    before = await item_of(school, campaign, 0)
    await confirm(school, "information", *own)
    assert await item_of(school, campaign, 0) == before


async def test_a_record_changed_afterwards_shows(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    read_at = school.store.clock.now()
    await confirm(school, "teacher", item.key)
    viewer = await school.viewer("director")
    (view,) = await items_by_id(school.store, viewer, [item.key])
    assert view is not None and not view.has_changed_since
    students = [await school.student(position) for position in range(6)]
    student = next(held for held in students if held.key == item.student_id)
    request = await school.request("information", student, student_source="2")
    await school.approve("director", request)
    (view,) = await items_by_id(school.store, viewer, [item.key])
    assert view is not None and view.has_changed_since
    refusal = await refused(school, confirm(school, "teacher", item.key, seen_at=read_at))
    assert (refusal.code, refusal.field) == (ErrorCode.CONFLICT, "ids.0")
    await confirm(school, "teacher", item.key)
    (view,) = await items_by_id(school.store, viewer, [item.key])
    assert view is not None and not view.has_changed_since


async def test_a_reported_mismatch_becomes_a_request(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await report(school, "teacher", item.key, "户口簿上不同", grade="八年级")
    assert await told(school, "information") == ["mismatch_reported"]
    assert await school.store.database.collection(ChangeRequest).count_documents({}) == 0
    refusal = await refused(school, confirm(school, "teacher", item.key))
    assert (refusal.code, refusal.field) == (ErrorCode.WRONG_STATE, "ids.0")
    await correct(school, "information", item.key)
    assert (await refused(school, correct(school, "information", item.key))).code is ErrorCode.WRONG_STATE
    assert (await refused(school, settle(school, "information", item.key))).code is ErrorCode.WRONG_STATE
    held = await _state(school, item.key)
    request = await school.store.database.collection(ChangeRequest).find_one({"_id": held["request_id"]})
    assert request is not None
    assert (request["operation"], request["fields"]) == ("student.update", ["grade"])
    assert await follow_requests(school.store, school.store.clock.now()) == 0
    await school.approve("director", held["request_id"])
    assert await follow_requests(school.store, school.store.clock.now()) == 1
    held = await _state(school, item.key)
    assert (held["state"], held["outcome"], held["record_revision"]) == ("RESOLVED", "APPLIED", 2)
    assert (await told(school, "teacher"))[-1] == "resolved"
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def _state(school: School, item: ObjectId) -> dict[str, Any]:
    row = await school.store.database.collection(VerificationItem).find_one({"_id": item})
    assert row is not None
    return row


@pytest.mark.parametrize("decision", [Decision.REJECTED, None])
async def test_a_request_that_fails_gives_the_record_back(school: School, decision: Decision | None) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await report(school, "information", item.key, grade="八年级")
    held = await _state(school, item.key)
    assert (held["state"], held["reported_as"]) == ("MISMATCH", "INFORMATION_GROUP")
    assert await told(school, "information") == []
    if decision is None:
        from archive_store.approvals.requests import withdraw

        await withdraw(school.store, await school.viewer("information"), held["request_id"])
    else:
        director = await school.viewer("director")
        await decide(school.store, director, held["request_id"], decision, comment="登记无误")
    assert await follow_requests(school.store, school.store.clock.now()) == 1
    held = await _state(school, item.key)
    outcome = MismatchOutcome.WITHDRAWN if decision is None else MismatchOutcome.REJECTED
    assert (held["state"], held["outcome"]) == ("PENDING", outcome.value)
    assert await told(school, "information") == ["returned"]
    await confirm(school, "teacher", item.key)
    assert (await _state(school, item.key))["state"] == "VERIFIED"


async def test_request_and_report_are_one(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the item cannot be written, there is no request either."""
    from archive_store.semester_verification import reports

    campaign = await running(school)
    item = await item_in_class(school, campaign)

    async def fails(*_: Any) -> None:
        raise RegistrarError(ErrorCode.TRY_AGAIN)

    monkeypatch.setattr(reports, "write_item", fails)
    assert (
        await refused(school, report(school, "information", item.key, grade="八年级"))
    ).code is ErrorCode.TRY_AGAIN


async def test_a_value_that_no_record_could_hold(school: School) -> None:
    campaign = await running(school, fields=("name", "birth_date", "identity_number", "phone", "gender"))
    item = await item_in_class(school, campaign)
    for subject in ("teacher", "information"):
        for found in (
            {"birth_date": "昨天"},
            {"gender": "7"},
            {"phone": "12"},
            {"name": "=1+1"},
            {"grade": "八"},
        ):
            assert await refused(school, report(school, subject, item.key, **found))
    assert await refused(school, report(school, "teacher", item.key))
    assert await refused(school, report(school, "teacher", item.key, kind="EMPTY_RECORD", name="李"))


async def test_a_guess_at_a_value_is_not_confirmed(school: School) -> None:
    """The report of a value that the reporter may not read is taken, whether it is the record's or not."""
    campaign = await running(school, fields=("identity_number",))
    item = await item_in_class(school, campaign)
    students = [await school.student(position) for position in range(6)]
    student = next(held for held in students if held.key == item.student_id)
    assert student.identity_number is not None
    await report(school, "teacher", item.key, identity_number=student.identity_number)
    assert (await _state(school, item.key))["state"] == "MISMATCH"


async def test_an_empty_record_is_settled(school: School) -> None:
    await family(school)
    campaign = await running(school)
    item = await item_of(school, campaign, 0)
    await report(school, "guardian", item.key, "本人从未就读", kind=MismatchKind.EMPTY_RECORD)
    assert (await refused(school, correct(school, "information", item.key))).code is ErrorCode.REQUIRED
    for subject in ("teacher", "archive", "guardian"):
        assert (await refused(school, settle(school, subject, item.key))).code is ErrorCode.FORBIDDEN
    await settle(school, "information", item.key, is_resolved=False)
    assert (await item_of(school, campaign, 0)).state is ItemState.PENDING
    assert (await told(school, "guardian"))[-1] == "returned"
    await report(school, "guardian", item.key, kind=MismatchKind.EMPTY_RECORD)
    await settle(school, "director", item.key)
    held = await item_of(school, campaign, 0)
    assert (held.state, held.outcome) == (ItemState.RESOLVED, MismatchOutcome.SETTLED)


async def test_outside_of_its_time_nothing_is_said(school: School) -> None:
    campaign = await running(school)
    own = await seen(school, "teacher", campaign)
    await report(school, "teacher", own[1], grade="八年级")
    await act(school, "director", "close", campaign)
    assert (await refused(school, confirm(school, "teacher", own[0]))).code is ErrorCode.WRONG_STATE
    assert (
        await refused(school, report(school, "teacher", own[0], grade="八"))
    ).code is ErrorCode.WRONG_STATE
    # What was reported is still handled.
    await settle(school, "information", own[1])
    await act(school, "director", "extend", campaign, closes_on=today(school) + timedelta(days=60))
    held = await campaign_of(school, campaign)
    assert (held.status, held.left_pending, held.closed_at) == (CampaignStatus.OPEN, None, None)
    await confirm(school, "teacher", own[0])


async def test_the_clock_reminds_and_closes(school: School) -> None:
    campaign = await running(school)
    assert await remind_of_end(school.store, school.store.clock.now()) == 0
    near = later(school, days=29)
    assert await remind_of_end(near.store, near.store.clock.now()) == 1
    assert await remind_of_end(near.store, near.store.clock.now()) == 0
    assert await told(school, "teacher") == ["opened", "closes_soon"]
    assert await close_ended(near.store, near.store.clock.now()) == 0
    over = later(school, days=31)
    assert await close_ended(over.store, over.store.clock.now()) == 1
    assert await close_ended(over.store, over.store.clock.now()) == 0
    held = await campaign_of(school, campaign)
    assert (held.status, held.closed_by_name, held.left_pending) == (CampaignStatus.CLOSED, "clock", 6)
    assert await told(school, "director") == ["closed_with_left"]


async def test_who_verified_all_is_not_reminded(school: School) -> None:
    campaign = await running(school)
    await confirm(school, "teacher", *await seen(school, "teacher", campaign, class_name=HOMEROOM))
    near = later(school, days=29)
    assert await remind_of_end(near.store, near.store.clock.now()) == 1
    assert await told(school, "teacher") == ["opened"]
    assert await told(school, "information") == ["closes_soon"]


async def test_found_values_are_encrypted_at_rest(school: School) -> None:
    campaign = await running(school)
    item = await item_in_class(school, campaign)
    await report(school, "teacher", item.key, "户口簿上不同", grade="八年级")
    row = await _state(school, item.key)
    assert row["found"][0]["field"] == "grade"
    assert [row["found"][0]["value"].subtype, row["note"].subtype] == [6, 6]
    assert await school.store.database.collection(VerificationCampaign).count_documents({}) == 1
