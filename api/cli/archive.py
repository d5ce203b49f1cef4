"""Commands of `registrar archive`: checking the archive, and packages that hand an archive file over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import err, fail, out
from api.cli.options import DEFAULT_URL, Purpose, Token, Url
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


@archive_app.command("package")
def archive_package(
    student: Annotated[str, typer.Argument(help="Global id of the student.")],
    to: Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")],
    token: Token,
    unit: Annotated[
        str | None,
        typer.Option(help="Name of the school that hands over (移交单位); else that of its audit log."),
    ] = None,
    without_withheld: Annotated[
        bool, typer.Option("--without-withheld", help="Leave out what you may not read, and say so in it.")
    ] = False,
    purpose: Purpose = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Write a student's scans as a transfer package (移交包): in plaintext, in a folder for you alone."""
    from api.cli.package_verification import bag_digest, lines_of
    from api.cli.packages import make_package

    checks = run(
        make_package(
            err, url, token, student, to, unit=unit, purpose=purpose, without_withheld=without_withheld
        )
    )
    out.print(lines_of(checks), highlight=False, markup=False, soft_wrap=True)
    out.print(f"wrote {to}\nbag digest {bag_digest(to)}", highlight=False, soft_wrap=True)


@archive_app.command("verify-package")
def archive_verify_package(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="The transfer package.")],
    key: Annotated[
        str | None, typer.Option(help="Verifier key of the school's audit log, or a file of it.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="File to write the receipt (交接凭证) to.")] = None,
    receiver: Annotated[str | None, typer.Option(help="Who receives it (接收单位), for the receipt.")] = None,
) -> None:
    """Check a transfer package again, offline; exit status 1 where it is refused."""
    from api.cli.client import ServerError
    from api.cli.package_verification import bag_digest, lines_of, verify_package, write_receipt
    from archive_store.preservation.packages_check import all_passed

    if (receipt is None) is not (receiver is None):
        raise typer.BadParameter("a receipt names its receiver", param_hint="--receipt, --receiver")
    package, checks = run(verify_package(folder, key))
    out.print(lines_of(checks), highlight=False, markup=False, soft_wrap=True)
    passed = all_passed(checks)
    told = f"{len(package.scans)} scans of {package.unit}: {'passed' if passed else 'REFUSED'}"
    out.print(f"{told}\nbag digest {bag_digest(folder)}", highlight=False, markup=False, soft_wrap=True)
    if not passed:
        raise typer.Exit(1)
    if receipt is not None and receiver is not None:
        try:
            write_receipt(folder, package, checks, receipt, receiver)
        except ServerError as error:
            fail(*error.lines)
