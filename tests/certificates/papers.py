"""A school that may issue: set up, with a range of numbers, and students who graduated."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.certificates.documents import Certificate
from archive_store.certificates.ending import CertificateReissue, CertificateRevoke
from archive_store.certificates.issuing import CertificateIssuing
from archive_store.certificates.ranges import RangeOpen
from archive_store.foundation.clock import school_day
from archive_store.students.documents import Student
from tests.organisation.structure import done as done_in_structure
from tests.school import School

PAYLOADS: dict[str, Any] = {
    "certificate.issue": CertificateIssuing,
    "certificate.reissue": CertificateReissue,
    "certificate.revoke": CertificateRevoke,
    "certificate_range.open": RangeOpen,
}
SIGNERS = ("director", "vice-principal")


async def ask(school: School, name: str, values: dict[str, Any], subject: str = "information") -> Outcome:
    payload = payload_of(PAYLOADS[name], values)
    return await perform(
        school.store, await school.viewer(subject), name, payload, asking=Asking(reason="按规定办理")
    )


async def done(school: School, name: str, values: dict[str, Any], signers: tuple[str, ...] = SIGNERS) -> None:
    """Ask, and have it signed."""
    outcome = await ask(school, name, values)
    assert outcome.change_request_id is not None
    for signer in signers:
        await school.approve(signer, outcome.change_request_id)


def year(school: School) -> int:
    return school_day(school.store.clock.now()).year


def range_values(school: School, **other: Any) -> dict[str, Any]:
    told = {"range_id": ObjectId(), "kind": "GRADUATION", "year": year(school), "prefix": f"CZ{year(school)}"}
    return told | {"digits": 4, "first_number": 1, "last_number": 20} | other


def issue_values(school: School, *students: Student, **other: Any) -> dict[str, Any]:
    today = school_day(school.store.clock.now())
    told = {"issue_id": ObjectId(), "kind": "GRADUATION", "student_ids": [held.key for held in students]}
    return told | {"stage": "JUNIOR", "studied_until": f"{today:%Y-%m}", "issued_on": today} | other


async def graduate(school: School, *students: Student, status: str = "GRADUATED") -> None:
    keys = [held.key for held in students]
    await school.store.database.collection(Student).update_many(
        {"_id": {"$in": keys}},
        {"$set": {"status": status}},  # as if it had been decided
    )


async def ready(school: School) -> list[Student]:
    """Set up, a range open, and six students graduated."""
    await done_in_structure(
        school,
        "school.set_up",
        {"school_id": ObjectId(), "name": "示范中学", "code": "3132000001", "division": "320102"},
    )
    await done(school, "certificate_range.open", range_values(school), ("director",))
    students = [await school.student(place) for place in range(6)]
    await graduate(school, *students)
    return students


async def certificates(school: School) -> list[Certificate]:
    rows = await school.store.database.collection(Certificate).find().sort("number", 1).to_list()
    return [Certificate.model_validate(row) for row in rows]


async def issued(school: School) -> tuple[Student, Certificate]:
    """One student, and their certificate."""
    student, *_ = await ready(school)
    await done(school, "certificate.issue", issue_values(school, student))
    (held,) = await certificates(school)
    return student, held


async def child_of(school: School, student: ObjectId, subject: str) -> None:
    """As if the person of that subject were the student's guardian."""
    person = (await school.viewer(subject)).person_id
    await school.store.database.collection(Student).update_one(
        {"_id": student}, {"$set": {"guardians.0.person_id": person}}
    )
    assert student in (await school.viewer(subject)).ward_ids
