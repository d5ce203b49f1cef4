"""What the tests of crisis teams share: forming one, and a clock that can be set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from archive_store.access.retrieval_grants import Secrecy
from archive_store.approvals.operation import Payload
from archive_store.approvals.operations import payload_of, perform
from archive_store.crisis.documents import CrisisTeam
from archive_store.crisis.operations import CrisisTeamChangeMembers, CrisisTeamForm
from archive_store.crisis.queries import load_team
from archive_store.crisis.reviews import CrisisTeamSubmitReview
from archive_store.crisis.steps import TeamPayload
from archive_store.foundation.clock import Clock
from archive_store.foundation.posts import Post
from tests.school import School

OCCASION = "七年级一名学生突发疾病\n家长无法联系"
REVIEW = {"findings": "通讯录未更新", "lessons": "每学期核对一次\n并留痕"}


class Later(Clock):
    """The wall clock, and some time added."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return super().now() + self._ahead


def later(school: School, **ahead: float) -> School:
    """The same school after some time."""
    return School(replace(school.store, clock=Later(timedelta(**ahead))))


async def key(school: School, subject: str) -> ObjectId:
    return (await school.viewer(subject)).person_id


def lent(student: ObjectId, *, views: int = 5, secrecy: Secrecy = Secrecy.SENSITIVE) -> dict[str, Any]:
    return {"secrecy": secrecy, "student_id": student, "views": views}


async def named(school: School, **members: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Members by subject, `_` for `-`."""
    listed = [
        {"person_id": await key(school, subject.replace("_", "-")), **more}
        for subject, more in members.items()
    ]
    return tuple(listed)


async def usual(school: School) -> tuple[dict[str, Any], ...]:
    """Logistics, lent the information group's post and the record of one student; and a teacher."""
    student = await school.student(0)
    lending = {"posts": (Post.INFORMATION_GROUP,), "retrievals": (lent(student.key),)}
    return await named(school, logistics=lending, teacher={})


async def form(
    school: School, by: str = "vice-principal", leader: str = "teacher", **changes: Any
) -> ObjectId:
    team_id = ObjectId()
    values = {
        "team_id": team_id,
        "title": "甲流处置小组",
        "occasion": OCCASION,
        "leader_id": await key(school, leader),
        "days": 10,
    }
    members = changes.pop("members", None) or await usual(school)
    payload = payload_of(
        CrisisTeamForm, values | {"members": members} | changes, long_texts=frozenset({"occasion"})
    )
    await perform(school.store, await school.viewer(by), "crisis_team.form", payload)
    return team_id


async def act(school: School, subject: str, action: str, team_id: ObjectId, **values: Any) -> None:
    """`activate`, `change_members`, `stand_down`, `submit_review` or `close`."""
    payload: Payload = TeamPayload(team_id=team_id)
    if action == "submit_review":
        told = {"team_id": team_id, **REVIEW, **values}
        payload = payload_of(CrisisTeamSubmitReview, told, long_texts=frozenset(REVIEW))
    if action == "change_members":
        held = await stored(school, team_id)
        told = {
            "team_id": team_id,
            "leader_id": held.leader_id,
            "members": values.get("members", await usual(school)),
        }
        payload = payload_of(CrisisTeamChangeMembers, told | values)
    await perform(school.store, await school.viewer(subject), f"crisis_team.{action}", payload)


async def stored(school: School, team_id: ObjectId) -> CrisisTeam:
    team = await load_team(school.store, team_id)
    assert team is not None
    return team
