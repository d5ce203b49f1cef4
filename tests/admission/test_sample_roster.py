"""The sample roster through the four steps to CONFIRMED, by GraphQL; papers go in by their own door, PUT /scans."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx

from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.imports.roster_files import read_roster
from archive_store.imports.rules import check_rows
from tests.admission.asking import SUPPLY, as_input, ask, move_all, progress, step
from tests.scans.test_pipeline import pdf
from tests.school import School

SAMPLE = Path(__file__).parents[1] / "samples" / "roster-2023.xlsx"
CANDIDATES = int(os.environ.get("REGISTRAR_SAMPLE_CANDIDATES", "25"))
CASE = """query ($id: ID!) { admissionCase(id: $id) { status studentId missingEvidence student { id name }
    sources { field channel origin } } }"""
LIST = """query ($after: String) { admissionCases(first: 100, after: $after, where: {cohort: 2023}) {
    edges { node { id studentId missingEvidence } } pageInfo { hasNextPage endCursor } } }"""


def candidates() -> list[dict[str, Any]]:
    good = check_rows(read_roster(SAMPLE.read_bytes(), row_limit=5_000)).good
    return [row.values for row in good][:CANDIDATES]


async def supplied(school: School, rows: list[dict[str, Any]]) -> list[str]:
    """Call by call, as the admissions office."""
    keys: list[str] = []
    for start in range(0, len(rows), 200):
        given = {
            "stage": "JUNIOR",
            "cohort": 2023,
            "batch": "第1批",
            "origin": SAMPLE.name,
            "applicants": [
                {"reference": f"报名{start + place}", "applicant": as_input(values)}
                for place, values in enumerate(rows[start : start + 200])
            ],
        }
        payload = (await ask(school, "admissions", SUPPLY, input=given))["admissionSupply"]
        assert payload["errors"] == []
        keys += [line["admissionCaseId"] for line in payload["supplied"]]
    return keys


async def file_paper(http: httpx.AsyncClient, headers: dict[str, str], student: str, kind: str) -> str:
    params = {"student": student, "fileName": f"2023级{kind}.pdf"}
    answer = await http.put("/scans", params=params, content=pdf(1_000), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_the_sample_roster_goes_through_the_four_steps(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    rows = candidates()
    count = len(rows)
    keys = await supplied(school, rows)
    assert len(keys) == count
    # Sent again, nothing comes of it.
    assert await supplied(school, rows) == keys
    assert await progress(school, cohort=2023) == {"COLLECTING": count}
    moved, refused = await move_all(school, "information", "SUBMIT", cohort=2023)
    assert moved == 0 and len(refused) == count
    assert {error["field"] for line in refused for error in line["errors"]} == {"evidence.户口簿"}

    for key in keys:
        archive = bearer("archive")  # anew: a token does not outlast the papers of a whole roster
        case = (await ask(school, "information", CASE, id=key))["admissionCase"]
        assert case["missingEvidence"] == ["户口簿", "身份证"]
        assert {source["channel"] for source in case["sources"]} == {"ADMISSIONS_OFFICE"}
        scans = [await file_paper(http, archive, case["studentId"], kind) for kind in ("户口簿", "身份证")]
        payload = await step(
            *(school, "information", "admissionCaseAddEvidence", "AdmissionCaseAddEvidenceInput"),
            id=key,
            scanIds=scans,
        )
        assert payload["errors"] == []
    assert await move_all(school, "information", "SUBMIT", cohort=2023) == (count, [])
    assert await progress(school, cohort=2023) == {"IN_REVIEW": count}
    assert await move_all(school, "information", "ENTER", cohort=2023) == (0, [])
    assert await move_all(school, "academic-affairs", "REVIEW", cohort=2023) == (count, [])
    assert await progress(school, cohort=2023) == {"IN_REVIEW": count}
    assert await move_all(school, "director", "REVIEW", cohort=2023) == (count, [])
    assert await progress(school, cohort=2023) == {"READY_FOR_ENTRY": count}
    assert await move_all(school, "information", "ENTER", cohort=2023) == (count, [])
    case = (await ask(school, "information", CASE, id=keys[0]))["admissionCase"]
    assert case["student"] == {"id": case["studentId"], "name": rows[0]["name"]}
    assert await progress(school, cohort=2023) == {"ENTERED": count}
    assert await move_all(school, "information", "CALL_CONFIRMATION", cohort=2023) == (count, [])
    assert await move_all(school, "information", "CONFIRM", "确认表已签字", cohort=2023) == (count, [])
    assert await progress(school, cohort=2023) == {"CONFIRMED": count}
    assert (await verify_history(school.store, RECORD_TYPES)).sound
