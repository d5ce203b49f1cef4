"""The product on one screen. Every word here is a folder of the same name, here and one package down."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry
from strawberry.extensions import MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema import Schema

from schema.access import Redactions
from schema.admission.mutations import RosterImportPayload, resolve_roster_import
from schema.analysis.queries import resolve_pseudonymised_students, resolve_student_statistics
from schema.analysis.types import PseudonymisedStudent, StudentStatistics
from schema.approvals.emergency_mutations import (
    EmergencyPayload,
    resolve_acknowledge,
    resolve_ratify,
    resolve_reverse,
)
from schema.approvals.emergency_queries import resolve_emergency_action, resolve_emergency_actions
from schema.approvals.emergency_types import EmergencyAction
from schema.approvals.mutations import (
    ChangeRequestPayload,
    ChangeRequestsPayload,
    resolve_add_signer,
    resolve_approve,
    resolve_approve_each,
    resolve_reject,
    resolve_return,
    resolve_submit,
    resolve_withdraw,
)
from schema.approvals.queries import resolve_change_request, resolve_change_requests
from schema.approvals.types import ChangeRequest
from schema.audit.queries import resolve_notifications
from schema.audit.subscriptions import subscribe_to_notifications
from schema.audit.types import Notification
from schema.context import Request
from schema.cost import CostLimit
from schema.crisis.mutations import (
    CrisisTeamPayload,
    resolve_crisis_team_activate,
    resolve_crisis_team_change_members,
    resolve_crisis_team_close,
    resolve_crisis_team_form,
    resolve_crisis_team_stand_down,
    resolve_crisis_team_submit_review,
)
from schema.crisis.queries import resolve_crisis_team, resolve_crisis_teams
from schema.crisis.types import CrisisTeam
from schema.duties.mutations import CalendarLoadPayload, resolve_calendar_load
from schema.duties.types import WorkCalendar, resolve_work_calendar
from schema.federation import Subgraph
from schema.limits import TOKENS_LIMIT, DocumentLimits
from schema.nodes import Connection, Node, parse_global_id
from schema.people.delegations import (
    Delegation,
    DelegationPayload,
    resolve_delegation_end,
    resolve_delegation_give,
    resolve_delegations,
)
from schema.people.staff import StaffMember, resolve_staff
from schema.people.types import Viewer, resolve_viewer
from schema.policies.mutations import PolicyReplacePayload, resolve_policy_replace
from schema.policies.types import FieldAccessPolicy, resolve_field_access_policy
from schema.retrieval.mutations import (
    RetrievalGrantRequestPayload,
    RetrievalGrantRevokePayload,
    resolve_retrieval_grant_request,
    resolve_retrieval_grant_revoke,
)
from schema.retrieval.queries import resolve_retrieval_grant, resolve_retrieval_grants
from schema.retrieval.types import RetrievalGrant
from schema.scalars import CONFIG
from schema.scans.queries import resolve_scan
from schema.scans.types import Scan
from schema.students.emergencies import (
    resolve_student_suspend_emergency,
    resolve_student_update_emergency,
)
from schema.students.mutations import (
    StudentUpdatePayload,
    resolve_student_update,
    resolve_student_update_revise,
)
from schema.students.queries import resolve_student, resolve_students
from schema.students.status import (
    StudentStatusPayload,
    resolve_student_resume,
    resolve_student_status_revise,
    resolve_student_suspend,
)
from schema.students.types import Student
from schema.tasks.subscriptions import subscribe_to_tasks
from schema.tasks.types import Task


async def resolve_node(info: Request, id: strawberry.ID) -> Node | None:  # noqa: A002
    """The object of a global id; null when there is none to see."""
    resolve = {
        "ChangeRequest": resolve_change_request,
        "CrisisTeam": resolve_crisis_team,
        "EmergencyAction": resolve_emergency_action,
        "RetrievalGrant": resolve_retrieval_grant,
        "Scan": resolve_scan,
        "Student": resolve_student,
    }
    type_name, _ = parse_global_id(id)
    return await resolve[type_name](info, id) if type_name in resolve else None


@strawberry.type(description="Everything that can be read.")
class Query:
    viewer: Viewer = strawberry.field(resolver=resolve_viewer, description="Who is signed in.")
    student: Student | None = strawberry.field(resolver=resolve_student, description="学籍 by id.")
    students: Connection[Student] = strawberry.field(resolver=resolve_students, description="学籍 in view.")
    student_statistics: StudentStatistics = strawberry.field(
        resolver=resolve_student_statistics,
        description="Counts of all students by up to three dimensions, small cells suppressed (统计).",
    )
    pseudonymised_students: Connection[PseudonymisedStudent] = strawberry.field(
        resolver=resolve_pseudonymised_students,
        description="All students as coarse rows under pseudonyms, for the analysis group (假名化).",
    )
    change_request: ChangeRequest | None = strawberry.field(
        resolver=resolve_change_request, description="变更申请 by id."
    )
    change_requests: Connection[ChangeRequest] = strawberry.field(
        resolver=resolve_change_requests, description="变更申请, newest first."
    )
    emergency_action: EmergencyAction | None = strawberry.field(
        resolver=resolve_emergency_action, description="应急处置 by id."
    )
    emergency_actions: Connection[EmergencyAction] = strawberry.field(
        resolver=resolve_emergency_actions, description="应急处置, newest first."
    )
    scan: Scan | None = strawberry.field(resolver=resolve_scan, description="扫描件 by id.")
    crisis_teams: Connection[CrisisTeam] = strawberry.field(
        resolver=resolve_crisis_teams, description="临时小组 of one's own, or all for those who decide."
    )
    retrieval_grants: Connection[RetrievalGrant] = strawberry.field(
        resolver=resolve_retrieval_grants, description="调阅授权 of one's own, or all for those who decide."
    )
    staff: Connection[StaffMember] = strawberry.field(
        resolver=resolve_staff, description="工作人员 with a post today."
    )
    delegations: Connection[Delegation] = strawberry.field(
        resolver=resolve_delegations, description="委托 from and to the viewer."
    )
    field_access_policy: FieldAccessPolicy = strawberry.field(
        resolver=resolve_field_access_policy, description="字段权限 in effect."
    )
    work_calendar: WorkCalendar | None = strawberry.field(
        resolver=resolve_work_calendar,
        description="工作日历 of a year: as it was loaded, else as it is published.",
    )
    notifications: Connection[Notification] = strawberry.field(
        resolver=resolve_notifications,
        description="通知 to the viewer and the posts they hold, newest first.",
    )
    node: Node | None = strawberry.field(
        resolver=resolve_node, description="Any object by its global id (Relay)."
    )


@strawberry.type(
    description="Everything that can be asked for. Whatever needs approval becomes a change request."
)
class Mutation:
    student_update: StudentUpdatePayload = strawberry.field(
        resolver=resolve_student_update, description="Ask for a change of a record (信息修改)."
    )
    student_update_revise: StudentUpdatePayload = strawberry.field(
        resolver=resolve_student_update_revise,
        description="Change one's own request; all signatures are void, it is submitted anew (补正).",
    )
    student_suspend: StudentStatusPayload = strawberry.field(
        resolver=resolve_student_suspend, description="Ask for a suspension of studies (休学)."
    )
    student_resume: StudentStatusPayload = strawberry.field(
        resolver=resolve_student_resume, description="Ask for the end of a suspension (复学)."
    )
    student_status_revise: StudentStatusPayload = strawberry.field(
        resolver=resolve_student_status_revise,
        description="Change one's own request for a change of status; all signatures are void (补正).",
    )
    change_request_approve: ChangeRequestPayload = strawberry.field(
        resolver=resolve_approve,
        description="Approve the awaited step; the last one applies the change (批准).",
    )
    change_request_reject: ChangeRequestPayload = strawberry.field(
        resolver=resolve_reject, description="Reject (驳回)."
    )
    change_request_return: ChangeRequestPayload = strawberry.field(
        resolver=resolve_return, description="Return for completion (退回补正)."
    )
    change_request_add_signer: ChangeRequestPayload = strawberry.field(
        resolver=resolve_add_signer, description="Ask another person to sign first (加签)."
    )
    change_requests_approve: ChangeRequestsPayload = strawberry.field(
        resolver=resolve_approve_each, description="Approve many, each by itself (批量审批)."
    )
    change_request_submit: ChangeRequestPayload = strawberry.field(
        resolver=resolve_submit, description="Submit one's own draft (提交草稿)."
    )
    change_request_withdraw: ChangeRequestPayload = strawberry.field(
        resolver=resolve_withdraw, description="Withdraw one's own request (撤回)."
    )
    student_update_emergency: EmergencyPayload = strawberry.field(
        resolver=resolve_student_update_emergency,
        description="Change contact data or guardians at once, to be ratified (应急修改).",
    )
    student_suspend_emergency: EmergencyPayload = strawberry.field(
        resolver=resolve_student_suspend_emergency,
        description="Suspend at once, such as for a sudden illness, to be ratified (应急休学).",
    )
    emergency_acknowledge: EmergencyPayload = strawberry.field(
        resolver=resolve_acknowledge, description="Acknowledge that one's post was told of it (签收)."
    )
    emergency_ratify: EmergencyPayload = strawberry.field(
        resolver=resolve_ratify, description="Ratify (追认)."
    )
    emergency_reverse: EmergencyPayload = strawberry.field(
        resolver=resolve_reverse, description="Restore what was before; the history stays (撤销)."
    )
    delegation_give: DelegationPayload = strawberry.field(
        resolver=resolve_delegation_give, description="Let somebody sign in one's seat for a time (委托)."
    )
    delegation_end: DelegationPayload = strawberry.field(
        resolver=resolve_delegation_end, description="End one's own delegation (收回委托)."
    )
    retrieval_grant_request: RetrievalGrantRequestPayload = strawberry.field(
        resolver=resolve_retrieval_grant_request,
        description="Ask to view sensitive or sealed material (申请调阅).",
    )
    retrieval_grant_revoke: RetrievalGrantRevokePayload = strawberry.field(
        resolver=resolve_retrieval_grant_revoke, description="End a retrieval grant (撤销调阅授权)."
    )
    crisis_team_form: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_form,
        description="Form a crisis team; nothing is lent yet (组建临时小组).",
    )
    crisis_team_change_members: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_change_members,
        description="Change who belongs to it and is lent what (调整成员).",
    )
    crisis_team_activate: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_activate, description="Activate it: what it lends begins (启动)."
    )
    crisis_team_stand_down: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_stand_down,
        description="Stand it down: all that it lent ends at once (解散).",
    )
    crisis_team_submit_review: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_submit_review,
        description="Submit its after-action review, or amend it (复盘).",
    )
    crisis_team_close: CrisisTeamPayload = strawberry.field(
        resolver=resolve_crisis_team_close, description="Close it, once it is reviewed (结案)."
    )
    policy_replace: PolicyReplacePayload = strawberry.field(
        resolver=resolve_policy_replace, description="Ask for a new field-access policy (调整字段权限)."
    )
    calendar_load: CalendarLoadPayload = strawberry.field(
        resolver=resolve_calendar_load, description="Ask for the work calendar of a year (节假日安排)."
    )
    roster_import: RosterImportPayload = strawberry.field(
        resolver=resolve_roster_import, description="Import a roster (花名册)."
    )


@strawberry.type(
    description="What is told as it happens, over graphql-transport-ws and server-sent events. It ends with an error "
    "whose code says why: `unauthenticated`, `post_ended`, `events_missed`, `too_slow`, `try_again`."
)
class Subscription:
    notification_added: AsyncGenerator[Notification, None] = strawberry.subscription(
        resolver=subscribe_to_notifications,
        description="通知 to the viewer and the posts they hold, from now on.",
    )
    task_added: AsyncGenerator[Task, None] = strawberry.subscription(
        resolver=subscribe_to_tasks,
        description="待办: what comes to await the viewer's decision, from now on.",
    )


# A document of the most tokens is more than a megabyte.
CACHED_DOCUMENTS = 100


def build_schema() -> Schema:
    """The schema with its extensions, in the order they wrap an operation."""
    return Subgraph(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Node],
        config=CONFIG,
        extensions=[
            Redactions,
            lambda: MaxTokensLimiter(max_token_count=TOKENS_LIMIT),
            DocumentLimits,
            lambda: ParserCache(maxsize=CACHED_DOCUMENTS),
            lambda: ValidationCache(maxsize=CACHED_DOCUMENTS),
            CostLimit,
        ],
    )


def export_sdl() -> str:
    """The SDL as it is checked in at schema/schema.graphql."""
    return build_schema().as_str() + "\n"
