"""The content of the field-access policy (字段权限): who reads which field classes, as versioned data.

Who stands how to a record is told elsewhere; what follows from it is decided in `policy.py`.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, field_validator
from pymongo import IndexModel

from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass
NAMES_LIMIT = 500  # document types, and business lines
NAME_LIMIT = 100
_Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LIMIT)]
_OPEN = frozenset({F0})
_INTERNAL = frozenset({F0, F1})
_PERSONAL = frozenset({F0, F1, F2})
_SENSITIVE = frozenset({F0, F1, F2, F3})


class Relationship(StrEnum):
    """What ties a viewer to one student, beside posts."""

    BUSINESS_LINE = "BUSINESS_LINE"  # 分管: the student falls into the deputy director's line
    TEACHER = "TEACHER"  # 任课教师 of the student's class
    HOMEROOM_TEACHER = "HOMEROOM_TEACHER"  # 班主任
    GUARDIAN = "GUARDIAN"  # 监护人
    SELF = "SELF"  # 本人


class Scope(StrEnum):
    """What an integrator's service account may be given. It reads what its posts, its scopes and its token allow."""

    STUDENT_READ = "student:read"  # F0 and F1
    STUDENT_READ_PERSONAL = "student:read:personal"  # F2
    STUDENT_READ_SENSITIVE = "student:read:sensitive"  # F3
    SCAN_READ = "scan:read"  # what is known of scans, and the sealed (F4) ones where a grant allows
    CHANGE_REQUEST_READ = "change_request:read"
    AUDIT_READ = "audit:read"
    STATISTICS_READ = "statistics:read"
    ADMISSION_SUPPLY = "admission:supply"  # candidates, of an account that holds the admissions office's post


CLASSES_OF_SCOPE = {
    Scope.STUDENT_READ: _INTERNAL,
    Scope.STUDENT_READ_PERSONAL: frozenset({F2}),
    Scope.STUDENT_READ_SENSITIVE: frozenset({F3}),
    Scope.SCAN_READ: frozenset({F4}),
}


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BusinessLine(_Rules):
    """分管业务: the record types and, unless None, the student statuses that a line covers."""

    record_types: frozenset[str]
    student_statuses: frozenset[str] | None = None


class AccessRules(_Rules):
    """The content of one version of the policy.

    A viewer reads the classes of their posts on every record in scope, and more on a record that a relationship or
    a retrieval grant ties to them. `document_classes` says how secret the bytes of a scan are, by document type.
    """

    by_post: dict[Post, frozenset[FieldClass]]
    by_relationship: dict[Relationship, frozenset[FieldClass]]
    business_lines: Annotated[dict[_Name, BusinessLine], Field(max_length=NAMES_LIMIT)]
    document_classes: Annotated[dict[_Name, FieldClass], Field(max_length=NAMES_LIMIT)]
    other_documents: FieldClass
    # A sealed (F4) paper's type tells what it is about, so others do not know that it is there.
    sealed_known_to: frozenset[Post]
    # Classes that are read for a stated purpose only, and who need not state one.
    purpose_required: frozenset[FieldClass]
    purpose_exempt: frozenset[Relationship]
    # The longest time and the most views that one retrieval grant can give.
    grant_days: Annotated[StrictInt, Field(ge=1, le=366)]
    grant_views: Annotated[StrictInt, Field(ge=1, le=1000)]
    statistics: frozenset[Post]
    pseudonymised_rows: frozenset[Post]
    smallest_cell: Annotated[StrictInt, Field(ge=2, le=1000)]
    # Who searches the audit history of all records (审计) and is told who read what. Versions from before have the
    # default.
    audit_readers: frozenset[Post] = frozenset({Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL})
    # Who counts grades (成绩分布), which are F3: those whose work they are, and who decides by them. A deputy director
    # does not. Versions from before have the default.
    grade_statistics: frozenset[Post] = frozenset(
        {
            Post.DIRECTOR,
            Post.ANALYSIS_GROUP,
            Post.ACADEMIC_AFFAIRS,
            Post.VICE_PRINCIPAL,
            Post.PRINCIPAL,
        }
    )

    # Of those who are tied to a class, who reads its grades for their work (教学), without stating a purpose: TEACHER
    # the course that they teach to it, HOMEROOM_TEACHER all of them. Versions from before have the default.
    grade_readers: frozenset[Relationship] = frozenset({Relationship.TEACHER, Relationship.HOMEROOM_TEACHER})

    @field_validator("grade_readers")
    @classmethod
    def _of_a_class(cls, held: frozenset[Relationship]) -> frozenset[Relationship]:
        if held - {Relationship.TEACHER, Relationship.HOMEROOM_TEACHER}:
            raise ValueError("TEACHER and HOMEROOM_TEACHER only")
        return held

    def document_class(self, document_type: str) -> FieldClass:
        return self.document_classes.get(document_type, self.other_documents)


# Statuses by name: the students' room, which defines them, stands above this one.
_IN_STUDY = frozenset({"ENROLLED", "SUSPENDED", "STATUS_RETAINED", "STUDY_HALTED", "DROPPED_OUT"})
_BEFORE_STUDY = frozenset({"PENDING_ADMISSION", "ADMISSION_DEFERRED", "CANCELLED"})
_AFTER_STUDY = frozenset(
    {"TRANSFERRED_OUT", "GRADUATED", "COMPLETED", "INCOMPLETE", "WITHDRAWN", "EXPELLED", "DECEASED", "VOIDED"}
)
_RECORDS = frozenset({"Student", "Scan"})
# §三(一) 在读管理: 奖惩记录.
_CONDUCT = frozenset({"Award", "Sanction", "Appeal"})

# §三(二): sensitive files and values only for the department head and persons authorised.
# §二(一): deputies by business line; the analysis group works on aggregates and reads no single record.
DEFAULT_ACCESS_RULES = AccessRules(
    by_post={
        Post.DIRECTOR: _SENSITIVE,
        Post.DEPUTY_DIRECTOR: _INTERNAL,
        Post.INFORMATION_GROUP: _PERSONAL,
        Post.ARCHIVE_GROUP: _PERSONAL,
        Post.VICE_PRINCIPAL: _PERSONAL,
        Post.PRINCIPAL: _PERSONAL,
        Post.ACADEMIC_AFFAIRS: _INTERNAL,
        Post.ADMISSIONS: _INTERNAL,
        Post.LOGISTICS: _OPEN,
    },
    by_relationship={
        Relationship.BUSINESS_LINE: _PERSONAL,
        Relationship.TEACHER: _INTERNAL,
        Relationship.HOMEROOM_TEACHER: _PERSONAL,
        Relationship.GUARDIAN: _SENSITIVE,
        Relationship.SELF: _SENSITIVE,
    },
    # §三(一): the three core stages; and the archive group's work.
    business_lines={
        "新生入学": BusinessLine(record_types=_RECORDS, student_statuses=_BEFORE_STUDY),
        "在读管理": BusinessLine(record_types=_RECORDS | _CONDUCT, student_statuses=_IN_STUDY),
        "毕业管理": BusinessLine(record_types=_RECORDS, student_statuses=_AFTER_STUDY),
        "档案管理": BusinessLine(record_types=frozenset({"Scan"})),
    },
    # §三(二) names information forms and transcripts as sensitive. Papers on health, sanctions and appeals are sealed.
    document_classes={
        "体检表": F4,
        "诊断证明": F4,
        "心理档案": F4,
        "处分决定书": F4,
        "申诉书": F4,
    },
    other_documents=F3,
    sealed_known_to=frozenset({Post.DIRECTOR, Post.ARCHIVE_GROUP, Post.VICE_PRINCIPAL, Post.PRINCIPAL}),
    purpose_required=frozenset({F3, F4}),
    purpose_exempt=frozenset({Relationship.GUARDIAN, Relationship.SELF}),
    grant_days=30,
    grant_views=50,
    statistics=frozenset(
        {
            Post.DIRECTOR,
            Post.DEPUTY_DIRECTOR,
            Post.ANALYSIS_GROUP,
            Post.VICE_PRINCIPAL,
            Post.PRINCIPAL,
            Post.ACADEMIC_AFFAIRS,
        }
    ),
    pseudonymised_rows=frozenset({Post.ANALYSIS_GROUP}),
    smallest_cell=5,
)


class FieldAccessPolicy(Record):
    """A version of the field-access policy. The newest one in effect decides."""

    subject_type: ClassVar[str] = "FieldAccessPolicy"

    version: Annotated[int, F0]
    effective_from: Annotated[date, F0]
    rules: Annotated[AccessRules, F0]

    class Settings:
        name = "field_access_policies"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012
