"""`student` and `students`."""

from __future__ import annotations

from datetime import datetime

import strawberry

from archive_store.students import queries as store
from schema.context import Request
from schema.enums import StudentOrder, StudentStatus
from schema.nodes import Connection, connection, key_of
from schema.scalars import Day
from schema.students.moments import student_at
from schema.students.types import STUDENT, Student


@strawberry.input(description="Conditions that all hold. A field the viewer may not read is refused by name.")
class StudentFilter:
    name_prefix: str | None = strawberry.field(default=None, description="The name begins so.")
    class_name: str | None = None
    grade: str | None = None
    status: StudentStatus | None = None
    auxiliary_number: str | None = None
    identity_number: str | None = strawberry.field(default=None, description="The whole number.")


async def resolve_student(
    info: Request,
    id: strawberry.ID,  # noqa: A002
    as_of: Day | None = None,
    known_at: datetime | None = None,
) -> Student | None:
    """One student, as they are or at a moment; null when there is none to see."""
    context, key, paths = info.context, key_of(id, "Student", field="id"), STUDENT.selected(info)
    if as_of is not None or known_at is not None:
        row, withheld = await student_at(info, key, (as_of, known_at), paths)
        context.withhold(STUDENT.coordinates_of(withheld))
        return row  # type: ignore[return-value]
    found = await store.find_student(context.store, context.viewer, key, paths)
    context.withhold(STUDENT.coordinates_of(found.withheld))
    return found.rows[0] if found.rows else None  # type: ignore[return-value]


async def resolve_students(
    info: Request,
    first: int = 20,
    after: str | None = None,
    order_by: StudentOrder | None = None,
    where: StudentFilter | None = None,
) -> Connection[Student]:
    """A page of the visible students."""
    context = info.context
    found = await store.list_students(
        context.store,
        context.viewer,
        STUDENT.selected(info, "edges", "node"),
        first=first,
        after=after,
        order=order_by,
        where=store.StudentFilter(**vars(where)) if where else None,
    )
    context.withhold(STUDENT.coordinates_of(found.withheld))
    return connection(found.page.rows, found.cursors, has_next=found.page.has_next, after=after)  # type: ignore[no-any-return]
