"""Faults of payloads are told in our words, in both languages, with a path that can be shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from archive_store.access.rules import DEFAULT_ACCESS_RULES
from archive_store.approvals.operations import payload_of
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.records import bson_value
from archive_store.policies.operations import PolicyReplace


def refused(change: Callable[[dict[str, Any]], object]) -> RegistrarError:
    rules = bson_value(DEFAULT_ACCESS_RULES)
    change(rules)
    values = {"policy_id": ObjectId(), "effective_from": "2030-01-01", "rules": rules}
    with pytest.raises(RegistrarError) as caught:
        payload_of(PolicyReplace, values)
    return caught.value


@pytest.mark.parametrize(
    ("change", "field", "zh", "en"),
    [
        ({"grant_days": 0}, "rules.grant_days", "不得小于 1", "it must be at least 1"),
        ({"grant_days": 10**9}, "rules.grant_days", "不得大于 366", "it must be at most 366"),
        ({"grant_days": "x"}, "rules.grant_days", "须为整数", "it must be a whole number"),
        ({"grant_days": 1.5}, "rules.grant_days", "须为整数", "it must be a whole number"),
        ({"statistics": 3}, "rules.statistics", "须为列表", "it must be a list"),
        ({"by_post": []}, "rules.by_post", "须为对象", "it must be an object"),
        ({"business_lines": {"在读": 3}}, "rules.business_lines.在读", "须为对象", "it must be an object"),
        (
            {"document_classes": {"\ud800": "F0"}},
            "rules.document_classes",
            "含有无法保存的字符",
            "it has characters that cannot be stored",
        ),
        (
            {"business_lines": {"在读": {"record_types": ["a\0"]}}},
            "rules.business_lines.在读.record_types",
            "含有控制字符",
            "it has control characters",
        ),
    ],
)
def test_a_fault_is_told_in_our_words(change: dict[str, Any], field: str, zh: str, en: str) -> None:
    error = refused(lambda rules: rules.update(change))
    assert (error.code, error.field) == (ErrorCode.INVALID_ARGUMENT, field)
    assert error.message.zh == f"参数无效:{zh}"
    assert error.message.en == f"The argument is not valid: {en}"


@pytest.mark.parametrize("key", ["k" * 100_000, "\0\x1b[2Jk", "\u202ek"])
def test_a_key_of_the_askers_choosing_is_cut_to_what_can_be_shown(key: str) -> None:
    error = refused(lambda rules: rules.update({key: 1}))
    assert error.code is ErrorCode.UNKNOWN_FIELD
    assert error.field is not None
    assert len(error.field) <= 110
    assert error.field.isprintable()
