"""`registrar scan` against a running server: folders, interruptions, reports, downloads that go on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.cli.tus_client import Sending
from api.cli.upload_state import Sent, UploadState
from api.dev.demo import demo_paper
from api.dev.issuer import DemoIssuer
from archive_store.scans.documents import Scan
from archive_store.scans.upload_documents import UPLOADS
from schema.nodes import global_id, key_of
from tests.http.serving import MortalServer
from tests.http.test_scan_ranges import views
from tests.http.test_tus import MIB, stored
from tests.scans.test_pipeline import filed, pdf, stored_objects
from tests.school import School

ROOT = Path(__file__).parents[2]


class Cli:
    """The command line of one person."""

    def __init__(self, url: str, issuer: DemoIssuer, home: Path) -> None:
        self.state = home / "state"
        self._url = url
        self._issuer = issuer

    def environment(self, subject: str) -> dict[str, str]:
        return {
            "REGISTRAR_URL": self._url,
            "REGISTRAR_TOKEN": self._issuer.token(subject, seconds=600),
            "XDG_STATE_HOME": str(self.state),
            "COLUMNS": "400",
            "NO_COLOR": "1",
        }

    async def run(self, *words: str, subject: str = "archive") -> Any:
        # The command runs a loop of its own, so it gets a thread of its own.
        environment = self.environment(subject)
        return await asyncio.to_thread(CliRunner().invoke, app, ["scan", *words], env=environment)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """As a process, so that it can be interrupted."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from api.cli.main import main; main()",
            "scan",
            *words,
            cwd=ROOT,
            env=os.environ | self.environment("archive"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def cli(server: str, issuer: DemoIssuer, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(server, issuer, tmp_path_factory.mktemp("home"))


async def folder_of_papers(
    school: School, folder: Path, count: int = 12, size: int = 300_000
) -> dict[str, bytes]:
    """Papers of two students in two folders, named for their students; by their names."""
    numbers = [(await school.student(position)).auxiliary_number for position in (0, 1)]
    contents = {}
    for number in range(count):
        below = folder / f"箱{number % 2}"
        below.mkdir(exist_ok=True)
        name = f"2023级第{number + 1}批户口簿-{numbers[number % 2]}.pdf"
        contents[name] = pdf(size + number)
        (below / name).write_bytes(contents[name])
    return contents


async def scans(school: School) -> dict[str, dict[str, Any]]:
    rows = await school.store.database.collection(Scan).find().to_list()
    return {row["file_name"]: row for row in rows}


async def require_filed(school: School, contents: dict[str, bytes]) -> None:
    found = await scans(school)
    assert len(found) == len(contents) == await school.store.database.collection(Scan).count_documents({})
    for name, content in contents.items():
        row = found[name.removesuffix(".pdf").replace("第1批", "")]
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        number = name.removesuffix(".pdf").rpartition("-")[2]
        student = await school.store.database.mongo["students"].find_one({"_id": row["student_id"]})
        assert student is not None
        assert student["auxiliary_number"] == number


async def test_a_folder(school: School, cli: Cli, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    contents = await folder_of_papers(school, papers)
    (papers / "Thumbs.db").write_bytes(b"x")
    (papers / ".hidden.pdf").write_bytes(b"%PDF-")
    report = tmp_path / "report.json"
    done = await cli.run("upload", str(papers), "--report", str(report), "--jobs", "4")
    assert done.exit_code == 0, done.output
    assert "12 files: 12 filed, 1 passed over" in done.output
    await require_filed(school, contents)
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["isWhole"], told["filed"], told["refused"], len(told["files"])) == (True, 12, 0, 12)
    assert [Path(other).name for other in told["notScans"]] == ["Thumbs.db"]
    for file in told["files"]:
        assert file["outcome"] == "filed"
        assert await stored(school, file["scan"]) == Path(file["file"]).read_bytes()
        assert "UNREADABLE" in [warning["code"] for warning in file["warnings"]]
    again = await cli.run("upload", str(papers), "--report", str(report))
    assert again.exit_code == 0
    assert "12 files: 12 already filed" in again.output
    await require_filed(school, contents)


async def test_some_are_refused_with_the_rule(school: School, cli: Cli, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    contents = await folder_of_papers(school, papers, 2)
    number = (await school.student()).auxiliary_number
    for name in ("scan001.pdf", "2023级成绩单.pdf", "2023级成绩单-99999.pdf"):
        (papers / name).write_bytes(pdf(1000))
    (papers / f"2023级体检表-{number}.pdf").write_bytes(b"MZ" + bytes(1000))
    report = tmp_path / "report.json"
    done = await cli.run("upload", str(papers), "--report", str(report))
    assert (done.exit_code, "6 files: 2 filed, 4 refused" in done.output) == (2, True), done.output
    files = {Path(file["file"]).name: file for file in json.loads(report.read_text())["files"]}
    assert files["scan001.pdf"]["error"]["code"] == "invalid_file_name"
    assert "policy §三(二)" in files["scan001.pdf"]["error"]["rule"]
    assert "no student number" in files["2023级成绩单.pdf"]["error"]["message"]["en"]
    assert "99999" in files["2023级成绩单-99999.pdf"]["error"]["message"]["en"]
    assert files[f"2023级体检表-{number}.pdf"]["error"]["code"] == "unsupported_media_type"
    await require_filed(school, contents)


async def test_a_dry_run_writes_nothing(school: School, cli: Cli, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    await folder_of_papers(school, papers, 3)
    number = (await school.student()).auxiliary_number
    (papers / f"2023级第9批户口簿-{number}.pdf").write_bytes(
        next(papers.rglob(f"2023级第1批户口簿-{number}.pdf")).read_bytes()
    )
    (papers / "2023成绩单.pdf").write_bytes(pdf(1000))
    report = tmp_path / "report.json"
    before, objects = await school.documents(), await stored_objects(school.store.objects)
    told = await cli.run("upload", str(papers), "--dry-run", "--report", str(report))
    assert (told.exit_code, "5 files: 4 would be filed, 1 refused" in told.output) == (2, True), told.output
    files = {Path(file["file"]).name: file for file in json.loads(report.read_text())["files"]}
    assert "Suggested: 2023级成绩单" in files["2023成绩单.pdf"]["error"]["message"]["en"]
    equal = [name for name, file in files.items() if file["warnings"]]
    assert len(equal) == 1
    assert files[equal[0]]["warnings"][0]["code"] == "DUPLICATE"
    assert await school.documents() == before
    assert await stored_objects(school.store.objects) == objects
    assert not cli.state.exists()


async def test_one_file_as_ever(school: School, cli: Cli, tmp_path: Path) -> None:
    student = await school.student()
    paper = tmp_path / "scan.tiff"
    paper.write_bytes(demo_paper("TIFF", pages=2))
    by_id = await cli.run(
        "upload", str(paper), "--student", global_id("Student", student.key), "--name", "2023级户口簿"
    )
    assert by_id.exit_code == 0, by_id.output
    scan = by_id.stdout.strip().splitlines()[-1]
    assert await stored(school, scan) == paper.read_bytes()
    by_number = await cli.run(
        "upload", str(paper), "--student", student.auxiliary_number, "--name", "2023级体检表"
    )
    assert by_number.exit_code == 0
    wrong = await cli.run("upload", str(paper), "--student", global_id("Student", student.key))
    assert (wrong.exit_code, "invalid_file_name" in wrong.output) == (1, True)
    unread = await cli.run("upload", str(paper), "--name", "2023级户口簿-1", subject="logistics")
    assert unread.exit_code == 1
    ended = await cli.run("upload", str(paper), "--name", "2023级户口簿", "--student", scan, subject="nobody")
    assert (ended.exit_code, "unauthenticated" in ended.output) == (1, True)
    nothing = await cli.run("upload", str(tmp_path), "--name", "x", "--student", scan)
    assert nothing.exit_code == 2


async def until(is_so: Any) -> None:
    async with asyncio.timeout(60):
        while not await is_so():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


async def test_ctrl_c_in_the_middle_and_again(school: School, cli: Cli, tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    contents = await folder_of_papers(school, papers, 6, 20 * MIB)
    uploads = school.store.database.mongo[UPLOADS]
    running = await cli.start("upload", str(papers), "--jobs", "2")

    async def is_in_the_middle() -> bool:
        return await uploads.count_documents({"status": "UPLOADING", "offset": {"$gte": 8 * MIB}}) > 0

    await until(is_in_the_middle)
    running.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(running.communicate(), 60)
    assert running.returncode == 130, errors.decode()
    assert "run the same command again" in errors.decode()
    assert "Traceback" not in errors.decode()
    assert "left" in output.decode()
    begun = {row["_id"] for row in await uploads.find({}).to_list()}
    done = await cli.run("upload", str(papers), "--jobs", "2")
    assert done.exit_code == 0, done.output
    await require_filed(school, contents)
    # None was begun anew.
    assert begun <= {row["_id"] for row in await uploads.find({"status": "FILED"}).to_list()}
    assert await uploads.count_documents({}) == len(contents)
    for file in (cli.state / "registrar" / "uploads").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert not re.search(r"ey[\w-]+\.", file.read_text())


async def test_the_server_is_killed_meanwhile(
    school: School, mortal: MortalServer, issuer: DemoIssuer, tmp_path: Path
) -> None:
    papers, cli = tmp_path / "papers", Cli(mortal.url, issuer, tmp_path)
    papers.mkdir()
    contents = await folder_of_papers(school, papers, 3, 20 * MIB)
    await asyncio.to_thread(mortal.start)
    uploads = school.store.database.mongo[UPLOADS]
    running = await cli.start("upload", str(papers))

    async def is_in_the_middle() -> bool:
        return await uploads.count_documents({"status": "UPLOADING", "offset": {"$gte": 8 * MIB}}) > 0

    await until(is_in_the_middle)
    await asyncio.to_thread(mortal.kill)
    # What the dead server held is free after half a minute.
    await uploads.update_many({}, {"$set": {"holder": None, "held_until": None}})
    await asyncio.to_thread(mortal.start)
    output, errors = await asyncio.wait_for(running.communicate(), 120)
    assert running.returncode == 0, output.decode() + errors.decode()
    await require_filed(school, contents)
    assert await uploads.count_documents({}) == len(contents)


async def test_an_upload_that_expired_meanwhile_begins_anew(school: School, cli: Cli, tmp_path: Path) -> None:
    student, paper = await school.student(), tmp_path / "2023级户口簿.pdf"
    paper.write_bytes(pdf(1000))
    digest, key = hashlib.sha256(paper.read_bytes()).hexdigest(), global_id("Student", student.key)
    url = cli.environment("archive")["REGISTRAR_URL"]
    gone = f"{url}/scans/uploads/{global_id('ScanUpload', student.key)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(cli.state))
        UploadState(url).keep(key, paper.stem, digest, Sent(upload=gone))
    done = await cli.run("upload", str(paper), "--student", key)
    assert done.exit_code == 0, done.output
    # Filed before, but not there any more: it is filed again.
    await school.store.database.collection(Scan).delete_many({})
    again = await cli.run("upload", str(paper), "--student", key)
    assert again.exit_code == 0
    assert await school.store.database.collection(Scan).count_documents({}) == 1


async def test_a_file_that_changes_meanwhile_is_not_filed(
    school: School, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, paper = await school.student(), tmp_path / "2023级户口簿.pdf"
    paper.write_bytes(pdf(9 * MIB))
    whole = Sending._read

    def cut(self: Sending, offset: int) -> bytes:
        if offset:
            paper.write_bytes(pdf(8 * MIB))
        return whole(self, offset)

    monkeypatch.setattr(Sending, "_read", cut)
    told = await cli.run("upload", str(paper), "--student", global_id("Student", student.key))
    assert (told.exit_code, "changed while it was sent" in told.output) == (1, True)
    assert await school.store.database.collection(Scan).count_documents({}) == 0


async def test_list_and_verify(school: School, cli: Cli, tmp_path: Path) -> None:
    student, content = await school.student(), pdf(5000)
    scan = global_id("Scan", (await filed(school, content)).key)
    for named in (student.auxiliary_number, global_id("Student", student.key)):
        told = await cli.run("list", "--student", named, subject="director")
        assert (told.exit_code, scan in told.output) == (0, True)
    output = (await cli.run("list", "--student", student.auxiliary_number, "--json")).stdout
    # The server's log, of the same process here, begins its lines with the year.
    (line,) = json.loads("".join(text for text in output.splitlines() if not text.startswith("20")))
    assert (line["id"], line["size"], line["sha256"]) == (scan, 5000, hashlib.sha256(content).hexdigest())
    assert [finding["code"] for finding in line["findings"]] == ["UNREADABLE"]
    assert (await cli.run("list", "--student", "99999")).exit_code == 1
    sound = await cli.run("verify", scan, "--purpose", "抽查", subject="director")
    assert (sound.exit_code, "sound: 5000 bytes" in sound.output) == (0, True)
    assert (await cli.run("verify", scan)).exit_code == 1
    paper = tmp_path / f"2023级户口簿-{student.auxiliary_number}.pdf"
    paper.write_bytes(content)
    found = await cli.run("verify", str(paper))
    assert (found.exit_code, found.stdout.strip().splitlines()[-1]) == (0, scan)
    paper.write_bytes(content + b"x")
    assert (await cli.run("verify", str(paper))).exit_code == 2


async def test_a_damaged_scan_is_not_sound(school: School, cli: Cli) -> None:
    scan = await filed(school, pdf(5000))
    await school.store.database.collection(Scan).update_one({"_id": scan.key}, {"$set": {"sha256": "0" * 64}})
    told = await cli.run("verify", global_id("Scan", scan.key), "--purpose", "抽查", subject="director")
    assert (told.exit_code, "does not match" in told.output) == (1, True)


async def test_a_download_goes_on(school: School, cli: Cli, tmp_path: Path) -> None:
    content = pdf(9 * MIB)
    scan = await filed(school, content, length=len(content))
    text, target = global_id("Scan", scan.key), tmp_path / "paper.pdf"
    part = tmp_path / f"paper.pdf.{scan.sha256[:16]}.part"
    part.write_bytes(content[: 5 * MIB])
    words = ("download", text, str(target), "--purpose", "核对")
    done = await cli.run(*words, subject="director")
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["paper.pdf"]
    assert await views(school) == 1
    target.unlink()
    # A part with other bytes is found out at the end, and is not gone on with again.
    part.write_bytes(bytes(5 * MIB))
    wrong = await cli.run(*words, subject="director")
    assert (wrong.exit_code, "does not match its digest" in wrong.output) == (1, True)
    assert list(tmp_path.iterdir()) == []
    assert (await cli.run(*words, subject="director")).exit_code == 0
    refused = await cli.run("download", text, str(tmp_path / "x"))
    assert (refused.exit_code, "code forbidden" in refused.output) == (1, True)
    assert key_of(text, "Scan", field="id") == scan.key


async def test_a_download_is_interrupted(school: School, cli: Cli, tmp_path: Path) -> None:
    content = pdf(200 * MIB)
    scan = await filed(school, content, length=len(content))
    target = tmp_path / "paper.pdf"
    part = tmp_path / f"paper.pdf.{scan.sha256[:16]}.part"

    async def has_begun() -> bool:
        return part.exists() and part.stat().st_size > MIB

    cli_of_director = cli.environment("director")
    words = ("scan", "download", global_id("Scan", scan.key), str(target), "--purpose", "核对")
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from api.cli.main import main; main()", *words,
        cwd=ROOT, env=os.environ | cli_of_director, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until(has_begun)
    running.send_signal(signal.SIGINT)
    await asyncio.wait_for(running.communicate(), 60)
    left = part.stat().st_size
    assert 0 < left < len(content)
    assert not target.exists()
    done = await cli.run(*words[1:], subject="director")
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == content
    assert await views(school) == 1
