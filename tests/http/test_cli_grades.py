"""`registrar grades` against a running server, as transcripts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.dev.issuer import DemoIssuer
from archive_store.academics.documents import GradeRecord
from schema.nodes import global_id
from tests.academics.terms import OFFICE, arranged
from tests.school import School


@pytest.fixture
def run(server: str, issuer: DemoIssuer) -> Any:
    async def invoke(*words: str, subject: str = OFFICE) -> Any:
        token = issuer.token(subject, seconds=600)
        environment = {"REGISTRAR_URL": server, "REGISTRAR_TOKEN": token, "COLUMNS": "400", "NO_COLOR": "1"}
        return await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)

    return invoke


async def test_a_sheet_is_fetched_filled_in_and_sent(school: School, run: Any, tmp_path: Path) -> None:
    held = await arranged(school)
    of = ("--arrangement", global_id("CourseArrangement", held.arrangement))
    sheet = tmp_path / "成绩单.csv"
    assert (await run("grades", "template", str(sheet), *of)).exit_code == 0
    again = await run("grades", "template", str(sheet), *of)
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    refused = await run("grades", "template", str(tmp_path / "x.csv"), *of, subject="teacher")
    assert (refused.exit_code, "code forbidden" in refused.output) == (1, True)
    assert not (tmp_path / "x.csv").exists()
    bad = await run("grades", "upload", str(sheet), *of)
    assert bad.exit_code == 2
    assert "row 2 成绩 required: 此项必填。 This value is required." in bad.output
    assert "3 rows: entered 0, bad 3, students without a grade 0" in bad.output
    sheet.write_text(sheet.read_text(encoding="utf-8").replace(",,", ",88,"), encoding="utf-8")
    dry = await run("grades", "upload", str(sheet), *of, "--dry-run")
    assert (dry.exit_code, "3 rows: would enter 3, bad 0" in dry.output) == (0, True), dry.output
    collection = school.store.database.collection(GradeRecord)
    assert await collection.count_documents({}) == 0
    refused = await run("grades", "upload", str(sheet), *of, subject="director")
    assert (refused.exit_code, "code forbidden" in refused.output) == (1, True)
    done = await run("grades", "upload", str(sheet), *of)
    assert "3 rows: entered 3, bad 0, students without a grade 0" in done.output
    assert await collection.count_documents({}) == 3
    odd = await run("grades", "template", str(tmp_path / "x.pdf"), *of)
    assert (odd.exit_code, "neither .xlsx nor .csv" in odd.output) == (1, True)
