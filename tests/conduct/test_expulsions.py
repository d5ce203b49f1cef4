"""An expulsion (开除学籍): one act with the end of the status, never in compulsory education; and its appeal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.approvals.operations import Asking
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.conduct import sanctions
from archive_store.conduct.documents import Sanction
from archive_store.duplicates.merging import merge_students
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.status_changes.previews import preview_change
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.status import StatusChange
from archive_store.students.status_periods import in_force
from tests.conduct.cases import (
    EXPELLERS,
    appoint,
    ask,
    decide,
    done,
    family,
    file,
    impose,
    of_sanction,
    stored,
    today,
)
from tests.organisation.structure import build
from tests.school import School
from tests.status_changes.changes import asked as change_asked
from tests.status_changes.changes import day, paper
from tests.status_changes.changes import done as change_done

EXPULSION = {"kind": "EXPULSION", "months": None}


async def stage_of_all(school: School, stage: SchoolStage) -> None:
    await school.store.database.mongo["cohorts"].update_many({}, {"$set": {"stage": stage.value}})


async def higher(school: School) -> ObjectId:
    """A university whose first student has a family and the paper that an expulsion asks for; the student's key."""
    await build(school)
    await stage_of_all(school, SchoolStage.UNDERGRAD)
    return await family(school)


async def expelled(school: School) -> tuple[ObjectId, ObjectId]:
    """The keys of student and sanction."""
    student = await higher(school)
    return student, await impose(school, student, **EXPULSION, materials=(await paper(school, "处分决定书"),))


async def told_to_restore(school: School) -> int:
    query = {"kind": "sanction:status_to_restore"}
    return await school.store.database.mongo["notifications"].count_documents(query)


async def refused(awaited: Any) -> RegistrarError:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value


async def test_an_expulsion_ends_the_status_with_its_last_signature(school: School) -> None:
    student = await higher(school)
    values = of_sanction(school, student, **EXPULSION)
    error = await refused(ask(school, "sanction.expel", values))
    assert (error.code, error.field) == (ErrorCode.MATERIALS_MISSING, "materials")
    values["materials"] = (await paper(school, "处分决定书"),)
    outcome = await ask(school, "sanction.expel", values)
    assert outcome.change_request_id is not None
    told = [await school.approve(signer, outcome.change_request_id) for signer in EXPELLERS]
    assert told == ["IN_REVIEW", "IN_REVIEW", "APPLIED"]
    held = await stored(school, Sanction, values["sanction_id"])
    assert (held.kind, held.months, held.ends_on) == ("EXPULSION", None, None)
    record = await school.student()
    last = in_force(record.status_periods)[-1]
    assert (record.status, last.status) == (StudentStatus.EXPELLED, StudentStatus.EXPELLED)
    assert (last.cause, last.effective_from, last.effective_to) == (ChangeKind.EXPEL, held.decided_on, None)
    assert (last.change_request_id, last.document_number) == (outcome.change_request_id, held.document_number)
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_sanction_and_status_are_written_as_one(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = await higher(school)
    values = of_sanction(school, student, **EXPULSION, materials=(await paper(school, "处分决定书"),))

    async def fail(*_: object) -> None:
        raise RegistrarError(ErrorCode.TRY_AGAIN)

    monkeypatch.setattr(sanctions, "tell_family", fail)
    await refused(done(school, "sanction.expel", values, signers=EXPELLERS))
    assert (await school.student()).status is StudentStatus.ENROLLED
    assert await school.store.database.collection(Sanction).count_documents({}) == 0


@pytest.mark.parametrize("stage", [SchoolStage.PRIMARY, SchoolStage.JUNIOR, SchoolStage.SPECIAL])
async def test_nobody_is_expelled_in_the_compulsory_stage(school: School, stage: SchoolStage) -> None:
    student = (await school.student()).key
    values = of_sanction(school, student, **EXPULSION)
    error = await refused(ask(school, "sanction.expel", values))
    assert (error.code, error.details["state"]) == (ErrorCode.WRONG_STATE, "STAGE_UNKNOWN")
    await build(school)
    await stage_of_all(school, stage)
    assert (await refused(ask(school, "sanction.expel", values))).code in (
        ErrorCode.WRONG_STATE,
        ErrorCode.RULE_FORBIDS,
    )
    await stage_of_all(school, SchoolStage.SENIOR)
    outcome = await ask(school, "sanction.expel", values)
    assert outcome.change_request_id is not None
    for signer in EXPELLERS[:-1]:
        await school.approve(signer, outcome.change_request_id)
    # What was allowed when it was asked for need not be when it is decided.
    await stage_of_all(school, stage)
    await refused(school.approve(EXPELLERS[-1], outcome.change_request_id))
    assert (await school.student()).status is StudentStatus.ENROLLED
    assert await school.store.database.collection(Sanction).count_documents({}) == 0


async def test_what_an_expulsion_cannot_be(school: School) -> None:
    student = await higher(school)
    materials = (await paper(school, "处分决定书"),)
    first = in_force((await school.student()).status_periods)[0].effective_from
    for changes, code, field in (
        ({"kind": "WARNING", "months": 6}, ErrorCode.INVALID_ARGUMENT, "kind"),
        ({**EXPULSION, "months": 6}, ErrorCode.INVALID_ARGUMENT, "months"),
        ({**EXPULSION, "decided_on": first - timedelta(days=1)}, ErrorCode.INVALID_DATE, "decided_on"),
        ({**EXPULSION, "materials": (ObjectId(),)}, ErrorCode.NOT_FOUND, "materials"),
    ):
        values = {**of_sanction(school, student, materials=materials), **changes}
        error = await refused(ask(school, "sanction.expel", values))
        assert (error.code, error.field) == (code, field)
    await impose(school, student, **EXPULSION, materials=materials)
    error = await refused(
        ask(school, "sanction.expel", of_sanction(school, student, **EXPULSION, materials=materials))
    )
    assert (error.code, error.field) == (ErrorCode.WRONG_STATE, "student_id")


async def test_nobody_is_expelled_but_by_a_sanction(school: School) -> None:
    await build(school)
    await stage_of_all(school, SchoolStage.SENIOR)
    asked: list[tuple[ChangeKind, dict[str, Any]]] = [
        (ChangeKind.EXPEL, {}),
        (ChangeKind.CORRECT, {"status": StudentStatus.EXPELLED}),
    ]
    for kind, told in asked:
        error = await refused(change_asked(school, kind, day(school), **told))
        assert error.code is ErrorCode.RULE_FORBIDS
    viewer = await school.viewer("information")
    payload = StatusChange(student_id=(await school.student()).key, effective_from=day(school))
    preview = await preview_change(school.store, viewer, ChangeKind.EXPEL, payload)
    assert [held.requirement.value for held in preview.findings if not held.is_met] == ["EXPULSION"]


@pytest.mark.parametrize("begins", [StudentStatus.ENROLLED, StudentStatus.SUSPENDED])
@pytest.mark.parametrize(
    ("outcome", "more"), [("REVOKED", {}), ("CHANGED", {"kind": "PROBATION", "months": 12})]
)
async def test_an_appeal_that_succeeds_gives_back_the_status(
    school: School, begins: StudentStatus, outcome: str, more: dict[str, Any]
) -> None:
    student = await higher(school)
    if begins is StudentStatus.SUSPENDED:
        await change_done(school, ChangeKind.SUSPEND, day(school, -10))
    before = in_force((await school.student()).status_periods)
    materials = (await paper(school, "处分决定书"),)
    sanction_id = await impose(school, student, **EXPULSION, materials=materials)
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    await decide(school, appeal_id, outcome, **more)
    record = await school.student()
    held = in_force(record.status_periods)
    assert record.status is held[-1].status is begins
    decided_on = (await stored(school, Sanction, sanction_id)).decided_on
    assert (held[-1].cause, held[-1].effective_from) == (ChangeKind.REINSTATE, decided_on)
    # Without gap, and nothing is removed from the ledger.
    assert held[-2].effective_to == decided_on - timedelta(days=1)
    assert [period.status for period in held[:-1]] == [period.status for period in before]
    assert StudentStatus.EXPELLED in {period.status for period in record.status_periods}
    assert await told_to_restore(school) == 0
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_an_appeal_that_fails_leaves_the_status(school: School) -> None:
    _, sanction_id = await expelled(school)
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    await decide(school, appeal_id, "UPHELD")
    assert (await school.student()).status is StudentStatus.EXPELLED


async def test_a_status_that_rests_on_something_else_is_told_of(school: School) -> None:
    student, sanction_id = await expelled(school)
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    await school.store.database.collection(Student).update_one(
        {"_id": student}, {"$set": {"status_periods.$[].document_number": None}}
    )
    await decide(school, appeal_id, "REVOKED")
    assert (await school.student()).status is StudentStatus.EXPELLED
    assert await told_to_restore(school) == 1
    assert (await stored(school, Sanction, sanction_id)).revoked_on == today(school)


async def test_an_appeal_gives_back_what_began_on_the_day_itself(school: School) -> None:
    student = await higher(school)
    await change_done(school, ChangeKind.SUSPEND, day(school, -10))
    await change_done(school, ChangeKind.RESUME, day(school))
    sanction = await impose(
        school, student, **EXPULSION, decided_on=day(school), materials=(await paper(school, "处分决定书"),)
    )
    appeal = await file(school, sanction)
    await appoint(school, appeal)
    await decide(school, appeal, "REVOKED")
    assert (await school.student()).status is StudentStatus.ENROLLED


async def test_a_parent_names_no_committee_for_their_child(school: School) -> None:
    student = await family(school)
    appeal = await file(school, await impose(school, student))
    parent = (await school.viewer("vice-principal")).person_id
    students = school.store.database.collection(Student)
    await students.update_one({"_id": student}, {"$set": {"guardians.0.person_id": parent}})
    school.store.versions_seen.clear()
    with pytest.raises(RegistrarError) as refused:
        await appoint(school, appeal, by="vice-principal")
    assert refused.value.code is ErrorCode.SELF_APPROVAL


async def test_an_expulsion_is_not_merged_away(school: School) -> None:
    student, _ = await expelled(school)
    other = (await school.student(1)).key
    asked = {"fields": [], "asking": Asking(reason="同一人重复建档")}
    with pytest.raises(RegistrarError) as refused:
        await merge_students(
            school.store, await school.viewer("information"), survivor_id=other, merged_id=student, **asked
        )
    assert (refused.value.code, refused.value.field) == (ErrorCode.WRONG_STATE, "merged_id")
