"""`student` and `students`."""

from __future__ import annotations

import strawberry

from archive_store.students import queries as store
from schema.context import Request
from schema.enums import StudentOrder, StudentStatus
from schema.nodes import Connection, connection, key_of
from schema.students.types import STUDENT, Student


@strawberry.input(description="Conditions that all hold. A field the viewer may not read is refused by name.")
class StudentFilter:
    name_prefix: str | None = strawberry.field(default=None, description="The name begins so.")
    class_name: str | None = None
    grade: str | None = None
    status: StudentStatus | None = None
    auxiliary_number: str | None = None
    identity_number: str | None = strawberry.field(default=None, description="The whole number.")


async def resolve_student(info: Request, id: strawberry.ID) -> Student | None:  # noqa: A002
    """One student; null when there is none to see."""
    context = info.context
    found = await store.find_student(
        context.store, context.viewer, key_of(id, "Student", field="id"), STUDENT.selected(info)
    )
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
