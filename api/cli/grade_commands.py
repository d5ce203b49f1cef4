"""`registrar grades`: grades of a class from a file, and the sheet to fill in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import fail, out
from api.cli.options import DEFAULT_URL, Token, Url
from api.cli.running import run

grades_app = typer.Typer(help="Grades by file (成绩单).", no_args_is_help=True)
Arrangement = Annotated[str, typer.Option(help="Global id of the course arrangement (课程安排).")]


class GradeKind(StrEnum):
    """Kinds of grades, as they are typed."""

    REGULAR = "regular"
    MAKEUP = "makeup"
    RETAKE = "retake"


@grades_app.command("upload")
def grades_upload(
    sheet: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="XLSX, XLS or CSV.")],
    token: Token,
    arrangement: Arrangement,
    kind: Annotated[GradeKind, typer.Option(help="正考, 补考 or 重修.")] = GradeKind.REGULAR,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and report; enter nothing.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Enter the grades of a sheet, all rows or none. Exit status 2 when rows are bad."""
    from api.cli.grades import upload_grades

    if run(upload_grades(out, url, token, sheet, arrangement, kind.name, dry_run=dry_run)):
        raise typer.Exit(2)


@grades_app.command("template")
def grades_template(
    to: Annotated[Path, typer.Argument(help="File to write, .xlsx or .csv; must not exist.")],
    token: Token,
    arrangement: Arrangement,
    url: Url = DEFAULT_URL,
) -> None:
    """Write the sheet to fill in: numbers and names of the class."""
    from api.cli.grades import write_template

    if to.suffix not in (".xlsx", ".csv"):
        fail(f"{to} is neither .xlsx nor .csv")
    if to.exists():
        fail(f"{to} exists already")
    run(write_template(url, token, to, arrangement))
    out.print(f"wrote {to}", highlight=False, soft_wrap=True)
