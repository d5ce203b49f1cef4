"""`retention_table.replace`: a new version of the retention table, decided by the principal (policy §四(一))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.policies.rules import RULE
from archive_store.policies.versions import (
    REQUESTERS,
    ask_for_version,
    check_first_day,
    current_version,
    next_version,
    write_version,
)
from archive_store.scans.documents import RetentionClass
from archive_store.scans.retention import RetentionContent, RetentionTable, table_in_force
from archive_store.students.documents import StudentStatus


class RetentionTableReplace(Payload):
    """Payload of `retention_table.replace`: the whole new content, and the day (in China) from which it holds."""

    table_id: PydanticObjectId
    effective_from: date
    content: RetentionContent


@dataclass(frozen=True, slots=True)
class RetentionDifference:
    """For how long documents of a type were and will be kept; `document_type` is None of all that no rule names."""

    document_type: str | None
    before: RetentionClass
    after: RetentionClass


@dataclass(frozen=True, slots=True)
class RequirementDifference:
    """Which documents the archive files of students in a status must hold, and must no longer hold."""

    status: StudentStatus
    gains: tuple[str, ...]
    loses: tuple[str, ...]


def retention_differences(before: RetentionContent, after: RetentionContent) -> list[RetentionDifference]:
    """One for each type whose period changes, and for all others."""
    named = {rule.document_type for rule in (*before.rules, *after.rules) if rule.document_type is not None}
    pairs: list[tuple[str | None, RetentionClass, RetentionClass]] = [
        (name, before.rule_for(name).retention, after.rule_for(name).retention) for name in sorted(named)
    ]
    pairs.append((None, before.others.retention, after.others.retention))
    return [RetentionDifference(*pair) for pair in pairs if pair[1] is not pair[2]]


def requirement_differences(before: RetentionContent, after: RetentionContent) -> list[RequirementDifference]:
    """One for each status of which other documents are asked."""
    found = []
    for status in StudentStatus:
        had, has = before.required_of(status), after.required_of(status)
        if had != has:
            found.append(RequirementDifference(status, tuple(sorted(has - had)), tuple(sorted(had - has))))
    return found


def check_content(content: RetentionContent) -> None:
    """Refuse, by place, a version that says two things of one type, or a rule that names none."""
    if content.others.document_type is not None:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="content.others.document_type",
            rule=RULE,
            detail_zh="此规则适用于未列名的文件类型,不得列名",
            detail_en="this is the rule of what no other one names, so it names none",
        )
    seen: set[str] = set()
    for position, rule in enumerate(content.rules):
        place = f"content.rules.{position}.document_type"
        if rule.document_type is None:
            raise RegistrarError(ErrorCode.REQUIRED, field=place, rule=RULE)
        if rule.document_type in seen:
            raise RegistrarError(ErrorCode.DUPLICATE, field=place, rule=RULE, others="content.rules")
        seen.add(rule.document_type)


@dataclass(frozen=True, slots=True)
class RetentionReplacement:
    """What a replacement would change, and the request for it; None of a dry run."""

    differences: tuple[RetentionDifference, ...]
    requirements: tuple[RequirementDifference, ...]
    change_request_id: ObjectId | None


async def replace_retention_table(
    store: Store,
    viewer: Viewer,
    *,
    content: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> RetentionReplacement:
    """Ask for a new version, or with `dry_run` only say which periods and required documents would change.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"table_id": ObjectId(), "effective_from": effective_from, "content": content}

    async def differences(
        payload: RetentionTableReplace,
    ) -> tuple[list[RetentionDifference], list[RequirementDifference]]:
        contents = (await table_in_force(store)).content, payload.content
        return retention_differences(*contents), requirement_differences(*contents)

    (periods, requirements), request_id = await ask_for_version(
        store, viewer, RETENTION_TABLE_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )
    return RetentionReplacement(tuple(periods), tuple(requirements), request_id)


async def _check(store: Store, viewer: Viewer, payload: RetentionTableReplace) -> None:
    check_first_day(store, payload.effective_from)
    check_content(payload.content)
    if payload.content == (await table_in_force(store)).content:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="content")


async def _apply(unit: UnitOfWork, payload: RetentionTableReplace) -> ObjectId:
    table = RetentionTable(
        id=payload.table_id,
        content=payload.content,
        **await next_version(unit, RetentionTable, payload.effective_from),
    )
    return await write_version(unit, table, "retention_table", ["content"])


RETENTION_TABLE_REPLACE = Operation(
    name="retention_table.replace",
    record_type=RetentionTable,
    payload=RetentionTableReplace,
    requesters=REQUESTERS,
    subject=lambda payload: Subject(RetentionTable.subject_type, payload.table_id),
    requested_values=lambda payload: {
        "effective_from": bson_value(payload.effective_from),
        "content": bson_value(payload.content),
    },
    fields=lambda payload: frozenset({"effective_from", "content"}),
    current=current_version(RetentionTable),
    check=_check,
    apply=_apply,
)
