"""Departments and majors (院系、专业): the catalogue as all who see the structure read it, and what changes it."""

from __future__ import annotations

from typing import Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.approvals.operations import Outcome, payload_of, perform
from archive_store.organisation import documents as stored
from archive_store.organisation import majors as store
from schema.access import governed
from schema.admission.enums import SchoolStage
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.errors import UserError, typed_errors
from schema.nodes import Connection, Node, key_of
from schema.scalars import Day

_AWAITS = "The request that now awaits approval."


@strawberry.type(description="院系.")
class Department(Node):
    code: str = governed(stored.Department, "code", "代码")
    name: str = governed(stored.Department, "name", "名称")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Department)


@strawberry.type(description="专业. `Student.majorCode` names it.")
class Major(Node):
    code: str = governed(stored.Major, "code", "代码")
    name: str = governed(stored.Major, "name", "名称")
    stage: SchoolStage = governed(stored.Major, "stage", "学段")
    duration_months: int = governed(stored.Major, "duration_months", "学制 in months")
    opened_on: Day = governed(stored.Major, "opened_on", "first day on which it may be taken up")
    closed_on: Day | None = governed(
        stored.Major, "closed_on", "last day on which it may be taken up, if any"
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="院系.")
    async def department(self, info: Request) -> Department | None:
        assert isinstance(self, stored.Major)  # noqa: S101
        return await info.context.loaders.organisation.departments.load(self.department_id)

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Major)


@strawberry.input(description="Input of `departmentOpen`.")
class DepartmentOpenInput:
    code: str = strawberry.field(description="The school's own: up to 20 letters and digits.")
    name: str
    reason: str | None = None


@strawberry.input(description="Input of `majorOpen`.")
class MajorOpenInput:
    code: str = strawberry.field(description="专业代码, up to 20 letters and digits.")
    name: str
    department_id: strawberry.ID
    stage: SchoolStage = strawberry.field(description="学段 that has majors.")
    duration_months: int = strawberry.field(description="学制 in months.")
    opened_on: Day
    reason: str | None = None


@strawberry.input(description="Input of `majorClose`.")
class MajorCloseInput:
    id: strawberry.ID
    closed_on: Day = strawberry.field(description="Last day on which it may be taken up.")
    reason: str | None = None


@strawberry.type(description="Result of `departmentOpen`.")
class DepartmentPayload:
    department: Department | None = None
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="Result of whatever is done with a major.")
class MajorPayload:
    major: Major | None = strawberry.field(default=None, description="As it is now.")
    change_request: ChangeRequest | None = strawberry.field(default=None, description=_AWAITS)
    errors: list[UserError] = strawberry.field(default_factory=list)


async def _ask(info: Request, name: str, payload: Any, reason: str | None) -> Outcome:
    return await perform(info.context.store, info.context.viewer, name, payload, reason=reason)


@typed_errors(DepartmentPayload)
async def resolve_department_open(info: Request, input: DepartmentOpenInput) -> DepartmentPayload:  # noqa: A002
    key = ObjectId()
    told = {"department_id": key, "code": input.code, "name": input.name}
    outcome = await _ask(info, "department.open", payload_of(store.DepartmentOpen, told), input.reason)
    return DepartmentPayload(
        department=await info.context.loaders.organisation.departments.load(key),
        change_request=await request_of(info, outcome.change_request_id),
    )


async def _major(info: Request, key: ObjectId, outcome: Outcome) -> MajorPayload:
    (major,) = await store.majors_by_id(info.context.store, info.context.viewer, [key])
    return MajorPayload(
        major=major,
        change_request=await request_of(info, outcome.change_request_id),
    )


@typed_errors(MajorPayload)
async def resolve_major_open(info: Request, input: MajorOpenInput) -> MajorPayload:  # noqa: A002
    key = ObjectId()
    told = {name: value for name, value in vars(input).items() if name != "reason"}
    told |= {
        "major_id": key,
        "department_id": key_of(input.department_id, "Department", field="departmentId"),
    }
    outcome = await _ask(info, "major.open", payload_of(store.MajorOpen, told), input.reason)
    return await _major(info, key, outcome)


@typed_errors(MajorPayload)
async def resolve_major_close(info: Request, input: MajorCloseInput) -> MajorPayload:  # noqa: A002
    key = key_of(input.id, "Major", field="id")
    payload = payload_of(store.MajorClose, {"major_id": key, "closed_on": input.closed_on})
    return await _major(info, key, await _ask(info, "major.close", payload, input.reason))


async def resolve_departments(info: Request) -> list[Department]:
    return await store.all_departments(info.context.store, info.context.viewer)  # type: ignore[return-value]


async def resolve_majors(info: Request) -> list[Major]:
    return await store.all_majors(info.context.store, info.context.viewer)  # type: ignore[return-value]


async def resolve_department(info: Request, id: strawberry.ID) -> object:  # noqa: A002
    return await info.context.loaders.organisation.departments.load(key_of(id, "Department", field="id"))


async def resolve_major(info: Request, id: strawberry.ID) -> object:  # noqa: A002
    key = key_of(id, "Major", field="id")
    return (await store.majors_by_id(info.context.store, info.context.viewer, [key]))[0]


@strawberry.type
class MajorQueries:
    departments: list[Department] = strawberry.field(
        resolver=resolve_departments, description="院系, by code."
    )
    majors: list[Major] = strawberry.field(
        resolver=resolve_majors, description="专业, by code; closed ones as well."
    )


@strawberry.type
class MajorMutations:
    department_open: DepartmentPayload = strawberry.field(
        resolver=resolve_department_open, description="Open a department (院系)."
    )
    major_open: MajorPayload = strawberry.field(
        resolver=resolve_major_open, description="Open a major (专业)."
    )
    major_close: MajorPayload = strawberry.field(
        resolver=resolve_major_close, description="Ask for the end of a major, to newcomers (停招)."
    )
