"""`registrar scan upload`: files and folders of scans, several at once, going on where they were broken off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from api.cli.client import ServerError, ask, client
from api.cli.scan_plan import OUTCOMES, Paper, Students, find_papers, read_paper
from api.cli.scans import progress_of
from api.cli.tus_client import Sending, UploadGoneError
from api.cli.upload_state import Sent, UploadState
from archive_store.foundation.errors import RegistrarError

_SCAN = "query ($id: ID!) { scan(id: $id) { id } }"


class Batch:
    """The papers of one command."""

    def __init__(self, paths: Sequence[Path], *, name: str | None, student: str | None) -> None:
        self.papers, self.others = find_papers(paths, name)
        self.is_whole = False  # until every paper has its outcome
        self._student = student

    async def run(
        self, console: Console, url: str, token: str, *, jobs: int, dry_run: bool, state: UploadState
    ) -> None:
        """Give every paper its outcome. ServerError where nothing can go on, such as a token that has ended."""
        async with client(url, token) as server:
            students, waiting = Students(server, self._student), list(reversed(self.papers))
            with progress_of(console) as progress:
                bars = _Bars(progress, len(self.papers))

                async def work() -> None:
                    while waiting:
                        await _Run(server, students, state, bars, dry_run=dry_run).one(waiting.pop())

                workers = [asyncio.create_task(work()) for _ in range(min(jobs, len(waiting)))]
                try:
                    await asyncio.gather(*workers)
                finally:
                    for worker in workers:
                        worker.cancel()
                    await asyncio.gather(*workers, return_exceptions=True)
        if dry_run:
            _tell_equal(self.papers)
        self.is_whole = True

    def count(self, outcome: str) -> int:
        return sum(paper.outcome == outcome for paper in self.papers)

    def report(self) -> dict[str, Any]:
        """`{"isWhole", "filed", …, "files": […]}`, as docs/commands.md has it."""
        counts = {_camel(outcome): self.count(outcome) for outcome in OUTCOMES}
        files = [
            {
                "file": str(paper.file),
                "name": paper.name,
                "student": paper.student,
                "size": paper.size,
                "sha256": paper.sha256,
                "outcome": _camel(paper.outcome) or "left",
                "scan": paper.scan,
                "warnings": paper.warnings,
                "error": paper.error,
            }
            for paper in self.papers
        ]
        notScans = [str(file) for file in self.others]  # noqa: N806 - as the report spells it
        return {"isWhole": self.is_whole, **counts, "notScans": notScans, "files": files}

    def write_report(self, to: Path) -> None:
        to.write_text(json.dumps(self.report(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    def print(self, console: Console) -> None:
        table = Table(box=None, pad_edge=False)
        for heading in ("file", "outcome", "scan", "told"):
            table.add_column(heading, overflow="fold", no_wrap=heading in ("outcome", "scan"))
        for paper in self.papers:
            told = "\n".join(escape(line) for line in _told(paper))
            table.add_row(escape(str(paper.file)), paper.outcome or "left", paper.scan or "", told)
        console.print(table)
        counts = [f"{self.count(outcome)} {outcome}" for outcome in OUTCOMES if self.count(outcome)]
        if left := self.count(""):
            counts.append(f"{left} left")
        if self.others:
            counts.append(f"{len(self.others)} passed over, which are no scans by their names")
        console.print(f"{len(self.papers)} files: {', '.join(counts)}", highlight=False)


def _told(paper: Paper) -> Iterator[str]:
    if paper.error is not None:
        message = paper.error["message"]
        yield " ".join(filter(None, (message.get("zh"), message.get("en"))))
        if rule := paper.error.get("rule"):
            yield str(rule)
    for warning in paper.warnings:
        pages = f" ({', '.join(map(str, warning['pages']))})" if warning.get("pages") else ""
        yield f"{warning['code']}{pages}: {warning['message']['zh']} {warning['message']['en']}"


def _camel(outcome: str) -> str:
    head, *rest = outcome.split(" ")
    return head + "".join(word.title() for word in rest)


def _tell_equal(papers: Sequence[Paper]) -> None:
    """Warn of files of one student that have the same bytes."""
    first: dict[tuple[str | None, str], Paper] = {}
    for paper in papers:
        if paper.sha256 and (other := first.setdefault((paper.student, paper.sha256), paper)) is not paper:
            message = {"zh": f"与 {other.file} 内容相同。", "en": f"It has the bytes of {other.file}."}
            paper.warnings.append({"code": "DUPLICATE", "pages": [], "message": message})


class _Bars:
    """A bar for all files, and one for each that is on its way."""

    def __init__(self, progress: Progress, files: int) -> None:
        self._progress = progress
        self._all = progress.add_task(f"{files} files", total=None) if files > 1 else None
        self._files, self._done, self._total = files, 0, 0

    def begin(self, paper: Paper) -> TaskID:
        self._total += paper.size
        if self._all is not None:
            self._progress.update(self._all, total=self._total)
        return self._progress.add_task(escape(paper.file.name), total=paper.size)

    def sent(self, bar: TaskID, offset: int) -> None:
        before = self._progress.tasks[self._progress.task_ids.index(bar)].completed
        self._progress.update(bar, completed=offset)
        if self._all is not None:
            self._progress.advance(self._all, offset - before)

    def end(self, bar: TaskID) -> None:
        if self._all is not None:
            self._done += 1
            self._progress.update(self._all, description=f"{self._done} of {self._files} files")
            self._progress.remove_task(bar)


class _Run:
    """What is done with one paper."""

    def __init__(
        self, server: httpx.AsyncClient, students: Students, state: UploadState, bars: _Bars, *, dry_run: bool
    ) -> None:
        self._server = server
        self._students = students
        self._state = state
        self._bars = bars
        self._dry_run = dry_run

    async def one(self, paper: Paper) -> None:
        try:
            await asyncio.to_thread(read_paper, paper)
            paper.student = await self._students.of(paper)
            known = self._state.load(paper.student, paper.name, paper.sha256)
            if known.scan is not None and await self._is_there(known.scan):
                paper.outcome, paper.scan = "already filed", known.scan
            elif self._dry_run:
                paper.outcome = "would be filed"
            else:
                await self._send(paper, paper.student, known.upload)
        except ServerError as error:
            if error.status == 401:
                raise
            paper.refuse(error)
        except RegistrarError as error:
            paper.refuse(error)
        except OSError as error:
            paper.refuse(f"cannot be read: {error.strerror}")

    async def _is_there(self, scan: str) -> bool:
        return (await ask(self._server, _SCAN, id=scan))["scan"] is not None

    async def _send(self, paper: Paper, student: str, upload: str | None) -> None:
        bar = self._bars.begin(paper)
        place = (student, paper.name, paper.sha256)
        sending = Sending(self._server, paper.file, paper.size, lambda offset: self._bars.sent(bar, offset))
        sending.location = upload or ""
        try:
            if not sending.location:
                await self._begin(paper, sending)
            try:
                paper.scan = await sending.send()
            except UploadGoneError:
                # It has expired, or was refused: once more from the start.
                await self._begin(paper, sending)
                paper.scan = await sending.send()
        except UploadGoneError:
            self._state.forget(*place)
            raise ServerError("the upload was removed while it was sent") from None
        except ServerError as error:
            if 400 <= error.status < 500 and error.status != 401:
                self._state.forget(*place)
            raise
        self._state.keep(*place, Sent(scan=paper.scan))
        paper.outcome, paper.warnings = "filed", await sending.findings()
        self._bars.end(bar)

    async def _begin(self, paper: Paper, sending: Sending) -> None:
        assert paper.student is not None  # noqa: S101 - it was found
        told = {"student": paper.student, "filename": paper.name, "sha256": paper.sha256}
        location = await sending.create(told)
        self._state.keep(paper.student, paper.name, paper.sha256, Sent(upload=location))
