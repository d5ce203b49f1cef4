"""The one decision: posts, ties, grants, purposes and scopes to readable, filterable and changeable fields."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_store.access.policy import AccessPolicy, Standing, Withheld
from archive_store.access.rules import DEFAULT_ACCESS_RULES, Relationship, Scope
from archive_store.approvals.changeability import change_rules
from archive_store.approvals.default_rules import DEFAULT_APPROVAL_RULES, KEY_IDENTITY_FIELDS
from archive_store.approvals.documents import ApprovalPolicy
from archive_store.archive import RECORD_TYPES
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.operation_table import OPERATIONS
from archive_store.students.documents import Student
from archive_store.students.queries import FILTER_FIELDS, StudentOrder

F0, F1, F2, F3, F4 = FieldClass
POLICY = AccessPolicy(DEFAULT_ACCESS_RULES)
standings = st.builds(
    Standing,
    posts=st.frozensets(st.sampled_from(Post)),
    relationships=st.frozensets(st.sampled_from(Relationship)),
    granted=st.frozensets(st.sampled_from(FieldClass)),
    has_purpose=st.booleans(),
    scopes=st.none() | st.frozensets(st.sampled_from(Scope)),
)


@given(standings, st.sampled_from(RECORD_TYPES))
def test_readable_are_exactly_the_leaves_of_the_classes(standing: Standing, record_type: type) -> None:
    decision = POLICY.decide(standing, record_type)
    leaves = field_classes(record_type)
    assert decision.readable == {path for path, held in leaves.items() if held in decision.classes}
    assert decision.filterable <= decision.readable
    assert not decision.classes & decision.for_purpose


@given(standings)
def test_a_purpose_opens_what_was_announced_and_nothing_else(standing: Standing) -> None:
    without = POLICY.decide(
        Standing(standing.posts, standing.relationships, standing.granted, False), Student
    )
    stated = POLICY.decide(Standing(standing.posts, standing.relationships, standing.granted, True), Student)
    assert stated.classes == without.classes | without.for_purpose
    assert without.for_purpose <= DEFAULT_ACCESS_RULES.purpose_required


@given(standings, standings)
def test_more_ties_never_take_away(one: Standing, other: Standing) -> None:
    both = Standing(
        one.posts | other.posts,
        one.relationships | other.relationships,
        one.granted | other.granted,
        one.has_purpose,
        one.scopes,
    )
    assert POLICY.decide(one, Student).classes <= POLICY.decide(both, Student).classes


@given(standings)
def test_scopes_only_take_away(standing: Standing) -> None:
    whole = Standing(standing.posts, standing.relationships, standing.granted, standing.has_purpose)
    assert POLICY.decide(standing, Student).classes <= POLICY.decide(whole, Student).classes


def test_a_service_without_scopes_reads_nothing() -> None:
    everything = Standing(frozenset(Post), frozenset(Relationship), frozenset(FieldClass), True, frozenset())
    decision = POLICY.decide(everything, Student)
    assert (decision.readable, decision.changeable) == (frozenset(), {})


@pytest.mark.parametrize("tie", Relationship)
def test_only_the_family_needs_no_purpose(tie: Relationship) -> None:
    decision = POLICY.decide(Standing(relationships=frozenset({tie})), Student)
    family = tie in (Relationship.SELF, Relationship.GUARDIAN)
    assert (F3 in decision.classes) is family


def test_why_a_value_is_withheld() -> None:
    director = POLICY.decide(Standing(frozenset({Post.DIRECTOR})), Student)
    assert director.why_withheld(F3) is Withheld.PURPOSE_REQUIRED
    assert director.why_withheld(F4) is Withheld.NOT_PERMITTED


def test_a_grant_has_its_own_purpose() -> None:
    granted = Standing(frozenset({Post.LOGISTICS}), granted=frozenset({F0, F1, F3}))
    assert POLICY.decide(granted, Student).classes == {F0, F1, F3}


def test_nobody_reads_sealed_by_post_or_tie_alone() -> None:
    everybody = Standing(frozenset(Post), frozenset(Relationship), has_purpose=True)
    assert F4 not in POLICY.decide(everybody, Student).classes


def test_what_filters_and_orders_use_is_declared_filterable() -> None:
    used = set(FILTER_FIELDS.values()) | {order.value[0] for order in StudentOrder}
    assert used == Student.filterable_paths
    assert used <= field_classes(Student).keys()


def changes_of(*posts: Post) -> dict[str, tuple[str, ...]]:
    approval = ApprovalPolicy.model_construct(version=1, rules=DEFAULT_APPROVAL_RULES)
    policy = AccessPolicy(DEFAULT_ACCESS_RULES, change_rules(OPERATIONS, approval))
    decision = policy.decide(Standing(frozenset(posts)), Student)
    return {path: rule.tiers for path, rule in decision.changeable.items()}


def test_changeable_fields_say_their_tiers() -> None:
    changes = changes_of(Post.INFORMATION_GROUP)
    for path, tiers in changes.items():
        chain = ("DEPARTMENT_HEAD", "VICE_PRINCIPAL")
        assert tiers == (chain if path in KEY_IDENTITY_FIELDS | {"status"} else chain[:1]), path
    assert {"phone", "name", "guardians", "status"} <= changes.keys()
    assert "status_periods" not in changes


def test_what_an_older_policy_does_not_name_cannot_be_asked_for() -> None:
    rules = tuple(rule for rule in DEFAULT_APPROVAL_RULES if rule.operation == "student.update")
    approval = ApprovalPolicy.model_construct(version=1, rules=rules)
    assert {rule.operation for rule in change_rules(OPERATIONS, approval)} == {"student.update"}


@pytest.mark.parametrize("post", [Post.TEACHER, Post.PRINCIPAL, Post.LOGISTICS, Post.ARCHIVE_GROUP])
def test_others_ask_for_no_change(post: Post) -> None:
    assert changes_of(post) == {}


def test_documents_have_a_class() -> None:
    rules = DEFAULT_ACCESS_RULES
    assert (rules.document_class("新生学籍信息表"), rules.document_class("体检表")) == (F3, F4)


def test_decisions_are_remembered() -> None:
    for one, other in combinations([frozenset({post}) for post in Post], 2):
        assert POLICY.decide(Standing(one | other), Student) is POLICY.decide(Standing(other | one), Student)
