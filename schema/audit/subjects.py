"""The subject of an audit entry as a node, by the loaders and under the decision that each node has anywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bson import ObjectId

from archive_store.foundation.unit_of_work import Subject
from archive_store.imports.queries import batches_by_id
from schema.academics.nodes import academic_node
from schema.admission.types import AdmissionCase
from schema.approvals.types import ChangeRequest
from schema.audit.loaders import GrantKey
from schema.context import Request
from schema.scans.types import Scan
from schema.selection import selected_fields
from schema.students.types import Student
from schema.transcripts.loaders import transcript_node


async def _grant(info: Request, key: ObjectId) -> Any:
    wanted = {selection.name for selection in selected_fields(info) if selection.is_on("RetrievalGrant")}
    return await info.context.loaders.audit.grants.load(GrantKey(key, "purpose" in wanted))


async def _admission_case(info: Request, key: ObjectId) -> Any:
    return await AdmissionCase.resolve_reference(info, key)


async def _import(info: Request, key: ObjectId) -> Any:
    (batch,) = await batches_by_id(info.context.store, info.context.viewer, [key])
    return batch


_NODES: Mapping[str, Callable[[Request, ObjectId], Awaitable[Any]]] = {
    "AdmissionCase": _admission_case,
    "Appeal": lambda info, key: info.context.loaders.conduct.appeals.load(key),
    "Award": lambda info, key: info.context.loaders.conduct.awards.load(key),
    "ChangeRequest": ChangeRequest.resolve_reference,
    "Course": academic_node("Course"),
    "CourseArrangement": academic_node("CourseArrangement"),
    "CrisisTeam": lambda info, key: info.context.loaders.crisis_teams.load(key),
    "Delegation": lambda info, key: info.context.loaders.audit.delegations.load(key),
    "DisposalBatch": lambda info, key: info.context.loaders.disposal_batches.load(key),
    "EmergencyAction": lambda info, key: info.context.loaders.emergency_actions.load(key),
    "MergeCase": lambda info, key: info.context.loaders.merge_cases.load(key),
    "GradeRecord": lambda info, key: info.context.loaders.academics.grades.load(key),
    "ImportBatch": _import,
    "LegalHold": lambda info, key: info.context.loaders.legal_holds.load(key),
    "Person": lambda info, key: info.context.loaders.audit.staff.load(key),
    "RetrievalGrant": _grant,
    "Sanction": lambda info, key: info.context.loaders.conduct.sanctions.load(key),
    "Scan": Scan.resolve_reference,
    "Student": Student.resolve_reference,
    "Term": academic_node("Term"),
    "Transcript": transcript_node,
    "VerificationCampaign": lambda info, key: info.context.loaders.verification_campaigns.load(key),
    "VerificationItem": lambda info, key: info.context.loaders.verification_items.load(key),
}


async def subject_node(info: Request, subject: Subject) -> Any:
    """The node; None where the viewer sees none, and of a type that is none."""
    load = _NODES.get(subject.type)
    return None if load is None else await load(info, subject.id)
