"""The national student numbers (全国学籍号) of a student, read as the number itself is."""

from __future__ import annotations

from datetime import datetime

import strawberry
from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.people.documents import Person
from archive_store.students.documents import Student
from archive_store.students.numbers import NUMBER, StudentNumbers
from schema.access import governed
from schema.context import Request
from schema.directives import directives_of
from schema.organisation.enums import NumberState


@strawberry.type(description="A national student number and when it was in force.")
class StudentNumber:
    number: str = strawberry.field(description="全国学籍号.", directives=directives_of(Student, NUMBER))
    state: NumberState | None = strawberry.field(
        description="学籍号状态, by its letter.", directives=directives_of(Student, NUMBER)
    )
    valid_from: datetime = governed(Person, "identifiers.valid_from", "since when")
    valid_to: datetime | None = governed(
        Person, "identifiers.valid_to", "until when; null of the one in force"
    )


async def shown_numbers(info: Request, student_id: ObjectId, coordinate: str) -> StudentNumbers | None:
    """The numbers; None where they are kept back, which is noted."""
    found = await info.context.loaders.student_numbers.load(student_id)
    withheld = Withheld.NOT_PERMITTED if found is None else found.withheld
    if withheld is not None:
        info.context.withhold({coordinate: withheld})
        return None
    return found
