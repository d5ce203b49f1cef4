"""Sends a grade sheet and prints its report; fetches the sheet to fill in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiofiles
from rich.console import Console

from api.cli.client import check, check_payload, client, graphql_data

_IMPORT = """mutation ($input: GradeSheetImportInput!) { gradeSheetImport(input: $input) {
    report { rows valid entered missing bad { sheetRow errors { column code messageZh messageEn } } }
    errors { code field rule messageZh messageEn } } }"""


async def upload_grades(
    out: Console, url: str, token: str, sheet: Path, arrangement: str, kind: str, *, dry_run: bool
) -> int:
    """Send the sheet and print what became of it; the number of bad rows."""
    given = {"file": None, "arrangementId": arrangement, "kind": kind, "dryRun": dry_run}
    form = {
        "operations": json.dumps({"query": _IMPORT, "variables": {"input": given}}),
        "map": json.dumps({"0": ["variables.input.file"]}),
    }
    async with aiofiles.open(sheet, "rb") as file:
        content = await file.read()
    async with client(url, token) as server:
        response = await server.post("/graphql", data=form, files={"0": (sheet.name, content)})
        payload = graphql_data(response)["gradeSheetImport"]
    check_payload(payload)
    report: dict[str, Any] = payload["report"]
    for row in report["bad"]:
        for error in row["errors"]:
            message = f"{error['messageZh']} {error['messageEn']}"
            line = f"row {row['sheetRow']} {error['column']} {error['code']}: {message}"
            out.print(line, highlight=False, markup=False, soft_wrap=True)
    did = (
        f"would enter {0 if report['bad'] else report['valid']}"
        if dry_run
        else f"entered {report['entered']}"
    )
    figures = f"{did}, bad {len(report['bad'])}, students without a grade {len(report['missing'])}"
    out.print(f"{report['rows']} rows: {figures}", highlight=False)
    return len(report["bad"])


async def write_template(url: str, token: str, to: Path, arrangement: str) -> None:
    """Fetch the sheet into a file that is not there yet."""
    async with client(url, token) as server:
        response = await server.get(f"/grade-sheets/{quote(arrangement, safe='')}{to.suffix}")
        check(response)
    async with aiofiles.open(to, "xb") as file:
        await file.write(response.content)
