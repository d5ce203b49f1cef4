"""The pure rules of semester verification."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import field_classes
from archive_store.foundation.posts import Post
from archive_store.semester_verification.documents import CampaignStatus, Capacity
from archive_store.semester_verification.rules import (
    DAYS_LIMIT,
    DEFAULT_FIELDS,
    VERIFIABLE_FIELDS,
    CampaignAction,
    after,
    capacity_of,
    check_days,
    readable_fields,
)
from archive_store.students.documents import Student

TODAY = date(2026, 3, 2)
DAYS = st.integers(-400, 800).map(lambda days: TODAY + timedelta(days=days))


@given(DAYS, DAYS)
def test_days(opens: date, closes: date) -> None:
    fits = opens <= closes and closes >= TODAY and (closes - opens).days <= DAYS_LIMIT
    if fits:
        check_days(opens, closes, TODAY)
        return
    with pytest.raises(RegistrarError) as caught:
        check_days(opens, closes, TODAY)
    assert caught.value.code is ErrorCode.OUT_OF_RANGE


@given(st.lists(st.sampled_from(CampaignAction), max_size=12))
def test_what_is_cancelled_stays_so_and_only_the_clock_begins(actions: list[CampaignAction]) -> None:
    status, was_begun = CampaignStatus.SCHEDULED, False
    for action in actions:
        try:
            following = after(status, action)
        except RegistrarError as refusal:
            assert refusal.code is ErrorCode.WRONG_STATE
            continue
        assert status is not CampaignStatus.CANCELLED
        was_begun = was_begun or action is CampaignAction.BEGIN
        status = following
        assert was_begun or status not in (CampaignStatus.OPEN, CampaignStatus.CLOSED)


@given(st.frozensets(st.sampled_from(sorted(field_classes(Student)))))
def test_a_field_is_vouched_for_by_all_its_leaves(readable: frozenset[str]) -> None:
    named = readable_fields(sorted(VERIFIABLE_FIELDS), readable)
    for name in VERIFIABLE_FIELDS:
        leaves = {path for path in field_classes(Student) if path.partition(".")[0] == name}
        assert (name in named) is (leaves <= readable)


def test_the_usual_fields_can_be_verified() -> None:
    assert VERIFIABLE_FIELDS.issuperset(DEFAULT_FIELDS)
    assert VERIFIABLE_FIELDS.isdisjoint(Student.bookkeeping)


STUDENT = ObjectId()


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, None),
        ({"own_student_ids": {STUDENT}, "ward_ids": {STUDENT}}, Capacity.SELF),
        ({"ward_ids": {STUDENT}, "posts": {Post.INFORMATION_GROUP}}, Capacity.GUARDIAN),
        ({"homeroom_class_names": {"七1班"}, "posts": {Post.INFORMATION_GROUP}}, Capacity.HOMEROOM_TEACHER),
        ({"homeroom_class_names": {"七2班"}}, None),
        ({"posts": {Post.INFORMATION_GROUP}}, Capacity.INFORMATION_GROUP),
        ({"posts": {Post.DIRECTOR, Post.TEACHER}}, None),
        ({"posts": {Post.INFORMATION_GROUP}, "is_service": True}, None),
    ],
)
def test_as_what_one_verifies(held: dict[str, Any], expected: Capacity | None) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("own_student_ids", "ward_ids", "homeroom_class_names", "posts"), frozenset()
    )
    viewer: Any = SimpleNamespace(**nothing | {"is_service": False} | held)
    assert capacity_of(viewer, STUDENT, "七1班") is expected
