"""What somebody who means no good tries with candidates: guessing, stale answers, odd input."""

from __future__ import annotations

from typing import Any

from archive_store.admission.collection import SupplyOutcome, supply
from archive_store.admission.documents import SchoolStage
from tests.admission.cases import (
    COHORT,
    open_case,
    stored,
)
from tests.school import School


async def again(school: School, subject: str, cohort: int = COHORT, **values: Any) -> SupplyOutcome:
    """What is told of values supplied under the reference of the first candidate."""
    ((_, outcome),) = await supply(
        school.store,
        await school.viewer(subject),
        stage=SchoolStage.JUNIOR,
        cohort=cohort,
        applicants=[{"reference": "报名1", "applicant": values}],
    )
    return outcome


async def test_what_is_supplied_again_may_clear_a_list(school: School) -> None:
    key = await open_case(school)
    assert await again(school, "admissions", guardians=None) is SupplyOutcome.CHANGED
    assert (await stored(school, key)).applicant.guardians == []
    assert await again(school, "admissions", guardians=None) is SupplyOutcome.UNCHANGED
