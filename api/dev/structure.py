"""The structure of the demo school: one campus, the cohort of the demo roster and its classes."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from api.dev.roster import CLASS_SIZE
from archive_store.access.viewer import Viewer
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.organisation.classes import ClassOpen
from archive_store.organisation.operations import CampusOpen, CohortOpen, SchoolSetUp
from archive_store.organisation.queries import all_campuses, list_classes, list_cohorts, the_school

_GRADES = ("七年级", "八年级", "九年级")
_CAPACITY = 50
_FEWEST = 2  # the demo teacher has two


async def load_demo_structure(
    store: Store, information: Viewer, director: Viewer, *, cohort: int, students: int
) -> None:
    """Set up what is not there yet; by the information group, and signed by the director."""
    if await the_school(store, information) is None:
        told = {"name": "示范中学", "code": "3111000001", "division": "110105"}
        payload = payload_of(SchoolSetUp, {"school_id": ObjectId(), **told})
        asked = await perform(store, information, "school.set_up", payload, reason="建立学校信息")
        if asked.change_request_id is not None:
            await decide(store, director, asked.change_request_id, Decision.APPROVED, comment="同意")
    if not await all_campuses(store, information):
        campus = {"campus_id": ObjectId(), "name": "校本部"}
        await perform(store, information, "campus.open", payload_of(CampusOpen, campus))
    page = await list_cohorts(store, information, first=1)
    if not page.rows:
        await perform(store, information, "cohort.open", payload_of(CohortOpen, _cohort(cohort)))
        page = await list_cohorts(store, information, first=1)
    campus_id = (await all_campuses(store, information))[0].key
    found, _ = await list_classes(store, information, first=store.settings.page_size_limit)
    known = {view.school_class.name for view in found.rows}
    for number in range(1, max(_FEWEST, -(-students // CLASS_SIZE)) + 1):
        name = f"{cohort}级{number}班"
        if name in known:
            continue
        values = {
            "class_id": ObjectId(),
            "name": name,
            "cohort_id": page.rows[0].key,
            "campus_id": campus_id,
            "capacity": _CAPACITY,
            "opened_on": f"{cohort}-09-01",
        }
        await perform(store, information, "class.open", payload_of(ClassOpen, values))


def _cohort(year: int) -> dict[str, Any]:
    grades = ({"label": label, "valid_from": f"{year + n}-09-01"} for n, label in enumerate(_GRADES))
    return {
        "cohort_id": ObjectId(),
        "name": f"{year}级",
        "stage": SchoolStage.JUNIOR,
        "enrolled_year": year,
        "grades": tuple(grades),
    }
