"""Objections to students' records: one query a batch and selection."""

from __future__ import annotations

from typing import Any, NamedTuple

import strawberry
from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.objections.queries import ObjectionView, objections_of
from schema.context import Context, Request
from schema.nodes import key_of_source
from schema.objections.types import OBJECTION, RecordObjection, shown_objection


class ObjectionsKey(NamedTuple):
    """A student, and the leaves of the objections to load."""

    student_id: ObjectId
    paths: frozenset[str]


class ObjectionLoaders:
    """One for each request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load(keys: list[ObjectionsKey]) -> list[list[ObjectionView] | None]:
            found: dict[ObjectionsKey, list[ObjectionView] | None] = {}
            for paths in {key.paths for key in keys}:
                ids = list({key.student_id: None for key in keys if key.paths == paths})
                views = await objections_of(store, viewer, ids, paths)
                found |= {ObjectionsKey(key, paths): held for key, held in zip(ids, views, strict=True)}
            return [found[key] for key in keys]

        self.of_students: DataLoader[ObjectionsKey, list[ObjectionView] | None] = DataLoader(
            load_fn=load, cache=False
        )


async def resolve_objections(root: strawberry.Parent[Any], info: Request) -> list[RecordObjection] | None:
    key = ObjectionsKey(key_of_source(root), OBJECTION.selected(info))
    found = await info.context.loaders.objections.of_students.load(key)
    if found is None:
        info.context.withhold({"Student.objections": Withheld.NOT_PERMITTED})
        return None
    for view in found:
        info.context.withhold(OBJECTION.coordinates_of(view.withheld))
    return [shown_objection(view) for view in found]
