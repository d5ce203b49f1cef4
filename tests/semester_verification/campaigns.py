"""Campaigns and the usual steps of their items, in the store."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.clock import school_day
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.semester_verification.campaigns import (
    CampaignPayload,
    VerificationExtend,
    VerificationOpen,
)
from archive_store.semester_verification.corrections import VerificationSettle, request_correction
from archive_store.semester_verification.documents import ROLL, VerificationCampaign, VerificationItem
from archive_store.semester_verification.listing import list_due
from archive_store.semester_verification.operations import confirmation_of
from archive_store.semester_verification.queries import list_items
from archive_store.semester_verification.reports import (
    VerificationReportMismatch,
    capacity_for,
    report_mismatch,
)
from archive_store.students.accounts import link_account, link_guardian_account
from archive_store.students.documents import Student
from tests.school import School

# The teacher is 班主任 of the first and teaches the other; each has three students.
HOMEROOM, OTHER = "2023级1班", "2023级2班"


def today(school: School) -> date:
    return school_day(school.store.clock.now())


async def open_campaign(school: School, subject: str = "director", **changes: Any) -> ObjectId:
    """Scheduled: the clock has not listed its students."""
    await in_two_classes(school)
    key = ObjectId()
    values = {
        "campaign_id": key,
        "title": "2025学年上学期核验",
        "school_year": 2025,
        "term": 1,
        "opens_on": today(school),
        "closes_on": today(school) + timedelta(days=30),
    }
    payload = payload_of(VerificationOpen, values | changes)
    await perform(school.store, await school.viewer(subject), "verification.open", payload)
    return key


async def in_two_classes(school: School) -> None:
    for position in range(3, 6):
        student = await school.student(position)
        students = school.store.database.collection(Student)
        await students.update_one({"_id": student.key}, {"$set": {"class_name": OTHER}})


async def running(school: School, **changes: Any) -> ObjectId:
    key = await open_campaign(school, **changes)
    await list_due(school.store, school.store.clock.now())
    return key


async def act(school: School, subject: str, verb: str, campaign: ObjectId, **more: Any) -> None:
    """`close` or `cancel`, with a reason; `extend` to a last day."""
    payload_type = VerificationExtend if verb == "extend" else CampaignPayload
    values = {"campaign_id": campaign} | ({"closes_on": more["closes_on"]} if verb == "extend" else {})
    viewer = await school.viewer(subject)
    payload = payload_of(payload_type, values)
    await perform(
        school.store, viewer, f"verification.{verb}", payload, reason=more.get("reason", "另行安排")
    )


async def campaign_of(school: School, key: ObjectId) -> VerificationCampaign:
    row = await school.store.database.collection(VerificationCampaign).find_one({"_id": key})
    return VerificationCampaign.model_validate(row)


async def item_of(school: School, campaign: ObjectId, position: int = 0) -> VerificationItem:
    """The item of the student at this position, decrypted."""
    student = await school.student(position)
    where = {"campaign_id": campaign, "student_id": student.key}
    listed = await school.store.database.mongo[ROLL].find_one(where)
    assert listed is not None
    row = await school.store.database.collection(VerificationItem).find_one(where)
    if row is None:
        return VerificationItem(id=listed["_id"], **where)
    await school.store.cipher.decrypt_paths([row], encrypted_paths(VerificationItem))
    return VerificationItem.model_validate(row)


async def item_in_class(school: School, campaign: ObjectId, class_name: str = HOMEROOM) -> VerificationItem:
    return await item_of(school, campaign, 0 if class_name == HOMEROOM else 5)


async def seen(school: School, subject: str, campaign: ObjectId, **where: Any) -> list[ObjectId]:
    """The items that a viewer sees of a campaign."""
    page = await list_items(school.store, await school.viewer(subject), campaign, first=50, **where)
    return [view.id for view in page.rows]


async def confirm(school: School, subject: str, *ids: ObjectId, seen_at: datetime | None = None) -> None:
    viewer = await school.viewer(subject)
    payload = await confirmation_of(school.store, viewer, ids, seen_at)
    await perform(school.store, viewer, "verification.confirm", payload)


async def report(school: School, subject: str, item: ObjectId, note: str | None = None, **found: str) -> None:
    """Values found wrong by field, or with `kind` another mismatch."""
    viewer = await school.viewer(subject)
    kind = found.pop("kind", "VALUES")
    values = {
        "item_id": item,
        "capacity": await capacity_for(school.store, viewer, item),
        "kind": kind,
        "fields": tuple({"field": name, "found": value} for name, value in found.items()),
        "note": note,
    }
    await report_mismatch(school.store, viewer, payload_of(VerificationReportMismatch, values))


async def correct(school: School, subject: str, item: ObjectId) -> None:
    await request_correction(school.store, await school.viewer(subject), item)


async def settle(school: School, subject: str, item: ObjectId, *, is_resolved: bool = True) -> None:
    payload = VerificationSettle(item_id=item, is_resolved=is_resolved, answer="已核对户口簿")
    await perform(school.store, await school.viewer(subject), "verification.settle", payload)


async def family(school: School) -> None:
    """Accounts of the first student and of a guardian of theirs."""
    student = await school.student(0)
    await link_account(school.store, student.key, "student")
    await link_guardian_account(school.store, student.key, 0, "guardian")
