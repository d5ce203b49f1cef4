"""Batched loads of the structure: classes and majors of students, and departments."""

from __future__ import annotations

from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.organisation.documents import Department, Major
from archive_store.organisation.majors import departments_by_id, majors_of_students
from archive_store.organisation.queries import ClassView, classes_of_students
from schema.context import Context


class OrganisationLoaders:
    """Loaders of one request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load_classes(keys: list[ObjectId]) -> list[ClassView | None]:
            return await classes_of_students(store, viewer, keys)

        async def load_majors(keys: list[ObjectId]) -> list[Major | None]:
            return await majors_of_students(store, viewer, keys)

        async def load_departments(keys: list[ObjectId]) -> list[Department | None]:
            return await departments_by_id(store, viewer, keys)

        self.classes_of_students: DataLoader[ObjectId, ClassView | None] = DataLoader(
            load_fn=load_classes, cache=False
        )
        self.majors_of_students: DataLoader[ObjectId, Major | None] = DataLoader(
            load_fn=load_majors, cache=False
        )
        self.departments: DataLoader[ObjectId, Department | None] = DataLoader(
            load_fn=load_departments, cache=False
        )
