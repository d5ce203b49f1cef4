"""Sign-in accounts of students and guardians: a token's subject tied to the person it belongs to.

Who may tie an account to a child is decided outside, by the school's identity provider and its registry; the
installation does it here, written to the history like any change.
"""

from __future__ import annotations

from bson import ObjectId

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import INSTALLATION, FieldChange, Subject, UnitOfWork
from archive_store.people.documents import Person
from archive_store.students.documents import Student
from archive_store.students.operations import load_student


async def link_account(store: Store, student_id: ObjectId, sign_in_subject: str) -> None:
    """Let the student sign in as `sign_in_subject`."""

    async def link(unit: UnitOfWork) -> None:
        student = await load_student(unit, student_id)
        person = await unit.load(Person, student.person_id)
        if person is None:
            raise LookupError(f"student {student_id} has no person")
        await unit.change(person, {"sign_in_subject": sign_in_subject})
        unit.audit(Subject(Person.subject_type, person.key), "person:account:link")

    await governed_transaction(store, INSTALLATION, "account.link", link)


async def link_guardian_account(
    store: Store, student_id: ObjectId, position: int, sign_in_subject: str
) -> None:
    """Let the guardian at this position of the student's list sign in as `sign_in_subject`."""

    async def link(unit: UnitOfWork) -> None:
        student = await load_student(unit, student_id)
        guardian = student.guardians[position]
        person = Person(name=guardian.name, sign_in_subject=sign_in_subject)
        await unit.insert(person)
        unit.audit(Subject(Person.subject_type, person.key), "person:register")
        guardians = list(student.guardians)
        guardians[position] = guardian.model_copy(update={"person_id": person.key})
        await unit.change(student, {"guardians": guardians})
        change = FieldChange("guardians", bson_value(student.guardians), bson_value(guardians))
        unit.audit(Subject(Student.subject_type, student.key), "student:guardian:link", [change])

    await governed_transaction(store, INSTALLATION, "account.link", link)
