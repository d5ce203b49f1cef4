"""Who reads which field of which student, through the store's queries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.audit.queries import HistoryEntry
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.queries import (
    StudentFilter,
    StudentOrder,
    find_student,
    list_students,
    students_by_id,
)
from tests.conftest import STUDENTS
from tests.school import School

ALL = frozenset(field_classes(Student))
F0, F1, F2, F3, F4 = FieldClass


def leaves(row: object, prefix: str = "") -> set[str]:
    """Dotted paths of what a row holds."""
    if isinstance(row, dict):
        return {
            path for name, value in row.items() if name != "_id" for path in leaves(value, f"{prefix}{name}.")
        }
    if isinstance(row, list):
        return {path for item in row for path in leaves(item, prefix)}
    return {prefix.rstrip(".")}


@pytest.mark.parametrize(
    ("subject", "classes"),
    [
        ("director", {F0, F1, F2, F3}),
        ("deputy-1", {F0, F1, F2}),  # whose line the student falls into
        ("deputy-2", {F0, F1}),
        ("information", {F0, F1, F2}),
        ("archive", {F0, F1, F2}),
        ("vice-principal", {F0, F1, F2}),
        ("principal", {F0, F1, F2}),
        ("academic-affairs", {F0, F1}),
        ("admissions", {F0, F1}),
        ("service", {F0, F1}),
        ("logistics", {F0}),
        ("teacher", {F0, F1, F2}),
    ],
)
async def test_what_each_post_loads_and_what_is_withheld(
    school: School, subject: str, classes: set[FieldClass]
) -> None:
    student = await school.student()
    found = await find_student(school.store, await school.viewer(subject), student.key, ALL)
    allowed = {path for path, held in field_classes(Student).items() if held in classes}
    assert found.withheld == dict.fromkeys(ALL - allowed, Withheld.NOT_PERMITTED)
    assert leaves(found.rows[0]) <= allowed
    assert {"name", "status"} <= leaves(found.rows[0])


async def test_the_analysis_group_sees_no_single_record(school: School) -> None:
    viewer = await school.viewer("analysis")
    assert (await find_student(school.store, viewer, (await school.student()).key, ALL)).rows == []
    assert (await list_students(school.store, viewer, ALL, first=5)).page.rows == []


async def test_student_and_guardian_see_their_own_record_and_no_other(school: School) -> None:
    own, other = await school.student(0), await school.student(1)
    await link_account(school.store, own.key, "pupil")
    await link_guardian_account(school.store, own.key, 0, "parent")
    for subject in ("pupil", "parent"):
        viewer = await school.viewer(subject)
        page = await list_students(school.store, viewer, frozenset({"phone"}), first=10)
        assert [(row["_id"], row["phone"]) for row in page.page.rows] == [(own.key, own.phone)]
        assert (await find_student(school.store, viewer, other.key, ALL)).rows == []
        missing = await find_student(school.store, viewer, ObjectId(), ALL)
        assert missing == await find_student(school.store, viewer, other.key, ALL)


async def test_a_teacher_sees_the_own_class_alone(school: School) -> None:
    teacher = await school.viewer("teacher")
    assert len((await list_students(school.store, teacher, ALL, first=10)).page.rows) == STUDENTS
    elsewhere = replace(teacher, class_names=frozenset({"2023级9班"}), homeroom_class_names=frozenset())
    assert (await list_students(school.store, elsewhere, ALL, first=10)).page.rows == []


async def test_rows_with_different_rights_are_masked_each_by_its_own(school: School) -> None:
    """Someone in academic affairs whose child is in the school."""
    child = await school.student(2)
    await link_guardian_account(school.store, child.key, 0, "parent")
    parent = await school.viewer("parent")
    viewer = replace(parent, posts=frozenset({Post.ACADEMIC_AFFAIRS}))
    found = await list_students(school.store, viewer, frozenset({"phone", "auxiliary_number"}), first=10)
    assert len(found.page.rows) == STUDENTS
    assert [row["_id"] for row in found.page.rows if "phone" in row] == [child.key]
    assert found.withheld == {"phone": Withheld.NOT_PERMITTED}
    numbers = [row["auxiliary_number"] for row in found.page.rows]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("subject", ["information", "academic-affairs", "teacher", "logistics"])
async def test_a_filter_by_an_unreadable_field_is_refused_by_name(school: School, subject: str) -> None:
    where = StudentFilter(identity_number=(await school.student()).identity_number)
    with pytest.raises(RegistrarError) as caught:
        await list_students(school.store, await school.viewer(subject), frozenset(), first=1, where=where)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "where.identity_number")


async def test_an_order_by_an_unreadable_field_is_refused(school: School) -> None:
    viewer = await school.viewer("logistics")
    with pytest.raises(RegistrarError) as caught:
        await list_students(school.store, viewer, frozenset(), first=1, order=StudentOrder.STUDENT_NUMBER)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "orderBy")


async def test_filters(school: School) -> None:
    director, student = await school.viewer("director"), await school.student(3)

    async def keys(**conditions: object) -> list[ObjectId]:
        where = StudentFilter(**conditions)  # type: ignore[arg-type]
        found = await list_students(school.store, director, frozenset(), first=50, where=where)
        return [row["_id"] for row in found.page.rows]

    assert await keys(identity_number=student.identity_number) == [student.key]
    assert await keys(auxiliary_number=student.auxiliary_number) == [student.key]
    assert student.key in await keys(name_prefix=student.name[:1])
    assert await keys(name_prefix=".*") == []
    assert await keys(class_name="none") == []
    assert len(await keys(grade="七年级")) == STUDENTS


@pytest.mark.parametrize("order", list(StudentOrder))
@pytest.mark.parametrize("page_size", [1, 2, 5, 50])
async def test_pages_join_to_the_whole_list(school: School, order: StudentOrder, page_size: int) -> None:
    """Also where values are missing or the same."""
    students = school.store.database.collection(Student)
    first, second = await school.student(0), await school.student(1)
    await students.update_one(
        {"_id": first.key}, {"$set": {"name_pinyin": None}, "$unset": {"auxiliary_number": 1}}
    )
    await students.update_one({"_id": second.key}, {"$unset": {"name_pinyin": 1}})
    director = await school.viewer("director")
    seen: list[ObjectId] = []
    after = None
    while True:
        found = await list_students(
            school.store, director, frozenset({"name"}), first=page_size, after=after, order=order
        )
        seen += [row["_id"] for row in found.page.rows]
        if not found.page.has_next:
            break
        after = found.cursors[-1]
    field, direction = order.value
    whole = await students.find({}, {"_id": 1}).sort([(field, direction), ("_id", direction)]).to_list()
    assert seen == [row["_id"] for row in whole]


@pytest.mark.parametrize("cursor", ["", "x", "W10=", "WyJOQU1FIiwgMSwgIngiXQ==", "🙂"])
async def test_a_forged_cursor_is_an_error_on_after(school: School, cursor: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        await list_students(school.store, await school.viewer("director"), frozenset(), first=1, after=cursor)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "after")


@pytest.mark.parametrize("first", [0, -1, 101])
async def test_page_sizes_have_bounds(school: School, first: int) -> None:
    with pytest.raises(RegistrarError) as caught:
        await list_students(school.store, await school.viewer("director"), frozenset(), first=first)
    assert caught.value.field == "first"


async def test_the_row_behind_a_page_is_not_recorded_as_read(school: School) -> None:
    """Whether rights differ by row or not."""
    second, third = await school.student(1), await school.student(2)
    await link_guardian_account(school.store, second.key, 0, "parent")
    await link_guardian_account(school.store, third.key, 0, "other-parent")
    parents = [await school.viewer(subject) for subject in ("parent", "other-parent")]
    mixed = replace(
        parents[0],
        posts=frozenset({Post.ACADEMIC_AFFAIRS}),
        ward_ids=parents[0].ward_ids | parents[1].ward_ids,
    )
    for viewer in (await school.viewer("director"), mixed):
        found = await list_students(school.store, viewer, frozenset({"phone"}), first=2)
        assert (len(found.page.rows), found.page.has_next) == (2, True)
        events = school.store.database.collection(AccessEvent)
        (event,) = await events.find().sort("_id", -1).limit(1).to_list()
        read = {key for group in event["groups"] if group["fields"] for key in group["subject_ids"]}
        assert read == {row["_id"] for row in found.page.rows if "phone" in row}
    assert read == {second.key}


async def test_rows_by_id_come_in_the_order_asked(school: School) -> None:
    keys = [(await school.student(position)).key for position in (2, 0, 1)]
    asked = [keys[0], ObjectId(), keys[1], keys[2]]
    rows, _ = await students_by_id(school.store, await school.viewer("director"), asked, frozenset({"name"}))
    assert [row and row["_id"] for row in rows] == [keys[0], None, keys[1], keys[2]]


async def test_sensitive_leaves_lie_encrypted_in_the_database(school: School) -> None:
    student = await school.student()
    raw = await school.store.database.collection(Student).find_one({"_id": student.key})
    assert raw is not None
    text = repr(raw)
    for secret in (student.identity_number, student.phone, student.address, student.guardians[0].phone):
        assert secret
        assert secret not in text
    assert raw["identity_number"].subtype == raw["guardians"][0]["phone"].subtype == 6


async def first_entry(school: School, subject: str, key: ObjectId) -> HistoryEntry | None:
    (page,) = await STUDENT_HISTORY.pages(school.store, await school.viewer(subject), [key], first=1)
    return page.rows[0] if page else None


async def test_history_is_redacted_as_the_record_is(school: School) -> None:
    student = await school.student()
    await school.approve("director", await school.request("information", student, phone="13700000001"))
    whole = await first_entry(school, "director", student.key)
    assert whole is not None
    assert (whole.changes[0].after, whole.reason) == ("13700000001", "家长来电")
    part = await first_entry(school, "information", student.key)
    assert part is not None
    (change,) = part.changes
    assert (change.field, change.before, change.after, change.withheld) == ("phone", None, None, True)
    assert part.reason is None
    # Neither where only open fields are read, nor of a student who is not visible.
    assert await first_entry(school, "logistics", student.key) is None
    assert await first_entry(school, "analysis", student.key) is None


async def test_histories_of_many_come_in_order_and_page_by_page(school: School) -> None:
    student, other = await school.student(0), await school.student(1)
    for number in range(4):
        await school.approve(
            "director", await school.request("information", student, phone=f"1370000000{number}")
        )
    director = await school.viewer("director")
    asked = [other.key, ObjectId(), student.key]
    pages = await STUDENT_HISTORY.pages(school.store, director, asked, first=2)
    assert [page and [entry.sequence for entry in page.rows] for page in pages] == [[1], None, [5, 4]]
    assert [page and page.has_next for page in pages] == [False, None, True]
    (rest,) = await STUDENT_HISTORY.pages(school.store, director, [student.key], first=5, after=4)
    assert rest is not None
    assert ([entry.sequence for entry in rest.rows], rest.has_next) == ([3, 2, 1], False)
