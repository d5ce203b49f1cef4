"""`registrar imports`: batches that were begun: how far they are, their rows, and the way back."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import err, fail, out
from api.cli.options import DEFAULT_URL, Token, Url
from api.cli.running import run

imports_app = typer.Typer(help="Import batches (导入批次).", no_args_is_help=True)


class Policy(StrEnum):
    """Row policies, as they are typed."""

    SKIP = "skip"
    UPDATE = "update"
    FAIL = "fail"


class Kind(StrEnum):
    """Kinds of imports, as they are typed."""

    REGISTER = "register"
    ADMISSION = "admission"


Batch = Annotated[str, typer.Argument(help="Global id of the batch.")]


@imports_app.command("status")
def import_status(
    batch: Batch,
    token: Token,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until it goes on no more.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Tell how far a batch is."""
    from api.cli.import_batches import show_status

    run(show_status(out, url, token, batch, follows=follow))


@imports_app.command("report")
def import_report(
    batch: Batch,
    token: Token,
    to: Annotated[Path | None, typer.Option(help="CSV file to write; must not exist.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """What became of each row, as CSV."""
    from api.cli.import_batches import write_report

    try:
        count = run(write_report(url, token, batch, to))
    except FileExistsError:
        fail(f"{to} exists already")
    err.print(f"{count} rows", highlight=False)


@imports_app.command("cancel")
def import_cancel(batch: Batch, token: Token, url: Url = DEFAULT_URL) -> None:
    """Stop a batch; what entered stays, or by the policy fail is taken out again."""
    from api.cli.import_batches import change_batch

    run(change_batch(out, url, token, "importCancel", batch))


@imports_app.command("undo")
def import_undo(
    batch: Batch,
    token: Token,
    reason: Annotated[str, typer.Option(help="Why; whoever has to approve reads it.")],
    url: Url = DEFAULT_URL,
) -> None:
    """Ask to take out again all that a batch entered."""
    from api.cli.import_batches import change_batch

    run(change_batch(out, url, token, "importUndo", batch, reason=reason))
