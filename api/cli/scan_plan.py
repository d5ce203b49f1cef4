"""Which files are to be uploaded, under which name, to which student."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.cli.client import ServerError, ask
from archive_store.foundation.errors import RegistrarError
from archive_store.scans.file_names import parse_file_name
from schema.nodes import parse_global_id

SCAN_SUFFIXES = frozenset({".pdf", ".tif", ".tiff", ".jpg", ".jpeg", ".png", ".ofd"})
_STUDENT = """query ($number: String!) {
  students(first: 2, where: {auxiliaryNumber: $number}) { edges { node { id } } } }"""


@dataclass
class Paper:
    """One file and what becomes of it; `outcome` is one of OUTCOMES, "" until it is known.

    `error` is what refused it: code, field, rule, message in both languages, as far as they are known.
    """

    file: Path
    name: str
    student: str | None = None
    size: int = 0
    sha256: str = ""
    outcome: str = ""
    scan: str | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    def refuse(self, error: ServerError | RegistrarError | str) -> None:
        self.outcome = "refused"
        if isinstance(error, ServerError):
            self.error = error.told or {"message": {"en": error.lines[0]}}
        elif isinstance(error, RegistrarError):
            message = {"zh": error.message.zh, "en": error.message.en}
            self.error = {"code": error.code, "rule": error.rule, "message": message}
        else:
            self.error = {"message": {"en": error}}


OUTCOMES = ("filed", "already filed", "would be filed", "refused")


def find_papers(paths: Iterable[Path], name: str | None) -> tuple[list[Paper], list[Path]]:
    """The files named, and those of the folders named, however deep; and the files of folders that are no scans."""
    papers, others = [], []
    for path in paths:
        if not path.is_dir():
            papers.append(Paper(path, name or path.stem))
            continue
        for file in _files_below(path):
            if file.suffix.lower() in SCAN_SUFFIXES:
                papers.append(Paper(file, file.stem))
            else:
                others.append(file)
    return papers, others


def _files_below(folder: Path) -> Iterator[Path]:
    """Not those that are hidden, nor what links lead to."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.is_file():
            yield entry


def read_paper(paper: Paper) -> None:
    """Its size and digest."""
    with paper.file.open("rb") as opened:
        paper.sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    paper.size = paper.file.stat().st_size


class Students:
    """Finds the student of a paper: the one that was given, or the one whose number its name has."""

    def __init__(self, server: httpx.AsyncClient, given: str | None) -> None:
        self._server = server
        self._given = given
        self._found: dict[str, asyncio.Task[str]] = {}

    async def of(self, paper: Paper) -> str:
        """The global id; RegistrarError where the name is none of the policy, ServerError where nobody is found."""
        number = None if self._given is None or _is_id(self._given) else self._given
        parts = parse_file_name(paper.name, student_number=number)
        if self._given is not None:
            return await self.named()
        if parts.student_number is None:
            raise ServerError("the name has no student number: give --student, or end the name with -NUMBER")
        return await self._of_number(parts.student_number)

    async def named(self) -> str:
        """The global id of the student that was given by it, or by number."""
        assert self._given is not None  # noqa: S101
        return self._given if _is_id(self._given) else await self._of_number(self._given)

    async def _of_number(self, number: str) -> str:
        if number not in self._found:
            self._found[number] = asyncio.create_task(self._find(number))
        return await asyncio.shield(self._found[number])

    async def _find(self, number: str) -> str:
        edges = (await ask(self._server, _STUDENT, number=number))["students"]["edges"]
        if len(edges) != 1:
            raise ServerError(f"there is no student with the number {number}, or not for you")
        return str(edges[0]["node"]["id"])


def _is_id(student: str) -> bool:
    """A global id rather than a number."""
    try:
        parse_global_id(student)
    except RegistrarError:
        return False
    return True
