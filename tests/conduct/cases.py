"""What the tests of conduct share: asking, signing, the usual sanction and appeal, and a clock that can be set."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from bson import ObjectId

from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.conduct.documents import Appeal, Award, Sanction
from archive_store.conduct.rules import filed_as
from archive_store.foundation.clock import school_day
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.records import Record
from archive_store.students.accounts import link_account, link_guardian_account
from tests.school import School

REASON = "考试作弊,情节较重"
GROUNDS = "事实认定有误"
SIGNERS = ("director", "vice-principal")
EXPELLERS = (*SIGNERS, "principal")
COMMITTEE = ("academic-affairs", "archive", "admissions")


def today(school: School) -> date:
    return school_day(school.store.clock.now())


async def ask(school: School, name: str, values: dict[str, Any], subject: str = "information") -> Outcome:
    payload = payload_of(school.store.operations[name].payload, values)
    asking = Asking("按规定办理")
    return await perform(school.store, await school.viewer(subject), name, payload, asking=asking)


async def done(
    school: School,
    name: str,
    values: dict[str, Any],
    subject: str = "information",
    signers: tuple[str, ...] = SIGNERS,
) -> None:
    """Ask, and have it signed where that is needed."""
    outcome = await ask(school, name, values, subject)
    if outcome.change_request_id is not None:
        for signer in signers:
            await school.approve(signer, outcome.change_request_id)


async def family(school: School, position: int = 0) -> ObjectId:
    """Accounts `pupil` and `parent` of a student; the student's key."""
    student = await school.student(position)
    await link_account(school.store, student.key, "pupil")
    await link_guardian_account(school.store, student.key, 0, "parent")
    return student.key


def of_sanction(school: School, student: ObjectId, **changes: Any) -> dict[str, Any]:
    return {
        "sanction_id": ObjectId(),
        "student_id": student,
        "kind": "DEMERIT",
        "reason": REASON,
        "document_number": "校处〔2026〕3号",
        "decided_on": today(school) - timedelta(days=2),
        "months": 6,
        **changes,
    }


async def impose(school: School, student_id: ObjectId, **changes: Any) -> ObjectId:
    values = of_sanction(school, student_id, **changes)
    if values["kind"] == "EXPULSION":
        await done(school, "sanction.expel", values, signers=EXPELLERS)
    else:
        await done(school, "sanction.impose", values)
    return values["sanction_id"]  # type: ignore[no-any-return]


async def serve(school: School, sanction_id: ObjectId, served_on: date | None = None) -> None:
    sanction = await stored(school, Sanction, sanction_id)
    values = {
        "sanction_id": sanction_id,
        "student_id": sanction.student_id,
        "served_on": served_on or today(school),
    }
    await done(school, "sanction.serve", values)


async def file(school: School, sanction_id: ObjectId, subject: str = "pupil", **changes: Any) -> ObjectId:
    sanction = await stored(school, Sanction, sanction_id)
    viewer = await school.viewer(subject)
    values = {
        "appeal_id": ObjectId(),
        "sanction_id": sanction_id,
        "student_id": sanction.student_id,
        "grounds": GROUNDS,
        "filed_on": today(school),
        "filed_as": filed_as(viewer, sanction.student_id) or "SELF",
        **changes,
    }
    await ask(school, "appeal.file", values, subject)
    return values["appeal_id"]  # type: ignore[return-value]


async def keys(school: School, *subjects: str) -> tuple[ObjectId, ...]:
    return tuple([(await school.viewer(subject)).person_id for subject in subjects])


async def appoint(school: School, appeal_id: ObjectId, *subjects: str, by: str = "principal") -> None:
    members = await keys(school, *(subjects or COMMITTEE))
    await ask(school, "appeal.appoint", {"appeal_id": appeal_id, "member_ids": members}, by)


async def decide(
    school: School, appeal_id: ObjectId, outcome: str, by: str = COMMITTEE[0], **more: Any
) -> None:
    values = {"appeal_id": appeal_id, "outcome": outcome, "decision_reason": "经复查", **more}
    await ask(school, "appeal.decide", values, by)


async def stored(school: School, record_type: type[Record], key: ObjectId) -> Any:
    row = await school.store.database.collection(record_type).find_one({"_id": key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(record_type))
    return record_type.model_validate(row)


async def kinds_told(school: School, subject: str) -> list[str]:
    """The kinds of notifications to a person, oldest first."""
    key = (await school.viewer(subject)).person_id
    rows = school.store.database.mongo["notifications"].find({"recipient": key}).sort("_id", 1)
    return [row["kind"] for row in await rows.to_list()]


__all__ = ["Appeal", "Award", "Sanction"]
