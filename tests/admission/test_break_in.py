"""What somebody who means no good tries with candidates: guessing, stale answers, odd input."""

from __future__ import annotations

from typing import Any

import pytest

from archive_store.admission.collection import SupplyOutcome, supply
from archive_store.admission.documents import SchoolStage
from archive_store.foundation.errors import ErrorCode, RegistrarError
from tests.admission.cases import (
    COHORT,
    candidate,
    open_case,
    stored,
)
from tests.admission.test_life import facts_of
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


async def test_a_number_on_record_is_refused_under_a_known_reference(school: School) -> None:
    key = await open_case(school)
    number = (await school.student()).identity_number
    with pytest.raises(RegistrarError) as caught:
        await again(school, "admissions", identity_number=number, **facts_of(number))
    assert caught.value.code is ErrorCode.DUPLICATE
    assert caught.value.field == "applicants.0.applicant.identity_number"
    assert (await stored(school, key)).applicant.identity_number == candidate(1)["identity_number"]


async def test_the_same_reference_of_another_year_is_another_candidate(school: School) -> None:
    key = await open_case(school)
    given = candidate(2)
    assert await again(school, "admissions", COHORT + 1, **given) is SupplyOutcome.OPENED
    assert (await stored(school, key)).applicant.name == "新生1"
