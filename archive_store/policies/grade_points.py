"""`grade_point_scale.replace`: a new version of the scale of grade points, decided by the principal (policy §四(一)).

An average names the version that it was told by, and a version before can still be asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from bson import ObjectId

from archive_store.academics.documents import GradePointRules, GradePointScale
from archive_store.academics.rules import check_scale
from archive_store.academics.scales import stored_scale
from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.policies.versions import (
    RulesReplace,
    ask_for_version,
    changed_names,
    check_first_day,
    rules_operation,
)


class GradePointScaleReplace(RulesReplace):
    """Payload of `grade_point_scale.replace`: the whole scale anew, and the day (in China) from which it holds."""

    rules: GradePointRules


async def replace_grade_point_scale(
    store: Store,
    viewer: Viewer,
    *,
    rules: Mapping[str, Any],
    effective_from: date,
    reason: str | None,
    dry_run: bool,
) -> tuple[list[str], ObjectId | None]:
    """Ask for a new version, or with `dry_run` only say which parts would change.

    Raises FORBIDDEN without a post that may ask (or, for a dry run, that decides), and for a bad scale an error that
    names the place.
    """
    values = {"policy_id": ObjectId(), "effective_from": effective_from, "rules": rules}

    async def differences(payload: GradePointScaleReplace) -> list[str]:
        return changed_names((await stored_scale(store)).rules, payload.rules)

    return await ask_for_version(
        store, viewer, GRADE_POINT_SCALE_REPLACE, values, differences, reason=reason, dry_run=dry_run
    )


async def _check(store: Store, viewer: Viewer, payload: GradePointScaleReplace) -> None:
    check_first_day(store, payload.effective_from)
    check_scale(payload.rules)
    if payload.rules == (await stored_scale(store)).rules:
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="rules")


GRADE_POINT_SCALE_REPLACE = rules_operation(
    "grade_point_scale", GradePointScale, GradePointScaleReplace, _check
)
