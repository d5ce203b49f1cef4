"""Making certificates within a transaction: numbers, codes, places in the status list, signatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from bson import ObjectId

from archive_store.certificates.credentials import certificate_credential
from archive_store.certificates.documents import Certificate, CertificateKind, Paper
from archive_store.certificates.ranges import take_numbers
from archive_store.certificates.rules import EARNED_BY, RULE, new_code
from archive_store.certificates.status_lists import draw_places, signing
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

# Named here, not imported: the room of the school's structure stands beside this one.
_SCHOOLS = "schools"
PRINTED = ("name", "gender", "birth_date", "enrolled_month")
# What no entry tells: the signed text repeats the paper, and the code opens the public check.
_UNTOLD = frozenset(
    {
        *("_id", "revision", "created_at", "updated_at", "paper"),
        "code",
        "credential",
        "status_list",
        "status_index",
    }
)


@dataclass(frozen=True, slots=True)
class Printed:
    """What is the same on all papers of an issue. `studied_until` is a month, YYYY-MM."""

    kind: CertificateKind
    stage: SchoolStage
    programme: str | None
    studied_until: str
    issued_on: date


async def school_name(store: Store) -> str:
    """WRONG_STATE before the school is set up."""
    row = await store.database.mongo[_SCHOOLS].find_one({}, {"name": 1})
    if row is None:
        raise RegistrarError(ErrorCode.WRONG_STATE, rule=RULE, state="SCHOOL_NOT_SET_UP")
    return str(row["name"])


def require_earned(kind: CertificateKind, status: str, *, field: str) -> None:
    """WRONG_STATE on `field` unless a student of that status gets the kind."""
    if status != EARNED_BY[kind]:
        raise RegistrarError(ErrorCode.WRONG_STATE, field=field, rule=RULE, state=status)


async def make_certificates(
    unit: UnitOfWork,
    printed: Printed,
    students: Sequence[Row],
    *,
    issue_id: ObjectId | None = None,
    **more: Any,
) -> list[Certificate]:
    """Certificates of the students, in their order, numbered, signed and inserted, each told in its history."""
    public_url, key = signing(unit.store)
    school = await school_name(unit.store)
    numbers = await take_numbers(unit, printed.kind, printed.issued_on.year, len(students), field="issued_on")
    places = await draw_places(unit, Certificate, len(students))
    made = []
    for student, number, (status_list, index) in zip(students, numbers, places, strict=True):
        paper = Paper(
            name=student["name"],
            gender=student["gender"],
            birth_date=student["birth_date"],
            studied_from=student["enrolled_month"],
            studied_until=printed.studied_until,
            school_name=school,
            stage=printed.stage,
            programme=printed.programme,
            issued_on=printed.issued_on,
        )
        entry = {"status_list": status_list, "status_index": index}
        credential = certificate_credential(
            public_url, key, number=number, kind=printed.kind, paper=paper, at=unit.at, **entry
        )
        made.append(
            Certificate(
                **{"student_id": student["_id"], "issue_id": issue_id, "number": number},
                **{"kind": printed.kind, "paper": paper, "code": new_code(), **entry, **more},
                credential=orjson.dumps(credential).decode(),
            )
        )
    await unit.insert(*made)
    for certificate in made:
        row = certificate.to_bson()
        told = {name: value for name, value in row.items() if name not in _UNTOLD and value is not None}
        told |= {f"paper.{name}": value for name, value in row["paper"].items() if value is not None}
        changes = [FieldChange(name, None, value) for name, value in told.items()]
        unit.audit(Subject(Certificate.subject_type, certificate.key), "certificate:issue", changes)
    return made
