"""The life of awards, sanctions and appeals: states, signatures, clocks, and what an appeal does to a sanction."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from archive_store.archive import JOBS, RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.conduct import appeal_decisions
from archive_store.conduct.documents import Appeal, Award, Sanction
from archive_store.conduct.in_force import sanctions_in_force
from archive_store.conduct.jobs import remind_of_decisions, tell_overdue
from archive_store.foundation.errors import ErrorCode, RegistrarError
from tests.conduct.cases import (
    GROUNDS,
    REASON,
    SIGNERS,
    appoint,
    ask,
    decide,
    done,
    family,
    file,
    impose,
    keys,
    of_sanction,
    serve,
    stored,
    today,
)
from tests.crisis.teams import later
from tests.school import School


async def test_an_award_is_recorded_by_two_tiers_and_revoked_by_two(school: School) -> None:
    student = (await school.student()).key
    award = {
        "award_id": ObjectId(),
        "student_id": student,
        "title": "三好学生",
        "level": "COUNTY",
        "awarded_by": "区教委",
        "awarded_on": today(school),
    }
    outcome = await ask(school, "award.record", award)
    assert outcome.change_request_id is not None
    assert await school.store.database.collection(Award).count_documents({}) == 0
    for signer in SIGNERS:
        await school.approve(signer, outcome.change_request_id)
    held = await stored(school, Award, award["award_id"])  # type: ignore[arg-type]
    assert (held.title, held.level, held.status) == ("三好学生", "COUNTY", "RECORDED")
    revoke = {"award_id": held.key, "student_id": student}
    await done(school, "award.revoke", revoke)
    assert (await stored(school, Award, held.key)).status == "REVOKED"
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "award.revoke", revoke)
    assert refused.value.code is ErrorCode.WRONG_STATE


async def test_a_sanction_is_imposed_served_and_removed_after_its_period(school: School) -> None:
    student = await family(school)
    sanction_id = await impose(school, student)
    held = await stored(school, Sanction, sanction_id)
    assert (held.reason, held.status, held.served_on) == (REASON, "IN_FORCE", None)
    assert set(held.involved_ids) == set(await keys(school, "information", *SIGNERS))
    (row,) = await school.store.database.collection(Sanction).find().to_list()
    assert REASON not in repr(row)
    found = await sanctions_in_force(school.store, None, [student, ObjectId()])
    assert [(one.id, one.kind) for one in found[student]] == [(sanction_id, "DEMERIT")] and len(found) == 1
    await serve(school, sanction_id)
    held = await stored(school, Sanction, sanction_id)
    assert held.appeal_until >= today(school) + timedelta(days=10)
    remove = {"sanction_id": sanction_id, "student_id": student}
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "sanction.remove", remove, "pupil")
    assert refused.value.code is ErrorCode.WRONG_STATE
    then = later(school, days=190)
    await done(then, "sanction.remove", remove, "pupil")
    assert (await stored(school, Sanction, sanction_id)).status == "REMOVED"
    assert await sanctions_in_force(school.store, None, [student]) == {}


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"months": None}, ErrorCode.REQUIRED, "months"),
        ({"months": 5}, ErrorCode.OUT_OF_RANGE, "months"),
        ({"months": 13}, ErrorCode.OUT_OF_RANGE, "months"),
        ({"kind": "EXPULSION", "months": None}, ErrorCode.INVALID_ARGUMENT, "kind"),
        ({"materials": (ObjectId(),)}, ErrorCode.INVALID_ARGUMENT, "materials"),
        ({"student_id": ObjectId()}, ErrorCode.NOT_FOUND, "student_id"),
    ],
)
async def test_what_cannot_be_imposed(
    school: School, changes: dict[str, Any], code: ErrorCode, field: str
) -> None:
    student = (await school.student()).key
    before = await school.counts()
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "sanction.impose", of_sanction(school, student, **changes))
    assert (refused.value.code, refused.value.field) == (code, field)
    assert await school.counts() == before


async def test_a_day_to_come_is_refused(school: School) -> None:
    student = (await school.student()).key
    tomorrow = today(school) + timedelta(days=1)
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "sanction.impose", of_sanction(school, student, decided_on=tomorrow))
    assert (refused.value.code, refused.value.field) == (ErrorCode.OUT_OF_RANGE, "decided_on")


async def test_an_appeal_revokes_the_sanction_with_its_decision(school: School) -> None:
    student = await family(school)
    sanction_id = await impose(school, student)
    await serve(school, sanction_id)
    appeal_id = await file(school, sanction_id, "parent")
    held = await stored(school, Appeal, appeal_id)
    assert (held.grounds, held.filed_as, held.status) == (GROUNDS, "GUARDIAN", "FILED")
    assert held.decide_by >= today(school) + timedelta(days=15)
    with pytest.raises(RegistrarError) as refused:
        await file(school, sanction_id)
    assert refused.value.code is ErrorCode.DUPLICATE
    await appoint(school, appeal_id)
    with pytest.raises(RegistrarError) as refused:
        await decide(school, appeal_id, "REVOKED", by="archive")
    assert refused.value.code is ErrorCode.FORBIDDEN
    await decide(school, appeal_id, "REVOKED")
    assert (await stored(school, Sanction, sanction_id)).status == "REVOKED"
    held = await stored(school, Appeal, appeal_id)
    assert (held.status, held.outcome, held.decided_on) == ("DECIDED", "REVOKED", today(school))
    with pytest.raises(RegistrarError) as refused:
        await decide(school, appeal_id, "UPHELD")
    assert refused.value.code is ErrorCode.WRONG_STATE
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_what_is_written_in_one_transaction_fails_as_one(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)

    async def fail(*_: object) -> None:
        raise RegistrarError(ErrorCode.TRY_AGAIN)

    monkeypatch.setattr(appeal_decisions, "tell_family", fail)
    with pytest.raises(RegistrarError):
        await decide(school, appeal_id, "REVOKED")
    assert (await stored(school, Sanction, sanction_id)).status == "IN_FORCE"
    assert (await stored(school, Appeal, appeal_id)).status == "UNDER_REVIEW"


async def test_of_two_appeals_at_once_one_is_filed(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    told = await asyncio.gather(
        file(school, sanction_id), file(school, sanction_id, "parent"), return_exceptions=True
    )
    (refused,) = [held for held in told if isinstance(held, RegistrarError)]
    assert refused.code is ErrorCode.DUPLICATE
    assert await school.store.database.collection(Appeal).count_documents({}) == 1


async def test_an_appeal_never_makes_it_worse(school: School) -> None:
    sanction_id = await impose(school, await family(school), months=8)
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    for more in (
        {"kind": "PROBATION", "months": 6},
        {"kind": "DEMERIT", "months": 8},
        {"kind": "DEMERIT", "months": 9},
    ):
        with pytest.raises(RegistrarError) as refused:
            await decide(school, appeal_id, "CHANGED", **more)
        assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_ARGUMENT, "kind")
    with pytest.raises(RegistrarError) as refused:
        await decide(school, appeal_id, "UPHELD", kind="WARNING")
    assert refused.value.field == "kind"
    await decide(school, appeal_id, "CHANGED", kind="WARNING", months=6)
    held = await stored(school, Sanction, sanction_id)
    assert (held.kind, held.months, held.status) == ("WARNING", 6, "IN_FORCE")


@pytest.mark.parametrize("involved", ["information", "director", "vice-principal", "parent"])
async def test_who_was_involved_does_not_sit_on_the_committee(school: School, involved: str) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    with pytest.raises(RegistrarError) as refused:
        await appoint(school, appeal_id, "archive", involved, "admissions")
    assert (refused.value.code, refused.value.field) == (ErrorCode.SELF_APPROVAL, "member_ids.1")


async def test_who_may_name_and_whom(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    for by, members, code in (
        ("director", ("archive", "admissions", "logistics"), ErrorCode.FORBIDDEN),
        ("principal", ("archive", "admissions"), ErrorCode.OUT_OF_RANGE),
        ("principal", ("archive", "admissions", "archive"), ErrorCode.DUPLICATE),
        ("principal", ("archive", "admissions", "analysis"), ErrorCode.FORBIDDEN),
        ("principal", ("principal", "admissions", "archive"), ErrorCode.SELF_APPROVAL),
    ):
        with pytest.raises(RegistrarError) as refused:
            await appoint(school, appeal_id, *members, by=by)
        assert refused.value.code is code


async def test_the_appeal_clock_runs_from_receipt(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    await serve(school, sanction_id)
    held = await stored(school, Sanction, sanction_id)
    late = later(school, days=(held.appeal_until - today(school)).days + 1)
    with pytest.raises(RegistrarError) as refused:
        await file(late, sanction_id)
    assert (refused.value.code, refused.value.field) == (ErrorCode.OUT_OF_RANGE, "filed_on")
    # What came on paper in time is written down afterwards; a family files today.
    with pytest.raises(RegistrarError):
        await file(late, sanction_id, filed_on=held.appeal_until)
    appeal_id = await file(late, sanction_id, "information", filed_on=held.appeal_until)
    assert (await stored(school, Appeal, appeal_id)).filed_as == "INFORMATION_GROUP"


async def test_the_time_for_the_decision_is_put_off_once(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    extend = {"appeal_id": appeal_id, "extension_reason": "须补充调查"}
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "appeal.extend", extend, "principal")
    assert refused.value.code is ErrorCode.WRONG_STATE
    await appoint(school, appeal_id)
    before = (await stored(school, Appeal, appeal_id)).decide_by
    await ask(school, "appeal.extend", extend, "academic-affairs")
    held = await stored(school, Appeal, appeal_id)
    assert held.decide_by >= before + timedelta(days=15)
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "appeal.extend", extend, "academic-affairs")
    assert refused.value.details["state"] == "EXTENDED"


async def test_the_clock_reminds_and_tells_once(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    due = (await stored(school, Appeal, appeal_id)).decide_by
    assert (JOBS["appeal.remind"], JOBS["appeal.tell_overdue"]) == (remind_of_decisions, tell_overdue)
    now, left = school.store.clock.now(), (due - today(school)).days
    assert await remind_of_decisions(school.store, now) == 0
    assert await remind_of_decisions(school.store, now + timedelta(days=left - 1)) == 1
    assert await remind_of_decisions(school.store, now + timedelta(days=left)) == 0
    assert await tell_overdue(school.store, now + timedelta(days=left)) == 0
    assert await tell_overdue(school.store, now + timedelta(days=left + 1)) == 1
    assert await tell_overdue(school.store, now + timedelta(days=left + 2)) == 0
    notices = await school.store.database.mongo["notifications"].find({}).to_list()
    assert {"appeal:due_soon", "appeal:overdue"} <= {notice["kind"] for notice in notices}
    # A late decision is still one.
    await decide(later(school, days=left + 2), appeal_id, "UPHELD")


async def test_the_appeal_to_the_province_is_recorded_in_its_time(school: School) -> None:
    sanction_id = await impose(school, await family(school))
    appeal_id = await file(school, sanction_id)
    await appoint(school, appeal_id)
    record = {"appeal_id": appeal_id, "provincial_filed_on": today(school)}
    with pytest.raises(RegistrarError) as refused:
        await ask(school, "appeal.record_provincial", record, "pupil")
    assert refused.value.code is ErrorCode.WRONG_STATE
    await decide(school, appeal_id, "UPHELD")
    until = (await stored(school, Appeal, appeal_id)).provincial_until
    assert until >= today(school) + timedelta(days=15)
    late = later(school, days=(until - today(school)).days + 1)
    with pytest.raises(RegistrarError) as refused:
        await ask(late, "appeal.record_provincial", record | {"provincial_filed_on": today(late)}, "pupil")
    assert refused.value.code is ErrorCode.OUT_OF_RANGE
    await ask(school, "appeal.record_provincial", record, "pupil")
    assert (await stored(school, Appeal, appeal_id)).status == "PROVINCIAL"
    answer = {
        "appeal_id": appeal_id,
        "student_id": (await stored(school, Appeal, appeal_id)).student_id,
        "provincial_outcome": "REVOKED",
        "provincial_answered_on": today(school),
    }
    for by, changes, code in (
        ("pupil", {}, ErrorCode.FORBIDDEN),
        ("principal", {}, ErrorCode.FORBIDDEN),
        ("information", {"student_id": ObjectId()}, ErrorCode.NOT_FOUND),
        ("information", {"kind": "WARNING"}, ErrorCode.INVALID_ARGUMENT),
        ("information", {"provincial_answered_on": today(late)}, ErrorCode.OUT_OF_RANGE),
    ):
        with pytest.raises(RegistrarError) as refused:
            await ask(school, "appeal.record_answer", answer | changes, by)
        assert refused.value.code is code
    await done(school, "appeal.record_answer", answer)
    held = await stored(school, Appeal, appeal_id)
    assert (held.status, held.outcome, held.provincial_outcome) == ("ANSWERED", "UPHELD", "REVOKED")
    assert (await stored(school, Sanction, sanction_id)).status == "REVOKED"


async def test_a_merged_record_takes_its_sanctions_with_it(school: School) -> None:
    first, second, third = [(await school.student(place)).key for place in range(3)]
    sanction_id = await impose(school, first)
    students = school.store.database.mongo["students"]
    await students.update_one({"_id": first}, {"$set": {"merged_into": second}})
    await students.update_one({"_id": second}, {"$set": {"merged_into": third}})
    found = await sanctions_in_force(school.store, None, [second, third, ObjectId()])
    assert {key: [held.id for held in sanctions] for key, sanctions in found.items()} == {
        second: [sanction_id],
        third: [sanction_id],
    }


async def test_who_asked_or_is_concerned_does_not_decide(school: School) -> None:
    student = (await school.student()).key
    outcome = await ask(school, "sanction.impose", of_sanction(school, student), "director")
    assert outcome.change_request_id is not None
    with pytest.raises(RegistrarError):
        await school.approve("director", outcome.change_request_id)
    await school.approve("vice-principal", outcome.change_request_id)
    for subject in ("teacher", "archive", "principal"):
        with pytest.raises(RegistrarError) as refused:
            await ask(school, "sanction.impose", of_sanction(school, student), subject)
        assert refused.value.code is ErrorCode.FORBIDDEN
