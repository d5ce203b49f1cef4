"""`appeal.file`, `appeal.appoint` and `appeal.extend`: 申诉 and its committee; for its decision see `appeal_decisions`.

An appeal is nobody's to approve, so that all apply at once: student or guardian file it, or the information group
writes down what came on paper.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import Field

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import AnyPayload, Operation, Payload, nobody_else
from archive_store.conduct.documents import (
    Appeal,
    AppealStatus,
    CommitteeMember,
    FiledAs,
    Sanction,
)
from archive_store.conduct.rules import (
    APPOINTERS,
    COMMITTEE_MOST,
    RULE,
    WRITERS_DOWN,
    AppealAction,
    check_committee,
    check_day,
    filed_as,
    is_family,
    is_of_family,
    is_overdue,
    last_day,
    require_appealable,
    require_chair,
    require_step,
)
from archive_store.conduct.steps import (
    Text,
    change_told,
    insert_told,
    loaded,
    policy_in_force,
    require_same,
    visible,
)
from archive_store.foundation.clock import school_day
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.posts import Post
from archive_store.foundation.records import bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import Subject, UnitOfWork
from archive_store.foundation.work_calendars import load_working_days
from archive_store.people.queries import names_of_people, posts_in_force
from archive_store.students.family import tell_family
from archive_store.students.operations import current_row

# Who sits on a committee may hold any post: whose appeal it is, `require_chair` decides.
ANY_POST = frozenset(Post)


class AppealPayload(Payload):
    """Payload of whatever is done with one appeal."""

    appeal_id: PydanticObjectId


class AppealFile(AppealPayload):
    """Payload of `appeal.file`. `filed_as` is told by `rules.filed_as`; `filed_on` is past only of one on paper."""

    sanction_id: PydanticObjectId
    student_id: PydanticObjectId
    grounds: Text
    filed_on: date
    filed_as: FiledAs


class AppealAppoint(AppealPayload):
    """Payload of `appeal.appoint`: the whole committee, its chair first."""

    member_ids: Annotated[tuple[PydanticObjectId, ...], Field(max_length=COMMITTEE_MOST)]


class AppealExtend(AppealPayload):
    """Payload of `appeal.extend`: why the committee needs the longer time."""

    extension_reason: Text


async def require_on(store: Store, viewer: Viewer, appeal_id: ObjectId, action: AppealAction) -> Appeal:
    """The appeal in sight, in a state from which the action goes."""
    appeal = await visible(store, viewer, Appeal, appeal_id)
    require_step(appeal, action)
    return appeal


async def appeal_to_move(unit: UnitOfWork, appeal_id: ObjectId, action: AppealAction) -> Appeal:
    """As `require_on`, as of this transaction."""
    appeal = await loaded(unit, Appeal, appeal_id)
    require_step(appeal, action)
    return appeal


async def _check_file(store: Store, viewer: Viewer, payload: AppealFile) -> None:
    sanction = await visible(store, viewer, Sanction, payload.sanction_id, "sanction_id")
    require_same(payload.student_id, sanction.student_id)
    capacity = filed_as(viewer, sanction.student_id)
    if capacity is None or capacity is not payload.filed_as:
        raise RegistrarError(ErrorCode.FORBIDDEN, field="sanction_id", rule=RULE)
    today = school_day(store.clock.now())
    on_paper = capacity is FiledAs.INFORMATION_GROUP
    check_day(payload.filed_on, sanction.decided_on if on_paper else today, today, "filed_on")
    require_appealable(sanction, payload.filed_on)
    query = {"sanction_id": sanction.key}
    if await store.database.collection(Appeal).find_one(query, {"_id": 1}) is not None:
        raise RegistrarError(ErrorCode.DUPLICATE, field="sanction_id", others=Appeal.subject_type)


async def _file(unit: UnitOfWork, payload: AppealFile) -> ObjectId:
    assert unit.actor.person_id is not None  # noqa: S101 - only people file appeals
    sanction = await loaded(unit, Sanction, payload.sanction_id, "sanction_id")
    require_appealable(sanction, payload.filed_on)
    policy = await policy_in_force(unit.store)
    working_days = await load_working_days(unit.store)
    appeal = Appeal(
        id=payload.appeal_id,
        filed_by=PydanticObjectId(unit.actor.person_id),
        filed_by_name=unit.actor.name,
        policy_version=policy.version,
        decide_by=last_day(payload.filed_on, policy.rules.decision_days, working_days),
        **payload.model_dump(exclude={"appeal_id"}),
    )
    await insert_told(unit, appeal, "appeal:file")
    subject = Subject(Appeal.subject_type, appeal.key)
    for post in sorted({*APPOINTERS, Post.DIRECTOR}):
        unit.notify(post, "appeal:filed", subject)
    if payload.filed_as is not FiledAs.SELF:
        await tell_family(unit, appeal, appeal.student_id, "appeal:filed")
    return appeal.key


async def _barred(store: Store, appeal: Appeal) -> frozenset[ObjectId]:
    """Who was involved in the decision, and the family."""
    row = await store.database.collection(Sanction).find_one({"_id": appeal.sanction_id}, {"involved_ids": 1})
    student = await current_row(
        store, None, appeal.student_id, frozenset({"person_id", "guardians.person_id"}), {}
    )
    guardians = {held.get("person_id") for held in student.get("guardians", ())} - {None}
    involved = row["involved_ids"] if row else ()
    return frozenset({*involved, *guardians, student["person_id"], appeal.filed_by})


async def _check_appoint(store: Store, viewer: Viewer, payload: AppealAppoint) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.APPOINT)
    if is_of_family(viewer, appeal.student_id):
        raise RegistrarError(ErrorCode.SELF_APPROVAL, field="id", rule=RULE)
    rules = (await policy_in_force(store)).rules
    # Nobody names themself.
    barred = await _barred(store, appeal) | {viewer.person_id}
    check_committee(payload.member_ids, barred, rules)
    posts = await posts_in_force(store, payload.member_ids, school_day(store.clock.now()))
    names = await names_of_people(store, posts)
    for place, key in enumerate(payload.member_ids):
        if key not in names:
            raise RegistrarError(ErrorCode.NOT_FOUND, field=f"member_ids.{place}")
        # §二(一): who works on pseudonymised rows must not hold the records beside them.
        if posts[key] == {Post.ANALYSIS_GROUP}:
            raise RegistrarError(ErrorCode.FORBIDDEN, field=f"member_ids.{place}", rule="policy §二(一)")


async def _appoint(unit: UnitOfWork, payload: AppealAppoint) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.APPOINT)
    names = await names_of_people(unit.store, payload.member_ids, unit.session)
    committee = [CommitteeMember(person_id=key, name=names[key]) for key in payload.member_ids]
    values = {"status": AppealStatus.UNDER_REVIEW, "committee": committee}
    await change_told(unit, appeal, values, "appeal:appoint")
    subject = Subject(Appeal.subject_type, appeal.key)
    for person_id in payload.member_ids:
        unit.notify(person_id, "appeal:appointed", subject)
    await tell_family(unit, appeal, appeal.student_id, "appeal:under_review")
    return appeal.key


async def _check_extend(store: Store, viewer: Viewer, payload: AppealExtend) -> None:
    appeal = await require_on(store, viewer, payload.appeal_id, AppealAction.EXTEND)
    require_chair(appeal, viewer.person_id)
    _require_in_time(appeal, school_day(store.clock.now()))


def _require_in_time(appeal: Appeal, today: date) -> None:
    if is_overdue(appeal, today):
        raise RegistrarError(ErrorCode.WRONG_STATE, field="id", rule=RULE, state="OVERDUE")


async def _extend(unit: UnitOfWork, payload: AppealExtend) -> ObjectId:
    appeal = await appeal_to_move(unit, payload.appeal_id, AppealAction.EXTEND)
    require_chair(appeal, unit.actor.person_id)
    today = school_day(unit.at)
    _require_in_time(appeal, today)
    rules = (await policy_in_force(unit.store)).rules
    values = {
        "extended_on": today,
        "extension_reason": payload.extension_reason,
        "decide_by": last_day(appeal.decide_by, rules.extension_days, await load_working_days(unit.store)),
    }
    await change_told(unit, appeal, values, "appeal:extend")
    await tell_family(unit, appeal, appeal.student_id, "appeal:extended")
    return appeal.key


def appeal_operation(
    name: str,
    payload: type[AnyPayload],
    requesters: frozenset[Post],
    check: Callable[[Store, Viewer, AnyPayload], Awaitable[None]],
    apply: Callable[[UnitOfWork, AnyPayload], Awaitable[ObjectId]],
    also_open_to: Callable[[Viewer], bool] = nobody_else,
) -> Operation[AnyPayload]:
    """An operation on one appeal; it applies at once."""
    fields = frozenset(payload.model_fields) - {"appeal_id"}
    return Operation(
        name=name,
        record_type=Appeal,
        payload=payload,
        requesters=requesters,
        subject=lambda asked: Subject(Appeal.subject_type, asked.appeal_id),  # type: ignore[attr-defined]
        requested_values=lambda asked: {field: bson_value(getattr(asked, field)) for field in fields},
        fields=lambda asked: fields,
        check=check,
        apply=apply,
        applies_at_once=True,
        also_open_to=also_open_to,
    )


APPEAL_FILE = appeal_operation(
    "appeal.file", AppealFile, WRITERS_DOWN, _check_file, _file, also_open_to=is_family
)
APPEAL_APPOINT = appeal_operation("appeal.appoint", AppealAppoint, APPOINTERS, _check_appoint, _appoint)
APPEAL_EXTEND = appeal_operation("appeal.extend", AppealExtend, ANY_POST, _check_extend, _extend)
