"""A student, their guardians and auditors see who looked at what of theirs, as the entries tell, and no one else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.policy import AccessPolicy, Withheld
from archive_store.access.retrieval_grants import AccessEvent, Secrecy
from archive_store.access.rules import DEFAULT_ACCESS_RULES, AccessRules, Relationship, Scope
from archive_store.access.viewer import LentPost
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.reading_entries import Wanted, newest_events, newest_readings
from archive_store.audit.verification import Flaw, verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.people.sign_in import load_viewer
from archive_store.readings.queries import access_histories
from archive_store.students.queries import StudentFilter, list_students
from tests.conftest import STUDENTS
from tests.crisis.test_lending import active
from tests.graphql.test_schema import recorded
from tests.readings.told import PHONE, download, entries, family, grant, history, look, paper, told
from tests.school import PURPOSE, School

BOTH = frozenset({"phone", "guardians.phone"})
STAFF = {
    *("director", "deputy-1", "deputy-2", "information", "archive", "analysis", "vice-principal"),
    *("principal", "teacher", "academic-affairs", "admissions", "logistics"),
}


async def test_the_guardian_sees_who_read_what_when_and_for_what(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    own, parent = await family(school)
    await look(school, director, student.key, BOTH)
    for viewer in (own, parent):
        found = await history(school, viewer, student.key)
        assert found is not None
        (row,) = found
        assert (row.actor_name, row.actor_posts, row.fields) == (
            director.name,
            ("DIRECTOR",),
            ("guardians.phone", "phone"),
        )
        assert (row.purpose, row.why_withheld, row.scans) == (PURPOSE, None, ())
        assert (row.by_grant, row.by_team, row.is_own) == (False, False, False)
    entry = next(entry for entry in await entries(school.store) if entry["actor_id"] == director.person_id)
    assert (row.entry_id, row.sequence, row.hash, row.at) == (
        entry["_id"],
        1,
        entry["hash"].hex(),
        entry["at"],
    )


async def test_who_is_told(school: School) -> None:
    student = await school.student()
    await look(school, await school.viewer("director"), student.key)
    seen = {who for who in STAFF if await history(school, await school.viewer(who), student.key) is not None}
    assert seen == {"director", "vice-principal", "principal"}
    # Of another child, no family; and nobody of a student who is not there.
    _, other = await family(school, 1)
    assert await history(school, other, student.key) is None
    assert await history(school, await school.viewer("director"), ObjectId()) is None


async def test_a_retrieval_grant_opens_values_not_who_else_read_them(school: School) -> None:
    student, teacher = await school.student(), await school.viewer("teacher")
    given = await grant(school, teacher, Secrecy.SEALED, student_id=student.key)
    assert await history(school, replace(teacher, grants=(given,)), student.key) is None


async def test_auditors_are_those_of_the_policy(school: School) -> None:
    student = await school.student()

    async def sees(subject: str, rules: AccessRules) -> bool:
        viewer = replace(await school.viewer(subject), policy=AccessPolicy(rules))
        return await history(school, viewer, student.key) is not None

    rules = DEFAULT_ACCESS_RULES.model_copy(update={"audit_readers": frozenset({Post.ARCHIVE_GROUP})})
    assert await sees("archive", rules)
    assert not await sees("director", rules)
    # A version from before there were any has the default.
    stored = DEFAULT_ACCESS_RULES.model_dump(mode="json", exclude={"audit_readers"})
    assert await sees("principal", AccessRules.model_validate(stored))
    closed = DEFAULT_ACCESS_RULES.by_relationship | {Relationship.GUARDIAN: frozenset({FieldClass.F0})}
    _, parent = await family(school)
    shut = AccessPolicy(DEFAULT_ACCESS_RULES.model_copy(update={"by_relationship": closed}))
    assert await history(school, parent, student.key) is not None
    assert await history(school, replace(parent, policy=shut), student.key) is None


async def test_a_service_is_told_what_its_scopes_name(school: School) -> None:
    student = await school.student()
    await look(school, await school.viewer("director"), student.key)

    async def sees(*scopes: Scope) -> tuple[str | None, Withheld | None] | None:
        service = await load_viewer(school.store, "service", frozenset(Scope))
        assert service is not None
        viewer = replace(service, posts=frozenset({Post.DIRECTOR}), scopes=frozenset(scopes))
        found = await history(school, viewer.for_purpose(PURPOSE), student.key)
        return (found[-1].purpose, found[-1].why_withheld) if found else None

    records = (Scope.STUDENT_READ, Scope.STUDENT_READ_SENSITIVE)
    assert await sees(*records) is None
    assert await sees(Scope.AUDIT_READ) is None
    assert await sees(Scope.STUDENT_READ, Scope.AUDIT_READ) == (None, Withheld.NOT_PERMITTED)
    assert await sees(*records, Scope.AUDIT_READ) == (PURPOSE, None)


async def test_an_auditor_reads_purposes_for_a_purpose_and_that_is_a_reading_of_events_alone(
    school: School,
) -> None:
    student = await school.student()
    await look(school, await school.viewer("director", "核对"), student.key)
    principal = await school.viewer("principal", None)
    (row,) = await history(school, principal, student.key) or ()
    assert (row.purpose, row.why_withheld, row.fields) == (None, Withheld.PURPOSE_REQUIRED, ("phone",))
    assert len(await told(school.store)) == 1
    stated = await school.viewer("principal", "投诉核查")
    for _ in range(3):
        # It tells of no reading of its own, however often it is asked.
        (row,) = await history(school, stated, student.key) or ()
        assert (row.purpose, row.why_withheld) == ("核对", None)
    contents = (await told(school.store))[1:]
    assert [content["type"] for content in contents] == ["AccessEvent"] * 3
    assert contents[0]["groups"][0]["fields"] == ["purpose"]
    assert contents[0]["groups"][0]["subject_ids"] == [row.event_id]
    # Nor is one written where no purpose is asked for.
    await history(school, stated, student.key, with_purposes=False)
    assert len(await told(school.store)) == 4


async def test_nothing_of_the_others_in_the_same_reading(school: School) -> None:
    """A list of students tells the family of one what it tells of a list of that one, but for the purpose."""
    student = await school.student()
    _, parent = await family(school)
    await list_students(school.store, await school.viewer("director"), PHONE, first=STUDENTS)
    where = StudentFilter(auxiliary_number=student.auxiliary_number)
    director = await school.viewer("director")
    await list_students(school.store, director, PHONE, first=STUDENTS, where=where)
    alone, shared = await history(school, parent, student.key) or ()
    kept = {"event_id", "at", "entry_id", "hash", "purpose", "why_withheld"}
    same = [name for name in type(alone).__slots__ if name not in kept]
    assert [getattr(alone, name) for name in same] == [getattr(shared, name) for name in same]
    assert (alone.purpose, shared.purpose, shared.why_withheld) == (PURPOSE, None, Withheld.NOT_PERMITTED)
    others = [str((await school.student(position)).key) for position in range(1, STUDENTS)]
    assert not any(key in repr(shared) for key in others)


async def test_the_purpose_of_a_reading_of_all_ones_children_is_told(school: School) -> None:
    one, two = await school.student(0), await school.student(1)
    _, parent = await family(school)
    parent = replace(parent, ward_ids=frozenset({one.key, two.key}))
    await list_students(school.store, await school.viewer("director"), PHONE, first=2)
    for key in (one.key, two.key):
        (row,) = await history(school, parent, key) or ()
        assert row.purpose == PURPOSE
    (row,) = await history(school, replace(parent, ward_ids=frozenset({one.key})), one.key) or ()
    assert (row.purpose, row.why_withheld) == (None, Withheld.NOT_PERMITTED)


async def test_the_purpose_of_a_grant_is_told_where_it_names_the_student(school: School) -> None:
    student = await school.student()
    form = await paper(school, "2023级新生学籍信息表")
    _, parent = await family(school)
    seen = {}
    for name, terms in {
        "this student": {"student_id": student.key},
        "a type": {"document_type": "新生学籍信息表"},
    }.items():
        teacher = await school.viewer("teacher", None)
        given = await grant(school, teacher, purpose=name, **terms)
        await download(school, replace(teacher, grants=(given,)), form)
        (row, *_) = await history(school, parent, student.key) or ()
        assert row.by_grant
        seen[name] = (row.purpose, row.why_withheld)
    assert seen == {"this student": ("this student", None), "a type": (None, Withheld.NOT_PERMITTED)}


async def test_a_reading_for_a_crisis_team_is_told_at_once_but_not_what_the_team_is_about(
    school: School,
) -> None:
    """Its title may speak of somebody else."""
    student = await school.student()
    _, parent = await family(school)
    await active(school)
    await look(school, await school.viewer("logistics", "联系家长"), student.key)
    (row,) = await history(school, parent, student.key) or ()
    assert (row.by_team, row.by_grant, row.fields) == (True, True, ("phone",))
    assert (row.purpose, row.why_withheld) == ("联系家长", Withheld.NOT_PERMITTED)
    (row,) = await history(school, await school.viewer("principal"), student.key) or ()
    assert (row.purpose, row.why_withheld) == ("联系家长; 临时小组:甲流处置小组", None)


async def test_what_another_student_was_lent_for_does_not_stand_with_this_one(school: School) -> None:
    """Two students in one reading, one of them by a grant of a team."""
    student, other = await school.student(0), await school.student(1)
    _, parent = await family(school)
    reader = replace(
        await school.viewer("academic-affairs", None),
        ward_ids=frozenset({student.key}),
        grants=(await grant(school, parent, student_id=other.key, team_id=ObjectId(), purpose="临时小组"),),
    )
    await list_students(school.store, reader, PHONE, first=STUDENTS)
    (row,) = await history(school, parent, student.key) or ()
    assert (row.by_grant, row.by_team) == (False, False)
    (row,) = await history(school, await school.viewer("principal"), other.key) or ()
    assert (row.by_grant, row.by_team) == (True, True)


async def test_a_lent_post_reads_for_its_team_whatever_it_reads(school: School) -> None:
    student, director = await school.student(), await school.viewer("director")
    _, parent = await family(school)
    lent = LentPost(Post.DIRECTOR, ObjectId(), "临时小组:乙")
    await look(school, replace(director, lent_posts=(lent,)), student.key)
    (row,) = await history(school, parent, student.key) or ()
    assert (row.by_team, row.by_grant, row.purpose) == (True, False, PURPOSE)


async def test_own_readings_are_left_out_unless_asked_for(school: School) -> None:
    student = await school.student()
    own, parent = await family(school)
    await look(school, own, student.key)
    await look(school, parent, student.key)
    for viewer, other in ((own, parent), (parent, own)):
        assert [row.actor_name for row in await history(school, viewer, student.key) or ()] == [other.name]
        rows = await history(school, viewer, student.key, with_own=True) or []
        assert {(row.actor_name, row.is_own) for row in rows} == {(other.name, False), (viewer.name, True)}
    # An auditor is told of all, those of their own included.
    director = await school.viewer("director")
    await look(school, director, student.key)
    rows = await history(school, director, student.key) or []
    assert [(row.actor_name, row.is_own) for row in rows] == [
        (director.name, True),
        (parent.name, False),
        (own.name, False),
    ]


async def test_downloads_of_papers_open_and_sealed(school: School) -> None:
    student = await school.student()
    form, medical = await paper(school, "2023级新生学籍信息表"), await paper(school, "2023级体检表")
    elsewhere = await paper(school, "2023级新生学籍信息表", position=1)
    director, teacher = await school.viewer("director"), await school.viewer("teacher")
    given = await grant(school, teacher, Secrecy.SEALED, student_id=student.key, document_type="体检表")
    await download(school, director, form)
    await download(school, director, elsewhere)
    await download(school, replace(teacher, grants=(given,)), medical)
    _, parent = await family(school)
    rows = await history(school, parent, student.key) or []
    assert [([view.document_type for view in row.scans], row.fields, row.by_grant) for row in rows] == [
        (["体检表"], (), True),
        (["新生学籍信息表"], (), False),
    ]


async def test_a_sealed_paper_that_the_viewer_may_not_know_of_is_not_told_of(school: School) -> None:
    student = await school.student()
    medical = await paper(school, "2023级体检表")
    teacher = await school.viewer("teacher")
    given = await grant(school, teacher, Secrecy.SEALED, student_id=student.key, document_type="体检表")
    await look(school, await school.viewer("director"), student.key)
    for _ in range(3):
        await download(school, replace(await school.viewer("teacher"), grants=(given,)), medical)
    rules = DEFAULT_ACCESS_RULES.model_copy(update={"sealed_known_to": frozenset({Post.ARCHIVE_GROUP})})
    auditor = replace(await school.viewer("principal"), policy=AccessPolicy(rules))
    (page,) = await access_histories(school.store, auditor, [student.key], first=1)
    # Nor is a page short of it, or followed by an empty one.
    assert page is not None
    assert ([row.fields for row in page.rows], page.has_next) == ([("phone",)], False)


async def test_pages_from_the_newest_on(school: School) -> None:
    student = await school.student()
    _, parent = await family(school)
    for purpose in "甲乙丙丁戊":
        await look(school, await school.viewer("director", purpose), student.key)
    seen: list[str | None] = []
    after, has_next = None, True
    while has_next:
        (page,) = await access_histories(school.store, parent, [student.key], first=2, after=after)
        assert page is not None
        seen += [row.purpose for row in page.rows]
        after, has_next = page.rows[-1].event_id, page.has_next
    assert seen == list("戊丁丙乙甲")
    for first in (0, 101):
        with pytest.raises(RegistrarError) as caught:
            await history(school, parent, student.key, first=first)
        assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_ARGUMENT, "first")


async def test_several_students_at_once_have_pages_of_their_own(school: School) -> None:
    director = await school.viewer("director")
    keys = [(await school.student(position)).key for position in range(3)]
    for position, times in enumerate((3, 0, 1)):
        for _ in range(times):
            await look(school, director, keys[position])
    pages = await access_histories(school.store, director, [keys[2], ObjectId(), keys[0], keys[1]], first=2)
    assert [None if page is None else (len(page.rows), page.has_next) for page in pages] == [
        (1, False),
        None,
        (2, True),
        (0, False),
    ]


@pytest.mark.parametrize(
    ("update", "shown"),
    [
        ({"$set": {"viewer_name": "somebody else", "viewer_posts": [], "read_type": "Scan"}}, True),
        ({"$set": {"groups.0.fields": ["email"], "grant_ids": [ObjectId("6" * 24)]}}, True),
        ({"$set": {"purpose": None, "created_at": None}}, True),
        ({"$set": {"groups.0.subject_ids": []}}, False),
    ],
    ids=str,
)
async def test_an_edited_event_changes_nothing_of_what_is_told(
    school: School, update: dict[str, Any], shown: bool
) -> None:
    student = await school.student()
    _, parent = await family(school)
    await look(school, await school.viewer("director"), student.key)
    before = await history(school, parent, student.key)
    await school.store.database.collection(AccessEvent).update_one({}, update)
    assert await history(school, parent, student.key) == (before if shown else [])
    assert Flaw.CHANGED_READING in await flaws(school)


async def flaws(school: School) -> list[Flaw]:
    return [finding.flaw for finding in (await verify_history(school.store, RECORD_TYPES)).findings]


async def test_an_event_that_names_somebody_whom_its_entry_does_not_is_passed_over(school: School) -> None:
    """As often as it takes, so that the page is whole."""
    student, other = await school.student(0), await school.student(1)
    _, parent = await family(school)
    director = await school.viewer("director")
    for purpose in "甲乙":
        await look(school, await school.viewer("director", purpose), student.key)
    for _ in range(5):
        await look(school, director, other.key)
    events = school.store.database.collection(AccessEvent)
    await events.update_many(
        {"groups.subject_ids": other.key}, {"$push": {"groups.0.subject_ids": student.key}}
    )
    (page,) = await access_histories(school.store, parent, [student.key], first=1)
    assert page is not None
    assert ([row.purpose for row in page.rows], page.has_next) == (["乙"], True)
    (page,) = await access_histories(
        school.store, parent, [student.key], first=1, after=page.rows[0].event_id
    )
    assert page is not None
    assert ([row.purpose for row in page.rows], page.has_next) == (["甲"], False)


@pytest.mark.parametrize(
    "update",
    [{"actor_name": "somebody else"}, {"actor_posts": []}, {"actor_id": ObjectId("6" * 24)}, {"hash": b""}],
    ids=str,
)
async def test_an_edited_entry_is_not_told(school: School, update: dict[str, Any]) -> None:
    student = await school.student()
    _, parent = await family(school)
    director = await school.viewer("director")
    for purpose in "甲乙":
        await look(school, await school.viewer("director", purpose), student.key)
    newest = await school.store.database.collection(AccessEvent).find_one(
        {"viewer_id": director.person_id}, sort=[("_id", -1)]
    )
    assert newest is not None
    entries = school.store.database.mongo[ENTRIES]
    await entries.update_one({"subject_id": newest["_id"]}, {"$set": update})
    assert [row.purpose for row in await history(school, parent, student.key) or ()] == ["甲"]


async def test_the_sealed_content_of_another_entry_is_not_told_as_its_own(school: School) -> None:
    student, other = await school.student(0), await school.student(1)
    _, parent = await family(school)
    await look(school, await school.viewer("director"), student.key)
    await look(school, await school.viewer("director", "别人"), other.key)
    first, second = [row["_id"] for row in await entries(school.store)]
    collection = school.store.database.mongo[ENTRIES]
    stored = await collection.find_one({"_id": first})
    assert stored is not None
    await collection.update_one({"_id": second}, {"$set": {"sealed": stored["sealed"]}})
    await school.store.database.collection(AccessEvent).update_many(
        {}, {"$set": {"groups.0.subject_ids": [student.key]}}
    )
    assert [row.purpose for row in await history(school, parent, student.key) or ()] == [PURPOSE]


async def test_the_index_finds_them_in_order(school: School) -> None:
    """No collection scan and no sort, also for a student with scans, from a place on, and without own readings."""
    student, director = await school.student(), await school.viewer("director")
    for _ in range(3):
        await look(school, director, student.key)
    events = school.store.database.collection(AccessEvent)
    (some, *_) = await events.find().to_list()
    others = [{"groups": [{"fields": [], "subject_ids": [ObjectId(), ObjectId()]}]} for _ in range(500)]
    await events.insert_many([some | other | {"_id": ObjectId()} for other in others])
    keys = frozenset({student.key, ObjectId(), ObjectId()})
    for one in (Wanted(keys), Wanted(keys, ObjectId(), ObjectId())):
        plan = await school.store.database.mongo.command(
            "explain",
            {"aggregate": events.name, "pipeline": newest_events(one, 21), "cursor": {}},
            verbosity="executionStats",
        )
        stages = set(stages_of(plan["queryPlanner"]["winningPlan"]))
        assert stages == {"LIMIT", "FETCH", "SORT_MERGE", "IXSCAN groups.subject_ids_1__id_-1"}
        assert plan["executionStats"]["totalKeysExamined"] < 20
    (page,) = await newest_readings(school.store, [Wanted(keys)], first=20)
    assert len(page.rows) == 3


def stages_of(plan: dict[str, Any]) -> Iterator[str]:
    yield " ".join(filter(None, (plan["stage"], plan.get("indexName"))))
    for below in [plan.get("inputStage"), *plan.get("inputStages", ())]:
        if below:
            yield from stages_of(below)


async def test_a_page_of_many_students_costs_as_many_queries_as_one(school: School, settings: Any) -> None:
    director = await school.viewer("director")
    for position in range(STUDENTS):
        await look(school, director, (await school.student(position)).key)
    counts = []
    for first in (1, STUDENTS):
        query = f"""{{ students(first: {first}) {{ edges {{ node {{ accessHistory(first: 2) {{ edges {{ node {{
            at actorName fields scans {{ documentType }} entryHash }} }} }} }} }} }} }}"""
        commands, result = await recorded(school, settings, "director", query)
        assert result.errors is None and len(result.data["students"]["edges"]) == first
        assert all(edge["node"]["accessHistory"]["edges"] for edge in result.data["students"]["edges"])
        counts.append(sorted(commands.names))
    assert counts[0] == counts[1]
    assert [name for name in counts[0] if name.split()[1] in ("access_events", "audit_entries", "scans")] == [
        "aggregate access_events",
        "find audit_entries",
        "find scans",
    ]
