"""`registrar import`: sends the roster through GraphQL and shows the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiofiles
import orjson
from rich.console import Console

from api.cli.client import check_payload, client, graphql_data

_MUTATION = """
mutation ($file: Upload!, $dryRun: Boolean!) {
  rosterImport(input: {file: $file, dryRun: $dryRun}) {
    report {
      rows valid added alreadyOnRecord refused
      bad { sheetRow errors { column code messageZh messageEn } }
    }
    errors { code field rule messageZh messageEn }
  }
}
"""


async def import_file(
    out: Console, url: str, token: str, roster: Path, *, dry_run: bool, as_json: bool
) -> int:
    """Import and print; the number of refused rows."""
    async with aiofiles.open(roster, "rb") as file:
        content = await file.read()
    operations = {"query": _MUTATION, "variables": {"file": None, "dryRun": dry_run}}
    form = {
        "operations": orjson.dumps(operations).decode(),
        "map": orjson.dumps({"file": ["variables.file"]}).decode(),
    }
    async with client(url, token) as server:
        response = await server.post("/graphql", data=form, files={"file": (roster.name, content)})
    payload = graphql_data(response)["rosterImport"]
    check_payload(payload)
    report = payload["report"]
    if as_json:
        out.print_json(data=_report_file(report))
    else:
        _print(out, report, dry_run=dry_run)
    return int(report["refused"])


def _report_file(report: dict[str, Any]) -> dict[str, Any]:
    """The report as a file: `{rows, valid, added, already_on_record, refused, bad: [{sheet_row, errors}]}`."""
    return {
        "rows": report["rows"],
        "valid": report["valid"],
        "added": report["added"],
        "already_on_record": report["alreadyOnRecord"],
        "refused": report["refused"],
        "bad": [
            {
                "sheet_row": row["sheetRow"],
                "errors": [
                    {
                        "column": error["column"],
                        "code": error["code"],
                        "message": {"zh": error["messageZh"], "en": error["messageEn"]},
                    }
                    for error in row["errors"]
                ],
            }
            for row in report["bad"]
        ],
    }


def _print(out: Console, report: dict[str, Any], *, dry_run: bool) -> None:
    for row in report["bad"]:
        for error in row["errors"]:
            out.print(
                f"row {row['sheetRow']} {error['column']} {error['code']}: {error['messageZh']} {error['messageEn']}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
    did = "would add" if dry_run else "added"
    out.print(
        f"{report['rows']} rows: {did} {report['added']}, "
        f"already on record {report['alreadyOnRecord']}, refused {report['refused']}",
        highlight=False,
    )
