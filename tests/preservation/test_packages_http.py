"""A student's archive file handed over by the commands against a running server, and checked again by its receiver."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bagit
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.dev.demo import demo_paper
from api.dev.issuer import DemoIssuer
from archive_store.audit.sequencer import sequence_entries
from archive_store.foundation.settings import Settings
from archive_store.preservation.packages import TAG_FILES, TAG_MANIFEST
from archive_store.preservation.packages_xml import parse_encapsulation, parse_xml
from archive_store.scans.documents import Scan
from archive_store.scans.uploads import file_scan
from schema.nodes import global_id
from tests.http.serving import running_server
from tests.preservation import archive
from tests.preservation.stored_scans import stored
from tests.preservation.test_disposal import propose, signed_but_for_the_principal
from tests.scans.test_pipeline import body
from tests.school import School

UNIT = "第一中学"
PAPERS = {"2023级户口簿": ("TIFF", 3), "2023级第2批新生学籍信息表": ("PDF", 2), "2023级学籍卡": ("JPEG", 1)}


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[str]:
    """The address of a server on the same stack."""
    with running_server(settings) as url:
        yield url


@pytest.fixture
def run(server: str, issuer: DemoIssuer) -> Any:
    async def invoke(*words: str, subject: str = "director") -> Any:
        token = issuer.token(subject, seconds=600)
        environment = {"REGISTRAR_URL": server, "REGISTRAR_TOKEN": token, "COLUMNS": "250", "NO_COLOR": "1"}
        return await asyncio.to_thread(CliRunner().invoke, app, ["archive", *words], env=environment)

    return invoke


async def verified(folder: Path, *words: str) -> Any:
    """By the receiver, who has no server, no settings and no database."""
    command = ["archive", "verify-package", str(folder), *words]
    environment = {"COLUMNS": "250", "NO_COLOR": "1"}
    return await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)


async def file_papers(school: School) -> dict[str, tuple[Scan, bytes]]:
    student, viewer = await school.student(), await school.viewer("archive")
    filed = {}
    for name, (kind, pages) in PAPERS.items():
        content = demo_paper(kind, pages=pages)
        scan = await file_scan(school.store, viewer, student.key, name, body(content))
        filed[name] = (await stored(school, scan.key), content)
    await sequence_entries(school.store, seconds=60)
    return filed


@pytest.fixture
async def student(school: School) -> str:
    return global_id("Student", (await school.student()).key)


@pytest.fixture
def packed(school: School, student: str, run: Any, tmp_path: Path) -> Any:
    """Makes the package of the papers."""

    async def make(*words: str, subject: str = "director", purpose: str = "移交市档案馆") -> Any:
        target = tmp_path / "package"
        given = ["--out", str(target), "--unit", UNIT, "--purpose", purpose, *words]
        return target, await run("package", student, *given, subject=subject)

    return make


async def test_an_archive_file_is_handed_over_and_received(
    school: School, student: str, packed: Any, tmp_path: Path
) -> None:
    papers = await file_papers(school)
    folder, done = await packed()
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    payload = {file.stem: file.read_bytes() for file in (folder / "data").iterdir()}
    assert payload == {name: content for name, (_, content) in papers.items()}
    assert {file.suffix for file in (folder / "data").iterdir()} == {".tif", ".pdf", ".jpg"}
    assert bagit.Bag(str(folder)).is_valid() and bagit.Bag(str(folder)).version_info == (1, 0)
    package = parse_encapsulation((folder / "metadata/encapsulation.xml").read_bytes())
    assert (package.unit, package.student_id, package.withheld) == (UNIT, student, 0)
    assert package.student_name == (await school.student()).name
    for scan in package.scans:
        filed, content = papers[scan.title]
        assert scan.sha256 == hashlib.sha256(content).hexdigest() == filed.sha256
        assert (scan.id, scan.size) == (global_id("Scan", filed.key), len(content))
        assert (scan.page_count, scan.retention) == (PAPERS[scan.title][1], "PERMANENT")
        assert [event.kind for event in scan.events] == ["scan:file", "scan:view"]
        assert scan.events[1].actor == (await school.viewer("director")).name
    history = json.loads((folder / "metadata/history.json").read_text())
    # Of the viewings that made the package the log has no place yet.
    assert len(history["proofs"]) == len(papers)

    key = school.store.keyring.checkpoint
    assert key is not None
    receipt = tmp_path / "receipt.xml"
    received = await verified(
        folder, "--key", key.verifier_key, "--receipt", str(receipt), "--receiver", "市档案馆"
    )
    assert received.exit_code == 0, received.output
    assert (
        "3 entries are under the checkpoint" in received.output
        and "signed by the given key" in received.output
    )
    digest = hashlib.sha256((folder / TAG_MANIFEST).read_bytes()).hexdigest()
    assert f"bag digest {digest}" in received.output and f"bag digest {digest}" in done.output
    told = parse_xml(receipt.read_bytes())
    size = sum(len(content) for _, content in papers.values())
    assert {name: told.findtext(name) for name in ("移交单位", "接收单位", "移交件数", "移交字节数")} == {
        "移交单位": UNIT,
        "接收单位": "市档案馆",
        "移交件数": "3",
        "移交字节数": str(size),
    }
    assert (told.findtext("移交包摘要"), told.findtext("四性检测结论")) == (digest, "通过")
    assert (await verified(folder)).exit_code == 0
    again = await verified(folder, "--receipt", str(receipt), "--receiver", "市档案馆")
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    within = await verified(folder, "--receipt", str(folder / "receipt.xml"), "--receiver", "x")
    assert (within.exit_code, (folder / "receipt.xml").exists()) == (1, False)
    assert (await verified(folder, "--receiver", "x")).exit_code == 2
    other = "other.example+" + key.verifier_key.split("+", 1)[1]
    assert (await verified(folder, "--key", other)).exit_code == 1


def append(path: Path) -> None:
    with path.open("ab") as opened:
        opened.write(b"\n")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_name("other.pdf"))


def link(path: Path) -> None:
    path.rename(path.parent.parent.parent / path.name)
    path.symlink_to(path.parent.parent.parent / path.name)


def write_anew(folder: Path) -> None:
    """As somebody does who knows how a bag is made: every digest of the tag files is made anew."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(TAG_FILES)
        if (folder / name).exists()
    ]
    (folder / TAG_MANIFEST).write_text("".join(lines))


async def test_whatever_was_changed_is_refused(school: School, packed: Any, tmp_path: Path) -> None:
    await file_papers(school)
    folder, done = await packed()
    assert done.exit_code == 0, done.output
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    assert len(files) == 3 + len(TAG_FILES) + 1
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    write_anew(changed)
    assert (await verified(changed)).exit_code == 0
    shutil.rmtree(changed)

    async def refused(change: Callable[[Path], object], file: Path, anew: bool = False) -> None:
        shutil.copytree(folder, changed, symlinks=True)
        change(changed / file)
        if anew:
            write_anew(changed)
        told = await verified(changed)
        assert told.exit_code == 1, (change, file, told.output)
        assert "REFUSED" in told.output
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        shutil.rmtree(changed)

    for file in files:
        for change in (flip, append, remove):
            if file.name == TAG_MANIFEST and change is append:
                continue  # an empty line is none
            await refused(change, file)
    for file in files:
        if file.parts[0] == "data":
            for change in (rename, link, flip, remove):
                await refused(change, file, anew=True)
    await refused(lambda path: (path.parent / "more.txt").write_text("x"), Path("bagit.txt"))
    await refused(lambda path: (path.parent / "data/more.txt").write_text("x"), Path("bagit.txt"))
    await refused(
        lambda path: (path.parent / "fetch.txt").write_text("http://x 1 data/x\n"), Path("bagit.txt")
    )
    await refused(lambda path: os.mkfifo(path.parent / "data/pipe"), Path("bagit.txt"))
    await refused(lambda path: (path.parent / "more").mkdir(), Path("bagit.txt"))

    def replaced(old: str, new: str) -> Callable[[Path], object]:
        def change(path: Path) -> None:
            text = path.read_text()
            assert re.search(old, text)
            path.write_text(re.sub(old, new, text, count=1))

        return change

    encapsulation, manifest = Path("metadata/encapsulation.xml"), Path("manifest-sha256.txt")
    for old, new in (
        ("<页数>3<", "<页数>4<"),
        ("<保管期限>永久<", "<保管期限>短期<"),
        ("<格式信息>image/tiff<", "<格式信息>image/jpeg<"),
        ("<编码数据>[0-9a-f]", "<编码数据>x"),
        ("<题名>2023级户口簿<", "<题名>户口簿<"),
        ("<业务行为>scan:file<", "<业务行为>scan:view<"),
        ("<计算机文件名>data/2023级户口簿", "<计算机文件名>/etc/passwd"),
        ("<文件实体块>", "<文件实体块><文件实体/>"),
        ("<电子文件封装包", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><电子文件封装包"),
        ("</封装包创建单位>", "&e;</封装包创建单位>"),
        ("<版本>", "<版本"),
    ):
        await refused(replaced(old, new), encapsulation, anew=True)
    await refused(replaced("data/2023级户口簿", "../../etc/passwd"), manifest, anew=True)
    await refused(replaced(r"\A", f"{'0' * 64}  data/none.pdf\n"), manifest, anew=True)
    await refused(replaced(r"Oxum: [0-9]+", "Oxum: 1"), Path("bag-info.txt"), anew=True)
    await refused(replaced('"leafHash": ".', '"leafHash": "'), Path("metadata/history.json"), anew=True)
    await refused(replaced('"logIndex": [0-9]+', '"logIndex": 0'), Path("metadata/history.json"), anew=True)
    await refused(replaced("通过", "不通过"), Path("metadata/four-properties.xml"), anew=True)
    assert (await verified(folder)).exit_code == 0


async def test_what_is_withheld_makes_no_package_unless_it_is_said(
    school: School, packed: Any, tmp_path: Path
) -> None:
    papers = await file_papers(school)
    _, refused = await packed(purpose="")
    assert refused.exit_code == 1 and "3 scans are withheld from you" in refused.output
    for scan, _ in papers.values():
        assert f"{global_id('Scan', scan.key)} purpose_required" in refused.output
    assert list(tmp_path.iterdir()) == []
    _, nothing = await packed("--without-withheld", purpose="")
    assert (nothing.exit_code, "no scan to hand over" in nothing.output) == (1, True)
    _, forbidden = await packed(subject="archive")
    assert forbidden.exit_code == 1 and "3 scans are withheld from you" in forbidden.output
    _, unknown = await packed(subject="logistics")
    assert (unknown.exit_code, "no such student" in unknown.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


async def test_a_sealed_paper_is_left_out_by_name_of_its_id_alone(school: School, packed: Any) -> None:
    await file_papers(school)
    student, viewer = await school.student(), await school.viewer("archive")
    sealed = await file_scan(
        school.store, viewer, student.key, "2023级体检表", body(demo_paper("PDF", pages=1))
    )
    _, refused = await packed()
    assert refused.exit_code == 1 and "1 scans are withheld from you" in refused.output
    assert f"{global_id('Scan', sealed.key)} forbidden" in refused.output
    assert "体检表" not in refused.output
    folder, done = await packed("--without-withheld")
    assert done.exit_code == 0, done.output
    package = parse_encapsulation((folder / "metadata/encapsulation.xml").read_bytes())
    assert (len(package.scans), package.withheld) == (3, 1)
    assert all("体检表".encode() not in file.read_bytes() for file in folder.rglob("*.*") if file.is_file())
    received = await verified(folder)
    assert received.exit_code == 0 and "1 scans withheld by the rights" in received.output


async def test_what_is_disposed_of_is_counted_and_not_missed(school: School, packed: Any) -> None:
    await file_papers(school)
    gone = await archive.file_paper(school, filed_at=archive.LONG_AGO)
    request = await signed_but_for_the_principal(school, await propose(school, gone))
    await school.approve("principal", request)
    folder, done = await packed()
    assert done.exit_code == 0, done.output
    package = parse_encapsulation((folder / "metadata/encapsulation.xml").read_bytes())
    assert (len(package.scans), package.withheld, package.disposed) == (3, 0, 1)
    assert (await verified(folder)).exit_code == 0


async def test_a_download_that_fails_leaves_no_plaintext(school: School, packed: Any, tmp_path: Path) -> None:
    papers = await file_papers(school)
    scan, _ = papers["2023级学籍卡"]
    scans = school.store.database.collection(Scan)
    await scans.update_one({"_id": scan.key}, {"$set": {"segments.0.object_version": "0" * 32}})
    _, torn = await packed()
    assert torn.exit_code == 1
    assert list(tmp_path.iterdir()) == []


async def test_scans_of_one_name_are_numbered(school: School, student: str, run: Any, tmp_path: Path) -> None:
    owner, viewer = await school.student(), await school.viewer("archive")
    for pages in (1, 2):
        content = demo_paper("PDF", pages=pages)
        await file_scan(school.store, viewer, owner.key, "2023级户口簿", body(content))
    await sequence_entries(school.store, seconds=60)
    folder = tmp_path / "of the log"
    done = await run("package", student, "--out", str(folder), "--purpose", "移交")
    assert done.exit_code == 0, done.output
    key = school.store.keyring.checkpoint
    package = parse_encapsulation((folder / "metadata/encapsulation.xml").read_bytes())
    assert key is not None and package.unit == key.verifier_key.split("+")[0]
    assert {file.name for file in (folder / "data").iterdir()} == {"2023级户口簿.pdf", "2023级户口簿 (2).pdf"}
    assert (await verified(folder)).exit_code == 0
