"""Admission asked for by GraphQL alone."""

from __future__ import annotations

from typing import Any

from archive_store.foundation.records import bson_value
from schema.context import Context
from schema.errors import camel_case
from schema.root import build_schema
from tests.school import School

_SCHEMA = build_schema()
SUPPLY = """mutation ($input: AdmissionSupplyInput!) { admissionSupply(input: $input) {
    supplied { admissionCaseId outcome } errors { code field rule messageZh messageEn } } }"""
MOVE = """mutation ($input: AdmissionCasesMoveInput!) { admissionCasesMove(input: $input) {
    moved refused { admissionCaseId errors { code field } } hasNext endCursor errors { code field } } }"""
PROGRESS = "query ($where: AdmissionCaseFilter) { admissionProgress(where: $where) { status count } }"


async def ask(school: School, subject: str, query: str, purpose: str | None = None, **variables: Any) -> Any:
    """The data; an error of the query fails the test."""
    context = Context(school.store, await school.viewer(subject, purpose))
    result = await _SCHEMA.execute(query, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    return result.data


async def step(school: School, subject: str, mutation: str, input_type: str, **given: Any) -> Any:
    """One mutation on a case: its payload."""
    query = f"""mutation ($input: {input_type}!) {{ {mutation}(input: $input) {{
        admissionCase {{ id status }} errors {{ code field rule messageZh messageEn }} }} }}"""
    return (await ask(school, subject, query, input=given))[mutation]


def as_input(values: dict[str, Any]) -> dict[str, Any]:
    """Stored values of a record as `StudentChangesInput` spells them."""
    given = {camel_case(name): bson_value(value) for name, value in values.items() if value is not None}
    if "gender" in given:
        given["gender"] = {"0": "UNKNOWN", "1": "MALE", "2": "FEMALE", "9": "NOT_STATED"}[given["gender"]]
    return given


async def move_all(
    school: School, subject: str, action: str, comment: str | None = None, **where: Any
) -> tuple[int, list[Any]]:
    """A step for all of a cohort, call by call; how many took it, and those refused."""
    moved, refused, after = 0, [], None
    while True:
        given = {"step": action, "where": where, "after": after, "comment": comment}
        payload = (await ask(school, subject, MOVE, input=given))["admissionCasesMove"]
        assert payload["errors"] == []
        moved += len(payload["moved"])
        refused += payload["refused"]
        after = payload["endCursor"]
        if not payload["hasNext"]:
            return moved, refused


async def progress(school: School, **where: Any) -> dict[str, int]:
    rows = (await ask(school, "director", PROGRESS, where=where))["admissionProgress"]
    return {row["status"]: row["count"] for row in rows if row["count"]}
