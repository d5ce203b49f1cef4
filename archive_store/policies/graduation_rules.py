"""`graduation_rules.replace`: new rules of the credential audit (学历审核规则), decided by the principal (§四(一))."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from bson import ObjectId
from pydantic import Field

from archive_store.academics.results import courses_by_code
from archive_store.academics.scales import stored_scale
from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.store import Store
from archive_store.graduation.audits import rules_in_force
from archive_store.graduation.documents import (
    PARAMETERS,
    RULES_LIMIT,
    GraduationRequirement,
    GraduationRule,
    GraduationRules,
)
from archive_store.policies.rules import RULE
from archive_store.policies.versions import RulesReplace, ask_for_version, check_first_day, rules_operation


class GraduationRulesReplace(RulesReplace):
    """Payload of `graduation_rules.replace`: all rules anew, and the day (in China) from which they hold."""

    rules: Annotated[tuple[GraduationRule, ...], Field(min_length=1, max_length=RULES_LIMIT)]


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """A rule that there would be, or would no longer be."""

    is_gained: bool
    requirement: GraduationRequirement
    article: str


def rule_differences(
    before: Sequence[GraduationRule], after: Sequence[GraduationRule]
) -> list[RuleDifference]:
    """One for each rule that only one of them has; a rule that says something else is lost and gained."""
    lost = [RuleDifference(False, rule.requirement, rule.article) for rule in before if rule not in after]
    gained = [RuleDifference(True, rule.requirement, rule.article) for rule in after if rule not in before]
    return lost + gained


async def replace_graduation_rules(
    store: Store,
    viewer: Viewer,
    *,
    rules: Sequence[Mapping[str, Any]],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[RuleDifference], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which rules would be others.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for bad content an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: GraduationRulesReplace) -> list[RuleDifference]:
        return rule_differences((await rules_in_force(store)).rules, payload.rules)

    return await ask_for_version(
        store, viewer, GRADUATION_RULES_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


def check_rule(rule: GraduationRule, courses: Collection[str], prefix: str = "") -> None:
    """REQUIRED without what it asks by, INVALID_ARGUMENT with what it does not have.

    UNKNOWN_CODE for a course that there is not.
    """
    # Version 0 of a scale is one.
    values = {name: getattr(rule, name) for name in PARAMETERS}
    given = {name for name, value in values.items() if value or (value == 0 and value is not False)}
    own = rule.requirement.parameters
    lacking = own - given
    if rule.requirement is GraduationRequirement.COURSES_PASSED and given & own:
        lacking = frozenset()
    for name in sorted(lacking):
        raise RegistrarError(ErrorCode.REQUIRED, field=prefix + name, rule=RULE)
    for name in sorted(given - own):
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=prefix + name,
            rule=RULE,
            detail_zh="此类条件不填写该项",
            detail_en="a rule of this kind does not have it",
        )
    if not rule.course_codes <= set(courses):
        raise RegistrarError(ErrorCode.UNKNOWN_CODE, field=f"{prefix}course_codes", rule=RULE)


async def _require_scale(store: Store, version: int, field: str) -> None:
    try:
        await stored_scale(store, version)
    except RegistrarError as error:
        raise RegistrarError(error.code, field=field, rule=RULE) from error


async def _check(store: Store, viewer: Viewer, payload: GraduationRulesReplace) -> None:
    check_first_day(store, payload.effective_from)
    named = frozenset[str]().union(*(rule.course_codes for rule in payload.rules))
    courses = await courses_by_code(store, None, named)
    for place, rule in enumerate(payload.rules):
        check_rule(rule, courses.keys(), f"rules.{place}.")
        if rule.gpa_scale is not None:
            await _require_scale(store, rule.gpa_scale, f"rules.{place}.gpa_scale")
        for document_type in sorted(rule.document_types):
            # Who audits would learn of each student whether there is one.
            if viewer.policy.rules.document_class(document_type) is FieldClass.F4:
                raise RegistrarError(
                    ErrorCode.INVALID_ARGUMENT,
                    field=f"rules.{place}.document_types",
                    rule="policy §三(二)",
                    detail_zh="密封材料不能作为审核条件",
                    detail_en="sealed papers cannot be asked for by a rule",
                )
    if not rule_differences((await rules_in_force(store)).rules, payload.rules):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


GRADUATION_RULES_REPLACE = rules_operation(
    "graduation_rules", GraduationRules, GraduationRulesReplace, _check
)
