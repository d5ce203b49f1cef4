"""The stage (学段) of students: that of the cohort of the class that their record names, if the structure has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bson import ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.students.documents import Student


async def stages_of_students(
    store: Store, session: AsyncClientSession | None, student_ids: Collection[ObjectId]
) -> Mapping[ObjectId, SchoolStage]:
    """By student; nothing of those whose class the structure does not have."""
    database = store.database
    students = await (
        database.collection(Student)
        .find({"_id": {"$in": list(student_ids)}}, {"class_name": 1}, session=session)
        .to_list()
    )
    names = sorted({row["class_name"] for row in students})
    classes = await (
        database.collection(SchoolClass)
        .find({"name": {"$in": names}}, {"name": 1, "cohort_id": 1}, session=session)
        .to_list()
    )
    cohorts = await (
        database.collection(Cohort)
        .find({"_id": {"$in": [row["cohort_id"] for row in classes]}}, {"stage": 1}, session=session)
        .to_list()
    )
    stages = {row["_id"]: SchoolStage(row["stage"]) for row in cohorts}
    of_class = {row["name"]: stages[row["cohort_id"]] for row in classes if row["cohort_id"] in stages}
    return {row["_id"]: of_class[row["class_name"]] for row in students if row["class_name"] in of_class}
