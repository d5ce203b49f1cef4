"""Commands of `registrar`. On failure: one error line, then hint lines, and exit status 1."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.archive import archive_app
from api.cli.certificate import certificate_app, transcript_app
from api.cli.console import fail, out
from api.cli.grade_commands import grades_app
from api.cli.import_commands import Kind, Policy, imports_app
from api.cli.keyring import keyring_app
from api.cli.options import DEFAULT_URL, Purpose, Token, Url
from api.cli.running import Data, run, settings_from_environment, settings_of
from api.cli.scan_commands import scan_app
from archive_store.foundation.keyring import Keyring, KeyringError

app = typer.Typer(
    name="registrar", help="Student records (学籍管理).", no_args_is_help=True, add_completion=False
)
audit_app = typer.Typer(help="Export and verify the audit history.", no_args_is_help=True)
schema_app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
app.add_typer(scan_app, name="scan")
app.add_typer(grades_app, name="grades")
app.add_typer(imports_app, name="imports")
app.add_typer(audit_app, name="audit")
app.add_typer(schema_app, name="schema")
app.add_typer(keyring_app, name="keyring")
app.add_typer(archive_app, name="archive")
app.add_typer(certificate_app, name="certificate")
app.add_typer(transcript_app, name="transcript")


@app.command()
def serve() -> None:
    """Serve the API with the settings of the environment."""
    from api.graphiql.page import GraphiQLMissingError
    from api.serve import serve as serve_api
    from api.witnesses import witnesses_of

    settings = settings_from_environment()
    try:
        keyring = Keyring.load(settings.keyring_file)
    except KeyringError as error:
        fail(str(error), "registrar keyring create FILE makes a new one")
    if keyring.checkpoint is None:
        fail(
            f"the keyring {settings.keyring_file} has no checkpoint key",
            "registrar keyring rotate-checkpoint-key FILE makes it",
        )
    try:
        witnesses_of(settings)
    except ValueError as error:
        fail(f"REGISTRAR_AUDIT_WITNESSES: {error}", "docs/audit.md says how a witness is named")
    try:
        serve_api(settings)
    except GraphiQLMissingError as error:
        fail(str(error), "it is off by default, and not part of the container image")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8000,
    data: Annotated[Path, typer.Option(help="Where the embedded stack keeps its data.")] = Path(".registrar"),
    students: Annotated[int, typer.Option(min=1, max=5000, help="Students of the demo school.")] = 120,
    reset: Annotated[bool, typer.Option("--reset", help="Clear the data first.")] = False,
) -> None:
    """Start MongoDB and an S3 server, load a demo school once, and serve. Ctrl-C stops all of it."""
    from api.dev.session import DevSession

    DevSession(data, port=port, students=students, reset=reset).run()


@app.command()
def install(
    school: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON: first people and posts.")
    ],
) -> None:
    """Begin a school: both policies in their first version, and the first people with their posts."""
    from api.cli.install import install_school

    count = run(install_school(settings_from_environment(), school))
    out.print(f"installed {count} people")


@app.command("import")
def import_roster(
    roster: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="XLSX, XLS or CSV.")],
    token: Token,
    url: Url = DEFAULT_URL,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="A column that is headed otherwise, HEADER=OURS; HEADER= ignores it."),
    ] = None,
    policy: Annotated[
        Policy, typer.Option(case_sensitive=False, help="What becomes of rows that are bad or known.")
    ] = Policy.SKIP,
    kind: Annotated[
        Kind, typer.Option(case_sensitive=False, help="Students on the register, or candidates.")
    ] = Kind.REGISTER,
    stage: Annotated[str | None, typer.Option(help="Of candidates, such as SENIOR.")] = None,
    cohort: Annotated[int | None, typer.Option(help="Of candidates: the year of entrance (级).")] = None,
    batch: Annotated[str | None, typer.Option(help="Of candidates: 批次.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and report; enter nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Import a roster (花名册). Exit status 2 when rows were refused."""
    from api.cli.roster import Terms, import_file

    terms = Terms(kind.name, policy.name, columns or (), stage, cohort, batch)
    refused = run(import_file(out, url, token, roster, terms, dry_run=dry_run, as_json=as_json))
    if refused:
        raise typer.Exit(2)


@app.command("export")
def export_students(
    to: Annotated[Path, typer.Argument(help="File to write, .xlsx or .csv; must not exist.")],
    token: Token,
    columns: Annotated[str | None, typer.Option(help="Headers, with commas between them.")] = None,
    class_name: Annotated[str | None, typer.Option(help="Only this class (班级).")] = None,
    grade: Annotated[str | None, typer.Option(help="Only this grade (年级).")] = None,
    status: Annotated[str | None, typer.Option(help="Only this status, such as ENROLLED.")] = None,
    name_prefix: Annotated[str | None, typer.Option(help="Only names that begin so.")] = None,
    auxiliary_number: Annotated[str | None, typer.Option(help="Only this 学籍辅号.")] = None,
    file_type: Annotated[
        str | None, typer.Option(help="csv or xlsx.", show_default="by the ending of TO")
    ] = None,
    purpose: Purpose = "",
    url: Url = DEFAULT_URL,
) -> None:
    """Export student records as CSV or XLSX; the file appears when it is whole."""
    from api.cli.exports import export_file

    asked = {
        "columns": columns,
        "className": class_name,
        "grade": grade,
        "status": status,
        "namePrefix": name_prefix,
        "auxiliaryNumber": auxiliary_number,
    }
    run(export_file(url, token, to, file_type, purpose, asked))
    out.print(f"wrote {to}", highlight=False, soft_wrap=True)


@audit_app.command("export")
def audit_export(
    to: Annotated[Path, typer.Argument(help="Folder to write; must not exist.")],
    data: Data = None,
) -> None:
    """Write the history and its newest checkpoint into a folder that can be checked without database and keys."""
    from api.cli.audit import export

    settings = settings_of(data)
    written = run(export(settings, to))
    out.print(f"wrote {written.entries} entries to {to}", highlight=False, soft_wrap=True)


@audit_app.command("verify")
def audit_verify(
    folder: Annotated[
        Path | None, typer.Argument(exists=True, file_okay=False, help="An export; the database if left out.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Of an export: the verifier key that you trust, or a file of it.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Of an export: an older checkpoint; may be repeated."),
    ] = None,
    trust_exported_key: Annotated[
        bool,
        typer.Option("--trust-exported-key", help="Of an export: take its own key, which proves little."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Of an export: print the report as JSON.")] = False,
    data: Data = None,
) -> None:
    """Verify the history of the database, or of an export; exit status 1 and a line for each flaw when it changed."""
    from api.cli.audit import verify, verify_folder

    if folder is not None:
        if data is not None:
            raise typer.BadParameter("an export needs no data of `registrar dev`", param_hint="--data")
        if (key is None) is not trust_exported_key:
            raise typer.BadParameter(
                "give the verifier key, from elsewhere than the export", param_hint="--key"
            )
        verify_folder(folder, key, checkpoint or [], as_json=as_json)
        return
    if key is not None or checkpoint or trust_exported_key or as_json:
        raise typer.BadParameter("only an export is verified so", param_hint="FOLDER")
    report = run(verify(settings_of(data)))
    for finding in report.findings:
        # The subject may be whatever somebody wrote to the database.
        subject = "".join(char if char.isprintable() else "?" for char in finding.subject)
        told = f"{finding.flaw} {subject} entry {finding.place}"
        out.print(told, highlight=False, markup=False, soft_wrap=True)
    out.print(
        f"{report.entries} entries of {report.subjects} records: {'sound' if report.sound else 'FLAWED'}"
    )
    if report.waiting:
        out.print(f"{report.waiting} of them wait for their place in the log")
    if not report.sound:
        raise typer.Exit(1)


@schema_app.command("export")
def schema_export(
    to: Annotated[Path | None, typer.Argument(help="File to write; standard output if left out.")] = None,
) -> None:
    """Print the SDL."""
    from schema.root import export_sdl

    if to is None:
        sys.stdout.write(export_sdl())
    else:
        to.write_text(export_sdl(), encoding="utf-8")


@app.command()
def token(
    subject: Annotated[str, typer.Argument(help="`sub` of a demo person, such as `director`.")],
    data: Annotated[Path, typer.Option(help="Data of `registrar dev`.")] = Path(".registrar"),
    hours: Annotated[float, typer.Option(min=0.001, max=24 * 30)] = 12,
) -> None:
    """Sign a token with the demo issuer's key; a school's server does not trust it."""
    from api.dev.issuer import DemoIssuer

    try:
        issuer = DemoIssuer.load(data)
    except FileNotFoundError:
        fail(f"no demo issuer in {data}", "run `registrar dev` first")
    sys.stdout.write(issuer.token(subject, seconds=hours * 3600) + "\n")


def main() -> None:
    app()
