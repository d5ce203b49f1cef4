"""What an active team opens, to whom, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant
from archive_store.access.viewer import Viewer
from archive_store.approvals.operations import perform
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.crisis.queries import open_texts
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.people import sign_in
from archive_store.retrieval.operations import RetrievalGrantRevoke
from archive_store.students.documents import Student
from archive_store.students.queries import find_student
from tests.access.test_readings import events
from tests.crisis.teams import OCCASION, act, form, key, later, lent, named, stored
from tests.school import School

PHONE = frozenset({"phone"})
PERSONAL = frozenset({"birth_date"})


async def reads(school: School, viewer: Viewer, student: ObjectId, paths: frozenset[str] = PHONE) -> bool:
    found = await find_student(school.store, viewer, student, paths)
    return bool(found.rows) and paths <= found.rows[0].keys()


async def active(school: School, **changes: Any) -> ObjectId:
    team = await form(school, **changes)
    await act(school, "vice-principal", "activate", team)
    return team


async def open_grants(school: School) -> int:
    now = school.store.clock.now()
    return await school.store.database.collection(RetrievalGrant).count_documents(
        {"expires_at": {"$gt": now}}
    )


async def test_nothing_is_lent_before_it_is_active(school: School) -> None:
    student = await school.student(0)
    await form(school)
    member = await school.viewer("logistics", None)
    assert (member.posts, member.grants) == ({Post.LOGISTICS}, ())
    assert await open_grants(school) == 0
    assert not await reads(school, member, student.key)


async def test_it_opens_the_named_students_only(school: School) -> None:
    student, other = await school.student(0), await school.student(1)
    team = await active(school)
    member = await school.viewer("logistics", None)
    assert member.posts == {Post.LOGISTICS, Post.INFORMATION_GROUP}
    assert await reads(school, member, student.key)
    assert not await reads(school, member, other.key)
    # The lent post reads as any holder of it does.
    assert await reads(school, member, other.key, PERSONAL)
    assert not await reads(school, await school.viewer("teacher", None), student.key)
    (event,) = await events(school)
    assert (event.purpose, event.team_ids) == ("临时小组:甲流处置小组", [team])
    assert len(event.grant_ids) == 1


async def test_every_reading_is_recorded_for_the_team_whatever_else_is_stated(school: School) -> None:
    student = await school.student(0)
    team = await active(school)
    member = await school.viewer("logistics", "联系家长")
    assert await reads(school, member, student.key)
    # The same request again takes no other view, and is recorded just so.
    assert await reads(school, member, student.key)
    for event in await events(school):
        assert (event.purpose, event.team_ids) == ("联系家长; 临时小组:甲流处置小组", [team])


async def test_all_ends_at_the_moment_of_stand_down(school: School) -> None:
    student = await school.student(0)
    team = await active(school)
    unused, used = await school.viewer("logistics", None), await school.viewer("logistics", None)
    assert await reads(school, used, student.key)
    await act(school, "teacher", "stand_down", team)
    # A viewer that was loaded before, also in a request that has taken its view already.
    for before in (unused, used):
        assert not await reads(school, before, student.key)
        with pytest.raises(GrantExhaustedError):
            grants = frozenset(grant.id for grant in before.grants)
            await record_reading(school.store, before, Student, [ReadRows(PHONE, [student.key], grants)])
    now = await school.viewer("logistics", None)
    assert (now.posts, now.lent_posts, now.grants) == ({Post.LOGISTICS}, (), ())
    assert not await reads(school, now, student.key)
    assert not await reads(school, now, student.key, PERSONAL)
    assert await open_grants(school) == 0
    assert len(await events(school)) == 1


async def test_all_ends_with_its_last_day(school: School) -> None:
    student = await school.student(0)
    await active(school, days=2)
    for days, is_open in ((0, True), (2, True), (3, False)):
        then = later(school, days=days)
        member = await then.viewer("logistics", None)
        assert (Post.INFORMATION_GROUP in member.posts) is is_open
        assert await reads(then, member, student.key) is is_open


async def test_a_change_of_members_begins_and_ends_what_differs(school: School) -> None:
    student, other = await school.student(0), await school.student(1)
    team = await active(school)
    assert await reads(school, await school.viewer("logistics", None), student.key)
    members = await named(
        school,
        logistics={"retrievals": (lent(student.key),)},
        academic_affairs={"retrievals": (lent(other.key),)},
        teacher={},
    )
    await act(school, "vice-principal", "change_members", team, members=members)
    member = await school.viewer("logistics", None)
    assert member.posts == {Post.LOGISTICS}
    assert await reads(school, member, student.key)
    assert await reads(school, await school.viewer("academic-affairs", None), other.key)
    grants = await school.store.database.collection(RetrievalGrant).find().to_list()
    # What was kept goes on with the views it has left.
    assert sorted(grant["views_taken"] for grant in grants) == [1, 2]
    before = await school.viewer("logistics", None)
    await act(school, "principal", "change_members", team, members=await named(school, teacher={}))
    assert not await reads(school, before, student.key)
    assert await open_grants(school) == 0


async def grants_of(school: School, team: ObjectId) -> list[ObjectId]:
    found = await school.store.database.collection(RetrievalGrant).find({"team_id": team}).to_list()
    return [grant["_id"] for grant in found]


async def revoke(school: School, grant_id: ObjectId) -> None:
    payload = RetrievalGrantRevoke(grant_id=grant_id)
    await perform(
        school.store, await school.viewer("director"), "retrieval_grant.revoke", payload, reason="误给"
    )


async def test_no_change_of_members_undoes_a_revocation(school: School) -> None:
    student = await school.student(0)
    team = await active(school)
    (grant,) = await grants_of(school, team)
    await revoke(school, grant)
    await act(school, "vice-principal", "change_members", team)
    assert await grants_of(school, team) == [grant]
    assert not await reads(school, await school.viewer("logistics", None), student.key)


async def test_nobody_renews_their_own_views_by_a_change(school: School) -> None:
    """The vice principal, to whom the principal gave one view in the vice principal's team."""
    student = await school.student(0)
    team = await form(school, members=await named(school, teacher={}))
    members = await named(school, teacher={}, vice_principal={"retrievals": (lent(student.key, views=1),)})
    await act(school, "principal", "change_members", team, members=members)
    await act(school, "vice-principal", "activate", team)
    seen = []
    for _ in range(2):
        seen.append(await reads(school, await school.viewer("vice-principal", None), student.key))
        await act(school, "vice-principal", "change_members", team, members=members)
    assert seen == [True, False]
    (grant,) = await grants_of(school, team)
    # Nor where the team has it in its list and the grant is not there.
    await school.store.database.collection(RetrievalGrant).delete_one({"_id": grant})
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await act(school, "vice-principal", "change_members", team, members=members)
    assert (caught.value.code, caught.value.field) == (ErrorCode.SELF_APPROVAL, "members")
    assert await school.counts() == before


async def test_views_are_not_renewed_by_removing_and_naming_again(school: School) -> None:
    student = await school.student(0)

    async def change(**lending: Any) -> None:
        members = await named(school, logistics=lending, teacher={})
        await act(school, "vice-principal", "change_members", team, members=members)

    given = {"retrievals": (lent(student.key, views=1),)}
    team = await active(school, members=await named(school, logistics=given, teacher={}))
    assert await reads(school, await school.viewer("logistics", None), student.key)
    for _ in range(2):
        await change()
        await change(**given)
        assert not await reads(school, await school.viewer("logistics", None), student.key)
    assert len(await grants_of(school, team)) == 1
    # More is given by another retrieval.
    await change(retrievals=(lent(student.key, views=2),))
    assert await reads(school, await school.viewer("logistics", None), student.key)
    assert len(await grants_of(school, team)) == 2


async def test_nobody_lends_themself_more_by_a_change(school: School) -> None:
    student = await school.student(0)
    team = await active(school)
    more = await named(school, teacher={}, principal={"retrievals": (lent(student.key),)})
    with pytest.raises(RegistrarError) as caught:
        await act(school, "principal", "change_members", team, members=more)
    assert caught.value.code is ErrorCode.SELF_APPROVAL
    await act(school, "vice-principal", "change_members", team, members=more)
    # What another lent them they may leave as it is.
    await act(school, "principal", "change_members", team, members=more)
    assert await reads(school, await school.viewer("principal", None), student.key)


async def test_who_leaves_or_turns_analyst_is_lent_nothing(school: School) -> None:
    student = await school.student(0)
    await active(school)
    grants = school.store.database.mongo["role_grants"]
    own = {"person_id": await key(school, "logistics")}
    await grants.update_many(own, {"$set": {"post": "ANALYSIS_GROUP"}})
    analyst = await school.viewer("logistics", None)
    assert (analyst.posts, analyst.grants) == ({Post.ANALYSIS_GROUP}, ())
    await grants.update_many(own, {"$set": {"valid_to": "2024-01-01"}})
    member = await school.viewer("logistics", None)
    assert (member.posts, member.grants) == (frozenset(), ())
    assert not await reads(school, member, student.key)


async def test_a_lent_post_asks_as_its_holder_and_signs_nothing_higher(school: School) -> None:
    student = await school.student(0)
    with pytest.raises(RegistrarError) as caught:
        await school.request("logistics", student, phone="13900001111")
    assert caught.value.code is ErrorCode.FORBIDDEN
    await active(school)
    request = await school.request("logistics", student, phone="13900001111")
    with pytest.raises(RegistrarError):
        await school.approve("logistics", request)
    await school.approve("director", request)
    assert (await school.student(0)).phone == "13900001111"


async def test_its_texts_are_for_its_people_the_principal_and_whom_the_policy_lets_read(
    school: School,
) -> None:
    team = await form(school)
    opened = {}
    for subject, purpose in (
        ("logistics", None),
        ("vice-principal", None),
        ("principal", None),
        ("director", "了解情况"),
        ("director", None),
        ("information", "了解情况"),
    ):
        viewer = await school.viewer(subject, purpose)
        rows = await open_texts(school.store, viewer, {team: frozenset({"occasion"})})
        opened[subject, purpose] = rows.get(team, {}).get("occasion") == OCCASION
    assert [who for who, seen in opened.items() if not seen] == [
        ("director", None),
        ("information", "了解情况"),
    ]
    purposes = [event.purpose for event in await events(school)]
    assert purposes == ["临时小组:甲流处置小组"] * 3 + ["了解情况"]


async def test_its_texts_are_no_longer_for_who_has_left_the_staff(school: School) -> None:
    team = await active(school)
    wanted = {team: frozenset({"occasion"})}
    for subject in ("logistics", "teacher", "vice-principal"):
        opened = await open_texts(school.store, await school.viewer(subject, None), wanted)
        assert opened[team]["occasion"] == OCCASION
        own = {"person_id": await key(school, subject)}
        await school.store.database.mongo["role_grants"].update_many(
            own, {"$set": {"valid_to": "2024-07-31"}}
        )
        seen = len(await events(school))
        for purpose in (None, "了解情况"):
            left = await school.viewer(subject, purpose)
            opened = (await open_texts(school.store, left, wanted)).get(team, {})
            assert opened.get("occasion") != OCCASION
        assert len(await events(school)) == seen


async def test_the_posts_of_sign_in_come_from_active_teams_alone(school: School) -> None:
    team = await active(school)
    person = await key(school, "logistics")
    today = (await stored(school, team)).activated_at
    assert today is not None
    day = today.date()
    assert [held.team_id for held in await sign_in.lent_posts(school.store, person, day)] == [team]
    assert await sign_in.lent_posts(school.store, person, day + timedelta(days=40)) == ()
    assert await sign_in.lent_posts(school.store, await key(school, "teacher"), day) == ()
