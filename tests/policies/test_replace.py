"""`policy.replace`: by the principal, for a day, to every process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from archive_store.access.rules import DEFAULT_ACCESS_RULES, FieldAccessPolicy, Relationship
from archive_store.approvals.documents import ChangeRequest
from archive_store.archive import RECORD_TYPES, open_archive
from archive_store.audit.verification import verify_history
from archive_store.foundation import versioned
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.settings import Settings
from archive_store.people.sign_in import load_viewer
from archive_store.policies.operations import Replacement, replace_policy
from archive_store.policies.rules import access_differences
from archive_store.scans.documents import Scan
from archive_store.students.documents import Student
from archive_store.students.queries import find_student
from tests.school import School

TYPES = (Student, Scan)


def rules(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = bson_value(DEFAULT_ACCESS_RULES)
    return content | changes


def by_post(**changes: list[str]) -> dict[str, Any]:
    return rules(by_post=rules()["by_post"] | changes)


async def ask(
    school: School,
    content: dict[str, Any],
    subject: str = "director",
    *,
    days: int = 0,
    dry_run: bool = False,
) -> Replacement:
    return await replace_policy(
        school.store,
        await school.viewer(subject),
        rules=content,
        effective_from=school_day(school.store.clock.now()) + timedelta(days=days),
        reason="后勤保障部需要年级信息",
        dry_run=dry_run,
    )


async def replaced(school: School, content: dict[str, Any], *, days: int = 0) -> None:
    asked = await ask(school, content, days=days)
    assert asked.change_request_id is not None
    # The requester is the department head, whose tier falls away.
    for subject in ("vice-principal", "principal"):
        await school.approve(subject, asked.change_request_id)
    school.store.versions_seen.clear()


async def reads(school: School, subject: str) -> set[str]:
    student = await school.student()
    viewer = await school.viewer(subject)
    found = await find_student(school.store, viewer, student.key, frozenset({"name", "auxiliary_number"}))
    return set(found.rows[0]) - {"_id"} if found.rows else set()


async def test_the_principal_decides_and_it_takes_effect(school: School) -> None:
    assert await reads(school, "logistics") == {"name"}
    asked = await ask(school, by_post(LOGISTICS=["F0", "F1"]))
    request = asked.change_request_id
    assert request is not None
    held = await school.store.database.collection(ChangeRequest).find_one({"_id": request})
    assert held is not None and held["chain"] == ["VICE_PRINCIPAL", "PRINCIPAL"]
    await school.approve("vice-principal", request)
    assert await reads(school, "logistics") == {"name"}
    await school.approve("principal", request)
    school.store.versions_seen.clear()
    assert await reads(school, "logistics") == {"name", "auxiliary_number"}
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_deputys_request_goes_through_all_tiers(school: School) -> None:
    asked = await ask(school, by_post(LOGISTICS=["F0", "F1"]), "deputy-1")
    held = await school.store.database.collection(ChangeRequest).find_one({"_id": asked.change_request_id})
    assert held is not None and held["chain"] == ["DEPARTMENT_HEAD", "VICE_PRINCIPAL", "PRINCIPAL"]


async def test_a_version_waits_for_its_day(school: School) -> None:
    await replaced(school, by_post(LOGISTICS=["F0", "F1"]), days=2)
    assert await reads(school, "logistics") == {"name"}
    policies = school.store.database.collection(FieldAccessPolicy)
    today = school_day(school.store.clock.now()).isoformat()
    await policies.update_one({"version": 2}, {"$set": {"effective_from": today}})
    school.store.versions_seen.clear()
    assert await reads(school, "logistics") == {"name", "auxiliary_number"}


async def test_every_running_process_follows_without_a_restart(
    school: School, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioned, "REREAD_AFTER_SECONDS", 0.0)
    student = await school.student()
    async with open_archive(settings, prepares=False) as other:

        async def sees() -> bool:
            viewer = await load_viewer(other, "logistics")
            assert viewer is not None
            found = await find_student(other, viewer, student.key, frozenset({"auxiliary_number"}))
            return "auxiliary_number" in found.rows[0]

        assert not await sees()
        await replaced(school, by_post(LOGISTICS=["F0", "F1"]))
        assert await sees()
        await replaced(school, by_post(LOGISTICS=["F0"]))
        assert not await sees()


async def test_two_replacements_of_one_version_conflict(school: School) -> None:
    requests = [
        (await ask(school, by_post(LOGISTICS=classes))).change_request_id
        for classes in (["F0", "F1"], ["F0", "F1", "F2"])
    ]
    for request in requests:
        assert request is not None
        await school.approve("vice-principal", request)
    await school.approve("principal", requests[0])  # type: ignore[arg-type]
    with pytest.raises(RegistrarError) as caught:
        await school.approve("principal", requests[1])  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "version")


async def test_a_dry_run_says_who_gains_and_loses_and_writes_nothing(school: School) -> None:
    before = await school.counts()
    for subject in ("director", "vice-principal", "principal"):
        told = await ask(school, by_post(LOGISTICS=["F1"]), subject, dry_run=True)
        assert told.change_request_id is None
        assert {(held.post, held.purpose_stated) for held in told.differences} == {
            (Post.LOGISTICS, False),
            (Post.LOGISTICS, True),
        }
        gains, loses = told.differences[0].gains, told.differences[0].loses
        assert "Student.auxiliary_number" in gains and "Student.name" in loses
        assert not set(gains) & set(loses)
    assert await school.counts() == before


def test_differences_speak_of_relationships_purposes_and_papers() -> None:
    after = DEFAULT_ACCESS_RULES.model_copy(
        update={
            "by_relationship": DEFAULT_ACCESS_RULES.by_relationship
            | {Relationship.GUARDIAN: DEFAULT_ACCESS_RULES.by_relationship[Relationship.TEACHER]},
            "document_classes": DEFAULT_ACCESS_RULES.document_classes | {"成绩单": "F4"},
        }
    )
    found = access_differences(DEFAULT_ACCESS_RULES, after, TYPES)
    lost = {(held.post or held.relationship, held.purpose_stated): held.loses for held in found}
    assert "Student.phone" in lost[(Relationship.GUARDIAN, False)]
    assert lost[(Post.DIRECTOR, True)] == ("Scan.content(成绩单)",)
    assert (Post.DIRECTOR, False) not in lost
    assert access_differences(after, after, TYPES) == []


# The numbers of the rules, with the least and the most of each; what is named in them, with a value of its kind.
NUMBERS = (("smallest_cell", 2, 1000), ("grant_days", 1, 366), ("grant_views", 1, 1000))
NAMED: tuple[tuple[str, Any], ...] = (
    ("document_classes", "F0"),
    ("business_lines", {"record_types": ["Student"]}),
)


@pytest.mark.parametrize("position", [1, 2])
async def test_numbers_and_names_at_their_limits_are_taken(school: School, position: int) -> None:
    numbers = {limits[0]: limits[position] for limits in NUMBERS}
    names = {name: {f"{place:类>100}": value for place in range(500)} for name, value in NAMED}
    await replaced(school, rules(**numbers, **names))
    held = (await versioned.newest_version(school.store, FieldAccessPolicy)).rules
    assert {name: getattr(held, name) for name in numbers} == numbers
    assert len(held.document_classes) == len(held.business_lines) == 500


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        (by_post(NOBODY=["F0"]), None, "rules.by_post.NOBODY"),
        (by_post(LOGISTICS=["F9"]), ErrorCode.UNKNOWN_CODE, "rules.by_post.LOGISTICS.0"),
        (rules(smallest_cell=1), None, "rules.smallest_cell"),
        *[
            (rules(**{name: value}), ErrorCode.INVALID_ARGUMENT, f"rules.{name}")
            for name, least, most in NUMBERS
            for value in (
                least - 1,
                most + 1,
                2**63,
                10**30,
                True,
                str(least),
                7.0,
                float("nan"),
                float("inf"),
            )
        ],
        *[
            (rules(**{name: dict.fromkeys(map(str, range(501)), value)}), ErrorCode.TOO_MANY, f"rules.{name}")
            for name, value in NAMED
        ],
        *[
            (rules(**{name: {"类" * 101: value}}), ErrorCode.TOO_LONG, f"rules.{name}.类类")
            for name, value in NAMED
        ],
        *[(rules(**{name: {"": value}}), ErrorCode.REQUIRED, f"rules.{name}") for name, value in NAMED],
        (rules(unheard_of=1), ErrorCode.UNKNOWN_FIELD, "rules.unheard_of"),
        ({"by_post": {}}, ErrorCode.REQUIRED, "rules.by_relationship"),
        (rules(), ErrorCode.NOTHING_TO_CHANGE, "rules"),
        (
            rules(business_lines={"新线": {"record_types": ["Nothing"]}}),
            ErrorCode.UNKNOWN_CODE,
            "rules.business_lines.新线.record_types",
        ),
        (
            rules(business_lines={"新线": {"record_types": ["Student"], "student_statuses": ["GONE"]}}),
            ErrorCode.UNKNOWN_CODE,
            "rules.business_lines.新线.student_statuses",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
async def test_bad_rules_are_refused_by_place(
    school: School, content: dict[str, Any], code: ErrorCode | None, field: str, dry_run: bool
) -> None:
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await ask(school, content, dry_run=dry_run)
    assert (caught.value.field or "").startswith(field)
    assert code is None or caught.value.code is code
    assert await school.counts() == before


async def test_never_into_the_past(school: School) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask(school, by_post(LOGISTICS=["F1"]), days=-1)
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_DATE, "effective_from")


@pytest.mark.parametrize("subject", ["information", "teacher", "logistics", "service", "analysis"])
@pytest.mark.parametrize("dry_run", [True, False])
async def test_who_may_ask(school: School, subject: str, dry_run: bool) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask(school, by_post(LOGISTICS=["F1"]), subject, dry_run=dry_run)
    assert caught.value.code is ErrorCode.FORBIDDEN


async def test_the_principal_does_not_ask_for_what_the_principal_decides(school: School) -> None:
    with pytest.raises(RegistrarError) as caught:
        await ask(school, by_post(LOGISTICS=["F1"]), "principal")
    assert caught.value.code is ErrorCode.FORBIDDEN
