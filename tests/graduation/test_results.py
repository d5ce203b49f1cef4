"""The rules of the audit that are taken of grades, sanctions and attendance, and what of them is told to whom."""

from __future__ import annotations

import os
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from bson import ObjectId

from api.dev.roster import demo_workbook
from archive_store.academics.attendance import AttendanceEnter
from archive_store.academics.documents import (
    DEFAULT_GRADE_POINT_RULES,
    AttendanceSummary,
    GradeKind,
    GradeRecord,
    GradeStatus,
    GradingScheme,
)
from archive_store.academics.results import Attended
from archive_store.academics.rules import Counted, scale_from
from archive_store.conduct.documents import SanctionKind
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.graduation.audits import AUDITING, audits
from archive_store.graduation.documents import (
    DEFAULT_GRADUATION_RULES,
    GraduationBatch,
    GraduationOutcome,
    GraduationRequirement,
    GraduationRule,
    GraduationRules,
)
from archive_store.graduation.rules import AuditFinding, audited, best_outcome
from archive_store.imports.operations import import_roster
from archive_store.policies.graduation_rules import replace_graduation_rules
from archive_store.students.documents import Student
from tests.academics.terms import FIRST, arrange, do, enter, open_course, open_term, scores, students_of
from tests.academics.test_changes import changed, coming_term
from tests.conduct.cases import impose
from tests.graduation.test_graduation import asked, code, record
from tests.organisation.structure import build
from tests.school import School
from tests.status_changes.changes import day

COHORT = int(os.environ.get("REGISTRAR_GRADUATING", "60"))
COURSES = 40
ON = date(2026, 7, 1)
MATH, PHYSICS, SPORT = ObjectId(), ObjectId(), ObjectId()
GRADUATE = frozenset({GraduationOutcome.GRADUATE})


def rule(requirement: str, **asked_for: Any) -> GraduationRule:
    told = {"requirement": requirement, "outcomes": GRADUATE, "article": f"示例 {requirement}"}
    return GraduationRule.model_validate(told | asked_for)


def grade(course: ObjectId, score: str | None, credit: str = "4", **more: Any) -> Counted:
    told = {"scheme": GradingScheme.PERCENT, "kind": GradeKind.REGULAR, "status": GradeStatus.ENTERED}
    return Counted(course_id=course, credits=Decimal(credit), score=score, **(told | more))


def held(asked_for: GraduationRule, **known: Any) -> tuple[bool | None, str | None]:
    (finding,) = audited(record(**known), [asked_for], ON)
    return finding.is_met, finding.evidence


def test_credits_count_once_a_course_that_some_grade_passes() -> None:
    failed = grade(MATH, "40")
    makeup = grade(MATH, "60", kind=GradeKind.MAKEUP)
    retake = grade(MATH, "90", kind=GradeKind.RETAKE)
    missed = grade(SPORT, None, status=GradeStatus.ABSENT)
    asks = rule("CREDITS", least_credits=7.5)
    assert held(asks) == (False, "0/7.5")
    assert held(asks, grades=[failed, missed, grade(PHYSICS, "60", "3.5")]) == (False, "3.5/7.5")
    assert held(asks, grades=[failed, makeup, retake, grade(PHYSICS, "60", "3.5")]) == (True, "7.5/7.5")
    assert held(rule("CREDITS", least_credits=100), grades=[makeup]) == (False, "4/100")


def test_courses_that_lack_are_told_and_none_arranged_is_none_passed() -> None:
    named = rule("COURSES_PASSED", course_codes={"MATH", "PHYS", "GONE"})
    known = {"courses": {"MATH": MATH, "PHYS": PHYSICS}, "grades": [grade(MATH, "60"), grade(PHYSICS, "59")]}
    assert held(named, **known) == (False, "GONE、PHYS")
    every = rule("COURSES_PASSED", is_every_arranged=True)
    assert held(every, **known) == (False, "-")
    assert held(every, arranged={"MATH": MATH}, **known) == (True, "MATH")
    assert held(every, arranged={"MATH": MATH, "SPORT": SPORT}, **known) == (False, "SPORT")


def test_average_attendance_and_sanctions() -> None:
    least = rule("GPA", least_gpa=3.85, gpa_scale=0)
    known = {"scales": {0: scale_from(0, DEFAULT_GRADE_POINT_RULES)}}
    assert held(least, **known) == (False, "-/3.85")
    assert held(least, grades=[grade(MATH, "90"), grade(PHYSICS, "85")], **known) == (True, "3.85/3.85")
    assert held(least, grades=[grade(MATH, "90"), grade(PHYSICS, "84")], **known) == (False, "3.65/3.85")
    rate = rule("ATTENDANCE", least_percent=90)
    assert held(rate) == (False, "-/90")
    assert held(rate, attended=Attended(0, 0)) == (False, "-/90")
    assert held(rate, attended=Attended(1000, 899)) == (False, "89.9/90")
    assert held(rate, attended=Attended(10_000, 8_999)) == (False, "89.9/90")
    assert held(rate, attended=Attended(10, 9)) == (True, "90/90")
    clean = rule("NO_SANCTION_IN_FORCE", sanction_kinds={"PROBATION", "EXPULSION"})
    assert held(clean, sanctions=frozenset({SanctionKind.WARNING})) == (True, "0")
    assert held(clean, sanctions=frozenset({SanctionKind.PROBATION})) == (False, "PROBATION")


def test_what_is_kept_back_keeps_back_what_it_would_tell() -> None:
    def finding(is_met: bool | None, *outcomes: GraduationOutcome) -> AuditFinding:
        requirement = GraduationRequirement.NO_SANCTION_IN_FORCE
        return AuditFinding(requirement, is_met, None, "示例", frozenset(outcomes))

    hidden = finding(None, GraduationOutcome.GRADUATE)
    assert best_outcome([hidden]) is None
    assert best_outcome([hidden, finding(True, *GraduationOutcome)]) is None
    # Another rule rules graduation out, so that the next outcome tells nothing of it.
    assert best_outcome([hidden, finding(False, GraduationOutcome.GRADUATE)]) is GraduationOutcome.COMPLETE


async def in_force(school: School, *rules: GraduationRule) -> None:
    store = school.store
    told = [held.model_dump(mode="json") for held in (*DEFAULT_GRADUATION_RULES[:1], *rules)]
    director = await school.viewer("director")
    _, request = await replace_graduation_rules(
        store, director, rules=told, effective_from=day(school), reason="校务会议", dry_run=False
    )
    assert request is not None
    for signer in ("vice-principal", "principal"):
        await school.approve(signer, request)
    store.versions_seen.pop(GraduationRules, None)


async def refused(school: School, **asked_for: Any) -> tuple[ErrorCode, str | None]:
    with pytest.raises(RegistrarError) as caught:
        await in_force(school, rule(**asked_for))
    return caught.value.code, caught.value.field


async def test_a_rule_has_what_it_asks_by_and_nothing_else(school: School) -> None:
    required, invalid = ErrorCode.REQUIRED, ErrorCode.INVALID_ARGUMENT
    for asked_for, answer in (
        ({"requirement": "CREDITS"}, (required, "rules.1.least_credits")),
        ({"requirement": "COURSES_PASSED"}, (required, "rules.1.course_codes")),
        ({"requirement": "GPA", "least_gpa": 2}, (required, "rules.1.gpa_scale")),
        ({"requirement": "GPA", "least_gpa": 2, "gpa_scale": 9}, (ErrorCode.NOT_FOUND, "rules.1.gpa_scale")),
        ({"requirement": "NO_SANCTION_IN_FORCE"}, (required, "rules.1.sanction_kinds")),
        ({"requirement": "ATTENDANCE"}, (required, "rules.1.least_percent")),
        ({"requirement": "STUDY_MONTHS"}, (required, "rules.1.least_months")),
        ({"requirement": "DOCUMENTS"}, (required, "rules.1.document_types")),
        ({"requirement": "IN_STUDY", "least_credits": 4}, (invalid, "rules.1.least_credits")),
        (
            {"requirement": "COURSES_PASSED", "course_codes": {"GONE"}},
            (ErrorCode.UNKNOWN_CODE, "rules.1.course_codes"),
        ),
    ):
        assert await refused(school, **asked_for) == answer
    assert await school.store.database.collection(GraduationRules).count_documents({}) == 0


async def graded(school: School) -> list[ObjectId]:
    """A class of which the first failed, was sanctioned and missed a day of ten, and the others are without fault."""
    await build(school)
    term, course = await open_term(school), await open_course(school)
    students = await students_of(school, FIRST)
    await enter(school, await arrange(school, term, course), scores(students, "59", *["95"] * len(students)))
    days = {"due": 10, "present": 10, "late": 0, "leave": 0, "absent": 0}
    rows = [{"student_id": key, **days} for key in students]
    rows[0] |= {"present": 9, "absent": 1}
    await do(
        school,
        "attendance.enter",
        AttendanceEnter,
        {"entry_id": ObjectId(), "term_id": term, "rows": tuple(rows)},
    )
    await impose(school, students[0], kind="PROBATION", months=6)
    await in_force(
        school,
        rule("CREDITS", least_credits=4),
        rule("COURSES_PASSED", is_every_arranged=True),
        rule("GPA", least_gpa=2, gpa_scale=0),
        rule("ATTENDANCE", least_percent=95),
        rule("NO_SANCTION_IN_FORCE", sanction_kinds={"PROBATION"}),
    )
    return list(students)


async def evidence(school: School, subject: str, keys: list[ObjectId], purpose: str | None) -> list[Any]:
    viewer = await school.viewer(subject, purpose)
    found = await audits(school.store, viewer, student_ids=keys, day=day(school))
    of_first = next(audit for audit in found if audit.student_id == keys[0])
    return [
        *((held.is_met, held.evidence) for held in of_first.findings[1:]),
        {audit.proposed for audit in found if audit.student_id != keys[0]},
    ]


async def test_each_who_audits_is_told_as_much_as_they_read(school: School) -> None:
    keys = await graded(school)
    failed, rate, sanction = (False, None), (False, "90/95"), (False, "PROBATION")
    numbers = [(False, "0/4"), (False, "MATH"), (False, "0/2")]
    events = school.store.database.mongo["access_events"]
    before = await events.count_documents({})
    for subject in ("information", "vice-principal"):
        told = await evidence(school, subject, keys, None)
        assert told == [failed, failed, failed, rate, sanction, {GraduationOutcome.GRADUATE}]
    # The director reads grades for a stated purpose.
    assert (await evidence(school, "director", keys, None))[:3] == [failed] * 3
    assert await events.count_documents({}) == before
    assert (await evidence(school, "director", keys, "学历审核"))[:3] == numbers
    # Academic affairs keeps the grades and knows of no sanction.
    told = await evidence(school, "academic-affairs", keys, None)
    assert told == [*numbers, rate, (None, None), {None}]
    rows = await events.find({}).sort("_id", -1).to_list()
    assert len(rows) == before + 2
    await school.store.cipher.decrypt_paths(rows, frozenset({"purpose"}))
    assert [(row["read_type"], row["purpose"]) for row in rows[:2]] == [
        (GradeRecord.subject_type, AUDITING),
        (GradeRecord.subject_type, "学历审核"),
    ]
    (group,) = rows[0]["groups"]
    assert (set(group["fields"]), set(group["subject_ids"])) == ({"score", "status"}, set(keys))


async def test_an_exam_that_was_missed_counts_and_one_put_off_does_not(school: School) -> None:
    await build(school)
    arrangement = await arrange(school, await open_term(school), await open_course(school))
    absent, deferred = (await students_of(school, FIRST))[:2]
    rows = [{"student_id": absent, "status": "ABSENT"}, {"student_id": deferred, "status": "DEFERRED"}]
    await enter(school, arrangement, rows)
    await in_force(school, rule("GPA", least_gpa=2, gpa_scale=0))
    for key, told in ((absent, "0/2"), (deferred, "-/2")):
        viewer = await school.viewer("academic-affairs")
        (audit,) = await audits(school.store, viewer, student_ids=[key], day=day(school))
        assert (audit.findings[1].is_met, audit.findings[1].evidence) == (False, told)


async def test_nobody_graduates_beyond_the_rules_and_nothing_of_grades_is_kept(school: School) -> None:
    keys = await graded(school)
    assert await code(asked(school, keys, day(school))) is ErrorCode.RULE_FORBIDS
    request = await asked(school, keys[:1], day(school), outcome="COMPLETE")
    for signer in ("director", "vice-principal"):
        await school.approve(signer, request)
    batch = await school.store.database.collection(GraduationBatch).find_one({})
    assert batch is not None
    assert [(item["outcome"], item["unmet"]) for item in batch["items"]] == [("COMPLETE", [])]


async def test_a_record_that_was_merged_brings_its_grades(school: School) -> None:
    keys = await graded(school)
    collection = school.store.database.collection(Student)
    await collection.update_one({"_id": keys[1]}, {"$set": {"merged_into": keys[0]}})
    information = await school.viewer("information")
    (audit,) = await audits(school.store, information, student_ids=keys[:1], day=day(school))
    assert [held.is_met for held in audit.findings[1:]] == [True, True, True, True, False]


async def test_a_cohort_with_all_rules_in_bulk(school: School, record_property: Any) -> None:
    """`REGISTRAR_GRADUATING=600` for a cohort of usual size; `--junitxml` tells the times."""
    roster = demo_workbook(COHORT, cohort=2022)
    information = await school.viewer("information")
    await import_roster(school.store, information, roster, file_name="2022级.xlsx", dry_run=False)
    query = {"enrolled_month": {"$lt": "2023-01"}}
    students = await school.store.database.collection(Student).find(query, {"class_name": 1}).to_list()
    keys = [row["_id"] for row in students]
    term = await open_term(school)
    courses = [await open_course(school, f"C{number}") for number in range(COURSES)]
    shared = {"term_id": term, "entry_id": ObjectId(), "entered_by_name": "教务"}
    grades = [
        GradeRecord(
            student_id=key,
            arrangement_id=course,
            course_id=course,
            class_name=FIRST,
            kind=GradeKind.REGULAR,
            status=GradeStatus.ENTERED,
            score="86",
            **shared,
        ).to_bson()
        for key in keys
        for course in courses
    ]
    await school.store.cipher.encrypt_paths(grades, encrypted_paths(GradeRecord))
    await school.store.database.collection(GradeRecord).insert_many(grades)
    days = {"due": 90, "present": 90, "late": 0, "leave": 0, "absent": 0}
    summaries = [AttendanceSummary(student_id=key, **days, **shared).to_bson() for key in keys]
    await school.store.database.collection(AttendanceSummary).insert_many(summaries)
    await in_force(
        school,
        rule("CREDITS", least_credits=4 * COURSES),
        rule("COURSES_PASSED", course_codes={"C0", "C1"}),
        rule("GPA", least_gpa=3.7, gpa_scale=0),
        rule("ATTENDANCE", least_percent=95),
        rule("NO_SANCTION_IN_FORCE", sanction_kinds={"PROBATION"}),
    )
    begun = time.perf_counter()
    found = await audits(school.store, await school.viewer("director"), student_ids=keys, day=day(school))
    audited_at = time.perf_counter()
    request = await asked(school, keys, day(school))
    asked_at = time.perf_counter()
    await school.approve("director", request)
    endorsed_at = time.perf_counter()
    assert await school.approve("vice-principal", request) == "APPLIED"
    applied_at = time.perf_counter()
    times = {
        "audited": audited_at - begun,
        "asked": asked_at - audited_at,
        "applied": applied_at - endorsed_at,
    }
    record_property("seconds", {step: round(took, 2) for step, took in times.items()})
    assert {audit.proposed for audit in found} == {GraduationOutcome.GRADUATE}
    (line,) = {audit.findings[1].evidence for audit in found}
    assert line == f"{4 * COURSES}/{4 * COURSES}"


async def findings_of(
    school: School, key: ObjectId, on: date | None = None
) -> list[tuple[bool | None, str | None]]:
    (audit,) = await audits(
        school.store, await school.viewer("academic-affairs"), student_ids=[key], day=on or day(school)
    )
    return [(held.is_met, held.evidence) for held in audit.findings[1:]]


async def test_credits_of_a_term_to_come_do_not_count_yet(school: School) -> None:
    await build(school)
    term, course = await open_term(school), await open_course(school)
    keys = await students_of(school, FIRST)
    await enter(school, await arrange(school, term, course), scores(keys, *["95"] * len(keys)))
    await in_force(school, rule("CREDITS", least_credits=10))
    assert await findings_of(school, keys[0]) == [(False, "4/10")]
    later = await coming_term(school)
    await changed(school, "course.change", course_id=course, from_term_id=later, credits=20)
    assert await findings_of(school, keys[0]) == [(False, "4/10")]


async def test_a_cancelled_arrangement_is_no_course_to_pass(school: School) -> None:
    await build(school)
    term, course = await open_term(school), await open_course(school)
    keys = await students_of(school, FIRST)
    await enter(school, await arrange(school, term, course), scores(keys, *["95"] * len(keys)))
    await in_force(school, rule("COURSES_PASSED", is_every_arranged=True))
    held = await arrange(school, term, await open_course(school, "CHIN"))
    assert await findings_of(school, keys[0]) == [(False, "CHIN")]
    await changed(school, "course_arrangement.close", arrangement_id=held)
    assert await findings_of(school, keys[0]) == [(True, "MATH")]


async def test_an_earlier_last_day_leaves_out_nothing_that_is_taught(school: School) -> None:
    await build(school)
    term, course = await open_term(school), await open_course(school)
    keys = await students_of(school, FIRST)
    await enter(school, await arrange(school, term, course), scores(keys, *["40"] * len(keys)))
    await in_force(school, rule("COURSES_PASSED", is_every_arranged=True))
    assert await findings_of(school, keys[0], day(school, -400)) == [(False, "MATH")]


def test_of_equal_grades_the_most_credits_count() -> None:
    once, again = grade(MATH, "90", "2"), grade(MATH, "90", "3")
    for taken in ([once, again], [again, once]):
        assert held(rule("CREDITS", least_credits=3), grades=taken) == (True, "3/3")
