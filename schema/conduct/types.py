"""Awards (奖励), sanctions (处分) and appeals (申诉), by the viewer's rights on the student whom they are about."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.approvals.documents import ApprovalPolicy
from archive_store.conduct import documents as stored
from archive_store.conduct.permissions import may_on_appeal, may_on_sanction
from archive_store.conduct.queries import AppealView, AwardView, ConductView, SanctionView
from archive_store.conduct.rules import OPEN_APPEALS
from archive_store.foundation.clock import school_day
from archive_store.foundation.versioned import newest_version
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.conduct.enums import (
    AppealAction,
    AppealFiledAs,
    AppealOutcome,
    AppealStatus,
    AwardLevel,
    AwardStatus,
    SanctionAction,
    SanctionKind,
    SanctionStatus,
)
from schema.conduct.loaders import TextKey
from schema.context import Request
from schema.directives import directives_of
from schema.errors import camel_case
from schema.nodes import Connection, Node, global_id
from schema.permissions import Permission, permission
from schema.scalars import Day

if TYPE_CHECKING:
    from schema.students.types import Student

OfStudent = Annotated["Student", strawberry.lazy("schema.students.types")]


def _leaf(record_type: type[Any], path: str, description: str) -> Any:
    """A leaf that is no text; null where the viewer may not read it."""

    def resolve(root: Any, info: Request) -> Any:
        if path not in _view(root).decision.readable:
            _withhold(info, root, path)
        return _view(root).value(path)

    directives = directives_of(record_type, path)
    return strawberry.field(resolver=resolve, description=description, directives=directives)


def _day(record_type: type[Any], path: str, description: str) -> Any:
    def resolve(root: Any, info: Request) -> date | None:
        if path not in _view(root).decision.readable:
            _withhold(info, root, path)
        value = _view(root).value(path)
        return None if value is None else date.fromisoformat(value)

    directives = directives_of(record_type, path)
    return strawberry.field(resolver=resolve, description=description, directives=directives)


def _withhold(info: Request, root: Any, path: str) -> None:
    view = _view(root)
    coordinate = f"{view.record_type.__name__}.{camel_case(path)}"
    info.context.withhold({coordinate: view.why_withheld(path)})


async def _text(info: Request, root: Any, path: str) -> str | None:
    """An encrypted leaf, opened once its reading is recorded; null where the viewer may not read it."""
    view = _view(root)
    if path not in view.decision.readable:
        _withhold(info, root, path)
        return None
    if not view.has_text(path):
        return None
    loaders = info.context.loaders.conduct
    texts = loaders.appeal_texts if isinstance(view, AppealView) else loaders.sanction_texts
    return await texts.load(TextKey(view.id, path))


def _view(source: Any) -> ConductView:
    assert isinstance(source, ConductView)  # noqa: S101
    return source


async def _student(info: Request, root: Any) -> Any:
    from schema.students.types import Student

    return await Student.resolve_reference(info, _view(root).student_id)


AWARD, SANCTION, APPEAL = stored.Award, stored.Sanction, stored.Appeal


@strawberry.type(description="奖励 of a student.")
class Award(Node):
    title: str | None = _leaf(AWARD, "title", "奖励名称")
    level: AwardLevel | None = _leaf(AWARD, "level", "奖励级别")
    awarded_by: str | None = _leaf(AWARD, "awarded_by", "颁奖单位")
    awarded_on: Day | None = _day(AWARD, "awarded_on", "颁奖日期")
    document_number: str | None = _leaf(AWARD, "document_number", "奖励文号")
    reason: str | None = _leaf(AWARD, "reason", "奖励原因")
    status: AwardStatus | None = _leaf(AWARD, "status", "奖励状态")
    recorded_at: datetime | None = _leaf(AWARD, "recorded_at", "when it was recorded")
    revoked_on: Day | None = _day(AWARD, "revoked_on", "撤销日期")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="学籍, by the viewer's rights on it.")
    async def student(self, info: Request) -> OfStudent | None:
        return await _student(info, self)  # type: ignore[no-any-return]

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, AwardView)


@strawberry.type(description="A member of the committee (申诉处理委员会) of one appeal.")
class AppealCommitteeMember:
    name: str = strawberry.field(directives=directives_of(APPEAL, "committee.name"))
    person_id: strawberry.ID = strawberry.field(directives=directives_of(APPEAL, "committee.person_id"))
    is_chair: bool = strawberry.field(description="主任委员, who speaks for the committee.")


@strawberry.type(
    description="申诉 against a sanction: decided by a committee of people who had no part in it."
)
class Appeal(Node):
    status: AppealStatus | None = _leaf(APPEAL, "status", "申诉状态")
    filed_on: Day | None = _day(APPEAL, "filed_on", "申诉日期")
    filed_by_name: str | None = _leaf(APPEAL, "filed_by_name", "who filed it, or wrote it down")
    filed_as: AppealFiledAs | None = _leaf(APPEAL, "filed_as", "as what")
    decide_by: Day | None = _day(APPEAL, "decide_by", "复查期限, the last day for the decision, inclusive")
    extended_on: Day | None = _day(APPEAL, "extended_on", "when the time was put off")
    outcome: AppealOutcome | None = _leaf(APPEAL, "outcome", "复查结论")
    decided_on: Day | None = _day(APPEAL, "decided_on", "复查决定日期")
    decided_by_name: str | None = _leaf(APPEAL, "decided_by_name", "who spoke for the committee")
    provincial_until: Day | None = _day(APPEAL, "provincial_until", "省级申诉期限, inclusive")
    provincial_filed_on: Day | None = _day(APPEAL, "provincial_filed_on", "省级申诉日期")
    provincial_number: str | None = _leaf(APPEAL, "provincial_number", "省级受理文号")
    provincial_outcome: AppealOutcome | None = _leaf(APPEAL, "provincial_outcome", "省级答复结论")
    provincial_answered_on: Day | None = _day(APPEAL, "provincial_answered_on", "省级答复日期")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="申诉理由.", directives=directives_of(APPEAL, "grounds"))
    async def grounds(self, info: Request) -> str | None:
        return await _text(info, self, "grounds")

    @strawberry.field(description="延长理由.", directives=directives_of(APPEAL, "extension_reason"))
    async def extension_reason(self, info: Request) -> str | None:
        return await _text(info, self, "extension_reason")

    @strawberry.field(description="复查决定理由.", directives=directives_of(APPEAL, "decision_reason"))
    async def decision_reason(self, info: Request) -> str | None:
        return await _text(info, self, "decision_reason")

    @strawberry.field(description="申诉处理委员会, its chair first.")
    def committee(self) -> list[AppealCommitteeMember]:
        return [
            AppealCommitteeMember(
                name=member["name"],
                person_id=strawberry.ID(global_id("Person", member["person_id"])),
                is_chair=place == 0,
            )
            for place, member in enumerate(_view(self).row["committee"])
        ]

    @strawberry.field(description="The last day is over and there is no decision.")
    def is_overdue(self, info: Request) -> bool:
        row = _view(self).row
        today = school_day(info.context.store.clock.now()).isoformat()
        return row["status"] in OPEN_APPEALS and row["decide_by"] < today

    @strawberry.field(description="处分 that it is against.")
    async def sanction(self, info: Request) -> Sanction | None:
        key = _view(self).row["sanction_id"]
        return await info.context.loaders.conduct.sanctions.load(key)  # type: ignore[return-value]

    @strawberry.field(description="学籍, by the viewer's rights on it.")
    async def student(self, info: Request) -> OfStudent | None:
        return await _student(info, self)  # type: ignore[no-any-return]

    @strawberry.field(description="Whether the viewer may, and else why not.")
    async def viewer_can(self, info: Request, action: AppealAction) -> Permission:
        view = _view(self)
        assert isinstance(view, AppealView)  # noqa: S101
        policy = await newest_version(info.context.store, ApprovalPolicy)
        return permission(may_on_appeal(policy, info.context.viewer, view, action))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, AppealView)


@strawberry.type(description="处分 of a student. It ends by removal (解除) on application, or by an appeal.")
class Sanction(Node):
    kind: SanctionKind | None = _leaf(SANCTION, "kind", "处分种类")
    document_number: str | None = _leaf(SANCTION, "document_number", "处分文号")
    decided_on: Day | None = _day(SANCTION, "decided_on", "处分决定日期")
    months: int | None = _leaf(SANCTION, "months", "处分期限, in months; null of an expulsion")
    ends_on: Day | None = _day(SANCTION, "ends_on", "the day from which it can be removed")
    status: SanctionStatus | None = _leaf(SANCTION, "status", "处分状态")
    imposed_at: datetime | None = _leaf(SANCTION, "imposed_at", "when it took effect here")
    served_on: Day | None = _day(SANCTION, "served_on", "送达日期, from which the appeal clock runs")
    appeal_until: Day | None = _day(SANCTION, "appeal_until", "申诉期限, inclusive")
    removed_on: Day | None = _day(SANCTION, "removed_on", "解除日期")
    revoked_on: Day | None = _day(SANCTION, "revoked_on", "撤销日期")
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(description="处分原因.", directives=directives_of(SANCTION, "reason"))
    async def reason(self, info: Request) -> str | None:
        return await _text(info, self, "reason")

    @strawberry.field(description="申诉 against it; there is one at most.")
    async def appeal(self, info: Request) -> Appeal | None:
        return await info.context.loaders.conduct.appeals_of.load(_view(self).id)  # type: ignore[return-value]

    @strawberry.field(description="学籍, by the viewer's rights on it.")
    async def student(self, info: Request) -> OfStudent | None:
        return await _student(info, self)  # type: ignore[no-any-return]

    @strawberry.field(description="Whether the viewer may, and else why not.")
    async def viewer_can(self, info: Request, action: SanctionAction) -> Permission:
        view, store = _view(self), info.context.store
        assert isinstance(view, SanctionView)  # noqa: S101
        policy = await newest_version(store, ApprovalPolicy)
        today = school_day(store.clock.now())
        return permission(may_on_sanction(policy, info.context.viewer, view, action, today))

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, SanctionView)


async def award_node(info: Request, key: ObjectId) -> AwardView | None:
    return await info.context.loaders.conduct.awards.load(key)


async def sanction_node(info: Request, key: ObjectId) -> SanctionView | None:
    return await info.context.loaders.conduct.sanctions.load(key)


async def appeal_node(info: Request, key: ObjectId) -> AppealView | None:
    return await info.context.loaders.conduct.appeals.load(key)
