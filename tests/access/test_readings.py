"""Reading sensitive values: for a purpose, recorded before it is shown, and never more than was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from bson import ObjectId

from api.dev.demo import demo_paper
from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import AccessEvent, RetrievalGrant, Secrecy
from archive_store.access.rules import Relationship, Scope
from archive_store.audit import readings
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.people.sign_in import load_viewer
from archive_store.scans.content import open_scan
from archive_store.scans.uploads import file_scan
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.queries import StudentFilter, find_student, list_students
from archive_store.students.scope import student_scope
from tests.school import PURPOSE, School

PHONE = frozenset({"phone", "name"})


async def events(school: School) -> list[AccessEvent]:
    rows = await school.store.database.collection(AccessEvent).find().sort("_id", 1).to_list()
    await school.store.cipher.decrypt_paths(rows, encrypted_paths(AccessEvent))
    return [AccessEvent.model_validate(row) for row in rows]


async def test_without_a_purpose_sensitive_values_are_withheld(school: School) -> None:
    student = await school.student()
    director = await school.viewer("director", purpose=None)
    found = await find_student(school.store, director, student.key, PHONE)
    assert found.rows == [{"_id": student.key, "name": student.name}]
    assert found.withheld == {"phone": Withheld.PURPOSE_REQUIRED}
    assert await events(school) == []


async def test_a_reading_says_who_whose_which_and_what_for(school: School) -> None:
    student = await school.student()
    director = await school.viewer("director")
    found = await find_student(school.store, director, student.key, PHONE)
    assert found.rows[0]["phone"] == student.phone
    (event,) = await events(school)
    assert (event.viewer_id, event.viewer_name, event.viewer_posts) == (
        director.person_id,
        "赵主任",
        ["DIRECTOR"],
    )
    assert (event.purpose, event.read_type) == (PURPOSE, "Student")
    assert [(group.fields, group.subject_ids) for group in event.groups] == [(["phone"], [student.key])]
    raw = await school.store.database.collection(AccessEvent).find_one({})
    assert raw is not None and raw["purpose"].subtype == 6


async def test_a_list_is_one_event_with_a_group_for_each_right(school: School) -> None:
    """Someone in academic affairs whose child is in the school."""
    child = await school.student(2)
    await link_guardian_account(school.store, child.key, 0, "parent")
    await list_students(school.store, await school.viewer("director"), PHONE, first=4)
    parent = await school.viewer("parent", purpose=None)
    viewer = replace(parent, posts=(await school.viewer("academic-affairs")).posts)
    await list_students(school.store, viewer, PHONE, first=10)
    whole, mixed = await events(school)
    assert [len(group.subject_ids) for group in whole.groups] == [4]
    assert [(group.fields, group.subject_ids) for group in mixed.groups] == [(["phone"], [child.key])]


async def test_reading_open_values_is_not_recorded(school: School) -> None:
    await list_students(school.store, await school.viewer("director"), frozenset({"name", "gender"}), first=5)
    assert await events(school) == []


async def test_nothing_is_shown_that_could_not_be_recorded(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(readings, "governed_transaction", down)
    with pytest.raises(ConnectionError):
        await list_students(school.store, await school.viewer("director"), PHONE, first=1)


async def test_a_look_up_by_number_is_recorded_whether_it_finds_or_not(school: School) -> None:
    student = await school.student()
    director = await school.viewer("director")
    for number in (student.identity_number, "11010519491231002X"):
        where = StudentFilter(identity_number=number)
        await list_students(school.store, director, frozenset({"name"}), first=2, where=where)
    found, missed = await events(school)
    assert [(group.fields, group.subject_ids) for group in found.groups] == [
        (["identity_number"], [student.key])
    ]
    assert [(group.fields, group.subject_ids) for group in missed.groups] == [(["identity_number"], [])]


async def test_a_look_up_by_number_takes_a_view_of_the_grant_whether_it_finds_or_not(school: School) -> None:
    student, teacher = await school.student(), await school.viewer("teacher", None)
    grant = RetrievalGrant(
        grantee_id=PydanticObjectId(teacher.person_id),
        grantee_name=teacher.name,
        secrecy=Secrecy.SENSITIVE,
        purpose="核对",
        student_id=PydanticObjectId(student.key),
        expires_at=school.store.clock.now() + timedelta(days=1),
        views_allowed=2,
    )
    row = grant.to_bson()
    await school.store.cipher.encrypt_paths([row], encrypted_paths(RetrievalGrant))
    await school.store.database.collection(RetrievalGrant).insert_one(row)
    nothing = frozenset[str]()
    untaught = replace(teacher, class_names=nothing, homeroom_class_names=nothing, grants=(grant.held(),))
    found = []
    for number in ("11010519491231002X", student.identity_number, student.identity_number):
        where = StudentFilter(identity_number=number)
        page = await list_students(
            school.store, untaught.for_purpose(None), frozenset({"name"}), first=2, where=where
        )
        found.append([row["_id"] for row in page.page.rows])
    assert found == [[], [student.key], []]


async def test_a_look_up_by_number_without_a_purpose_is_refused_by_name(school: School) -> None:
    director = await school.viewer("director", purpose=None)
    with pytest.raises(RegistrarError) as caught:
        await list_students(
            school.store, director, frozenset(), first=1, where=StudentFilter(identity_number="1")
        )
    assert (caught.value.code, caught.value.field) == (ErrorCode.PURPOSE_REQUIRED, "where.identity_number")


async def test_history_of_sensitive_values_is_a_reading(school: School) -> None:
    student = await school.student()
    await school.approve("director", await school.request("information", student, phone="13700000001"))
    (unsaid,) = await STUDENT_HISTORY.pages(
        school.store, await school.viewer("director", None), [student.key], first=1
    )
    assert unsaid is not None and [change.withheld for change in unsaid.rows[0].changes] == [True]
    assert await events(school) == []
    await STUDENT_HISTORY.pages(school.store, await school.viewer("director"), [student.key], first=1)
    (event,) = await events(school)
    assert [(group.fields, group.subject_ids) for group in event.groups] == [(["phone"], [student.key])]


async def test_the_reason_is_as_sensitive_as_what_was_asked_for_even_if_unchanged(school: School) -> None:
    """A reason may speak of a value that stayed as it was."""
    student = await school.student()
    request = await school.request("information", student, phone=student.phone, class_seat_number="77")
    await school.approve("director", request)
    reasons = {}
    for subject in ("director", "academic-affairs"):
        (page,) = await STUDENT_HISTORY.pages(
            school.store, await school.viewer(subject), [student.key], first=1
        )
        assert page is not None
        reasons[subject] = page.rows[0].reason
    assert reasons == {"director": "家长来电", "academic-affairs": None}


async def paper(school: School, name: str, position: int = 0) -> ObjectId:
    async def body() -> Any:
        yield demo_paper("PDF", pages=2)

    student = await school.student(position)
    scan = await file_scan(school.store, await school.viewer("archive"), student.key, name, body())
    return scan.key


async def refusal(school: School, subject: str, scan: ObjectId, purpose: str | None = PURPOSE) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await open_scan(school.store, await school.viewer(subject, purpose), scan)
    return caught.value.code


async def test_papers_open_by_their_class(school: School) -> None:
    form, medical = await paper(school, "2023级新生学籍信息表"), await paper(school, "2023级体检表")
    own = await school.student()
    await link_account(school.store, own.key, "pupil")
    assert await refusal(school, "director", form, None) is ErrorCode.PURPOSE_REQUIRED
    await open_scan(school.store, await school.viewer("director"), form)
    await open_scan(school.store, await school.viewer("pupil", None), form)
    for subject, sealed in (
        ("director", ErrorCode.FORBIDDEN),
        ("archive", ErrorCode.FORBIDDEN),
        ("pupil", ErrorCode.FORBIDDEN),
        # That there is a medical paper is for those who keep them and the family.
        ("information", ErrorCode.NOT_FOUND),
        ("teacher", ErrorCode.NOT_FOUND),
        ("analysis", ErrorCode.NOT_FOUND),
    ):
        assert await refusal(school, subject, medical) is sealed, subject
    read = [(event.read_type, event.groups[0].fields, event.purpose) for event in await events(school)]
    assert read == [("Scan", ["content"], PURPOSE), ("Scan", ["content"], None)]


async def test_a_service_reads_what_its_scopes_and_its_token_allow(school: School) -> None:
    student = await school.student()

    async def reads(*scopes: Scope) -> set[str]:
        viewer = await load_viewer(school.store, "service", frozenset(scopes))
        assert viewer is not None
        found = await find_student(school.store, viewer, student.key, frozenset({"name", "ethnic_group"}))
        return set(found.rows[0]) - {"_id"} if found.rows else {"nobody"}

    assert await reads() == {"nobody"}
    assert await reads(Scope.AUDIT_READ) == {"nobody"}
    # Its post reads no personal values, whatever its scopes.
    assert await reads(Scope.STUDENT_READ) == await reads(*Scope) == {"name"}
    services = school.store.database.mongo["persons"]
    await services.update_one({"sign_in_subject": "service"}, {"$set": {"scopes": ["audit:read"]}})
    assert await reads(*Scope) == {"nobody"}
    person = await load_viewer(school.store, "director", frozenset())
    assert person is not None and person.scopes is None


async def test_a_deputy_reads_more_in_the_own_line(school: School) -> None:
    student = await school.student()
    for subject, status, reads in (
        ("deputy-1", "ENROLLED", True),
        ("deputy-1", "GRADUATED", False),
        ("deputy-2", "ENROLLED", False),
    ):
        await school.store.database.mongo["students"].update_one(
            {"_id": student.key}, {"$set": {"status": status}}
        )
        viewer = await school.viewer(subject)
        found = await find_student(school.store, viewer, student.key, frozenset({"native_place"}))
        assert ("native_place" in found.rows[0]) is reads, (subject, status)


async def test_a_teacher_reads_more_of_the_homeroom_class(school: School) -> None:
    own, other = await school.student(0), await school.student(1)
    await school.store.database.mongo["students"].update_one(
        {"_id": other.key}, {"$set": {"class_name": "2023级2班"}}
    )
    teacher = await school.viewer("teacher")
    found = await list_students(school.store, teacher, frozenset({"native_place", "class_name"}), first=10)
    assert {row["_id"] for row in found.page.rows if "native_place" not in row} == {other.key}
    assert own.key in {row["_id"] for row in found.page.rows}
    scope = student_scope(teacher)
    assert scope.relationships({"_id": other.key, "class_name": "2023级2班"}) == {Relationship.TEACHER}
    # A filter by what some rows keep back would tell of them.
    assert "name" in scope.filterable


async def test_an_acting_post_counts_while_it_lasts(school: School) -> None:
    """A delegation (代理) in force."""
    grants = school.store.database.mongo["role_grants"]
    archive = await school.viewer("archive")
    row = {**(await grants.find_one({"person_id": archive.person_id}) or {}), "_id": ObjectId()}
    row |= {"post": "DIRECTOR", "kind": "ACTING", "valid_from": "2026-01-01", "valid_to": "2026-01-02"}
    await grants.insert_one(row)
    assert (await school.viewer("archive")).posts == archive.posts
    await grants.update_one({"_id": row["_id"]}, {"$set": {"valid_to": "2099-01-01"}})
    acting = await school.viewer("archive")
    student = await school.student()
    assert "phone" in (await find_student(school.store, acting, student.key, PHONE)).rows[0]


async def test_papers_leave_nothing_in_the_students_history(school: School) -> None:
    """Its readers need not know that there is a sealed one."""
    student = await school.student()
    (before,) = await STUDENT_HISTORY.pages(
        school.store, await school.viewer("teacher"), [student.key], first=5
    )
    medical = await paper(school, "2023级新生学籍信息表")
    await open_scan(school.store, await school.viewer("director", "核实病情"), medical)
    (after,) = await STUDENT_HISTORY.pages(
        school.store, await school.viewer("teacher"), [student.key], first=5
    )
    assert before is not None and after is not None
    assert [entry.kind for entry in after.rows] == [entry.kind for entry in before.rows]


@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u2060", "\u00ad", "\ufeff", "\u3164", "\u2800", "\ufffd", " . "]
)
async def test_what_nobody_sees_is_no_purpose(school: School, unseen: str) -> None:
    director = await school.viewer("director", None)
    assert director.for_purpose(unseen).reading.purpose is None
    assert director.for_purpose(f"{unseen}核对").reading.purpose is not None


async def test_a_right_guess_looks_like_a_wrong_one_in_the_history(school: School) -> None:
    student = await school.student()
    listed = []
    for guess in (student.phone, "13700000009"):
        request = await school.request(
            "information", await school.student(), phone=guess, class_seat_number="9"
        )
        await school.approve("director", request)
        (page,) = await STUDENT_HISTORY.pages(
            school.store, await school.viewer("information"), [student.key], first=1
        )
        assert page is not None
        listed.append({change.field for change in page.rows[0].changes} - {"class_seat_number"})
    assert listed == [{"phone"}, {"phone"}]
