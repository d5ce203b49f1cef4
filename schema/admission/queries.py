"""`admissionCase`, `admissionCases`, `admissionProgress` and `admissionPolicy`."""

from __future__ import annotations

import strawberry
from strawberry.scalars import JSON

from archive_store.admission import queries as store
from archive_store.admission.steps import policy_in_force
from archive_store.foundation.records import bson_value
from schema.admission.enums import AdmissionCaseStatus, SchoolStage
from schema.admission.types import ADMISSION_CASE, AdmissionCase, load_case, note_withheld, with_names
from schema.context import Request
from schema.nodes import Connection, connection, global_id, key_of
from schema.scalars import Day


@strawberry.input(description="Conditions that all hold. A field the viewer may not read is refused by name.")
class AdmissionCaseFilter:
    status: AdmissionCaseStatus | None = None
    stage: SchoolStage | None = None
    cohort: int | None = strawberry.field(default=None, description="级, the year of entrance.")
    batch: str | None = strawberry.field(default=None, description="批次.")
    import_id: strawberry.ID | None = strawberry.field(
        default=None, description="The import (导入批次) that opened them."
    )
    is_overdue: bool | None = strawberry.field(
        default=None, description="Those whose objections were not answered in time, or the others."
    )

    def to_store(self) -> store.CaseFilter:
        given = vars(self) | {
            "import_id": None
            if self.import_id is None
            else key_of(self.import_id, "ImportBatch", field="where.importId")
        }
        return store.CaseFilter(**given)


@strawberry.type(description="How many cases are in a status.")
class AdmissionProgress:
    status: AdmissionCaseStatus
    count: int


@strawberry.type(
    description="入学办理规则: which papers a case must hold by stage, and the time of a correction."
)
class AdmissionPolicy:
    version: int = strawberry.field(description="0 where the school has not set one.")
    effective_from: Day
    rules: JSON = strawberry.field(description="In the shape that `admissionPolicyReplace` takes.")


async def resolve_admission_case(info: Request, id: strawberry.ID) -> AdmissionCase | None:  # noqa: A002
    """One case; null when there is none to see."""
    key = key_of(id, "AdmissionCase", field="id")
    return await load_case(info, key, ADMISSION_CASE.selected(info))  # type: ignore[return-value]


async def resolve_admission_cases(
    info: Request, first: int = 20, after: str | None = None, where: AdmissionCaseFilter | None = None
) -> Connection[AdmissionCase]:
    """A page of the visible cases."""
    context, paths = info.context, ADMISSION_CASE.selected(info, "edges", "node")
    page = await store.list_cases(
        context.store,
        context.viewer,
        with_names(paths),
        first=first,
        after=None if after is None else key_of(after, "AdmissionCase", field="after"),
        where=where.to_store() if where else None,
    )
    note_withheld(info, list(page.rows), paths)
    cursors = [global_id("AdmissionCase", view.id) for view in page.rows]
    return connection(page.rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


async def resolve_admission_progress(
    info: Request, where: AdmissionCaseFilter | None = None
) -> list[AdmissionProgress]:
    chosen = where.to_store() if where else store.CaseFilter()
    counted = await store.progress(info.context.store, info.context.viewer, chosen)
    return [AdmissionProgress(status=status, count=count) for status, count in counted.items()]


async def resolve_admission_policy(info: Request) -> AdmissionPolicy:
    policy = await policy_in_force(info.context.store)
    return AdmissionPolicy(
        version=policy.version,
        effective_from=policy.effective_from,  # type: ignore[arg-type]
        rules=bson_value(policy.rules),
    )


@strawberry.type
class AdmissionQueries:
    """Read of admission."""

    admission_case: AdmissionCase | None = strawberry.field(
        resolver=resolve_admission_case, description="入学办理 by id."
    )
    admission_cases: Connection[AdmissionCase] = strawberry.field(
        resolver=resolve_admission_cases, description="入学办理, newest first."
    )
    admission_progress: list[AdmissionProgress] = strawberry.field(
        resolver=resolve_admission_progress, description="How many cases are in each status (办理进度)."
    )
    admission_policy: AdmissionPolicy = strawberry.field(
        resolver=resolve_admission_policy, description="入学办理规则 in effect."
    )
