"""A clock that stands still."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.records.moments import SetClock
from tests.school import School


@pytest.fixture
def clock(school: School) -> SetClock:
    """Time stands still, and goes on where a test says so."""
    clock = SetClock(school.store.clock.now() + timedelta(seconds=1))
    school.store = replace(school.store, clock=clock)
    return clock
