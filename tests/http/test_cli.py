"""The `registrar` command against a running server, as transcripts."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import archive_store.students.exports as exports
from api.cli.main import app
from api.dev.demo import demo_paper
from api.dev.issuer import DemoIssuer
from api.dev.roster import demo_workbook
from api.dev.stack import EmbeddedStack
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.keyring import Keyring
from archive_store.scans.uploads import file_scan
from archive_store.students.documents import Export
from schema.nodes import global_id
from tests.foundation.vault_double import OPERATOR, SERVER, vault_double
from tests.school import School

SAMPLE = Path(__file__).parent.parent / "samples" / "roster-2023.xlsx"


@pytest.fixture
def run(server: str, issuer: DemoIssuer) -> Any:
    async def invoke(*words: str, subject: str = "information") -> Any:
        token = issuer.token(subject, seconds=600)
        environment = {"REGISTRAR_URL": server, "REGISTRAR_TOKEN": token, "COLUMNS": "400", "NO_COLOR": "1"}
        # The command runs a loop of its own, so it gets a thread of its own.
        return await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)

    return invoke


async def test_importing_the_sample_roster(school: School, run: Any) -> None:
    dry = await run("import", str(SAMPLE), "--dry-run")
    assert dry.exit_code == 2
    assert "600 rows: would add 581, already on record 0, refused 19" in dry.output
    assert (
        "row 145 联系电话 invalid_phone: 电话号码格式不对。 The phone number is not well formed."
        in dry.output
    )
    output = (await run("import", str(SAMPLE), "--dry-run", "--json")).stdout
    # The server's log, of the same process here, begins its lines with the year.
    told = json.loads("".join(line for line in output.splitlines() if not line.startswith("20")))
    expected = json.loads(SAMPLE.with_name("roster-2023.expected.json").read_text())
    bad = {row["sheet_row"]: [(e["column"], e["code"]) for e in row["errors"]] for row in told["bad"]}
    for row in expected["bad"]:
        assert bad.pop(row["sheet_row"]) == [(e["column"], e["code"]) for e in row["errors"]]
    # What is left shares its identity number with another row; see test_roster_rules.
    assert set(map(tuple, bad.values())) == {(("身份证件号", "duplicate"),)}
    assert told["rows"] == expected["rows"] == told["valid"] + len(told["bad"])
    done = await run("import", str(SAMPLE))
    assert "600 rows: added 581, already on record 0, refused 19" in done.output
    again = await run("import", str(SAMPLE))
    assert "600 rows: added 0, already on record 581, refused 19" in again.output


async def test_what_import_refuses(school: School, run: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.xlsx"
    empty.touch()
    told = await run("import", str(empty))
    assert (told.exit_code, "error: 文件是空的。 The file is empty." in told.output) == (1, True)
    roster = tmp_path / "roster.xlsx"
    roster.write_bytes(demo_workbook(2, cohort=2033))
    assert "code forbidden" in (await run("import", str(roster), subject="teacher")).output
    told = await run("import", str(roster), subject="nobody")
    assert (told.exit_code, "code unauthenticated" in told.output) == (1, True)
    assert (await run("import", str(roster))).exit_code == 0


async def test_a_scan_goes_up_and_comes_down(school: School, run: Any, tmp_path: Path) -> None:
    student = global_id("Student", (await school.student()).key)
    paper = tmp_path / "2023级第2批户口簿.tiff"
    paper.write_bytes(demo_paper("TIFF", pages=3))
    up = await run("scan", "upload", str(paper), "--student", student, subject="archive")
    assert up.exit_code == 0, up.output
    scan = up.stdout.strip().splitlines()[-1]
    target = tmp_path / "back.tiff"
    refused = await run("scan", "download", scan, str(target), subject="archive")
    assert (refused.exit_code, target.exists()) == (1, False)
    unsaid = await run("scan", "download", scan, str(target), subject="director")
    assert (unsaid.exit_code, "code purpose_required" in unsaid.output) == (1, True)
    said = await run("scan", "download", scan, str(target), "--purpose", "核对", subject="director")
    assert said.exit_code == 0
    assert target.read_bytes() == paper.read_bytes()
    twice = await run("scan", "download", scan, str(target), subject="director")
    assert (twice.exit_code, "exists already" in twice.output) == (1, True)
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []
    other = tmp_path / "scan001.tiff"
    other.write_bytes(paper.read_bytes())
    assert "code invalid_file_name" in (await run("scan", "upload", str(other), "--student", student)).output
    named = await run("scan", "upload", str(other), "--student", student, "--name", "2023级体检表")
    assert named.exit_code == 0


async def test_an_export_is_a_workbook_by_its_ending_or_by_its_option(
    school: School, run: Any, tmp_path: Path
) -> None:
    named, told = tmp_path / "students.XLSX", tmp_path / "students.dat"
    asked = ["--purpose", "核对"]
    assert (await run("export", str(named), *asked, subject="director")).exit_code == 0
    assert (await run("export", str(told), "--file-type", "xlsx", *asked, subject="director")).exit_code == 0
    assert named.read_bytes() == told.read_bytes()
    assert named.read_bytes()[:2] == b"PK"
    again = await run("import", str(named), "--dry-run", subject="director")
    assert (again.exit_code, "6 rows: would add 0, already on record 6, refused 0" in again.output) == (
        0,
        True,
    )
    unknown = await run("export", str(tmp_path / "a.pdf"), "--file-type", "pdf", subject="director")
    assert (unknown.exit_code, "there are csv and xlsx" in unknown.output) == (1, True)
    assert not (tmp_path / "a.pdf").exists()


async def test_an_export_is_written_whole_and_imported_again(
    school: School, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "students.csv"
    unsaid = await run("export", str(target), "--columns", "姓名,联系电话", subject="director")
    assert (unsaid.exit_code, "code purpose_required, field columns.联系电话" in unsaid.output) == (1, True)
    refused = await run("export", str(target), "--columns", "联系电话", "--purpose", "核对")
    assert (refused.exit_code, "code forbidden, field columns.联系电话" in refused.output) == (1, True)
    assert list(tmp_path.iterdir()) == []
    done = await run("export", str(target), "--purpose", "核对", subject="director")
    assert (done.exit_code, f"wrote {target}" in done.output) == (0, True)
    assert target.stat().st_mode & 0o777 == 0o600
    again = await run("import", str(target), "--dry-run", subject="director")
    assert (again.exit_code, "6 rows: would add 0, already on record 6, refused 0" in again.output) == (
        0,
        True,
    )
    twice = await run("export", str(target), subject="director")
    assert (twice.exit_code, "exists already" in twice.output) == (1, True)
    part = tmp_path / "part.csv"
    chosen = ["--columns", "姓名", "--class-name", "2023级9班", "--grade", "七年级", "--status", "ENROLLED"]
    assert (await run("export", str(part), *chosen)).exit_code == 0
    assert part.read_text(encoding="utf-8-sig").splitlines() == ["姓名"]

    whole = exports.list_students

    async def torn(*args: Any, **asked: Any) -> Any:
        if asked["after"] is not None:
            raise RegistrarError(ErrorCode.TRY_AGAIN)
        return await whole(*args, **asked)

    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    monkeypatch.setattr(exports, "list_students", torn)
    broken = await run("export", str(tmp_path / "torn.csv"), "--columns", "姓名")
    assert (broken.exit_code, "error:" in broken.output) == (1, True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["part.csv", "students.csv"]


async def test_a_client_that_hangs_up_while_a_page_is_read(
    school: School, server: str, issuer: DemoIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = exports.list_students

    async def slow(*args: Any, **asked: Any) -> Any:
        if asked["after"] is not None:
            await asyncio.sleep(60)
        return await whole(*args, **asked)

    monkeypatch.setattr(exports, "PAGE_ROWS", 2)
    monkeypatch.setattr(exports, "list_students", slow)
    headers = {"Authorization": f"Bearer {issuer.token('logistics', seconds=600)}"}
    async with (
        httpx.AsyncClient(base_url=server, headers=headers) as client,
        client.stream("GET", "/exports/students.csv") as response,
    ):
        assert (await anext(response.aiter_text())).startswith("\ufeff姓名")
    records = school.store.database.collection(Export)
    for _ in range(400):
        if record := await records.find_one({"rows": 2}):
            break
        await asyncio.sleep(0.05)
    assert record is not None
    assert record["is_complete"] is False


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    roster = tmp_path / "roster.xlsx"
    roster.write_bytes(demo_workbook(1))
    told = CliRunner().invoke(app, ["import", str(roster), "--url", "http://127.0.0.1:9", "--token", "x"])
    assert (told.exit_code, "is the server running?" in told.output) == (1, True)


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("", "x", "no address of a server"),
        ("registrar.test", "x", "no address of a server"),
        ("ftp://registrar.test", "x", "no address of a server"),
        ("http://", "x", "no address of a server"),
        ("http://[", "x", "error:"),
        ("http://registrar.test:port", "x", "no address of a server"),
        ("http://registrar.test:99999999", "x", "error:"),
        ("http://registrar.test\n", "x", "no address of a server"),
        ("http://\u2028", "x", "no address of a server"),
        ("http://127.0.0.1:9", "令牌", "no sign-in token"),
        ("http://127.0.0.1:9", "x\n", "no sign-in token"),
        ("http://127.0.0.1:9", "", "no sign-in token"),
    ],
)
def test_wrong_options_are_told_in_one_line(tmp_path: Path, url: str, token: str, told: str) -> None:
    roster = tmp_path / "roster.xlsx"
    roster.write_bytes(demo_workbook(1))
    commands = [["scan", "download", "x", str(tmp_path / "to")], ["import", str(roster)]]
    for words in commands:
        result = CliRunner().invoke(app, [*words, "--url", url, "--token", token], env={"COLUMNS": "400"})
        assert (result.exit_code, type(result.exception)) == (1, SystemExit)
        assert told in result.output
        assert result.output.count("error:") == 1


async def test_audit_verify(school: School, run: Any, stack: EmbeddedStack) -> None:
    sound = await run("audit", "verify", "--data", str(stack.directory))
    assert (sound.exit_code, "sound" in sound.output) == (0, True)
    students, student = school.store.database.mongo["students"], await school.student()
    await students.update_one({"_id": student.key}, {"$set": {"native_place": "无"}})
    edited = await run("audit", "verify", "--data", str(stack.directory))
    assert (edited.exit_code, f"unlike_record Student:{student.key}" in edited.output) == (1, True)
    await students.update_one({"_id": student.key}, {"$set": {"native_place": student.native_place}})
    entries = school.store.database.mongo["audit_entries"]
    await entries.update_one({"kind": "student:register"}, {"$set": {"actor_name": "Mallory"}})
    flawed = await run("audit", "verify", "--data", str(stack.directory))
    assert flawed.exit_code == 1
    assert "changed Student:" in flawed.output
    assert "FLAWED" in flawed.output
    await entries.update_one({"kind": "student:register"}, {"$set": {"sequence": 2_000_000}})
    gap = await run("audit", "verify", "--data", str(stack.directory))
    assert "entry 1–1999999\n" in gap.output
    assert len(gap.output.splitlines()) < 20


async def test_schema_export_and_token(run: Any, stack: EmbeddedStack, tmp_path: Path) -> None:
    assert "type Student implements Node" in (await run("schema", "export")).output
    target = tmp_path / "schema.graphql"
    assert (await run("schema", "export", str(target))).exit_code == 0
    assert "type Student implements Node" in target.read_text(encoding="utf-8")
    assert (await run("token", "director", "--data", str(stack.directory))).stdout.count(".") == 2
    assert "run `registrar dev` first" in (await run("token", "director", "--data", str(tmp_path))).output


async def test_keyring_create(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "keyring.json"
    assert (await run("keyring", "create", str(file))).exit_code == 0
    assert (await run("keyring", "create", str(file))).exit_code == 1


@pytest.fixture
def own_keyring(stack: EmbeddedStack, tmp_path: Path) -> Path:
    """A folder as of `registrar dev`, with a keyring file that a rotation may change."""
    settings = json.loads((stack.directory / "dev-settings.json").read_text())
    shutil.copy(settings["keyring_file"], tmp_path / "keyring.json")
    settings["keyring_file"] = str(tmp_path / "keyring.json")
    (tmp_path / "dev-settings.json").write_text(json.dumps(settings))
    return tmp_path


async def test_rotating_and_retiring_a_root_key(run: Any, school: School, own_keyring: Path) -> None:
    async def body() -> Any:
        yield demo_paper("JPEG", pages=1)

    student, archive = await school.student(), await school.viewer("archive")
    await file_scan(school.store, archive, student.key, "2023级体检表", body())
    data = ("--data", str(own_keyring))
    first = Keyring.load(own_keyring / "keyring.json").id
    rotated = await run("keyring", "rotate-scan-key", *data)
    assert (rotated.exit_code, rotated.output) == (0, f"{first}.2\n")
    refused = await run("keyring", "retire-scan-keys", *data)
    assert refused.exit_code == 1
    assert f"root key {first} still wraps 1 archive files and 0 uploads" in refused.output
    status = await run("keyring", "status", *data)
    assert f"{first}.2 (in use)" in status.output
    assert "to be wrapped under the root key in use: 1" in status.output
    assert "1 archive files" in (await run("keyring", "rotate-file-keys", *data)).output
    again = await run("keyring", "rotate-file-keys", *data)
    assert (again.exit_code, "code wrong_state" in again.output) == (1, True)
    assert "a new key: 1" in (await run("keyring", "status", *data)).output
    for told in (rotated, refused, status, again):
        assert "Traceback" not in told.output


async def test_rotating_at_a_vault_needs_the_right(run: Any, own_keyring: Path) -> None:
    file = own_keyring / "dev-settings.json"
    with vault_double() as double:
        for token, code, told in (
            (SERVER, 1, "Vault refuses the token"),
            (OPERATOR, 0, "vault:registrar:v2"),
        ):
            asked = {"root_keys": "vault", "vault_url": double.url, "vault_token": token}
            file.write_text(json.dumps(json.loads(file.read_text()) | asked))
            rotated = await run("keyring", "rotate-scan-key", "--data", str(own_keyring))
            assert (rotated.exit_code, told in rotated.output) == (code, True)
            assert token not in rotated.output


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("REGISTRAR_"):
            monkeypatch.delenv(name)
    told = CliRunner().invoke(app, ["serve"], env={"COLUMNS": "400"})
    assert told.exit_code == 1
    assert "REGISTRAR_MONGODB_URL" in told.output


async def test_audit_verify_of_what_is_not_there(run: Any, stack: EmbeddedStack, tmp_path: Path) -> None:
    told = await run("audit", "verify", "--data", str(tmp_path))
    assert (told.exit_code, "no data of `registrar dev`" in told.output) == (1, True)
    settings = json.loads((stack.directory / "dev-settings.json").read_text()) | {
        "mongodb_database": "mistyped"
    }
    (tmp_path / "dev-settings.json").write_text(json.dumps(settings))
    told = await run("audit", "verify", "--data", str(tmp_path))
    assert (told.exit_code, "no school is installed" in told.output) == (1, True)
    settings |= {"mongodb_url": "mongodb://127.0.0.1:9/?replicaSet=none"}
    (tmp_path / "dev-settings.json").write_text(json.dumps(settings))
    told = await run("audit", "verify", "--data", str(tmp_path))
    assert (told.exit_code, "the stores do not answer" in told.output) == (1, True)
    assert "Traceback" not in told.output
