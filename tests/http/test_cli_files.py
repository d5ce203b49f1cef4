"""Files that commands write: none is replaced, and none of another's removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from api.cli.client import ServerError
from api.cli.files import check_free, written_beside


async def write(to: Path, content: bytes = b"paper") -> None:
    async with written_beside(to) as opened:
        await opened.write(content)


def no_links(*_: object) -> None:
    raise PermissionError("no links here")


@pytest.fixture(params=["links", "no links"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "no links":
        monkeypatch.setattr(os, "link", no_links)
    return tmp_path / "paper.tiff"


async def test_a_file_is_whole_and_private(target: Path) -> None:
    await write(target)
    assert [(file.name, file.read_bytes()) for file in target.parent.iterdir()] == [("paper.tiff", b"paper")]
    with pytest.raises(ServerError, match="exists already"):
        check_free(target)


async def test_a_target_that_appears_meanwhile_stays(target: Path) -> None:
    with pytest.raises(ServerError, match=r"paper\.tiff exists already"):
        async with written_beside(target) as opened:
            await opened.write(b"paper")
            target.write_bytes(b"another's")
    assert [(file.name, file.read_bytes()) for file in target.parent.iterdir()] == [
        ("paper.tiff", b"another's")
    ]


async def test_a_part_of_another_stays(target: Path) -> None:
    part = target.with_name("paper.tiff.part")
    part.write_bytes(b"another's")
    with pytest.raises(ServerError, match=r"paper\.tiff\.part exists already"):
        await write(target)
    assert [(file.name, file.read_bytes()) for file in target.parent.iterdir()] == [(part.name, b"another's")]


async def test_nothing_is_left_of_what_was_broken_off(target: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with written_beside(target) as opened:
            await opened.write(b"pa")
            raise ZeroDivisionError
    assert list(target.parent.iterdir()) == []
