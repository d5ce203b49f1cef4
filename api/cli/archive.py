"""Commands of `registrar archive`: checking the archive, and packages that hand an archive file over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import err, fail, out
from api.cli.running import Data, run, settings_of
from archive_store.foundation.errors import RegistrarError

archive_app = typer.Typer(
    help="Check the archive (固化检查), and hand files over (移交).", no_args_is_help=True
)


@archive_app.command("check")
def archive_check(
    student: Annotated[str | None, typer.Option(help="Global id of a student: only their scans.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Only so many scans, chosen at random.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Scans read at a time.")] = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was interrupted.")
    ] = False,
    remove_orphans: Annotated[
        bool, typer.Option("--remove-orphans", help="Remove objects that nothing names, older than a day.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="File to write the report to, as JSON.")] = None,
    data: Data = None,
) -> None:
    """Read every filed scan again; exit status 1 and a line for each finding where one is damaged."""
    from api.cli.client import ServerError
    from api.cli.fixity import check, write_report
    from schema.nodes import key_of

    if resume and (student is not None or sample is not None):
        raise typer.BadParameter("the run that goes on has its own scans", param_hint="--resume")
    if report is not None and report.exists():
        fail(f"{report} exists already", "choose another name")
    try:
        student_id = None if student is None else key_of(student, "Student", field="student")
    except RegistrarError:
        raise typer.BadParameter("no global id of a student", param_hint="--student") from None
    found = run(
        check(
            err,
            settings_of(data),
            student_id=student_id,
            sample=sample,
            resume=resume,
            jobs=jobs,
            remove_orphans=remove_orphans,
        )
    )
    if found.findings or found.orphans:
        out.print(found.table())
    ended = found.run
    out.print(
        f"{ended.checked} scans checked, {ended.damaged} damaged; {ended.orphans} orphans, {ended.removed} removed: "
        + ("sound" if found.sound else "NOT SOUND"),
        highlight=False,
        soft_wrap=True,
    )
    if report is not None:
        try:
            write_report(found, report)
        except ServerError as error:
            fail(*error.lines)
    if not found.sound:
        raise typer.Exit(1)
