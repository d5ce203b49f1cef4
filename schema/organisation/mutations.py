"""Setting up and changing the structure, homeroom periods, and the assignment of classes."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId

from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import Asking, Outcome, payload_of, perform
from archive_store.approvals.requests import Revision, revise
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.organisation import queries as store
from archive_store.organisation.assignments import CLASS_ASSIGN, ClassAssign
from archive_store.organisation.classes import ClassChange, ClassClose, ClassOpen
from archive_store.organisation.homerooms import HomeroomAssign, HomeroomEnd
from archive_store.organisation.operations import (
    CampusOpen,
    CohortChange,
    CohortOpen,
    SchoolSetUp,
)
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import key_of
from schema.organisation.inputs import (
    CampusOpenInput,
    ClassAssignInput,
    ClassAssignReviseInput,
    ClassChangeInput,
    ClassCloseInput,
    ClassOpenInput,
    CohortChangeInput,
    CohortOpenInput,
    HomeroomAssignInput,
    HomeroomEndInput,
    SchoolSetUpInput,
    moves_of,
)
from schema.organisation.types import Campus, Cohort, School, SchoolClass

_AWAITS = "The request that now awaits approval."


@strawberry.type(description="Result of `schoolSetUp`.")
class SchoolPayload:
    school: School | None = strawberry.field(default=None, description="As it is now.")
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `campusOpen`.")
class CampusPayload:
    campus: Campus | None = None
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of whatever is done with a cohort.")
class CohortPayload:
    cohort: Cohort | None = strawberry.field(default=None, description="As it is now.")
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of whatever is done with a class and its homeroom teachers.")
class SchoolClassPayload:
    school_class: SchoolClass | None = strawberry.field(default=None, description="As it is now.")
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of `classAssign`.")
class ClassAssignPayload:
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    applied: bool = strawberry.field(default=False, description="True where no approval was needed.")
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, name: str, payload: Payload, reason: str | None) -> Outcome:
    return await perform(info.context.store, info.context.viewer, name, payload, reason=reason)


def _grades(given: list[Any]) -> tuple[dict[str, Any], ...]:
    return tuple({"label": grade.label, "valid_from": grade.valid_from} for grade in given)


@typed_errors(SchoolPayload)
async def resolve_school_set_up(info: Request, input: SchoolSetUpInput) -> SchoolPayload:  # noqa: A002
    told = {"name": input.name, "code": input.code, "division": input.division}
    payload = payload_of(SchoolSetUp, {"school_id": ObjectId(), **told})
    outcome = await _ask(info, "school.set_up", payload, input.reason)
    return SchoolPayload(
        school=await store.the_school(info.context.store, info.context.viewer),
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(CampusPayload)
async def resolve_campus_open(info: Request, input: CampusOpenInput) -> CampusPayload:  # noqa: A002
    key = ObjectId()
    payload = payload_of(CampusOpen, {"campus_id": key, "name": input.name, "address": input.address})
    outcome = await _ask(info, "campus.open", payload, input.reason)
    (campus,) = await store.campuses_by_id(info.context.store, info.context.viewer, [key])
    return CampusPayload(
        campus=campus,
        change_request=await request_of(info, outcome.change_request_id),
    )


async def _cohort(
    info: Request, name: str, key: ObjectId, payload: Payload, reason: str | None
) -> CohortPayload:
    outcome = await _ask(info, name, payload, reason)
    (cohort,) = await store.cohorts_by_id(info.context.store, info.context.viewer, [key])
    return CohortPayload(
        cohort=cohort,
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(CohortPayload)
async def resolve_cohort_open(info: Request, input: CohortOpenInput) -> CohortPayload:  # noqa: A002
    key = ObjectId()
    told = {"name": input.name, "stage": input.stage, "enrolled_year": input.enrolled_year}
    payload = payload_of(CohortOpen, {"cohort_id": key, **told, "grades": _grades(input.grades)})
    return await _cohort(info, "cohort.open", key, payload, input.reason)


@typed_errors(CohortPayload)
async def resolve_cohort_change(info: Request, input: CohortChangeInput) -> CohortPayload:  # noqa: A002
    key = key_of(input.id, "Cohort", field="id")
    payload = payload_of(CohortChange, {"cohort_id": key, "grades": _grades(input.grades)})
    return await _cohort(info, "cohort.change", key, payload, input.reason)


async def _class(
    info: Request, name: str, key: ObjectId, payload: Payload, reason: str | None
) -> SchoolClassPayload:
    outcome = await _ask(info, name, payload, reason)
    return SchoolClassPayload(
        school_class=await info.context.loaders.classes.load(key),  # type: ignore[arg-type]
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(SchoolClassPayload)
async def resolve_class_open(info: Request, input: ClassOpenInput) -> SchoolClassPayload:  # noqa: A002
    key = ObjectId()
    campus = input.campus_id
    told = {
        "class_id": key,
        "name": input.name,
        "cohort_id": key_of(input.cohort_id, "Cohort", field="cohortId"),
        "campus_id": None if campus is None else key_of(campus, "Campus", field="campusId"),
        "major_code": input.major_code,
        "capacity": input.capacity,
        "opened_on": input.opened_on,
    }
    return await _class(info, "class.open", key, payload_of(ClassOpen, told), input.reason)


@typed_errors(SchoolClassPayload)
async def resolve_class_change(info: Request, input: ClassChangeInput) -> SchoolClassPayload:  # noqa: A002
    key = key_of(input.id, "SchoolClass", field="id")
    payload = payload_of(ClassChange, {"class_id": key, **input.changes()})
    return await _class(info, "class.change", key, payload, input.reason)


@typed_errors(SchoolClassPayload)
async def resolve_class_close(info: Request, input: ClassCloseInput) -> SchoolClassPayload:  # noqa: A002
    key = key_of(input.id, "SchoolClass", field="id")
    payload = payload_of(ClassClose, {"class_id": key, "closed_on": input.closed_on})
    return await _class(info, "class.close", key, payload, input.reason)


async def _homeroom(
    info: Request, name: str, class_name: str, payload: Payload, reason: str | None
) -> SchoolClassPayload:
    outcome = await _ask(info, name, payload, reason)
    view = await store.class_by_name(info.context.store, info.context.viewer, class_name)
    return SchoolClassPayload(
        school_class=view,  # type: ignore[arg-type]
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(SchoolClassPayload)
async def resolve_homeroom_assign(info: Request, input: HomeroomAssignInput) -> SchoolClassPayload:  # noqa: A002
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    told["person_id"] = key_of(input.person_id, "Person", field="personId")
    payload = payload_of(HomeroomAssign, told)
    return await _homeroom(info, "homeroom.assign", payload.class_name, payload, input.reason)


@typed_errors(SchoolClassPayload)
async def resolve_homeroom_end(info: Request, input: HomeroomEndInput) -> SchoolClassPayload:  # noqa: A002
    told = {
        "person_id": key_of(input.person_id, "Person", field="personId"),
        "class_name": input.class_name,
        "last_day": input.last_day,
    }
    payload = payload_of(HomeroomEnd, told)
    return await _homeroom(info, "homeroom.end", payload.class_name, payload, input.reason)


@typed_errors(ClassAssignPayload)
async def resolve_class_assign(info: Request, input: ClassAssignInput) -> ClassAssignPayload:  # noqa: A002
    context = info.context
    told = {"assignment_id": ObjectId(), "moves": tuple(moves_of(input.moves))}
    asking = Asking(reason=input.reason, effective_from=input.effective_from, is_draft=input.draft)
    outcome = await perform(
        context.store, context.viewer, CLASS_ASSIGN.name, payload_of(ClassAssign, told), asking=asking
    )
    return ClassAssignPayload(
        change_request=await request_of(info, outcome.change_request_id), applied=outcome.applied
    )


@typed_errors(ClassAssignPayload)
async def resolve_class_assign_revise(
    info: Request,
    input: ClassAssignReviseInput,  # noqa: A002
) -> ClassAssignPayload:
    context = info.context
    key = key_of(input.id, "ChangeRequest", field="id")
    request = await context.loaders.change_requests.load(key)
    if request is None or request.operation != CLASS_ASSIGN.name:
        raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
    revision = Revision(
        values=None if input.moves is None else {"moves": tuple(moves_of(input.moves))},
        effective_from=input.effective_from,
        reason=input.reason,
    )
    await revise(context.store, context.viewer, key, revision)
    return ClassAssignPayload(change_request=await context.loaders.change_requests.load(key))


@strawberry.type
class OrganisationMutations:
    school_set_up: SchoolPayload = strawberry.field(
        resolver=resolve_school_set_up, description="Ask for the school's name and codes (学校信息)."
    )
    campus_open: CampusPayload = strawberry.field(
        resolver=resolve_campus_open, description="Open a campus (校区)."
    )
    cohort_open: CohortPayload = strawberry.field(
        resolver=resolve_cohort_open, description="Open a cohort (级) with its grades by day."
    )
    cohort_change: CohortPayload = strawberry.field(
        resolver=resolve_cohort_change, description="Ask for other grades of a cohort (升级)."
    )
    class_open: SchoolClassPayload = strawberry.field(
        resolver=resolve_class_open, description="Open a class (设班)."
    )
    class_change: SchoolClassPayload = strawberry.field(
        resolver=resolve_class_change, description="Ask for another name, campus or capacity of a class."
    )
    class_close: SchoolClassPayload = strawberry.field(
        resolver=resolve_class_close, description="Ask for the end of a class that nobody is in (撤班)."
    )
    homeroom_assign: SchoolClassPayload = strawberry.field(
        resolver=resolve_homeroom_assign,
        description="Ask for a homeroom teacher's term (班主任任期); it is a role grant.",
    )
    homeroom_end: SchoolClassPayload = strawberry.field(
        resolver=resolve_homeroom_end, description="End a homeroom teacher's term, and the right with it."
    )
    class_assign: ClassAssignPayload = strawberry.field(
        resolver=resolve_class_assign,
        description="Ask for the classes of many students by one request (编班/调班).",
    )
    class_assign_revise: ClassAssignPayload = strawberry.field(
        resolver=resolve_class_assign_revise,
        description="Change one's own request; all signatures are void, it is submitted anew (补正).",
    )
