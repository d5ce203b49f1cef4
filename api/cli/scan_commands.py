"""`registrar scan`: papers into the archive, and out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.client import ServerError, details_of
from api.cli.console import err, fail, out
from api.cli.options import DEFAULT_URL, Purpose, Token, Url
from api.cli.running import run

scan_app = typer.Typer(help="Upload and download scans (扫描件).", no_args_is_help=True)
# 128 and the number of SIGINT, as shells have it.
_INTERRUPTED = 130

Scan = Annotated[str, typer.Argument(help="Global id of the scan.")]


@scan_app.command("upload")
def scan_upload(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files, and folders with files.")],
    token: Token,
    student: Annotated[
        str | None,
        typer.Option(help="Global id or number (学籍辅号) of the student; else by the files' names."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of one file: its policy name, if its own is not one.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=4, help="Files at once.")] = 3,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check names and students; write nothing.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="JSON file to write the report to.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Upload scans; run it again to go on after an interruption. Exit status 2 when files were refused."""
    from api.cli.scan_uploads import Batch
    from api.cli.upload_state import UploadState

    is_one = len(paths) == 1 and not paths[0].is_dir()
    if name is not None and not is_one:
        raise typer.BadParameter("a name is of one file", param_hint="--name")
    batch, state = Batch(paths, name=name, student=student), UploadState(url)
    if not batch.papers:
        fail("there is no scan to upload", "scans end with .pdf, .tif, .tiff, .jpg, .jpeg, .png or .ofd")
    if not dry_run:
        state.forget_old()
    try:
        run(batch.run(err, url, token, jobs=jobs, dry_run=dry_run, state=state))
    except KeyboardInterrupt:
        batch.print(out)
        err.print("interrupted; run the same command again, and it goes on", highlight=False)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        if report is not None:
            batch.write_report(report)
    (first, *_) = batch.papers
    if is_one and not dry_run and first.error is None:
        for warning in first.warnings:
            told = f"{warning['code']} {warning['message']['zh']} {warning['message']['en']}"
            err.print(told, highlight=False, markup=False, soft_wrap=True)
        out.print(first.scan, highlight=False, soft_wrap=True)
        return
    if is_one and first.error is not None:
        message = first.error["message"]
        fail(" ".join(filter(None, (message.get("zh"), message.get("en")))), *details_of(first.error))
    batch.print(out)
    if batch.count("refused"):
        raise typer.Exit(2)


@scan_app.command("list")
def scan_list(
    student: Annotated[str, typer.Option(help="Global id or number (学籍辅号) of the student.")],
    token: Token,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """List the scans of a student, newest first, as far as you may know of them."""
    from api.cli.scans import list_scans, print_scans

    scans = run(list_scans(url, token, student))
    if as_json:
        out.print_json(data=scans)
    else:
        print_scans(out, scans)


@scan_app.command("verify")
def scan_verify(
    what: Annotated[str, typer.Argument(metavar="SCAN|FILE", help="Global id of a scan, or a file here.")],
    token: Token,
    student: Annotated[
        str | None, typer.Option(help="Of a file: global id or number of the student; else by its name.")
    ] = None,
    purpose: Purpose = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Download a scan and compare its digest; or tell whether a file is in the archive. Exit status 2 if it is not."""
    from api.cli.scans import find_filed, verify

    file = Path(what)
    if file.is_file():
        scan = run(find_filed(url, token, file, student))
        if scan is None:
            err.print("no scan of the student has these bytes", highlight=False)
            raise typer.Exit(2)
        out.print(scan, highlight=False, soft_wrap=True)
        return
    try:
        size = run(verify(err, url, token, what, purpose))
    except ServerError as error:
        fail(*error.lines)
    out.print(f"sound: {size} bytes have the digest that was filed", highlight=False)


@scan_app.command("download")
def scan_download(
    scan: Scan,
    to: Annotated[Path, typer.Argument(help="File to write; must not exist.")],
    token: Token,
    purpose: Purpose = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Download a scan with a progress bar; the file appears when its digest is right. Run it again to go on."""
    from api.cli.scans import download

    run(download(err, url, token, scan, to, purpose))
