"""Rules of the house that no linter knows. A line may stand out of one with `# house-rule: why`."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

import api
import archive_store
import schema
from api.cli.main import app
from archive_store.foundation.errors import ERROR_TABLE, ErrorCode
from archive_store.foundation.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGES = ("api", "schema", "archive_store")
SOURCES = sorted(
    file
    for package in PACKAGES
    for file in (ROOT / package).rglob("*.py")
    if "node_modules" not in file.parts
)
_WRITES = re.compile(
    r"\.(insert_one|insert_many|update_one|update_many|replace_one|delete_one|delete_many|bulk_write"
    r"|find_one_and_\w+|drop|drop_collection)\("
)
# The only modules that write: the unit of work, and what completes its transaction.
_WRITERS = {"archive_store/foundation/unit_of_work.py", "archive_store/audit/governed_transaction.py"}


def named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_our_packages_are_the_ones_imported() -> None:
    """`schema` is also the name of somebody else's package."""
    for package in (api, schema, archive_store):
        assert Path(package.__file__ or "").is_relative_to(ROOT)


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_nothing_writes_but_the_unit_of_work(file: Path) -> None:
    if named(file) in _WRITERS:
        return
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        assert not _WRITES.search(line) or "# house-rule:" in line, f"{named(file)}:{number}"


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_every_module_says_what_belongs_in_it(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), named(file)


@pytest.mark.parametrize("file", SOURCES, ids=named)
def test_modules_stay_short(file: Path) -> None:
    limit = 300
    assert len(file.read_text(encoding="utf-8").splitlines()) <= limit


def test_every_error_has_a_sentence_in_both_languages() -> None:
    assert set(ERROR_TABLE) == set(ErrorCode)
    for text in ERROR_TABLE.values():
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
        assert re.search(r"[A-Za-z]|\{detail\}", text.en)


def test_every_error_code_is_raised() -> None:
    told = {
        name
        for file in SOURCES
        if named(file) != "archive_store/foundation/errors.py"
        for name in re.findall(r"\bErrorCode\.([A-Z_]+)", file.read_text(encoding="utf-8"))
    }
    assert told == {code.name for code in ErrorCode}


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    names = {f"REGISTRAR_{name.upper()}" for name in Settings.model_fields}
    assert names == set(re.findall(r"`(REGISTRAR_[A-Z0-9_]+)`", text))


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    command = get_command(app)
    for name, inner in command.commands.items():  # type: ignore[attr-defined]
        for path in [f"{name} {below}" for below in getattr(inner, "commands", {})] or [name]:
            assert f"registrar {path}" in text, path


def test_every_option_is_documented_with_its_command() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    sections = re.split(r"^## registrar ", text, flags=re.MULTILINE)[1:]
    told = {
        section.partition("\n")[0]: set(re.findall(r"--[a-z][a-z-]*", _first_cells(section)))
        for section in sections
    }
    found = {}
    for name, inner in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(inner, "commands", None)
        leaves = {name: inner} if below is None else {f"{name} {each}": leaf for each, leaf in below.items()}
        for path, leaf in leaves.items():
            options = {option for parameter in leaf.params for option in parameter.opts}
            found[path] = {option for option in options if option.startswith("--")}
    assert told == found


def _first_cells(section: str) -> str:
    return " ".join(re.findall(r"^\|([^|]*)", section, flags=re.MULTILINE))


def test_requirements_are_hashed_and_name_no_address() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    for block in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in block, block.splitlines()[0]


def test_npm_locks_are_hashed_and_name_no_address() -> None:
    locks = [ROOT / "api/graphiql/package-lock.json", *ROOT.glob("tests/*/package-lock.json")]
    for lock in locks:
        for name, package in json.loads(lock.read_text(encoding="utf-8"))["packages"].items():
            assert "resolved" not in package, f"{named(lock)}: {name}"
            assert not name or package["integrity"].startswith("sha512-"), f"{named(lock)}: {name}"
