"""Values that a scalar cannot read: a fault of the query, and never in the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, NewType

import pytest
import strawberry

from schema.errors import TypedErrorSchema
from schema.scalars import CONFIG, Day

Whole = NewType("Whole", int)
WHOLE = strawberry.scalar(name="Whole", parse_value=int)  # int names what it cannot read


@strawberry.type
class Query:
    @strawberry.field
    async def at(self, when: datetime | None = None, day: Day | None = None, n: Whole | None = None) -> str:
        raise ZeroDivisionError(f"defect {when} {day} {n}")


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ('{ at(when: "SECRET") }', {}, "invalid_query"),
        ("query ($x: DateTime) { at(when: $x) }", {"x": "SECRET"}, "invalid_query"),
        ('query ($x: DateTime = "SECRET") { at(when: $x) }', {}, "invalid_query"),
        ('{ at(n: "SECRET") }', {}, "invalid_query"),
        ("query ($x: Whole) { at(n: $x) }", {"x": "SECRET"}, "invalid_query"),
        ("query ($x: [Whole]) { at(n: $x) }", {"x": ["SECRET"]}, "invalid_query"),
        ('{ at(day: "SECRET") }', {}, "invalid_date"),
        ("query ($x: Date) { at(day: $x) }", {"x": "SECRET"}, "invalid_date"),
        ("query ($x: Date) { at(day: $x) }", {"x": ["SECRET"]}, "invalid_date"),
        ("query ($x: Date) { at(day: $x) }", {"x": "2011-05-03"}, "internal"),
    ],
)
async def test_the_code_of_a_value_that_does_not_fit(
    query: str, variables: dict[str, Any], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(CONFIG, scalar_map={**CONFIG.scalar_map, Whole: WHOLE})
    told = await TypedErrorSchema(query=Query, config=config).execute(query, variables)
    assert told.errors
    (error,) = told.errors
    assert error.extensions and error.extensions["code"] == code
    # Strawberry's own scalars name the value, to the one who sent it.
    assert "when" in query or "SECRET" not in error.message + error.extensions["messageZh"]
    logged = "".join(capsys.readouterr())
    assert "SECRET" not in logged
    assert ("ZeroDivisionError" in logged) is (code == "internal")
