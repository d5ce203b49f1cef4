"""How long each type of document is kept (保管期限), and which documents a student's archive file must hold.

A versioned table that the principal approves (policy §四(一): school policy is decided there). Its periods are the
three of document retention in China: 永久, 30年, 10年. A school has the default table until it replaces it. Its legal
basis is text for people; nothing is decided by it.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.foundation.clock import SCHOOL_TIME
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.versioned import newest_version
from archive_store.scans.documents import LOCK_YEARS, RetentionClass, Scan
from archive_store.students.documents import StudentStatus

RULE = "retention table 保管期限表"
RULES_LIMIT = 500
_DocumentType = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LegalBasis(_Content):
    """依据: why it is kept for so long."""

    zh: _Text
    en: _Text


class RetentionRule(_Content):
    """For how long one type of document is kept; `document_type` is None of the rule for all others."""

    document_type: _DocumentType | None
    retention: RetentionClass
    basis: LegalBasis


class RequiredDocuments(_Content):
    """The types that the archive file of a student in one of these statuses must hold."""

    statuses: Annotated[frozenset[StudentStatus], Field(min_length=1)]
    document_types: Annotated[frozenset[_DocumentType], Field(min_length=1, max_length=RULES_LIMIT)]


class RetentionContent(_Content):
    """The content of one version. `rules` name a type each, `others` holds for every other one."""

    rules: Annotated[tuple[RetentionRule, ...], Field(max_length=RULES_LIMIT)]
    others: RetentionRule
    required_documents: Annotated[tuple[RequiredDocuments, ...], Field(max_length=100)]

    def rule_for(self, document_type: str) -> RetentionRule:
        """The rule of the type, else that for all others."""
        named = (rule for rule in self.rules if rule.document_type == document_type)
        return next(named, self.others)

    def types_kept(self, retention: RetentionClass) -> list[Row]:
        """Conditions on a document type, of which the types that are kept for so long meet one each."""
        named = [rule.document_type for rule in self.rules if rule.retention is retention]
        conditions: list[Row] = [{"$in": named}] if named else []
        if self.others.retention is retention:
            conditions.append({"$nin": [rule.document_type for rule in self.rules]})
        return conditions

    def required_of(self, status: StudentStatus) -> frozenset[str]:
        """What the archive file of a student in this status must hold."""
        asked = [held.document_types for held in self.required_documents if status in held.statuses]
        return frozenset().union(*asked)


_SCHOOLS_OWN = LegalBasis(
    zh="本校规定:采用现行文件保管期限的三级划分(永久、30年、10年),由校长批准。",
    en="The school's own rule, by the three periods of document retention (permanent, 30, 10 years); approved by the "
    "principal.",
)
_STATUS_FILE = LegalBasis(
    zh="学生类档案(《高等学校档案管理办法》,教育部令第27号);中小学由最后就读学校永久保存(如陕教规范〔2014〕2号)。",
    en="Class 学生类 of the university archives order (Ministry of Education, No. 27); a pupil's last school keeps "
    "it for good (for one, Shaanxi 陕教规范〔2014〕2号).",
)


def _kept(retention: RetentionClass, basis: LegalBasis, *document_types: str) -> list[RetentionRule]:
    return [RetentionRule(document_type=name, retention=retention, basis=basis) for name in document_types]


_IN_STUDY = frozenset(
    {
        StudentStatus.ENROLLED,
        StudentStatus.SUSPENDED,
        StudentStatus.STATUS_RETAINED,
        StudentStatus.STUDY_HALTED,
        StudentStatus.DROPPED_OUT,
    }
)
_GRADUATED = frozenset({StudentStatus.GRADUATED})
DEFAULT_CONTENT = RetentionContent(
    rules=tuple(
        _kept(
            RetentionClass.PERMANENT,
            _STATUS_FILE,
            "新生学籍信息表",
            "学籍卡",
            "成绩单",
            "体检表",
            "奖励决定书",
            "处分决定书",
            "毕业生登记表",
        )
        + _kept(RetentionClass.YEARS_30, _SCHOOLS_OWN, "休学申请表", "复学申请表", "诊断证明", "申诉书")
        + _kept(RetentionClass.YEARS_10, _SCHOOLS_OWN, "请假条", "家长联系单", "社会实践登记表")
    ),
    # Never destroyed because nobody thought of it.
    others=RetentionRule(document_type=None, retention=RetentionClass.PERMANENT, basis=_SCHOOLS_OWN),
    required_documents=(
        RequiredDocuments(
            statuses=_IN_STUDY | _GRADUATED,
            document_types=frozenset({"新生学籍信息表", "户口簿", "体检表"}),
        ),
        RequiredDocuments(statuses=_GRADUATED, document_types=frozenset({"成绩单", "毕业生登记表"})),
    ),
)


class RetentionTable(Record):
    """A version of the retention table. The newest one in effect decides.

    `locks_extended_at` is when the locks of all scans filed before had been made as long as it asks for.
    """

    subject_type: ClassVar[str] = "RetentionTable"

    version: Annotated[int, FieldClass.F0]
    effective_from: Annotated[date, FieldClass.F0]
    content: Annotated[RetentionContent, FieldClass.F0]
    locks_extended_at: Annotated[datetime | None, FieldClass.F0] = None

    class Settings:
        name = "retention_tables"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


async def table_in_force(store: Store) -> RetentionTable:
    """The version in effect today; version 0, the default, where the school has not set one."""
    return await newest_version(store, RetentionTable, default=_default_table)


async def retention_table(store: Store, version: int) -> RetentionTable | None:
    """A version by its number, in effect or not; None where there is none."""
    if version == 0:
        return _default_table()
    row = await store.database.collection(RetentionTable).find_one({"version": version})
    return None if row is None else RetentionTable.model_validate(row)


def _default_table() -> RetentionTable:
    return RetentionTable(version=0, effective_from=date(1970, 1, 1), content=DEFAULT_CONTENT)


async def retention_rule(store: Store, document_type: str) -> RetentionRule:
    """What the table in force says of a type."""
    return (await table_in_force(store)).content.rule_for(document_type)


def due_on(retention: RetentionClass, filed_on: date) -> date | None:
    """The first day on which it may be disposed of; None for PERMANENT.

    The period begins with the year after filing, as archives count by whole years.
    """
    if retention is RetentionClass.PERMANENT:
        return None
    return date(filed_on.year + 1 + LOCK_YEARS[retention], 1, 1)


def lock_end(retention: RetentionClass, filed_on: date) -> datetime:
    """Until when the object store shall refuse to remove the bytes: until they are due, else for 100 years."""
    day = due_on(retention, filed_on) or date(filed_on.year + LOCK_YEARS[retention], 1, 1)
    return datetime.combine(day, time(), SCHOOL_TIME)


def require_content(scan: Scan) -> bytes:
    """The wrapped data key; DISPOSED where it was destroyed, and with it the content."""
    if scan.wrapped_data_key is None:
        raise RegistrarError(ErrorCode.DISPOSED, field="id", rule=RULE)
    return scan.wrapped_data_key
