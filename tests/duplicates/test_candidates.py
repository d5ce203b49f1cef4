"""Which pairs are found, in which order, page by page, and by what the viewer may read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bson import ObjectId

from archive_store.access.policy import AccessPolicy
from archive_store.approvals.operations import payload_of, perform
from archive_store.duplicates import candidates
from archive_store.duplicates.candidates import Candidate, duplicate_candidates, ordered
from archive_store.duplicates.dismissals import DuplicateDismiss
from archive_store.duplicates.rules import Ground
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.students.documents import Student
from tests.admission.cases import citizen_id
from tests.duplicates.pairs import enter, enter_twin
from tests.school import School


async def found(school: School, subject: str = "director", minimum_score: int = 0) -> list[Candidate]:
    page = await duplicate_candidates(
        school.store, await school.viewer(subject), first=50, minimum_score=minimum_score
    )
    assert not page.has_next
    return list(page.rows)


def of(rows: list[Candidate], one: Student, other: Student) -> Candidate | None:
    return next((held for held in rows if held.pair == ordered(one.key, other.key)), None)


async def test_a_number_that_another_bore_before_finds_both(school: School) -> None:
    first = await enter(school, 1)
    request = await school.request("information", first, identity_number=citizen_id(9))
    await school.approve("director", request)
    await school.approve("vice-principal", request)
    # Another name: nothing but the number that was given up ties the two.
    second = await enter(
        school, 8, name="别名", identity_number=citizen_id(1), guardians=[{"name": "赵六", "phone": None}]
    )
    held = of(await found(school), first, second)
    assert held is not None
    assert Ground.IDENTITY_NUMBER in held.grounds
    assert Ground.NAME not in held.grounds
    events = school.store.database.mongo["access_events"]
    read = await events.count_documents({})
    assert of(await found(school, "information"), first, second) is None
    assert await events.count_documents({}) == read


async def test_a_guardians_telephone_is_a_ground_to_whoever_reads_it(school: School) -> None:
    phone = "13900004444"
    first = await enter(school, 1, guardians=[{"name": "李明", "relation": "51", "phone": phone}])
    second = await enter(
        school, 7, name="新生1", guardians=[{"name": "李 小明", "relation": "51", "phone": phone}]
    )
    director = of(await found(school), first, second)
    group = of(await found(school, "information"), first, second)
    assert director is not None and Ground.GUARDIAN in director.grounds
    assert group is not None and Ground.GUARDIAN not in group.grounds
    unstated = await duplicate_candidates(school.store, await school.viewer("director", None), first=50)
    held = of(list(unstated.rows), first, second)
    assert held is not None and Ground.GUARDIAN not in held.grounds


async def test_pages_are_the_list_in_order_and_each_pair_stands_once(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "_AT_ONCE", 1)
    # Each shares its name and its pinyin with the others: the same pairs from two blocks.
    for number in range(1, 5):
        await enter(school, number, name="重名", name_pinyin="chongming")
    whole = await found(school)
    assert len([held for held in whole if Ground.NAME in held.grounds]) >= 6
    assert len({held.pair for held in whole}) == len(whole)
    assert [held.place for held in whole] == sorted(held.place for held in whole)
    viewer, after, paged = await school.viewer("director"), None, []
    while True:
        page = await duplicate_candidates(school.store, viewer, first=2, after=after, minimum_score=0)
        paged += page.rows
        if not page.has_next:
            break
        after = page.rows[-1].cursor
    assert paged == whole
    with pytest.raises(RegistrarError) as caught:
        await duplicate_candidates(school.store, viewer, first=2, after="x")
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "after")


async def test_what_was_dismissed_makes_room_and_is_not_read(school: School) -> None:
    first, second = await enter_twin(school)
    viewer = await school.viewer("director")
    (top,) = (await duplicate_candidates(school.store, viewer, first=1)).rows
    assert top.pair == ordered(first.key, second.key)
    values = {"first_id": top.pair[0], "second_id": top.pair[1], "dismissal_id": ObjectId(), "why": "同名"}
    await perform(school.store, viewer, "duplicate.dismiss", payload_of(DuplicateDismiss, values))
    events = school.store.database.mongo["access_events"]
    read = await events.count_documents({})
    assert of(await found(school), first, second) is None
    students = [event async for event in events.find().sort("_id", 1).skip(read)]
    assert all(first.key not in event.get("student_ids", []) for event in students)


async def test_a_former_name_that_may_not_be_read_finds_nobody(school: School) -> None:
    first = await enter(school, 1, former_name="曾用")
    second = await enter(school, 7, name="曾用", guardians=[])
    assert of(await found(school, "information"), first, second) is not None
    viewer = await school.viewer("information")
    rules = viewer.policy.rules
    narrow = rules.model_copy(
        update={
            "by_post": rules.by_post | {Post.INFORMATION_GROUP: frozenset({FieldClass.F0, FieldClass.F1})}
        }
    )
    page = await duplicate_candidates(
        school.store, replace(viewer, policy=AccessPolicy(narrow)), first=50, minimum_score=0
    )
    assert page.rows == []
