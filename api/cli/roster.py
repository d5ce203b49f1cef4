"""`registrar import`: sends a roster, lets it run, and shows the report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiofiles
import aiofiles.os
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.client import ServerError, ask, check, check_payload, client

BATCH = """id status rowCount processed added updated alreadyOnRecord refused skipped undone fileName policy kind
    changeRequestId obstacle { sheetRow messageZh messageEn }"""
_ERRORS = "errors { code field rule messageZh messageEn }"
_ROW = """sheetRow outcome errors { column code messageZh messageEn } warnings { column code messageZh messageEn }
    studentId admissionCaseId changeRequestId"""
_PAGE = 100
_PIECE = 256 * 1024
_LOOK_SECONDS = 0.5
_GOING_ON = ("RUNNING", "UNDOING")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the file is imported as; `columns` are pairs HEADER=OURS."""

    kind: str
    policy: str
    columns: Sequence[str] = ()
    stage: str | None = None
    cohort: int | None = None
    batch: str | None = None


async def import_file(
    out: Console, url: str, token: str, roster: Path, terms: Terms, *, dry_run: bool, as_json: bool
) -> int:
    """Import, wait for its end, and print; the number of refused rows."""
    async with client(url, token) as server:
        begun = await _begin(server, roster, terms)
        key = begun["id"]
        if begun["earlierBatchId"] and not as_json:
            out.print(f"the same file was sent before, as {begun['earlierBatchId']}", highlight=False)
        is_kept = False
        try:
            if terms.columns:
                await act(server, "importMap", id=key, columns=_columns(terms.columns))
            elif not begun["isMapped"]:
                raise ServerError(*await _unmapped(server, key))
            if dry_run:
                report = await _dry_run(server, key)
            else:
                # From here on it is the server's, whoever leaves.
                is_kept = True
                report = await _run(server, out, key, as_json=as_json)
        finally:
            if not is_kept:
                with contextlib.suppress(ServerError):
                    await act(server, "importCancel", id=key)
    if as_json:
        out.print_json(data=report)
    else:
        _print(out, report, dry_run=dry_run)
    return int(report["refused"])


async def _begin(server: httpx.AsyncClient, roster: Path, terms: Terms) -> dict[str, Any]:
    given = {"kind": terms.kind, "policy": terms.policy, "stage": terms.stage, "batch": terms.batch}
    told: dict[str, Any] = {"fileName": roster.name} | {k: v for k, v in given.items() if v is not None}
    if terms.cohort is not None:
        told["cohort"] = terms.cohort

    async def body() -> AsyncIterator[bytes]:
        async with aiofiles.open(roster, "rb") as file:
            while piece := await file.read(_PIECE):
                yield piece

    size = str((await aiofiles.os.stat(roster)).st_size)
    response = await server.put(
        "/imports", params=told, content=body(), headers={"Content-Length": size}, timeout=600
    )
    check(response)
    begun: dict[str, Any] = response.json()
    return begun


def _columns(pairs: Sequence[str]) -> list[dict[str, str | None]]:
    columns: list[dict[str, str | None]] = []
    for pair in pairs:
        header, equals, column = pair.rpartition("=")
        if not equals or not header:
            raise ServerError(f"{pair} is no column", "it reads HEADER=OURS, or HEADER= to ignore it")
        columns.append({"header": header, "column": column or None})
    return columns


async def _unmapped(server: httpx.AsyncClient, key: str) -> list[str]:
    query = "query ($id: ID!) { importBatch(id: $id) { columns { header suggested certainty } } }"
    columns = (await ask(server, query, id=key))["importBatch"]["columns"]
    hints = [
        f"--map {column['header']}={column['suggested'] or ''}"
        for column in columns
        if column["certainty"] != "EXACT"
    ]
    return ["a required column is not known; say which it is", *hints]


async def act(server: httpx.AsyncClient, name: str, **values: Any) -> dict[str, Any]:
    kind = {
        "importMap": "ImportMapInput",
        "importUndo": "ImportUndoInput",
    }.get(name, "ImportInput")
    asked = f"{name}(input: $input) {{ importBatch {{ {BATCH} }} changeRequest {{ id }} {_ERRORS} }}"
    told = await ask(server, f"mutation ($input: {kind}!) {{ {asked} }}", input=values)
    payload: dict[str, Any] = told[name]
    check_payload(payload)
    return payload


async def _dry_run(server: httpx.AsyncClient, key: str) -> dict[str, Any]:
    query = f"""mutation ($input: ImportCheckInput!) {{ importCheck(input: $input) {{ report {{
        counts {{ rows added alreadyOnRecord refused warned enters }} hasMore told {{ {_ROW} }} }} {_ERRORS} }} }}"""
    rows: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    after: int | None = None
    while True:
        told = (await ask(server, query, input={"id": key, "first": _PAGE, "afterRow": after}))["importCheck"]
        check_payload(told)
        report = told["report"]
        counts = counts or report["counts"]
        rows += report["told"]
        if not report["hasMore"]:
            break
        after = rows[-1]["sheetRow"]
    figures = {"updated": 0, "skipped": 0} | {
        "rows": counts["rows"],
        "added": counts["added"] if counts["enters"] else 0,
        "already_on_record": counts["alreadyOnRecord"],
        "refused": counts["refused"],
    }
    return _report(figures, rows) | {"enters": counts["enters"]}


async def _run(server: httpx.AsyncClient, out: Console, key: str, *, as_json: bool) -> dict[str, Any]:
    payload = await act(server, "importRun", id=key)
    if payload["changeRequest"]:
        out.print(f"waits for approval: {payload['changeRequest']['id']}", highlight=False)
    batch = await followed(server, out, payload["importBatch"], shows=not as_json)
    figures = {
        "rows": batch["rowCount"],
        "added": batch["added"],
        "updated": batch["updated"],
        "already_on_record": batch["alreadyOnRecord"],
        "refused": batch["refused"],
        "skipped": batch["skipped"],
    }
    rows = [row async for row in rows_of(server, key, ("REFUSED",))] if batch["refused"] else []
    return _report(figures, rows) | {"id": key, "status": batch["status"]}


async def followed(
    server: httpx.AsyncClient, out: Console, batch: dict[str, Any], *, shows: bool
) -> dict[str, Any]:
    """Wait until the batch goes on no more, with a bar of its rows."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    query = f"query ($id: ID!) {{ importBatch(id: $id) {{ {BATCH} }} }}"
    with Progress(*columns, console=out, disable=not shows, transient=True) as progress:
        task = progress.add_task(batch["fileName"], total=batch["rowCount"])
        while batch["status"] in _GOING_ON:
            done = batch["undone"] if batch["status"] == "UNDOING" else batch["processed"]
            progress.update(task, completed=done)
            await asyncio.sleep(_LOOK_SECONDS)
            batch = (await ask(server, query, id=batch["id"]))["importBatch"]
    return batch


async def rows_of(
    server: httpx.AsyncClient, key: str, outcomes: Sequence[str] | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The rows of a batch, page by page."""
    query = f"""query ($id: ID!, $after: String, $outcomes: [ImportRowOutcome!]) {{ importBatch(id: $id) {{
        rows(first: {_PAGE}, after: $after, outcomes: $outcomes) {{ edges {{ node {{ {_ROW} }} }}
        pageInfo {{ hasNextPage endCursor }} }} }} }}"""
    after: str | None = None
    while True:
        batch = (await ask(server, query, id=key, after=after, outcomes=outcomes))["importBatch"]
        if batch is None:
            raise ServerError("找不到该记录。 There is no such record.", "code not_found, field id")
        for edge in batch["rows"]["edges"]:
            yield edge["node"]
        if not batch["rows"]["pageInfo"]["hasNextPage"]:
            return
        after = batch["rows"]["pageInfo"]["endCursor"]


def _report(figures: Mapping[str, int], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The report as a file: counts, and `bad: [{sheet_row, errors, warnings}]`."""
    bad = [row for row in rows if row["errors"]]
    warned = [row for row in rows if row["warnings"]]
    return {
        "rows": figures["rows"],
        "valid": figures["rows"] - figures["refused"],
        "added": figures["added"],
        "updated": figures["updated"],
        "already_on_record": figures["already_on_record"],
        "refused": figures["refused"],
        "skipped": figures["skipped"],
        "bad": [{"sheet_row": row["sheetRow"], "errors": _cells(row["errors"])} for row in bad],
        "warned": [{"sheet_row": row["sheetRow"], "warnings": _cells(row["warnings"])} for row in warned],
    }


def _cells(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "column": cell["column"],
            "code": cell["code"],
            "message": {"zh": cell["messageZh"], "en": cell["messageEn"]},
        }
        for cell in cells
    ]


def _print(out: Console, report: dict[str, Any], *, dry_run: bool) -> None:
    for row in report["bad"]:
        for error in row["errors"]:
            message = f"{error['message']['zh']} {error['message']['en']}"
            line = f"row {row['sheet_row']} {error['column']} {error['code']}: {message}"
            out.print(line, highlight=False, markup=False, soft_wrap=True)
    did = "would add" if dry_run else "added"
    parts = [f"{did} {report['added']}", f"already on record {report['already_on_record']}"]
    parts += [f"asked to change {report['updated']}"] if report["updated"] else []
    parts += [f"refused {report['refused']}"]
    parts += [f"not entered {report['skipped']}"] if report["skipped"] else []
    out.print(f"{report['rows']} rows: {', '.join(parts)}", highlight=False)
    if "id" in report:
        out.print(f"batch {report['id']} {report['status']}", highlight=False, soft_wrap=True)
