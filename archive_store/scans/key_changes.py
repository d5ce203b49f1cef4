"""Key changes (密钥变更): that keys of the archive were rotated or retired, and how far that has come."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.audit.governed_transaction import governed_transaction
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import CLOCK, INSTALLATION, Actor, FieldChange, Subject, UnitOfWork

F1 = FieldClass.F1


class KeyChangeKind(StrEnum):
    ROOT_KEY_ROTATED = "ROOT_KEY_ROTATED"  # 根密钥轮换
    FILE_KEYS_ROTATED = "FILE_KEYS_ROTATED"  # 案卷密钥轮换
    ROOT_KEYS_RETIRED = "ROOT_KEYS_RETIRED"  # 根密钥停用


class KeyChange(Record):
    """密钥变更. `root_key_ids` is the root key that is in use since, or those that were retired."""

    subject_type: ClassVar[str] = "KeyChange"

    kind: Annotated[KeyChangeKind, F1]
    root_key_ids: Annotated[list[str], F1] = Field(default_factory=list)
    begun_at: Annotated[datetime, F1]
    finished_at: Annotated[datetime | None, F1] = None

    class Settings:
        name = "key_changes"
        indexes = [IndexModel([("kind", 1), ("finished_at", 1)])]  # noqa: RUF012


async def begin_change(store: Store, actor: Actor, kind: KeyChangeKind, root_key_ids: list[str]) -> KeyChange:
    """Record that a change begins. WRONG_STATE where one like it is going on."""

    async def work(unit: UnitOfWork) -> KeyChange:
        await unit.serialise(f"key_change:{kind}")
        if await unfinished(store, kind, root_key_ids, unit.session):
            raise RegistrarError(ErrorCode.WRONG_STATE, state=kind.value)
        change = KeyChange(kind=kind, root_key_ids=root_key_ids, begun_at=unit.at)
        await unit.insert(change)
        told = [FieldChange("kind", None, kind.value), FieldChange("root_key_ids", None, root_key_ids)]
        unit.audit(Subject(KeyChange.subject_type, change.key), "key_change:begin", told)
        return change

    return await governed_transaction(store, actor, "key_change.begin", work)


async def finish_change(store: Store, change: KeyChange) -> bool:
    """Record that nothing is left to do for it, and tell the director; whether it was not so before."""

    async def work(unit: UnitOfWork) -> bool:
        held = await unit.load(KeyChange, change.key)
        if held is None or held.finished_at is not None:
            return False
        await unit.change(held, {"finished_at": unit.at})
        subject = Subject(KeyChange.subject_type, held.key)
        unit.audit(subject, "key_change:finish", [FieldChange("finished_at", None, unit.at)])
        unit.notify(Post.DIRECTOR, "key_change:finished", subject)
        return True

    return await governed_transaction(store, CLOCK, "key_change.finish", work)


async def record_retirement(store: Store, root_key_ids: list[str]) -> None:
    """Record that root keys are about to be forgotten."""

    async def work(unit: UnitOfWork) -> None:
        kind = KeyChangeKind.ROOT_KEYS_RETIRED
        change = KeyChange(kind=kind, root_key_ids=root_key_ids, begun_at=unit.at, finished_at=unit.at)
        await unit.insert(change)
        told = [FieldChange("kind", None, kind.value), FieldChange("root_key_ids", None, root_key_ids)]
        subject = Subject(KeyChange.subject_type, change.key)
        unit.audit(subject, "key_change:retire_root_keys", told)
        unit.notify(Post.DIRECTOR, "key_change:root_keys_retired", subject)

    await governed_transaction(store, INSTALLATION, "key_change.retire_root_keys", work)


async def unfinished(
    store: Store,
    kind: KeyChangeKind,
    root_key_ids: list[str] | None = None,
    session: AsyncClientSession | None = None,
) -> KeyChange | None:
    """The change of this kind that is going on, of these root keys where they are given."""
    query: Row = {"kind": kind.value, "finished_at": None}
    if root_key_ids is not None:
        query["root_key_ids"] = root_key_ids
    row = await store.database.collection(KeyChange).find_one(query, sort=[("_id", 1)], session=session)
    return None if row is None else KeyChange.model_validate(row)
