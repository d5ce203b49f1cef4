"""School, campuses, cohorts, classes and homeroom periods (组织结构) as a viewer may see them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.foundation.clock import school_day
from archive_store.organisation import documents as stored
from archive_store.organisation.members import HomeroomPeriod as StoredPeriod
from archive_store.organisation.members import roster
from archive_store.organisation.queries import ClassView, all_campuses
from archive_store.organisation.rules import grade_on
from archive_store.people.documents import RoleGrant
from schema.access import governed
from schema.admission.enums import SchoolStage
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.context import Request
from schema.directives import directives_of
from schema.nodes import Connection, Node, connection, global_id
from schema.organisation.enums import GrantKind
from schema.scalars import Day

if TYPE_CHECKING:
    from schema.students.types import Student

_STUDENT = Annotated["Student", strawberry.lazy("schema.students.types")]


@strawberry.type(description="校区.")
class Campus(Node):
    name: str = governed(stored.Campus, "name", "名称")
    address: str | None = governed(stored.Campus, "address", "地址")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Campus)


@strawberry.type(description="学校.")
class School(Node):
    name: str = governed(stored.School, "name", "名称")
    code: str = governed(stored.School, "code", "学校标识码, 10 digits")
    division: str = governed(stored.School, "division", "行政区划码, GB/T 2260")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="校区, by name.")
    async def campuses(self, info: Request) -> list[Campus]:
        return await all_campuses(info.context.store, info.context.viewer)  # type: ignore[return-value]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.School)


@strawberry.type(description="What a cohort's grade (年级) is called from a day on, until the next one.")
class GradePeriod:
    label: str = governed(stored.Cohort, "grades.label", "年级, as `Student.grade` spells it")
    valid_from: Day = governed(stored.Cohort, "grades.valid_from", "first day")


@strawberry.type(description="级: who entered a stage in a year.")
class Cohort(Node):
    name: str = governed(stored.Cohort, "name", "名称")
    stage: SchoolStage = governed(stored.Cohort, "stage", "学段")
    enrolled_year: int = governed(stored.Cohort, "enrolled_year", "入学年")
    grades: list[GradePeriod] = strawberry.field(
        description="How it is promoted by school year (升级), in order of days."
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(
        description="年级 on the day, or today.", directives=directives_of(stored.Cohort, "grades.label")
    )
    def grade(self, info: Request, as_of: Day | None = None) -> str:
        assert isinstance(self, stored.Cohort)  # noqa: S101
        return grade_on(self, as_of or school_day(info.context.store.clock.now()))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, stored.Cohort)


@strawberry.type(description="班主任任期: who is, was or will be the homeroom teacher.")
class HomeroomPeriod:
    name: str = strawberry.field(description="姓名.")
    kind: GrantKind = governed(RoleGrant, "kind", "how it is held; one who acts (代理) may be beside another")
    valid_from: Day = governed(RoleGrant, "valid_from", "first day")
    valid_to: Day | None = governed(RoleGrant, "valid_to", "last day, inclusive")

    @strawberry.field(
        description="The person, as `staff` and `homeroomEnd` know them.",
        directives=directives_of(RoleGrant, "person_id"),
    )
    def person_id(self) -> strawberry.ID:
        assert isinstance(self, StoredPeriod)  # noqa: S101
        return strawberry.ID(global_id("Person", self.person_id))


@strawberry.type(description="班级. `Student.className` names it.")
class SchoolClass(Node):
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="名称.", directives=directives_of(stored.SchoolClass, "name"))
    def name(self) -> str:
        return _class(self).name

    @strawberry.field(description="级.")
    def cohort(self) -> Cohort:
        return _view(self).cohort

    @strawberry.field(description="校区, where one is named.")
    def campus(self) -> Campus | None:
        return _view(self).campus

    @strawberry.field(description="年级, today.", directives=directives_of(stored.Cohort, "grades.label"))
    def grade(self) -> str:
        return _view(self).grade

    @strawberry.field(
        description="专业, of a class of one major alone.",
        directives=directives_of(stored.SchoolClass, "major_code"),
    )
    def major_code(self) -> str | None:
        return _class(self).major_code

    @strawberry.field(
        description="班额: how many it holds.", directives=directives_of(stored.SchoolClass, "capacity")
    )
    def capacity(self, info: Request) -> int | None:
        view = _view(self)
        if not view.reads_capacity:
            info.context.withhold({"SchoolClass.capacity": view.why_no_capacity})
            return None
        return view.school_class.capacity

    @strawberry.field(description="First day.", directives=directives_of(stored.SchoolClass, "opened_on"))
    def opened_on(self) -> Day:
        return Day(_class(self).opened_on)

    @strawberry.field(
        description="Last day, if it closes.", directives=directives_of(stored.SchoolClass, "closed_on")
    )
    def closed_on(self) -> Day | None:
        closed = _class(self).closed_on
        return None if closed is None else Day(closed)

    @strawberry.field(
        description="How many students are in it, without those who have left; null to those who do not see them all."
    )
    async def size(self, info: Request) -> int | None:
        view = _view(self)
        return await info.context.loaders.class_sizes.load(view.school_class.name) if view.counts else None

    @strawberry.field(
        description="班主任任期 on the day `asOf`; all of them, past and to come, if left out. By first day."
    )
    async def homeroom_teachers(self, info: Request, as_of: Day | None = None) -> list[HomeroomPeriod]:
        periods = await info.context.loaders.homeroom_periods.load(_class(self).name)
        return [held for held in periods if as_of is None or held.holds(_day(as_of))]  # type: ignore[misc]

    @strawberry.field(
        description="花名册: the students in view whose record names the class, with their own rights."
    )
    async def students(
        self, info: Request, first: int = 50, after: str | None = None
    ) -> Connection[_STUDENT]:
        from schema.students.types import STUDENT

        context, paths = info.context, STUDENT.selected(info, "edges", "node")
        found = await roster(context.store, context.viewer, _class(self), paths, first=first, after=after)
        if found is None:
            context.withhold({"SchoolClass.students": Withheld.NOT_PERMITTED})
            return connection([], [], has_next=False, after=after)  # type: ignore[no-any-return]
        context.withhold(STUDENT.coordinates_of(found.withheld))
        return connection(found.page.rows, found.cursors, has_next=found.page.has_next, after=after)  # type: ignore[no-any-return]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, ClassView)


def _day(given: Any) -> date:
    assert isinstance(given, date)  # noqa: S101
    return given


def _view(source: Any) -> ClassView:
    assert isinstance(source, ClassView)  # noqa: S101
    return source


def _class(source: Any) -> stored.SchoolClass:
    return _view(source).school_class
