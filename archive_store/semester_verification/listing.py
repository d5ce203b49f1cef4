"""The clock's listing of a campaign's students, in chunks: nothing is held of the file that a school is.

A pass goes through the students by key and notes after each chunk how far it came, so that one that was broken off goes
on from there. The first pass opens the campaign. Later ones bring in who came into study since, follow changes of
class, and leave out who left study before anybody looked at their record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.clock import school_day
from archive_store.foundation.database import Row
from archive_store.foundation.store import Store
from archive_store.foundation.terms import in_force_on
from archive_store.foundation.unit_of_work import CLOCK, Subject, UnitOfWork
from archive_store.people.documents import RoleGrant
from archive_store.semester_verification.campaigns import write_campaign
from archive_store.semester_verification.documents import (
    ROLL,
    CampaignStatus,
    ItemState,
    VerificationCampaign,
)
from archive_store.semester_verification.rules import CampaignAction, after
from archive_store.students.documents import Student

# How far each pass is: of no person, and made anew where it is lost.
PASSES = "verification_passes"
CHUNK = 1_000


async def list_due(store: Store, now: datetime) -> int:
    """The clock's job: list the students of campaigns that begin, and of running ones once in a while; how many."""
    conditions: list[Row] = [
        {"status": CampaignStatus.SCHEDULED.value, "opens_on": {"$lte": school_day(now).isoformat()}},
        {"status": CampaignStatus.OPEN.value},
    ]
    rows = store.database.collection(VerificationCampaign).find({"$or": conditions})
    done = 0
    for row in await rows.to_list():
        done += await _pass(store, VerificationCampaign.model_validate(row), now)
    return done


async def _pass(store: Store, campaign: VerificationCampaign, now: datetime) -> int:
    passes = store.database.mongo[PASSES]
    held = await passes.find_one({"_id": campaign.key})
    again = timedelta(minutes=store.settings.verification_refresh_minutes)
    if held is None or (held["finished_at"] is not None and held["finished_at"] + again <= now):
        held = {"_id": campaign.key, "through": None, "listed": 0, "finished_at": None}
        await passes.replace_one({"_id": campaign.key}, held, upsert=True)  # house-rule: of no person
    elif held["finished_at"] is not None:
        return 0
    through, listed, begun = held["through"], held["listed"], held["listed"]
    while rows := await _students(store, campaign, through):
        await _list(store, campaign, rows)
        through, listed = rows[-1]["_id"], listed + len(rows)
        place = {"$set": {"through": through, "listed": listed}}
        await passes.update_one({"_id": campaign.key}, place)  # house-rule: of no person
    if campaign.status is CampaignStatus.OPEN:
        await _leave_out(store, campaign)
    else:
        await governed_transaction(store, CLOCK, "verification.begin", _begin(campaign.key))
    ended = {"$set": {"finished_at": now}}
    await passes.update_one({"_id": campaign.key}, ended)  # house-rule: of no person
    return int(listed - begun)


def _listed(campaign: VerificationCampaign) -> Row:
    """The filter of the students that the campaign is about."""
    query: Row = {"status": {"$in": [status.value for status in campaign.statuses]}}
    return query | ({"grade": {"$in": campaign.grades}} if campaign.grades else {})


async def _students(store: Store, campaign: VerificationCampaign, through: ObjectId | None) -> list[Row]:
    query = _listed(campaign) | ({"_id": {"$gt": through}} if through is not None else {})
    rows = store.database.collection(Student).find(query, {"class_name": 1, "grade": 1})
    found: list[Row] = await rows.sort("_id", 1).limit(CHUNK).to_list()
    return found


async def _list(store: Store, campaign: VerificationCampaign, rows: list[Row]) -> None:
    """Write what is new or has changed, so that a later pass hardly writes; a row keeps what was said."""
    roll = store.database.mongo[ROLL]
    there = roll.find(
        {"campaign_id": campaign.key, "student_id": {"$in": [row["_id"] for row in rows]}},
        {"student_id": 1, "class_name": 1, "grade": 1},
    )
    held = {row["student_id"]: (row["class_name"], row["grade"]) for row in await there.to_list()}
    writes = [
        UpdateOne(
            {"campaign_id": campaign.key, "student_id": row["_id"]},
            {
                "$setOnInsert": {"state": ItemState.PENDING.value, "is_said": False},
                "$set": {"class_name": row["class_name"], "grade": row["grade"]},
            },
            upsert=True,
        )
        for row in rows
        if held.get(row["_id"]) != (row["class_name"], row["grade"])
    ]
    if writes:
        await roll.bulk_write(writes, ordered=False)  # house-rule: nobody's word yet


async def _leave_out(store: Store, campaign: VerificationCampaign) -> None:
    """Rows of students whom the campaign is no longer about, unless something was said of their record."""
    roll, students = store.database.mongo[ROLL], store.database.collection(Student)
    unsaid: Row = {"campaign_id": campaign.key, "is_said": False}
    place: Row = {}
    while rows := await roll.find(unsaid | place).sort("_id", 1).limit(CHUNK).to_list():
        query = _listed(campaign) | {"_id": {"$in": [row["student_id"] for row in rows]}}
        still = {row["_id"] for row in await students.find(query, {"_id": 1}).to_list()}
        gone = [row["_id"] for row in rows if row["student_id"] not in still]
        if gone:
            chosen = unsaid | {"_id": {"$in": gone}}
            await roll.delete_many(chosen)  # house-rule: nobody has said a word about them
        place = {"_id": {"$gt": rows[-1]["_id"]}}


def _begin(campaign_id: ObjectId) -> Any:
    async def begin(unit: UnitOfWork) -> None:
        campaign = await unit.load(VerificationCampaign, campaign_id)
        if campaign is None or campaign.status is not CampaignStatus.SCHEDULED:
            return
        status = after(campaign.status, CampaignAction.BEGIN)
        await write_campaign(unit, campaign, "begin", {"status": status, "begun_at": unit.at})
        await tell_homeroom_teachers(unit, campaign, "opened", {})

    return begin


async def tell_homeroom_teachers(
    unit: UnitOfWork, campaign: VerificationCampaign, told: str, query: Row
) -> None:
    """Those in office of the classes that have rows of this campaign for which the query holds."""
    roll = unit.store.database.mongo[ROLL]
    steps = [{"$match": {"campaign_id": campaign.key, **query}}, {"$group": {"_id": "$class_name"}}]
    cursor = await roll.aggregate(steps, session=unit.session)
    classes = {row["_id"] async for row in cursor}
    grants = unit.store.database.collection(RoleGrant).find(
        {"homeroom_class_names.0": {"$exists": True}, **in_force_on(school_day(unit.at))},
        {"person_id": 1, "homeroom_class_names": 1},
        session=unit.session,
    )
    teachers = {
        grant["person_id"]
        for grant in await grants.to_list()
        if not classes.isdisjoint(grant["homeroom_class_names"])
    }
    subject = Subject(VerificationCampaign.subject_type, campaign.key)
    for teacher in sorted(teachers):
        unit.notify(teacher, f"verification:{told}", subject)
