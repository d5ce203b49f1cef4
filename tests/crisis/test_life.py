"""A team's whole life: who may do what when, what is recorded, who is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.notifications import list_notifications
from archive_store.audit.verification import verify_history
from archive_store.crisis.documents import CrisisTeam, CrisisTeamStatus
from archive_store.crisis.queries import list_teams
from archive_store.crisis.reviews import mark_reviews_due, stand_down_ended
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from tests.crisis.teams import OCCASION, REVIEW, act, form, key, later, lent, named, stored
from tests.school import School


async def told(school: School, subject: str) -> list[str]:
    page = await list_notifications(school.store, await school.viewer(subject), first=50)
    kinds = [notice.kind for notice in page.rows if notice.kind.startswith("crisis_team:")]
    return [kind.removeprefix("crisis_team:") for kind in reversed(kinds)]


async def refusal(school: School, subject: str, action: str, team: ObjectId, **values: Any) -> ErrorCode:
    """The answer to an action; nothing is written by it."""
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await act(school, subject, action, team, **values)
    assert await school.counts() == before
    return caught.value.code


async def test_a_whole_life(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    await act(school, "teacher", "stand_down", team)
    await act(school, "teacher", "submit_review", team)
    await act(school, "teacher", "submit_review", team, lessons="每月核对一次")
    await act(school, "vice-principal", "close", team)
    held = await stored(school, team)
    assert held.status is CrisisTeamStatus.CLOSED
    assert [review.lessons for review in held.reviews] == [REVIEW["lessons"], "每月核对一次"]
    today = school_day(school.store.clock.now())
    assert held.valid_to is not None and held.review_due is not None
    assert ((held.valid_to - today).days, (held.review_due - today).days) == (10, 7)
    rows = school.store.database.mongo[ENTRIES].find({"subject_id": team}).sort("sequence", 1)
    kinds = ["form", "activate", "stand_down", "submit_review", "amend_review", "close"]
    assert [row["kind"] async for row in rows] == [f"crisis_team:{kind}" for kind in kinds]
    assert (await verify_history(school.store, RECORD_TYPES)).sound
    life = ["formed", "activated", "stood_down", "review_submitted", "review_amended", "closed"]
    for subject in ("logistics", "teacher", "principal", "vice-principal"):
        assert await told(school, subject) == life
    assert await told(school, "information") == []


async def test_its_texts_are_encrypted_at_rest(school: School) -> None:
    team = await form(school)
    await act(school, "principal", "activate", team)
    await act(school, "principal", "stand_down", team)
    await act(school, "teacher", "submit_review", team)
    raw = await school.store.database.collection(CrisisTeam).find_one({"_id": team})
    assert raw is not None
    sealed = [raw["occasion"], raw["reviews"][0]["findings"], raw["reviews"][0]["lessons"]]
    assert all(value.subtype == 6 for value in sealed)
    held = await stored(school, team)
    assert (held.occasion, held.reviews[0].findings) == (OCCASION, REVIEW["findings"])


STEPS = ("activate", "stand_down", "submit_review", "close")
WHO = {
    "activate": "vice-principal",
    "stand_down": "teacher",
    "submit_review": "teacher",
    "close": "vice-principal",
}


@pytest.mark.parametrize("done", range(5))
async def test_every_transition_that_is_none(school: School, done: int) -> None:
    team = await form(school)
    for action in STEPS[:done]:
        await act(school, WHO[action], action, team)
    # A review may be amended until the team is closed, and is asked for before it is closed.
    allowed = {0: {"activate", "change_members"}, 1: {"stand_down", "change_members"}, 2: {"submit_review"}}
    allowed |= {3: {"submit_review", "close"}, 4: set()}
    for action in {*STEPS, "change_members"} - allowed[done]:
        expected = ErrorCode.REQUIRED if (done, action) == (2, "close") else ErrorCode.WRONG_STATE
        assert await refusal(school, WHO.get(action, "principal"), action, team) is expected, action


@pytest.mark.parametrize(
    ("action", "done", "allowed"),
    [
        ("activate", 0, {"vice-principal", "principal"}),
        ("change_members", 1, {"vice-principal", "principal"}),
        ("stand_down", 1, {"vice-principal", "principal", "teacher"}),
        ("submit_review", 2, {"teacher"}),
        ("close", 3, {"vice-principal", "principal"}),
    ],
)
async def test_every_person_who_may_not(school: School, action: str, done: int, allowed: set[str]) -> None:
    team = await form(school)
    for earlier in STEPS[:done]:
        await act(school, WHO[earlier], earlier, team)
    everyone = {"director", "deputy-1", "information", "analysis", "archive", "vice-principal", "principal"}
    everyone |= {"academic-affairs", "logistics", "teacher", "service"}
    for subject in sorted(everyone - allowed):
        expected = {ErrorCode.FORBIDDEN, ErrorCode.NOT_FOUND}
        if subject in {"logistics", "director", "vice-principal", "principal", "teacher"}:  # who see the team
            expected = {ErrorCode.FORBIDDEN}
        assert await refusal(school, subject, action, team) in expected, subject


async def test_the_author_of_the_review_does_not_close_it(school: School) -> None:
    members = await named(school, logistics={})
    team = await form(school, leader="vice-principal", members=members)
    await act(school, "vice-principal", "activate", team)
    await act(school, "vice-principal", "stand_down", team)
    await act(school, "vice-principal", "submit_review", team)
    assert await refusal(school, "vice-principal", "close", team) is ErrorCode.SELF_APPROVAL
    await act(school, "principal", "close", team)


async def test_a_principal_who_is_alone_closes_it(school: School) -> None:
    team = await form(school, by="principal", leader="principal", members=await named(school, logistics={}))
    for action in STEPS:
        await act(school, "principal", action, team)
    assert (await stored(school, team)).status is CrisisTeamStatus.CLOSED


async def test_who_took_over_from_a_leader_who_left(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    await act(school, "vice-principal", "stand_down", team)
    assert await refusal(school, "vice-principal", "submit_review", team) is ErrorCode.FORBIDDEN
    await school.store.database.mongo["role_grants"].update_many(
        {"person_id": await key(school, "teacher")}, {"$set": {"valid_to": "2024-01-01"}}
    )
    await act(school, "vice-principal", "submit_review", team)
    await act(school, "principal", "close", team)


@pytest.mark.parametrize("subject", ["director", "deputy-1", "information", "teacher", "service"])
async def test_who_may_not_form_one(school: School, subject: str) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await form(school, by=subject)
    assert caught.value.code is ErrorCode.FORBIDDEN
    assert await school.counts() == before


async def test_what_cannot_be_formed(school: School) -> None:
    student = await school.student()
    unknown = {"person_id": ObjectId()}
    cases: list[tuple[dict[str, Any], ErrorCode, str]] = [
        ({"days": 31}, ErrorCode.OUT_OF_RANGE, "days"),
        ({"title": " "}, ErrorCode.REQUIRED, "title"),
        ({"title": "两\n行"}, ErrorCode.INVALID_ARGUMENT, "title"),
        ({"occasion": "x" * 2001}, ErrorCode.TOO_LONG, "occasion"),
        ({"leader_id": await key(school, "archive")}, ErrorCode.INVALID_ARGUMENT, "leader_id"),
        ({"leader_id": ObjectId()}, ErrorCode.NOT_FOUND, "leader_id"),
        ({"members": (unknown,)}, ErrorCode.NOT_FOUND, "members.0.person_id"),
        ({"members": await named(school, service={})}, ErrorCode.NOT_FOUND, "members.0.person_id"),
        (
            {"members": await named(school, teacher={"posts": (Post.DIRECTOR,)})},
            ErrorCode.FORBIDDEN,
            "members.0.posts",
        ),
        (
            {"members": await named(school, teacher={}, analysis={"posts": (Post.LOGISTICS,)})},
            ErrorCode.FORBIDDEN,
            "members.1",
        ),
        (
            {"members": await named(school, teacher={}, vice_principal={"retrievals": (lent(student.key),)})},
            ErrorCode.SELF_APPROVAL,
            "members.1",
        ),
        (
            {"members": await named(school, teacher={"retrievals": (lent(ObjectId()),)})},
            ErrorCode.NOT_FOUND,
            "members.retrievals.student_id",
        ),
    ]
    before = await school.counts()
    for changes, code, field in cases:
        with pytest.raises(RegistrarError) as caught:
            await form(school, **changes)
        assert (caught.value.code, caught.value.field) == (code, field)
    assert await school.counts() == before


async def test_an_analyst_may_belong_to_it_without_being_lent_anything(school: School) -> None:
    team = await form(school, members=await named(school, teacher={}, analysis={}))
    assert len((await stored(school, team)).members) == 2


async def test_two_stand_downs_at_once(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    results = await asyncio.gather(
        *(act(school, subject, "stand_down", team) for subject in ("teacher", "vice-principal", "principal")),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, RegistrarError)]
    assert len(refused) == 2
    assert {error.code for error in refused} <= {ErrorCode.WRONG_STATE, ErrorCode.TRY_AGAIN}
    query = {"subject_id": team, "kind": "crisis_team:stand_down"}
    assert await school.store.database.mongo[ENTRIES].count_documents(query) == 1


async def test_an_activation_and_a_change_of_members_at_once_leave_no_stray_grant(school: School) -> None:
    team = await form(school)
    await asyncio.gather(
        act(school, "vice-principal", "activate", team),
        act(school, "principal", "change_members", team, members=await named(school, teacher={})),
        return_exceptions=True,
    )
    grants = school.store.database.collection(RetrievalGrant)
    open_now = await grants.count_documents({"expires_at": {"$gt": school.store.clock.now()}})
    held = await stored(school, team)
    assert open_now == sum(len(member.retrievals) for member in held.members)


async def test_a_missing_review_is_reminded_of_once_and_shown_as_overdue(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    await act(school, "vice-principal", "stand_down", team)
    for days, marked, overdue in ((6, 0, False), (7, 1, False), (7, 0, False), (8, 0, True)):
        then = later(school, days=days)
        assert await mark_reviews_due(then.store, then.store.clock.now()) == marked
        principal = await then.viewer("principal")
        for wanted in (True, False):
            page = await list_teams(then.store, principal, first=5, review_overdue=wanted)
            assert [view.is_review_overdue for view in page.rows] == [overdue] * (wanted is overdue)
    assert (await stored(school, team)).status is CrisisTeamStatus.REVIEW_DUE
    assert [
        (await told(school, subject)).count("review_due") for subject in ("teacher", "vice-principal")
    ] == [
        1,
        1,
    ]
    assert "review_due" not in await told(school, "logistics")
    much_later = later(school, days=20)
    await act(much_later, "teacher", "submit_review", team)
    page = await list_teams(much_later.store, await much_later.viewer("director"), first=5)
    assert [view.is_review_overdue for view in page.rows] == [False]
    await act(much_later, "principal", "close", team)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_reviewed_team_is_not_reminded(school: School) -> None:
    team = await form(school)
    for action in STEPS[:3]:
        await act(school, WHO[action], action, team)
    assert await mark_reviews_due(school.store, later(school, days=30).store.clock.now()) == 0


async def test_two_clocks_at_once_remind_once(school: School) -> None:
    team = await form(school)
    for action in STEPS[:2]:
        await act(school, WHO[action], action, team)
    now = later(school, days=9).store.clock.now()
    assert sum(await asyncio.gather(*(mark_reviews_due(school.store, now) for _ in range(3)))) == 1


async def test_a_forgotten_team_is_stood_down(school: School) -> None:
    team = await form(school)
    await act(school, "vice-principal", "activate", team)
    last = later(school, days=10)
    assert await stand_down_ended(last.store, last.store.clock.now()) == 0
    over = later(school, days=11)
    assert await stand_down_ended(over.store, over.store.clock.now()) == 1
    held = await stored(school, team)
    assert held.status is CrisisTeamStatus.STOOD_DOWN
    assert held.review_due is not None and held.valid_to is not None
    assert (held.review_due - held.valid_to).days == 8


async def test_who_sees_teams(school: School) -> None:
    await form(school)
    seen = {}
    for subject in (
        "logistics",
        "teacher",
        "vice-principal",
        "principal",
        "director",
        "information",
        "service",
    ):
        seen[subject] = len((await list_teams(school.store, await school.viewer(subject), first=5)).rows)
    assert [subject for subject, count in seen.items() if not count] == ["information", "service"]
