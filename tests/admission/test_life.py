"""A candidate's way to a confirmed record: no skipped step, both seats, every change told, refusals without a trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.admission.amendments import AdmissionAmend
from archive_store.admission.confirmation import AdmissionConfirm, AdmissionObject, capacity_for
from archive_store.admission.corrections import AdmissionCorrect, tell_overdue
from archive_store.admission.documents import AdmissionCase, Capacity, CaseStatus, Channel
from archive_store.admission.queries import CaseFilter
from archive_store.admission.rules import AdmissionAction
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.documents import ENTRIES
from archive_store.audit.notifications import list_notifications
from archive_store.audit.verification import verify_history
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import field_classes
from archive_store.people.rules import citizen_id_facts
from archive_store.scans.queries import find_scan
from archive_store.students.changes import StudentChanges
from archive_store.students.documents import Student, StudentStatus
from tests.admission.cases import (
    act,
    add_papers,
    await_confirmation,
    candidate,
    each,
    file_papers,
    open_case,
    pass_review,
    review,
    stored,
)
from tests.school import School


async def refused(school: School, work: Any) -> RegistrarError:
    """The answer; nothing is written by it."""
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await work
    assert await school.counts() == before
    return caught.value


def facts_of(number: str | None) -> dict[str, Any]:
    assert number is not None
    facts = citizen_id_facts(number)
    return {"gender": facts.gender, "birth_date": facts.birth_date.isoformat()}


async def say(school: School, subject: str, action: str, key: ObjectId, **values: Any) -> Any:
    viewer = await school.viewer(subject)
    kind = {"confirm": AdmissionConfirm, "object": AdmissionObject}[action]
    capacity = await capacity_for(school.store, viewer, key, AdmissionAction(action.upper()))
    payload = payload_of(kind, {"case_id": key, "capacity": capacity, **values})
    return await perform(school.store, viewer, f"admission.{action}", payload)


async def correct(school: School, key: ObjectId, changes: dict[str, Any], **answer: Any) -> ObjectId | None:
    case = await stored(school, key)
    answers = [
        {"field": held.field, "is_corrected": held.field in changes, **answer}
        for held in case.open_objections
    ]
    told = {
        "case_id": key,
        "student_id": case.student_id,
        "objections": len(case.objections),
        "changes": changes,
        "answers": answers,
    }
    payload = payload_of(AdmissionCorrect, told)
    viewer = await school.viewer("information")
    outcome = await perform(school.store, viewer, "admission.correct", payload, reason="家长异议")
    return outcome.change_request_id


async def test_a_whole_way(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await pass_review(school, key)
    assert (await stored(school, key)).status is CaseStatus.READY_FOR_ENTRY
    await act(school, "information", "enter", key)
    case = await stored(school, key)
    student = await school.store.database.collection(Student).find_one({"_id": case.student_id})
    assert student is not None and student["status"] == StudentStatus.ENROLLED.value
    assert student["name"] == case.applicant.name
    assert student["status_periods"][0]["effective_from"] == "2026-09-01"
    await act(school, "information", "call_confirmation", key)
    done = await each(school, "information", AdmissionAction.CONFIRM, ids=[key], comment="确认表已签字")
    assert done.done == (key,) and not done.failed
    held = await stored(school, key)
    assert held.status is CaseStatus.CONFIRMED
    assert (held.confirmed_as, held.confirmed_by_name) == (Capacity.AT_SCHOOL, "新生1")
    rows = school.store.database.mongo[ENTRIES].find({"subject_id": key}).sort("sequence", 1)
    kinds = ["supply", "add_evidence", "submit", "review", "review", "enter", "call_confirmation", "confirm"]
    assert [row["kind"] async for row in rows] == [f"admission:{kind}" for kind in kinds]
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_where_each_value_came_from(school: School) -> None:
    key = await open_case(school, phone=None)
    viewer = await school.viewer("information")
    told = {"case_id": key, "applicant": {"phone": "13900003333"}, "channel": Channel.INFORMATION_GROUP}
    await perform(school.store, viewer, "admission.amend", payload_of(AdmissionAmend, told))
    case = await stored(school, key)
    assert [(held.channel, "phone" in held.fields) for held in case.supplies] == [
        (Channel.ADMISSIONS_OFFICE, False),
        (Channel.INFORMATION_GROUP, True),
    ]
    assert case.supplies[1].fields == ["phone"]


async def test_no_step_is_skipped(school: School) -> None:
    key = await open_case(school)
    for subject, action in (
        ("information", "enter"),
        ("information", "call_confirmation"),
        ("director", "reopen"),
    ):
        assert (await refused(school, act(school, subject, action, key))).code is ErrorCode.WRONG_STATE
    missing = await refused(school, act(school, "information", "submit", key))
    assert (missing.code, missing.field) == (ErrorCode.REQUIRED, "evidence.户口簿")
    await add_papers(school, key, "户口簿")
    missing = await refused(school, act(school, "information", "submit", key))
    assert (missing.code, missing.field) == (ErrorCode.REQUIRED, "evidence.身份证")
    await add_papers(school, key, "身份证")
    await act(school, "information", "submit", key)
    assert (await refused(school, act(school, "information", "enter", key))).code is ErrorCode.WRONG_STATE
    await review(school, "director", key)
    assert (await refused(school, act(school, "information", "enter", key))).code is ErrorCode.WRONG_STATE
    await review(school, "academic-affairs", key)
    for subject in ("director", "admissions", "academic-affairs", "archive"):
        assert (await refused(school, act(school, subject, "enter", key))).code is ErrorCode.FORBIDDEN
    await act(school, "information", "enter", key)
    assert (await refused(school, act(school, "information", "enter", key))).code is ErrorCode.WRONG_STATE


async def test_two_seats_and_two_persons_sign(school: School) -> None:
    key = await open_case(school, subject="director")
    await add_papers(school, key)
    await act(school, "director", "submit", key)
    assert (await refused(school, review(school, "director", key))).code is ErrorCode.SELF_APPROVAL
    assert (await refused(school, review(school, "information", key))).code is ErrorCode.FORBIDDEN
    # Admission is not in the line of either deputy director of the demo school.
    assert (await refused(school, review(school, "deputy-1", key))).code is ErrorCode.FORBIDDEN
    await review(school, "academic-affairs", key)
    assert (await refused(school, review(school, "academic-affairs", key))).code is ErrorCode.SELF_APPROVAL
    assert (await stored(school, key)).status is CaseStatus.IN_REVIEW


async def test_a_failed_review_is_completed_and_signed_anew(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    await review(school, "academic-affairs", key)
    no_reason = await refused(school, review(school, "director", key, passed=False, comment=None))
    assert (no_reason.code, no_reason.field) == (ErrorCode.REQUIRED, "comment")
    await review(school, "director", key, passed=False)
    assert (await stored(school, key)).status is CaseStatus.REVIEW_FAILED
    await act(school, "information", "reopen", key)
    await act(school, "information", "submit", key)
    await review(school, "director", key)
    case = await stored(school, key)
    assert case.status is CaseStatus.IN_REVIEW and len(case.current_signatures) == 1


async def test_who_is_on_record_or_has_a_case_is_no_candidate(school: School) -> None:
    await open_case(school)
    student = await school.student()
    for number in (candidate(1)["identity_number"], student.identity_number):
        before = await school.counts()
        with pytest.raises(RegistrarError) as caught:
            await open_case(school, 2, identity_number=number, **facts_of(number))
        assert caught.value.code is ErrorCode.DUPLICATE
        assert caught.value.field == "applicants.0.applicant.identity_number"
        # That the number is somebody's is a reading of it, and nothing else is written.
        now = await school.counts()
        assert now["access_events"] == before["access_events"] + 1
        assert {name: now[name] for name in ("admission_cases", "students", "persons", "notifications")} == {
            name: before[name] for name in ("admission_cases", "students", "persons", "notifications")
        }


async def test_what_is_supplied_again_changes_the_case(school: School) -> None:
    key = await open_case(school)
    assert await open_case(school) == key
    assert await open_case(school, phone="13900004444") == key
    case = await stored(school, key)
    assert case.applicant.phone == "13900004444" and len(case.supplies) == 2
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    assert await open_case(school, phone="13900004444") == key
    late = await refused(school, open_case(school, phone="13900005555"))
    assert (late.code, late.field) == (ErrorCode.WRONG_STATE, "applicants.0.reference")


async def test_objection_correction_confirmation(school: School) -> None:
    key = await await_confirmation(school)
    objections = [{"field": "phone", "statement": "号码已换", "proposed": {"phone": "13900009999"}}]
    await say(school, "parent", "object", key, objections=objections)
    case = await stored(school, key)
    assert case.status is CaseStatus.OBJECTED and case.due_at is not None
    whole = await refused(school, say(school, "child", "confirm", key))
    assert whole.code is ErrorCode.WRONG_STATE
    await say(school, "child", "confirm", key, fields=["name", "birth_date"])
    request = await correct(school, key, {"phone": "13900009999"})
    assert request is not None and (await stored(school, key)).status is CaseStatus.OBJECTED
    await decide(school.store, await school.viewer("director"), request, Decision.APPROVED)
    case = await stored(school, key)
    assert case.status is CaseStatus.CORRECTED and not case.open_objections
    await say(school, "parent", "object", key, objections=[{"field": "native_place", "statement": "应写明"}])
    request = await correct(school, key, {}, answer="户口簿未载")
    assert request is not None
    await decide(school.store, await school.viewer("director"), request, Decision.APPROVED)
    await say(school, "parent", "confirm", key)
    case = await stored(school, key)
    assert (case.status, case.confirmed_as) == (CaseStatus.CONFIRMED, Capacity.GUARDIAN)
    row = await school.store.database.collection(Student).find_one({"_id": case.student_id})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], frozenset({"phone"}))
    assert row["phone"] == "13900009999"
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_who_confirms(school: School) -> None:
    key = await await_confirmation(school)
    other = await open_case(school, 2)
    for subject, asked, code in (
        ("director", key, ErrorCode.FORBIDDEN),
        ("archive", key, ErrorCode.FORBIDDEN),
        ("teacher", key, ErrorCode.NOT_FOUND),
        ("child", other, ErrorCode.NOT_FOUND),
        ("parent", other, ErrorCode.NOT_FOUND),
    ):
        viewer = await school.viewer(subject)
        with pytest.raises(RegistrarError) as caught:
            await capacity_for(school.store, viewer, asked, AdmissionAction.CONFIRM)
        assert caught.value.code is code, subject
    unnamed = await refused(school, say(school, "information", "confirm", key))
    assert (unnamed.code, unnamed.field) == (ErrorCode.REQUIRED, "said_by")
    viewer = await school.viewer("child")
    posing = payload_of(AdmissionConfirm, {"case_id": key, "capacity": "AT_SCHOOL", "said_by": "新生1"})
    assert (
        await refused(school, perform(school.store, viewer, "admission.confirm", posing))
    ).code is ErrorCode.FORBIDDEN


async def test_a_late_correction_is_told_once(school: School) -> None:
    key = await await_confirmation(school)
    await say(school, "parent", "object", key, objections=[{"field": "phone", "statement": "不对"}])
    due = (await stored(school, key)).due_at
    assert due is not None
    assert await tell_overdue(school.store, due - timedelta(seconds=1)) == 0
    assert await tell_overdue(school.store, due) == 1
    assert await tell_overdue(school.store, due) == 0
    page = await list_notifications(school.store, await school.viewer("director"), first=50)
    assert [notice.kind for notice in page.rows].count("admission:overdue") == 1
    assert due > school.store.clock.now() and school_day(due) > school_day(school.store.clock.now())


async def test_a_cohort_moves_together_and_every_case_is_accounted_for(school: School) -> None:
    keys = [await open_case(school, number) for number in range(1, 5)]
    for key in keys[:3]:
        await add_papers(school, key)
    cohort = CaseFilter(cohort=2026)
    moved = await each(school, "information", AdmissionAction.SUBMIT, where=cohort)
    assert set(moved.done) == set(keys[:3])
    assert [(held.case_id, held.error.code) for held in moved.failed] == [(keys[3], ErrorCode.REQUIRED)]
    for subject in ("academic-affairs", "director"):
        assert set((await each(school, subject, AdmissionAction.REVIEW, where=cohort)).done) == set(keys[:3])
    assert set((await each(school, "information", AdmissionAction.ENTER, where=cohort)).done) == set(keys[:3])


async def test_papers_of_a_candidate_are_seen_by_post_alone(school: School) -> None:
    key = await open_case(school)
    (scan,) = await file_papers(school, key, "户口簿")
    assert await find_scan(school.store, await school.viewer("director"), scan) is not None
    await await_confirmation(school, 2)  # whose family `child` and `parent` are
    for subject in ("teacher", "child", "parent"):
        assert await find_scan(school.store, await school.viewer(subject), scan) is None


def test_a_candidate_has_the_leaves_of_a_record_in_the_same_classes() -> None:
    student = field_classes(Student)
    applicant = {
        path.removeprefix("applicant."): held
        for path, held in field_classes(AdmissionCase).items()
        if path.startswith("applicant.")
    }
    assert applicant == {path: student[path] for path in applicant}
    assert {path.partition(".")[0] for path in applicant} == set(StudentChanges.model_fields)
