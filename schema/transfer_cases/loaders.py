"""Transfer cases: of students by selection, and whole ones for what may be done with them; one query a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import strawberry
from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.transfer_cases.documents import TransferCase as StoredCase
from archive_store.transfer_cases.queries import CaseView, cases_of_students, whole_cases
from schema.context import Context, Request
from schema.nodes import key_of_source
from schema.transfer_cases.types import TRANSFER_CASE, TransferCase, shown_case


class CasesKey(NamedTuple):
    """A student, and the leaves of the cases to load."""

    student_id: ObjectId
    paths: frozenset[str]


class TransferCaseLoaders:
    """One for each request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load(keys: list[CasesKey]) -> list[list[CaseView] | None]:
            found: dict[CasesKey, list[CaseView] | None] = {}
            for paths in {key.paths for key in keys}:
                ids = list({key.student_id: None for key in keys if key.paths == paths})
                views = await cases_of_students(store, viewer, ids, paths)
                found |= {CasesKey(key, paths): held for key, held in zip(ids, views, strict=True)}
            return [found[key] for key in keys]

        async def load_whole(keys: list[ObjectId]) -> list[StoredCase | None]:
            return await whole_cases(store, viewer, keys)

        self.of_students: DataLoader[CasesKey, list[CaseView] | None] = DataLoader(load_fn=load, cache=False)
        self.whole: DataLoader[ObjectId, StoredCase | None] = DataLoader(load_fn=load_whole)


async def resolve_transfer_cases(root: strawberry.Parent[Any], info: Request) -> list[TransferCase] | None:
    key = CasesKey(key_of_source(root), TRANSFER_CASE.selected(info))
    found = await info.context.loaders.transfer_cases.of_students.load(key)
    if found is None:
        info.context.withhold({"Student.transferCases": Withheld.NOT_PERMITTED})
        return None
    return [shown(info, view) for view in found]


def shown(info: Request, view: CaseView) -> TransferCase:
    """As it is told, with what was withheld noted."""
    info.context.withhold(TRANSFER_CASE.coordinates_of(view.withheld))
    return shown_case(view)
