"""Reason templates (常用意见): sentences that are often given for requests and decisions, kept by the director."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pymongo import IndexModel

from archive_store.access.viewer import Viewer
from archive_store.approvals.operation import Operation, Payload
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork

F0 = FieldClass.F0
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ReasonUse(StrEnum):
    REQUEST = "REQUEST"  # 申请
    APPROVE = "APPROVE"  # 批准
    RETURN = "RETURN"  # 退回
    REJECT = "REJECT"  # 驳回


class ReasonTemplate(BaseModel):
    """One sentence in both languages, and what it is given for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: ReasonUse
    zh: Sentence
    en: Sentence


DEFAULT_TEMPLATES = (
    ReasonTemplate(use=ReasonUse.REQUEST, zh="家长来电更正。", en="Corrected at a guardian's call."),
    ReasonTemplate(
        use=ReasonUse.REQUEST, zh="核对户口簿后更正。", en="Corrected after the household register."
    ),
    ReasonTemplate(use=ReasonUse.APPROVE, zh="材料齐全,同意。", en="The papers are complete; approved."),
    ReasonTemplate(use=ReasonUse.RETURN, zh="请补充证明材料。", en="Please add the papers that prove it."),
    ReasonTemplate(use=ReasonUse.RETURN, zh="内容与材料不一致,请核对。", en="It differs from the papers."),
    ReasonTemplate(use=ReasonUse.REJECT, zh="不符合规定。", en="The rules do not allow it."),
)


class ReasonTemplates(Record):
    """The whole list, by version; the newest is used."""

    subject_type: ClassVar[str] = "ReasonTemplates"

    version: Annotated[int, F0]
    templates: Annotated[list[ReasonTemplate], F0]

    class Settings:
        name = "reason_templates"
        indexes = [IndexModel("version", unique=True)]  # noqa: RUF012


class ReasonTemplatesReplace(Payload):
    """Payload of `reason_templates.replace`: the whole list as it shall be."""

    list_id: PydanticObjectId
    templates: Annotated[tuple[ReasonTemplate, ...], Field(max_length=100)]


async def list_templates(store: Store, viewer: Viewer) -> list[ReasonTemplate]:
    """The templates in use, for everyone who may ask or decide: whoever holds a post."""
    if not viewer.posts or viewer.is_service:
        return []
    row = await store.database.collection(ReasonTemplates).find_one({}, sort=[("version", -1)])
    return list(DEFAULT_TEMPLATES) if row is None else ReasonTemplates.model_validate(row).templates


async def _check(store: Store, viewer: Viewer, payload: ReasonTemplatesReplace) -> None:
    if list(payload.templates) == await list_templates(store, viewer):
        raise RegistrarError(ErrorCode.NOTHING_TO_CHANGE, field="templates")


async def _apply(unit: UnitOfWork, payload: ReasonTemplatesReplace) -> ObjectId:
    newest = await unit.store.database.collection(ReasonTemplates).find_one(
        {}, {"version": 1}, sort=[("version", -1)], session=unit.session
    )
    version = newest["version"] + 1 if newest else 1
    record = ReasonTemplates(id=payload.list_id, version=version, templates=list(payload.templates))
    await unit.insert(record)
    change = FieldChange("templates", None, bson_value(record.templates))
    unit.audit(Subject(ReasonTemplates.subject_type, record.key), "reason_templates:replace", [change])
    return record.key


REASON_TEMPLATES_REPLACE = Operation(
    name="reason_templates.replace",
    record_type=ReasonTemplates,
    payload=ReasonTemplatesReplace,
    requesters=frozenset({Post.DIRECTOR}),
    subject=lambda payload: Subject(ReasonTemplates.subject_type, payload.list_id),
    requested_values=lambda payload: {"templates": bson_value(payload.templates)},
    fields=lambda payload: frozenset({"templates"}),
    check=_check,
    apply=_apply,
)
