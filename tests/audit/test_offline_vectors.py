"""Each vector gives the findings it names, by the function and by both commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from archive_store.verifier.findings import ExportReport, Flaw
from archive_store.verifier.verification import verify_export
from tests.audit.vector_files import VECTORS, vectors

ROOT = Path(__file__).parent.parent.parent
NAMES = sorted(vectors())


def verify(folder: Path) -> ExportReport:
    older = sorted((folder / "older").iterdir()) if (folder / "older").exists() else []
    checkpoints = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in older]
    return verify_export(folder / "export", (folder / "trusted_key").read_text(), checkpoints)


def without_details(finding: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in finding.items() if name != "detail"}


def words(folder: Path) -> list[str]:
    """The arguments of the command that verifies the vector."""
    older = sorted((folder / "older").iterdir()) if (folder / "older").exists() else []
    checkpoints = [word for file in older for word in ("--checkpoint", str(file))]
    return [str(folder / "export"), "--key", str(folder / "trusted_key"), *checkpoints]


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_that_the_generator_gives(name: str) -> None:
    folder = VECTORS / name
    held = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    assert held == vectors()[name].all_files()


def test_no_vector_is_left_over() -> None:
    assert sorted(folder.name for folder in VECTORS.iterdir()) == NAMES


def test_every_flaw_has_a_vector() -> None:
    told = {finding["flaw"] for vector in vectors().values() for finding in vector.findings}
    assert told == set(Flaw)


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_gives_its_findings(name: str) -> None:
    expected = json.loads((VECTORS / name / "expected.json").read_text())
    report = verify(VECTORS / name)
    assert [without_details(finding.as_json()) for finding in report.findings] == expected["findings"]
    assert report.sound is expected["sound"]
    assert [each.agrees for each in report.checkpoints] == expected["agrees"]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_needs_no_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in list(os.environ):
        if variable.startswith("REGISTRAR_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    expected = json.loads((VECTORS / name / "expected.json").read_text())
    told = CliRunner().invoke(app, ["audit", "verify", *words(VECTORS / name)], env={"COLUMNS": "400"})
    assert told.exit_code == (0 if expected["sound"] else 1), told.output
    for finding in expected["findings"]:
        assert f"{finding['flaw']} " in told.output
    assert told.output.rstrip().endswith("sound" if expected["sound"] else "FLAWED")
    assert "Traceback" not in told.output


def test_the_command_in_json() -> None:
    told = CliRunner().invoke(app, ["audit", "verify", *words(VECTORS / "missing"), "--json"])
    assert told.exit_code == 1
    report = json.loads(told.stdout)
    assert report["findings"] == json.loads((VECTORS / "missing" / "expected.json").read_text())["findings"]
    assert (report["sound"], report["size"], report["entries"]) == (False, 12, 11)


@pytest.mark.parametrize(("name", "status"), [("sound", 0), ("missing", 1)])
def test_the_module_runs_alone(name: str, status: int, tmp_path: Path) -> None:
    """Without a package of the server: what it imports is cryptography and the standard library."""
    code = (
        "import sys; sys.argv[0] = 'verifier'; from archive_store.verifier.__main__ import main; status = main();"
        "assert not {'pymongo', 'pydantic', 'typer', 'beanie', 'httpx'} & set(sys.modules), 'imported';"
        "sys.exit(status)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, *words(VECTORS / name)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stderr) == (status, "")
    assert told.stdout.rstrip().endswith("sound" if status == 0 else "FLAWED")


def test_a_key_must_come_from_elsewhere() -> None:
    export = str(VECTORS / "another_key" / "export")
    refused = CliRunner().invoke(app, ["audit", "verify", export])
    assert refused.exit_code == 2
    assert "give the verifier key" in refused.output
    taken = CliRunner().invoke(
        app, ["audit", "verify", export, "--trust-exported-key"], env={"COLUMNS": "400"}
    )
    assert taken.exit_code == 0
    assert "agrees with itself" in taken.output


@pytest.mark.parametrize(
    "wrong",
    [
        ["--json"],
        ["--key", "x"],
        ["--trust-exported-key"],
        ["no-such-folder", "--key", "x"],
        [str(VECTORS / "sound" / "export"), "--key", "x", "--data", "."],
        [str(VECTORS / "sound" / "export"), "--key", "x", "--checkpoint", "no-such-file"],
        [str(VECTORS / "sound" / "export"), "--key", "x", "--trust-exported-key"],
    ],
)
def test_wrong_command_lines(wrong: list[str]) -> None:
    assert CliRunner().invoke(app, ["audit", "verify", *wrong]).exit_code == 2


@pytest.mark.parametrize("key", ["", "school.example+00000000+AAAA", "no-such-file", "a\0b"])
def test_what_is_no_key_is_one_error(key: str) -> None:
    told = CliRunner().invoke(app, ["audit", "verify", str(VECTORS / "sound" / "export"), "--key", key])
    assert (told.exit_code, told.output.count("error:")) == (1, 1), told.output
    assert isinstance(told.exception, SystemExit)
