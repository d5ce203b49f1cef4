"""`school`, `cohorts`, `classes`, `schoolClass`, and what an assignment of classes would lead to."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.organisation import previews
from archive_store.organisation import queries as store
from archive_store.organisation.rules import ClassCount as StoredCount
from archive_store.organisation.rules import Judgement
from archive_store.students.documents import Gender
from schema.context import Request
from schema.errors import UserError, user_error
from schema.nodes import Connection, connection, global_id, key_of
from schema.organisation.inputs import ClassMoveInput, moves_of
from schema.organisation.types import Cohort, School, SchoolClass


@strawberry.input(description="Conditions that all hold.")
class SchoolClassFilter:
    cohort_id: strawberry.ID | None = None
    campus_id: strawberry.ID | None = None
    is_open: bool | None = strawberry.field(default=None, description="Those open today, or the others.")

    def to_store(self) -> store.ClassFilter:
        return store.ClassFilter(
            cohort_id=_key(self.cohort_id, "Cohort", "where.cohortId"),
            campus_id=_key(self.campus_id, "Campus", "where.campusId"),
            is_open=self.is_open,
        )


def _key(text: strawberry.ID | None, type_name: str, field: str) -> ObjectId | None:
    return None if text is None else key_of(text, type_name, field=field)


@strawberry.type(description="A class before and after an assignment. By gender where the viewer reads that.")
class ClassCounts:
    class_name: str
    capacity: int | None = strawberry.field(
        description="班额; null of a class that the structure does not have."
    )
    before: int
    after: int
    male_after: int | None
    female_after: int | None


@strawberry.type(description="编班预览: the classes concerned, and every fault of the moves.")
class ClassAssignmentPreview:
    classes: list[ClassCounts]
    errors: list[UserError] = strawberry.field(description="What would be refused, by place in the list.")


@strawberry.type(description="A student's class and seat as proposed.")
class ProposedMove:
    student_id: strawberry.ID
    class_name: str
    seat_number: str | None


@strawberry.type(description="均衡编班: a balanced assignment, to look at and to give to `classAssign`.")
class ClassAssignmentProposal:
    moves: list[ProposedMove]
    classes: list[ClassCounts]
    errors: list[UserError]


def _counts(info: Request, judgement: Judgement) -> list[ClassCounts]:
    by_gender = previews.counts_gender(info.context.viewer)

    def of(count: StoredCount, gender: Gender) -> int | None:
        return count.after[gender.value] if by_gender else None

    return [
        ClassCounts(
            class_name=count.name,
            capacity=count.capacity,
            before=count.before.total(),
            after=count.after.total(),
            male_after=of(count, Gender.MALE),
            female_after=of(count, Gender.FEMALE),
        )
        for count in judgement.classes
    ]


async def resolve_school(info: Request) -> School | None:
    """The school; null until it is set up."""
    return await store.the_school(info.context.store, info.context.viewer)


async def resolve_cohorts(info: Request, first: int = 20, after: str | None = None) -> Connection[Cohort]:
    """Cohorts, newest first."""
    page = await store.list_cohorts(
        info.context.store,
        info.context.viewer,
        first=first,
        after=None if after is None else key_of(after, "Cohort", field="after"),
    )
    cursors = [global_id("Cohort", cohort.key) for cohort in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_classes(
    info: Request, first: int = 20, after: str | None = None, where: SchoolClassFilter | None = None
) -> Connection[SchoolClass]:
    """The classes in sight, by name."""
    page, cursors = await store.list_classes(
        info.context.store,
        info.context.viewer,
        first=first,
        after=after,
        where=where.to_store() if where else None,
    )
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_school_class(
    info: Request,
    id: strawberry.ID | None = None,  # noqa: A002
    name: str | None = None,
) -> SchoolClass | None:
    """One class by id or by name; null when there is none to see."""
    store.one_of({"id": id, "name": name})
    if name is not None:
        return await store.class_by_name(info.context.store, info.context.viewer, name)  # type: ignore[return-value]
    key = key_of(id or "", "SchoolClass", field="id")
    return await info.context.loaders.classes.load(key)  # type: ignore[return-value]


async def resolve_node_of_class(info: Request, id: strawberry.ID) -> SchoolClass | None:  # noqa: A002
    return await resolve_school_class(info, id=id)


async def resolve_cohort(info: Request, id: strawberry.ID) -> Cohort | None:  # noqa: A002
    key = key_of(id, "Cohort", field="id")
    return (await store.cohorts_by_id(info.context.store, info.context.viewer, [key]))[0]


async def resolve_campus(info: Request, id: strawberry.ID) -> object:  # noqa: A002
    key = key_of(id, "Campus", field="id")
    return (await store.campuses_by_id(info.context.store, info.context.viewer, [key]))[0]


async def resolve_class_assignment_preview(
    info: Request, moves: list[ClassMoveInput]
) -> ClassAssignmentPreview:
    """What these moves would lead to; nothing is written."""
    judgement = await previews.preview(info.context.store, info.context.viewer, moves_of(moves))
    return ClassAssignmentPreview(
        classes=_counts(info, judgement), errors=[user_error(fault) for fault in judgement.faults]
    )


async def resolve_class_assignment_proposal(
    info: Request,
    into: list[str],
    student_ids: list[strawberry.ID] | None = None,
    from_classes: list[str] | None = None,
) -> ClassAssignmentProposal:
    """A balanced assignment of these students, or of all in these classes."""
    store.one_of({"studentIds": student_ids, "fromClasses": from_classes})
    keys = [
        key_of(text, "Student", field=f"studentIds.{place}") for place, text in enumerate(student_ids or ())
    ]
    moves, judgement = await previews.propose(
        info.context.store, info.context.viewer, into=into, student_ids=keys, from_classes=from_classes
    )
    return ClassAssignmentProposal(
        moves=[
            ProposedMove(
                student_id=strawberry.ID(global_id("Student", move.student_id)),
                class_name=move.class_name,
                seat_number=move.seat,
            )
            for move in moves
        ],
        classes=_counts(info, judgement),
        errors=[user_error(fault) for fault in judgement.faults],
    )


@strawberry.type
class OrganisationQueries:
    school: School | None = strawberry.field(
        resolver=resolve_school, description="学校; null until it is set up."
    )
    cohorts: Connection[Cohort] = strawberry.field(resolver=resolve_cohorts, description="级, newest first.")
    classes: Connection[SchoolClass] = strawberry.field(
        resolver=resolve_classes, description="班级 in sight, by name."
    )
    school_class: SchoolClass | None = strawberry.field(
        resolver=resolve_school_class, description="班级 by id or by name."
    )
    class_assignment_preview: ClassAssignmentPreview = strawberry.field(
        resolver=resolve_class_assignment_preview,
        description="编班预览: what moves would lead to, for those who may ask for them.",
    )
    class_assignment_proposal: ClassAssignmentProposal = strawberry.field(
        resolver=resolve_class_assignment_proposal,
        description="均衡编班: by gender, then by number; the same students and classes give the same one.",
    )
