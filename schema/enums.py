"""The store's enums as GraphQL ones. Importing this module names them; types then use the store's own."""

from __future__ import annotations

import strawberry

from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import Secrecy
from archive_store.access.rules import Relationship
from archive_store.analysis.dimensions import StudentDimension
from archive_store.approvals.documents import Decision, RequestStatus, Tier
from archive_store.approvals.emergency_documents import EmergencyStatus
from archive_store.approvals.reasons import ReasonUse
from archive_store.crisis.documents import CrisisTeamStatus
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.scans.documents import RetentionClass
from archive_store.students.documents import Gender, StudentStatus
from archive_store.students.queries import StudentOrder

strawberry.enum(CrisisTeamStatus, description="临时小组状态.")
strawberry.enum(Decision, description="审批意见.")
strawberry.enum(EmergencyStatus, description="应急处置状态.")
strawberry.enum(FieldClass, description="字段分级, F0 (open inside the school) to F4 (sealed).")
strawberry.enum(Gender, description="性别, GB/T 2261.1.")
strawberry.enum(Post, description="岗位, the posts of the school policy §二(一).")
strawberry.enum(ReasonUse, description="What a common reason is given for.")
strawberry.enum(Relationship, description="What ties a viewer to a student, beside posts.")
strawberry.enum(RequestStatus, name="ChangeRequestStatus", description="申请状态.")
strawberry.enum(RetentionClass, description="保管期限.")
strawberry.enum(Secrecy, description="How secret the material is that a retrieval grant opens.")
strawberry.enum(
    StudentDimension, description="What `studentStatistics` counts by; only open to personal values."
)
strawberry.enum(StudentOrder, description="Order of `students`.")
strawberry.enum(StudentStatus, description="学籍状态.")
strawberry.enum(Tier, description="审批级别, policy §四(一).")
strawberry.enum(Withheld, name="WithheldReason", description="Why a value is kept back.")

__all__ = [
    "CrisisTeamStatus",
    "Decision",
    "EmergencyStatus",
    "FieldClass",
    "Gender",
    "Post",
    "ReasonUse",
    "Relationship",
    "RequestStatus",
    "RetentionClass",
    "Secrecy",
    "StudentDimension",
    "StudentOrder",
    "StudentStatus",
    "Tier",
    "Withheld",
]
