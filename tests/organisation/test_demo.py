"""The demo school has a structure for the classes of its roster."""

from __future__ import annotations

from api.dev.demo import COHORT
from api.dev.roster import CLASS_SIZE, demo_rows
from api.dev.structure import load_demo_structure
from archive_store.organisation.names import unknown_classes
from archive_store.organisation.queries import the_school
from tests.school import School

STUDENTS = 2 * CLASS_SIZE + 1


async def test_every_class_of_the_roster_is_there_and_loading_again_changes_nothing(school: School) -> None:
    information, director = await school.viewer("information"), await school.viewer("director")

    async def load() -> None:
        await load_demo_structure(school.store, information, director, cohort=COHORT, students=STUDENTS)

    await load()
    assert await the_school(school.store, information) is not None
    names = {row["班级"] for row in demo_rows(STUDENTS, cohort=COHORT)}
    assert len(names) == 3
    assert await unknown_classes(school.store, names) == frozenset()
    before = await school.counts()
    await load()
    assert await school.counts() == before
