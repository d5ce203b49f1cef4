"""The pure rules: no way around the states, and nobody in two seats."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from beanie import PydanticObjectId
from hypothesis import given
from hypothesis import strategies as st

from archive_store.access.retrieval_grants import Secrecy
from archive_store.crisis.documents import (
    AfterActionReview,
    CrisisTeam,
    CrisisTeamStatus,
    MemberRetrieval,
    TeamMember,
)
from archive_store.crisis.rules import (
    LENDABLE_POSTS,
    InOffice,
    TeamAction,
    after,
    check_members,
    is_review_overdue,
    require,
    require_no_gain,
)
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.unit_of_work import Actor

FORMER, LEADER, PRINCIPAL, OTHER = (PydanticObjectId() for _ in range(4))
ORDER = list(CrisisTeamStatus)
AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
ACTORS = {
    "former": Actor(FORMER, "former", (Post.VICE_PRINCIPAL,)),
    "leader": Actor(LEADER, "leader", (Post.TEACHER,)),
    "principal": Actor(PRINCIPAL, "principal", (Post.PRINCIPAL,)),
    "other vice principal": Actor(OTHER, "other", (Post.VICE_PRINCIPAL,)),
    "director": Actor(OTHER, "other", (Post.DIRECTOR,)),
    "former out of office": Actor(FORMER, "former", (Post.TEACHER,)),
}


def team(
    status: CrisisTeamStatus = CrisisTeamStatus.ACTIVE,
    *authors: PydanticObjectId,
    formed_by: PydanticObjectId = FORMER,
) -> CrisisTeam:
    reviews = [
        AfterActionReview(findings="…", lessons="…", author_id=author, author_name="", submitted_at=AT)
        for author in authors
    ]
    return CrisisTeam.model_construct(
        id=PydanticObjectId(),
        formed_by=formed_by,
        leader_id=LEADER,
        members=[TeamMember(person_id=LEADER, name="")],
        status=status,
        reviews=reviews,
        review_due=date(2026, 11, 24),
    )


def answer(
    held: CrisisTeam, who: str, action: TeamAction, office: InOffice | None = None
) -> ErrorCode | None:
    try:
        require(held, ACTORS[who], action, office or InOffice())
    except RegistrarError as refusal:
        return refusal.code
    return None


@given(st.lists(st.sampled_from(TeamAction), max_size=30))
def test_no_sequence_of_actions_goes_back_or_past_a_state(actions: list[TeamAction]) -> None:
    status = CrisisTeamStatus.FORMED
    seen = [status]
    for action in actions:
        try:
            status = after(status, action)
        except RegistrarError as refusal:
            assert refusal.code is ErrorCode.WRONG_STATE
        seen.append(status)
    steps = [ORDER.index(status) for status in seen]
    assert steps == sorted(steps)
    if CrisisTeamStatus.CLOSED in seen:
        assert CrisisTeamStatus.ACTIVE in seen and CrisisTeamStatus.STOOD_DOWN in seen


@given(st.sampled_from(CrisisTeamStatus), st.sampled_from(TeamAction), st.sampled_from(sorted(ACTORS)))
def test_what_is_allowed_is_allowed_by_state_and_person(
    status: CrisisTeamStatus, action: TeamAction, who: str
) -> None:
    """And a team without a review is never closed."""
    held = team(status)
    if answer(held, who, action) is None:
        assert after(status, action) in ORDER
        assert action is not TeamAction.CLOSE
        assert who in {"former", "leader", "principal"}
    assert answer(held, who, TeamAction.CLOSE) is not None


PEOPLE_OF = {
    TeamAction.ACTIVATE: {"former", "principal"},
    TeamAction.CHANGE_MEMBERS: {"former", "principal"},
    TeamAction.STAND_DOWN: {"former", "principal", "leader"},
    TeamAction.SUBMIT_REVIEW: {"leader"},
    TeamAction.CLOSE: {"former", "principal"},
    TeamAction.MARK_REVIEW_DUE: set(),
}
STATES_OF = {
    TeamAction.ACTIVATE: {"FORMED"},
    TeamAction.CHANGE_MEMBERS: {"FORMED", "ACTIVE"},
    TeamAction.STAND_DOWN: {"ACTIVE"},
    TeamAction.SUBMIT_REVIEW: {"STOOD_DOWN", "REVIEW_DUE"},
    TeamAction.CLOSE: {"STOOD_DOWN", "REVIEW_DUE"},
    TeamAction.MARK_REVIEW_DUE: {"STOOD_DOWN"},
}


@pytest.mark.parametrize("action", list(TeamAction))
@pytest.mark.parametrize("status", list(CrisisTeamStatus))
def test_every_state_and_every_person(status: CrisisTeamStatus, action: TeamAction) -> None:
    held = team(status, LEADER)
    for who in ACTORS:
        expected = None if status in STATES_OF[action] else ErrorCode.WRONG_STATE
        if who not in PEOPLE_OF[action]:
            expected = ErrorCode.FORBIDDEN
        assert answer(held, who, action) is expected, who


@pytest.mark.parametrize(
    ("who", "office", "code"),
    [
        ("former", InOffice(), ErrorCode.FORBIDDEN),
        ("former", InOffice(leader=False), None),
        ("principal", InOffice(leader=False), ErrorCode.FORBIDDEN),
        ("principal", InOffice(leader=False, former=False), None),
    ],
)
def test_who_reviews_in_the_place_of_a_leader_who_has_gone(
    who: str, office: InOffice, code: ErrorCode | None
) -> None:
    assert answer(team(CrisisTeamStatus.STOOD_DOWN), who, TeamAction.SUBMIT_REVIEW, office) is code


@pytest.mark.parametrize(
    ("who", "authors", "formed_by", "office", "code"),
    [
        ("former", [LEADER], FORMER, InOffice(), None),
        ("former", [FORMER], FORMER, InOffice(), ErrorCode.SELF_APPROVAL),
        ("former", [FORMER, LEADER], FORMER, InOffice(), ErrorCode.SELF_APPROVAL),
        ("principal", [FORMER], FORMER, InOffice(), None),
        ("principal", [PRINCIPAL], FORMER, InOffice(), ErrorCode.SELF_APPROVAL),
        ("principal", [PRINCIPAL], FORMER, InOffice(former=False), None),
        ("principal", [PRINCIPAL, FORMER], FORMER, InOffice(), None),
        ("principal", [PRINCIPAL], PRINCIPAL, InOffice(), None),
    ],
)
def test_an_author_closes_only_where_nobody_else_can(
    who: str,
    authors: list[PydanticObjectId],
    formed_by: PydanticObjectId,
    office: InOffice,
    code: ErrorCode | None,
) -> None:
    held = team(CrisisTeamStatus.STOOD_DOWN, *authors, formed_by=formed_by)
    assert answer(held, who, TeamAction.CLOSE, office) is code


def retrieval(**values: object) -> MemberRetrieval:
    return MemberRetrieval(**({"secrecy": Secrecy.SENSITIVE, "student_id": OTHER, "views": 5} | values))  # type: ignore[arg-type]


def member(
    person: PydanticObjectId = LEADER, posts: list[Post] | None = None, *retrievals: MemberRetrieval
) -> TeamMember:
    return TeamMember(person_id=person, name="", posts=posts or [], retrievals=list(retrievals))


@pytest.mark.parametrize("post", list(Post))
def test_posts_that_decide_are_not_lent(post: Post) -> None:
    if post in LENDABLE_POSTS:
        check_members([member(LEADER, [post])], 50)
        return
    with pytest.raises(RegistrarError) as caught:
        check_members([member(LEADER, [post])], 50)
    assert (caught.value.code, caught.value.field) == (ErrorCode.FORBIDDEN, "members.0.posts")


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ([], ErrorCode.OUT_OF_RANGE, "members"),
        ([member(PydanticObjectId()) for _ in range(31)], ErrorCode.OUT_OF_RANGE, "members"),
        ([member(), member()], ErrorCode.DUPLICATE, "members.1.person_id"),
        (
            [member(LEADER, None, retrieval(student_id=None))],
            ErrorCode.REQUIRED,
            "members.0.retrievals.student_id",
        ),
        ([member(LEADER, None, retrieval(views=0))], ErrorCode.OUT_OF_RANGE, "members.0.retrievals.views"),
        ([member(LEADER, None, retrieval(views=51))], ErrorCode.OUT_OF_RANGE, "members.0.retrievals.views"),
        ([member(LEADER, None, *[retrieval()] * 201)], ErrorCode.OUT_OF_RANGE, "members.retrievals"),
    ],
)
def test_what_members_cannot_be(members: list[TeamMember], code: ErrorCode, field: str) -> None:
    with pytest.raises(RegistrarError) as caught:
        check_members(members, 50)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_nobody_lends_to_themself() -> None:
    mine = member(LEADER, [Post.LOGISTICS], retrieval())
    require_no_gain([mine], [], FORMER)
    require_no_gain([mine], [mine], LEADER)
    require_no_gain([member(LEADER)], [mine], LEADER)
    for more in (member(LEADER, [Post.ADMISSIONS]), member(LEADER, None, retrieval(views=6))):
        with pytest.raises(RegistrarError) as caught:
            require_no_gain([more], [mine], LEADER)
        assert caught.value.code is ErrorCode.SELF_APPROVAL


def test_a_review_is_overdue_after_its_last_day() -> None:
    held = team(CrisisTeamStatus.STOOD_DOWN)
    assert [is_review_overdue(held, date(2026, 11, day)) for day in (23, 24, 25)] == [False, False, True]
    assert not is_review_overdue(team(CrisisTeamStatus.STOOD_DOWN, LEADER), date(2026, 12, 1))
