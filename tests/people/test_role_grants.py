"""Posts: seats, terms, and the conditions of a grant (policy §二(二))."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.store import Store
from archive_store.people.documents import Person, RoleGrant
from archive_store.people.operations import RoleGrantGive, install, is_installed
from archive_store.people.seats import in_force, seats_taken
from tests.school import School


def grant(post: Post, start: str, end: str | None = None) -> dict[str, Any]:
    return {
        "post": post,
        "valid_from": start,
        "valid_to": end,
        "qualified": True,
        "confidentiality_undertaken": True,
    }


async def give(school: School, person_id: ObjectId, told: dict[str, Any]) -> ObjectId:
    payload = payload_of(RoleGrantGive, {"person_id": person_id, **told})
    outcome = await perform(
        school.store, await school.viewer("director"), "role_grant.give", payload, reason="轮岗"
    )
    assert outcome.change_request_id is not None
    return outcome.change_request_id


async def test_a_grant_needs_two_tiers_and_then_counts(school: School) -> None:
    archivist = await school.viewer("archive")
    told = grant(Post.INFORMATION_GROUP, "2026-01-01", "2099-12-31") | {"kind": "ROTATION"}
    payload = payload_of(RoleGrantGive, {"person_id": archivist.person_id, **told})
    deputy = await school.viewer("deputy-1")
    outcome = await perform(school.store, deputy, "role_grant.give", payload, reason="轮岗")
    assert outcome.change_request_id is not None
    await school.approve("director", outcome.change_request_id)
    assert Post.INFORMATION_GROUP not in (await school.viewer("archive")).posts
    await school.approve("vice-principal", outcome.change_request_id)
    assert (await school.viewer("archive")).posts == {Post.ARCHIVE_GROUP, Post.INFORMATION_GROUP}


async def test_an_ended_grant_counts_no_more(school: School) -> None:
    teacher = await school.viewer("teacher")
    grants = school.store.database.collection(RoleGrant)
    await grants.update_one({"person_id": teacher.person_id}, {"$set": {"valid_to": "2024-07-31"}})
    assert (await school.viewer("teacher")).posts == frozenset()


async def test_two_grants_of_the_last_seat_at_once_give_it_once(school: School) -> None:
    grants = school.store.database.collection(RoleGrant)
    await grants.update_one({"business_line": "档案管理"}, {"$set": {"valid_to": "2024-07-31"}})
    people = [(await school.viewer(subject)).person_id for subject in ("archive", "analysis")]
    deputy = await school.viewer("deputy-1")
    requests = []
    for person_id in people:
        payload = payload_of(
            RoleGrantGive, {"person_id": person_id, **grant(Post.DEPUTY_DIRECTOR, "2025-01-01")}
        )
        outcome = await perform(school.store, deputy, "role_grant.give", payload, reason="晋升")
        assert outcome.change_request_id is not None
        await school.approve("director", outcome.change_request_id)
        requests.append(outcome.change_request_id)
    results = await asyncio.gather(
        *(school.approve("vice-principal", request) for request in requests), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, RegistrarError)]
    assert [error.code for error in refused] == [ErrorCode.SEAT_TAKEN]
    assert await grants.count_documents({"post": "DEPUTY_DIRECTOR", "valid_to": None}) == 2


@pytest.mark.parametrize("missing", ["qualified", "confidentiality_undertaken"])
async def test_no_post_without_qualification_and_undertaking(school: School, missing: str) -> None:
    person_id = (await school.viewer("archive")).person_id
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await give(school, person_id, grant(Post.ANALYSIS_GROUP, "2026-01-01") | {missing: False})
    assert (caught.value.code, caught.value.field) == (ErrorCode.REQUIRED, missing)
    assert await school.counts() == before


async def test_a_school_begins_once(school: School) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await install(school.store, [], [])
    assert caught.value.code is ErrorCode.WRONG_STATE
    assert await school.counts() == before


@pytest.mark.parametrize(
    ("posts", "change", "code"),
    [
        (["DIRECTOR", "DIRECTOR"], {}, ErrorCode.SEAT_TAKEN),
        (["DIRECTOR"], {"confidentiality_undertaken": False}, ErrorCode.REQUIRED),
        (["DIRECTOR"], {"valid_to": date(2025, 1, 1)}, ErrorCode.INVALID_DATE),
    ],
)
async def test_the_first_grants_keep_the_rules(
    empty_store: Store, posts: list[str], change: dict[str, Any], code: ErrorCode
) -> None:
    people = [Person(name=post) for post in posts]
    grants = [
        RoleGrant(person_id=person.id, **grant(Post(post), "2026-01-01") | change)
        for post, person in zip(posts, people, strict=True)
    ]
    with pytest.raises(RegistrarError) as caught:
        await install(empty_store, people, grants)
    assert caught.value.code is code
    assert not await is_installed(empty_store)


def test_terms_are_whole_days() -> None:
    held = RoleGrant.model_construct(valid_from=date(2026, 1, 2), valid_to=date(2026, 1, 3))
    days = [date(2026, 1, day) for day in (1, 2, 3, 4)]
    assert [in_force(held, day) for day in days] == [False, True, True, False]


def test_seats_count_other_people_in_overlapping_terms() -> None:
    def director(person: ObjectId, start: date, end: date | None) -> RoleGrant:
        return RoleGrant.model_construct(post=Post.DIRECTOR, person_id=person, valid_from=start, valid_to=end)

    me, other = ObjectId(), ObjectId()
    candidate = director(me, date(2026, 6, 1), None)
    assert seats_taken(candidate, [director(other, date(2020, 1, 1), date(2026, 5, 31))]) == 0
    assert seats_taken(candidate, [director(other, date(2020, 1, 1), date(2026, 6, 1))]) == 1
    assert seats_taken(candidate, [director(me, date(2020, 1, 1), None)]) == 0
