"""Each door to sensitive and sealed values writes one entry, whose sealed content tells of the whole reading."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bson import ObjectId

from api.dev.roster import demo_rows
from archive_store.access.retrieval_grants import AccessEvent, Secrecy
from archive_store.analysis.dimensions import StudentDimension
from archive_store.analysis.queries import student_statistics
from archive_store.approvals.queries import change_requests_by_id, contents_for
from archive_store.approvals.routing import DECIDING, ConflictError
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.reading_content import repeated_by_event
from archive_store.audit.verification import verify_history
from archive_store.crisis.queries import open_texts
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.posts import Post
from archive_store.imports.operations import import_roster
from archive_store.retrieval.queries import list_grants
from archive_store.students import exports
from archive_store.students.documents import Student
from archive_store.students.exports import begin_export
from archive_store.students.histories import STUDENT_HISTORY
from archive_store.students.queries import StudentFilter, list_students
from tests.approvals.test_emergency import NEW, suspended, updated
from tests.approvals.test_emergency_reading import content as emergency_content
from tests.conftest import STUDENTS
from tests.crisis.teams import form
from tests.crisis.test_lending import active
from tests.imports.test_roster_files import HEADERS, workbook
from tests.readings.told import (
    PHONE,
    download,
    entries,
    family,
    grant,
    look,
    paper,
    read_of,
    texts_of,
    told,
)
from tests.school import PURPOSE, School


async def test_the_entry_says_who_whose_which_and_what_for(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    await look(school, director, student.key)
    (entry,) = await entries(school.store)
    assert (entry["actor_id"], entry["actor_name"], entry["actor_posts"]) == (
        director.person_id,
        director.name,
        ["DIRECTOR"],
    )
    assert (entry["operation"], entry["kind"], entry["sequence"]) == ("access.read", "access:read", 1)
    assert entry["sealed"]["reading"] == {
        "type": "Student",
        "groups": [{"fields": ["phone"], "subject_ids": [student.key], "grant_ids": [], "team_ids": []}],
        "purposes": [{"text": PURPOSE, "grant_id": None, "student_id": None, "team_id": None}],
    }
    stored = await school.store.database.mongo[ENTRIES].find_one({"_id": entry["_id"]})
    assert stored is not None and stored["sealed"].subtype == 6
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_the_event_repeats_the_entry(school: School) -> None:
    student = await school.student()
    await active(school)
    await look(school, await school.viewer("logistics", "联系家长"), student.key)
    (content,), (event,) = (
        await told(school.store),
        await school.store.database.collection(AccessEvent).find().to_list(),
    )
    await school.store.cipher.decrypt_paths([event], encrypted_paths(AccessEvent))
    assert repeated_by_event(content).items() <= event.items()
    assert event["purpose"] == "联系家长; 临时小组:甲流处置小组"


async def test_a_list_is_one_entry(school: School) -> None:
    await list_students(school.store, await school.viewer("director"), PHONE, first=STUDENTS)
    (content,) = await told(school.store)
    ((fields, keys),) = read_of(content)
    assert (fields, len(keys)) == (["phone"], STUDENTS)


async def test_a_grant_and_a_team_stand_with_the_rows_that_owe_them_something(school: School) -> None:
    """A parent in academic affairs, lent another student's record by a team."""
    child, other = await school.student(0), await school.student(1)
    _, parent = await family(school)
    lent = await grant(school, parent, student_id=other.key, team_id=ObjectId(), purpose="临时小组:甲流")
    parent = replace(parent, posts=frozenset({Post.ACADEMIC_AFFAIRS}), grants=(lent,))
    await list_students(school.store, parent, PHONE, first=STUDENTS)
    (content,) = await told(school.store)
    owed = {
        tuple(group["subject_ids"]): (group["grant_ids"], group["team_ids"]) for group in content["groups"]
    }
    assert owed == {(child.key,): ([], []), (other.key,): ([lent.id], [lent.team_id])}


async def test_a_look_up_by_number_names_whom_it_found(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    for number in (student.identity_number, "11010519491231002X"):
        where = StudentFilter(identity_number=number)
        await list_students(school.store, director, frozenset({"name"}), first=2, where=where)
    assert [read_of(content) for content in await told(school.store)] == [
        [(["identity_number"], [student.key])],
        [(["identity_number"], [])],
    ]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_roster_that_finds_numbers_names_whose(school: School, dry_run: bool) -> None:
    student, director = await school.student(), await school.viewer("director")
    row = next(demo_rows(1)) | {"学籍辅号": ""}
    content = workbook([HEADERS, [row.get(header, "") for header in HEADERS]])
    outcome = await import_roster(school.store, director, content, file_name="甲.xlsx", dry_run=dry_run)
    assert (outcome.added, outcome.already_on_record) == (0, 1)
    (reading,) = await told(school.store)
    assert read_of(reading) == [(["identity_number", "national_student_number"], [student.key])]
    assert texts_of(reading) == [PURPOSE]


async def test_a_roster_of_new_students_reads_nobody(school: School) -> None:
    row = next(demo_rows(1, cohort=2024, seed=9))
    content = workbook([HEADERS, [row.get(header, "") for header in HEADERS]])
    information = await school.viewer("information")
    outcome = await import_roster(school.store, information, content, file_name="甲.xlsx", dry_run=False)
    assert outcome.added == 1
    assert await told(school.store) == []


async def test_history_values_and_reasons_that_may_speak_of_them(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    await school.approve("director", await school.request("information", student, phone=NEW))
    await STUDENT_HISTORY.pages(school.store, director, [student.key], first=1)
    await suspended(school)
    await STUDENT_HISTORY.pages(school.store, director, [student.key], first=1)
    changed, explained = await told(school.store)
    assert read_of(changed) == [(["phone"], [student.key])]
    # Why a student was suspended is as guarded as their health, which no change of the entry shows.
    assert read_of(explained) == [(["health_status"], [student.key])]
    # Without the reason there is nothing to record.
    await STUDENT_HISTORY.pages(school.store, await school.viewer("director", None), [student.key], first=1)
    assert len(await told(school.store)) == 2


async def test_contents_of_a_request_to_who_decides(school: School) -> None:
    student = await school.student()
    key = await school.request("information", student, phone=NEW)
    director = await school.viewer("director", None)
    requests = await change_requests_by_id(school.store, director, [key])
    await contents_for(school.store, director, [request for request in requests if request])
    (content,) = await told(school.store)
    assert read_of(content) == [(["phone"], [student.key])]
    assert texts_of(content) == [DECIDING]


async def test_a_conflict_shows_the_record_as_it_is(school: School) -> None:
    student = await school.student()
    one, other = [await school.request("information", student, phone=f"1370000000{n}") for n in (1, 2)]
    await school.approve("director", one)
    with pytest.raises(ConflictError):
        await school.approve("director", other)
    (content,) = await told(school.store)
    assert read_of(content) == [(["phone"], [student.key])]


async def test_that_a_value_is_as_it_was_is_a_reading_to_who_may_read_it(school: School) -> None:
    student = await school.student()
    with pytest.raises(RegistrarError) as caught:
        await school.request("director", student, phone=student.phone)
    assert caught.value.code is ErrorCode.NOTHING_TO_CHANGE
    (content,) = await told(school.store)
    assert read_of(content) == [(["phone"], [student.key])]
    with pytest.raises(RegistrarError):
        await school.request("director", student, native_place=student.native_place)
    assert len(await told(school.store)) == 1


async def test_contents_of_an_emergency_action(school: School) -> None:
    student = await school.student()
    key = await updated(school, phone=NEW)
    await emergency_content(school, await school.viewer("vice-principal", None), key)
    (content,) = await told(school.store)
    assert read_of(content) == [(["phone"], [student.key])]
    assert texts_of(content) == ["应急处置 deciding on an emergency action"]


async def test_texts_of_a_crisis_team(school: School) -> None:
    team = await form(school)
    await open_texts(school.store, await school.viewer("director", "了解"), {team: frozenset({"occasion"})})
    (content,) = await told(school.store)
    assert (content["type"], read_of(content)) == ("CrisisTeam", [(["occasion"], [team])])


async def test_purposes_of_other_peoples_grants(school: School) -> None:
    given = await grant(school, await school.viewer("teacher"), document_type="成绩单")
    await list_grants(school.store, await school.viewer("director"), first=5)
    (content,) = await told(school.store)
    assert (content["type"], read_of(content)) == ("RetrievalGrant", [(["purpose"], [given.id])])


async def test_an_export_is_an_entry_a_page(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_ROWS", 4)
    export = await begin_export(
        school.store, await school.viewer("director", "普查"), headers=["姓名", "联系电话"]
    )
    async for _ in export.pieces():
        pass
    await export.end()
    contents = await told(school.store)
    assert [(texts_of(content), len(read_of(content)[0][1])) for content in contents] == [
        (["普查"], 4),
        (["普查"], STUDENTS - 4),
    ]


async def test_a_download_of_an_open_and_of_a_sealed_paper(school: School) -> None:
    form_, medical = await paper(school, "2023级新生学籍信息表"), await paper(school, "2023级体检表")
    await download(school, await school.viewer("director"), form_)
    teacher = await school.viewer("teacher", None)
    student = await school.student()
    given = await grant(school, teacher, Secrecy.SEALED, student_id=student.key, document_type="体检表")
    await download(school, await school.viewer("teacher", None), medical)
    open_, sealed = await told(school.store)
    assert (open_["type"], read_of(open_)) == ("Scan", [(["content"], [form_])])
    assert read_of(sealed) == [(["content"], [medical])]
    assert sealed["groups"][0]["grant_ids"] == [given.id]
    assert sealed["purposes"] == [
        {"text": "家访", "grant_id": given.id, "student_id": student.key, "team_id": None}
    ]


async def test_counts_read_nothing_sensitive_of_anybody(school: School) -> None:
    """They count by open to personal values, and small cells are suppressed."""
    director = await school.viewer("director")
    assert encrypted_paths(Student).isdisjoint(dimension.path for dimension in StudentDimension)
    await student_statistics(school.store, director, [StudentDimension.GENDER])
    assert await told(school.store) == []
