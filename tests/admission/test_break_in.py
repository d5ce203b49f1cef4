"""What somebody who means no good tries with candidates: guessing, stale answers, odd input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archive_store.admission.amendments import AdmissionAmend
from archive_store.admission.collection import SupplyOutcome, supply
from archive_store.admission.documents import CaseStatus, Channel, SchoolStage
from archive_store.admission.queries import cases_by_id, list_cases
from archive_store.admission.rules import AdmissionAction
from archive_store.admission.steps import visible_case
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.documents import Student
from tests.admission.cases import (
    COHORT,
    act,
    add_papers,
    await_confirmation,
    candidate,
    open_case,
    pass_review,
    review,
    stored,
)
from tests.admission.test_life import correct, facts_of, refused, say
from tests.school import School


async def again(school: School, subject: str, cohort: int = COHORT, **values: Any) -> SupplyOutcome:
    """What is told of values supplied under the reference of the first candidate."""
    ((_, outcome),) = await supply(
        school.store,
        await school.viewer(subject),
        stage=SchoolStage.JUNIOR,
        cohort=cohort,
        applicants=[{"reference": "报名1", "applicant": values}],
    )
    return outcome


async def test_what_is_supplied_again_may_clear_a_list(school: School) -> None:
    key = await open_case(school)
    assert await again(school, "admissions", guardians=None) is SupplyOutcome.CHANGED
    assert (await stored(school, key)).applicant.guardians == []
    assert await again(school, "admissions", guardians=None) is SupplyOutcome.UNCHANGED


async def test_a_number_on_record_is_refused_under_a_known_reference(school: School) -> None:
    key = await open_case(school)
    number = (await school.student()).identity_number
    with pytest.raises(RegistrarError) as caught:
        await again(school, "admissions", identity_number=number, **facts_of(number))
    assert caught.value.code is ErrorCode.DUPLICATE
    assert caught.value.field == "applicants.0.applicant.identity_number"
    assert (await stored(school, key)).applicant.identity_number == candidate(1)["identity_number"]


async def test_a_sensitive_value_of_somebody_else_cannot_be_guessed_by_supplying_it(school: School) -> None:
    key = await open_case(school, subject="information", health_status="1")
    assert await again(school, "admissions", grade="七年级") is SupplyOutcome.UNCHANGED
    # Right or wrong, the answer is the same.
    assert await again(school, "admissions", phone="13900001111") is SupplyOutcome.CHANGED
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    for guess in ("1", "2"):
        late = await refused(school, again(school, "admissions", health_status=guess))
        assert late.code is ErrorCode.WRONG_STATE
    # Their own value they know.
    assert await again(school, "admissions", phone="13900001111") is SupplyOutcome.UNCHANGED


async def test_nor_by_amending_it(school: School) -> None:
    key = await open_case(school, subject="information", is_orphan=False)
    for guess in (False, True):
        told = {"case_id": key, "applicant": {"is_orphan": guess}, "channel": Channel.ADMISSIONS_OFFICE}
        payload = payload_of(AdmissionAmend, told)
        before = (await stored(school, key)).supplies[-1].at
        await perform(school.store, await school.viewer("admissions"), "admission.amend", payload)
        # `sources` tells of either.
        newest = (await stored(school, key)).supplies[-1]
        assert newest.fields == ["is_orphan"] and newest.at > before


async def test_a_year_that_is_none_is_refused_before_the_entry(school: School) -> None:
    answer = await refused(school, open_case(school, enrolled_month="0000-09"))
    assert answer.field == "applicants.0.applicant.enrolled_month"


async def test_who_signed_reads_no_more_for_the_review(school: School) -> None:
    key = await open_case(school)
    await add_papers(school, key)
    await act(school, "information", "submit", key)
    viewer = await school.viewer("academic-affairs")
    paths = frozenset({"applicant.phone"})
    (view,) = await cases_by_id(school.store, viewer, [key], paths)
    assert view is not None and view.row["applicant"].get("phone") == "13900001111"
    await review(school, "academic-affairs", key)
    (view,) = await cases_by_id(school.store, viewer, [key], paths)
    assert view is not None and "phone" not in view.row.get("applicant", {})


async def test_an_answer_to_an_objection_does_not_answer_the_next_one(school: School) -> None:
    key = await await_confirmation(school)
    await say(school, "parent", "object", key, objections=[{"field": "phone", "statement": "不对"}])
    first, second = [await correct(school, key, {}, answer="户口簿如此") for _ in range(2)]
    assert first is not None and second is not None
    director = await school.viewer("director")
    await decide(school.store, director, first, Decision.APPROVED)
    await say(school, "parent", "object", key, objections=[{"field": "phone", "statement": "另有证明"}])
    answer = await refused(school, decide(school.store, director, second, Decision.APPROVED))
    assert answer.code is ErrorCode.CONFLICT
    case = await stored(school, key)
    assert case.status is CaseStatus.OBJECTED and len(case.open_objections) == 1


async def test_the_same_reference_of_another_year_is_another_candidate(school: School) -> None:
    key = await open_case(school)
    given = candidate(2)
    assert await again(school, "admissions", COHORT + 1, **given) is SupplyOutcome.OPENED
    assert (await stored(school, key)).applicant.name == "新生1"


async def test_to_confirm_no_field_is_no_confirmation(school: School) -> None:
    key = await await_confirmation(school)
    answer = await refused(school, say(school, "child", "confirm", key, fields=[]))
    assert answer.field == "fields"


async def test_the_class_that_a_student_has_left_is_no_tie_to_their_case(school: School) -> None:
    homeroom = await school.viewer("teacher")
    (class_name,) = homeroom.homeroom_class_names
    key = await await_confirmation(school, class_name=class_name)
    paths = frozenset({"applicant.birth_date"})
    (view,) = await cases_by_id(school.store, homeroom, [key], paths)
    assert view is not None and view.row["applicant"]["birth_date"] == "2013-05-03"
    student_id = (await stored(school, key)).student_id
    students = school.store.database.collection(Student)
    await students.update_one({"_id": student_id}, {"$set": {"class_name": "2026级9班"}})
    assert await cases_by_id(school.store, homeroom, [key], paths) == [None]
    assert (await list_cases(school.store, homeroom, paths, first=10)).rows == []
    with pytest.raises(RegistrarError) as caught:
        await visible_case(school.store, homeroom, key)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_the_line_of_admission_ends_with_the_entry(school: School) -> None:
    key = await open_case(school)
    deputy = await school.viewer("deputy-1")
    (line,) = [
        name
        for name, held in deputy.policy.rules.business_lines.items()
        if held.student_statuses and "PENDING_ADMISSION" in held.student_statuses
    ]
    deputy = replace(deputy, business_lines=frozenset({line}))
    paths = frozenset({"applicant.birth_date"})
    (view,) = await cases_by_id(school.store, deputy, [key], paths)
    assert view is not None and view.row["applicant"]["birth_date"] == "2013-05-03"
    await add_papers(school, key)
    await pass_review(school, key)
    await act(school, "information", "enter", key)
    (view,) = await cases_by_id(school.store, deputy, [key], paths)
    assert view is not None and "birth_date" not in view.row.get("applicant", {})


async def test_and_the_class_that_they_joined_is_one(school: School) -> None:
    homeroom = await school.viewer("teacher")
    (class_name,) = homeroom.homeroom_class_names
    key = await await_confirmation(school)
    student_id = (await stored(school, key)).student_id
    students = school.store.database.collection(Student)
    await students.update_one({"_id": student_id}, {"$set": {"class_name": class_name}})
    (view,) = await cases_by_id(school.store, homeroom, [key])
    assert view is not None and view.may(homeroom, AdmissionAction.CONFIRM).refusal is None
    await say(school, "teacher", "confirm", key, said_by="新生1")
    assert (await stored(school, key)).status is CaseStatus.CONFIRMED
