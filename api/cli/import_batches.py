"""`registrar imports`: how far a batch is, what became of its rows, and the way back."""

from __future__ import annotations

import contextlib
import csv
import sys
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from api.cli.client import ServerError, ask, client
from api.cli.roster import BATCH, act, followed, rows_of


async def show_status(out: Console, url: str, token: str, key: str, *, follows: bool) -> None:
    """One line of how far a batch is, once it goes on no more where it is followed."""
    query = f"query ($id: ID!) {{ importBatch(id: $id) {{ {BATCH} }} }}"
    async with client(url, token) as server:
        batch = (await ask(server, query, id=key))["importBatch"]
        if batch is None:
            raise ServerError("找不到该记录。 There is no such record.", "code not_found, field id")
        if follows:
            batch = await followed(server, out, batch, shows=True)
    _print_batch(out, batch)


async def change_batch(out: Console, url: str, token: str, name: str, key: str, **values: Any) -> None:
    """Cancel or undo, and one line of how far it is then."""
    async with client(url, token) as server:
        payload = await act(server, name, id=key, **values)
        if payload["changeRequest"]:
            out.print(f"waits for approval: {payload['changeRequest']['id']}", highlight=False)
        batch = await followed(server, out, payload["importBatch"], shows=True)
    _print_batch(out, batch)


def _print_batch(out: Console, batch: dict[str, Any]) -> None:
    counts = " ".join(
        f"{name} {batch[name]}"
        for name in ("added", "updated", "alreadyOnRecord", "refused", "skipped", "undone")
        if batch[name]
    )
    out.print(f"{batch['status']} {batch['fileName']}: {batch['rowCount']} rows {counts}", highlight=False)
    if batch["obstacle"]:
        told = batch["obstacle"]
        out.print(f"row {told['sheetRow']}: {told['messageZh']} {told['messageEn']}", highlight=False)


async def write_report(url: str, token: str, key: str, to: Path | None) -> int:
    """Each row of a batch as CSV, to a file that must not exist or to standard output; how many."""
    with contextlib.ExitStack() as stack:
        file = sys.stdout if to is None else stack.enter_context(_new_file(to))
        writer = csv.writer(file)
        writer.writerow(["row", "outcome", "column", "code", "zh", "en", "student", "case", "request"])
        count = 0
        async with client(url, token) as server:
            async for row in rows_of(server, key):
                count += 1
                ids = [row["studentId"], row["admissionCaseId"], row["changeRequestId"]]
                for cell in [*row["errors"], *row["warnings"]] or [{}]:
                    told = [cell.get(name, "") for name in ("column", "code", "messageZh", "messageEn")]
                    writer.writerow([row["sheetRow"], row["outcome"], *told, *ids])
    return count


def _new_file(path: Path) -> TextIO:
    return path.open("x", encoding="utf-8-sig", newline="")
