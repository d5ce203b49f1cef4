"""Batched loads of awards, sanctions and appeals, and of what was written about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.viewer import Viewer
from archive_store.conduct.queries import (
    AppealView,
    AwardView,
    SanctionView,
    appeals_by_id,
    appeals_of_sanctions,
    awards_by_id,
    awards_by_student,
    sanctions_by_id,
    sanctions_by_student,
)
from archive_store.conduct.texts import open_appeal_texts, open_sanction_texts
from archive_store.foundation.store import Store
from schema.context import Context


class TextKey(NamedTuple):
    """A record, and the encrypted leaf to open."""

    id: ObjectId
    path: str


Opened = Mapping[ObjectId, Mapping[str, str | None]]
Open = Callable[[Store, Viewer, Mapping[ObjectId, frozenset[str]]], Awaitable[Opened]]


class ConductLoaders:
    """The loaders of one request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_awards(ids: list[ObjectId]) -> list[AwardView | None]:
            return await awards_by_id(store, viewer, ids)

        async def load_awards_of(ids: list[ObjectId]) -> list[list[AwardView] | None]:
            return await awards_by_student(store, viewer, ids)

        async def load_sanctions(ids: list[ObjectId]) -> list[SanctionView | None]:
            return await sanctions_by_id(store, viewer, ids)

        async def load_sanctions_of(ids: list[ObjectId]) -> list[list[SanctionView] | None]:
            return await sanctions_by_student(store, viewer, ids)

        async def load_appeals(ids: list[ObjectId]) -> list[AppealView | None]:
            return await appeals_by_id(store, viewer, ids)

        async def load_appeals_of(ids: list[ObjectId]) -> list[AppealView | None]:
            return await appeals_of_sanctions(store, viewer, ids)

        def texts(open_texts: Open) -> Callable[[list[TextKey]], Awaitable[list[str | None]]]:
            async def load(keys: list[TextKey]) -> list[str | None]:
                wanted: dict[ObjectId, frozenset[str]] = {}
                for key in keys:
                    wanted[key.id] = wanted.get(key.id, frozenset()) | {key.path}
                opened = await open_texts(store, viewer, wanted)
                return [opened.get(key.id, {}).get(key.path) for key in keys]

            return load

        self.awards: DataLoader[ObjectId, AwardView | None] = DataLoader(load_fn=load_awards, cache=False)
        self.awards_of: DataLoader[ObjectId, list[AwardView] | None] = DataLoader(
            load_fn=load_awards_of, cache=False
        )
        self.sanctions: DataLoader[ObjectId, SanctionView | None] = DataLoader(
            load_fn=load_sanctions, cache=False
        )
        self.sanctions_of: DataLoader[ObjectId, list[SanctionView] | None] = DataLoader(
            load_fn=load_sanctions_of, cache=False
        )
        self.appeals: DataLoader[ObjectId, AppealView | None] = DataLoader(load_fn=load_appeals, cache=False)
        self.appeals_of: DataLoader[ObjectId, AppealView | None] = DataLoader(
            load_fn=load_appeals_of, cache=False
        )
        self.sanction_texts: DataLoader[TextKey, str | None] = DataLoader(
            load_fn=texts(open_sanction_texts), cache=False
        )
        self.appeal_texts: DataLoader[TextKey, str | None] = DataLoader(
            load_fn=texts(open_appeal_texts), cache=False
        )
