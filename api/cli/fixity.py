"""`registrar archive check`: reads every filed scan again, with the settings of the server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bson import ObjectId
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.cli.audit import installed_archive
from api.cli.client import ServerError
from archive_store.foundation.object_store import ObjectVersion
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.preservation.fixity_documents import FixityRun
from archive_store.preservation.fixity_runs import (
    begin_run,
    end_run,
    findings_of,
    go_on,
    interrupted_run,
    scans_left,
    scans_of_run,
)
from archive_store.preservation.orphans import find_orphans, remove_orphan

# Of each kind that a report names; all are counted.
TOLD_LIMIT = 10_000


@dataclass
class CheckReport:
    """What a run found: by scan its damages, and the orphans, each removed or not. Operators are told ids, no names."""

    run: FixityRun
    findings: list[tuple[ObjectId, list[str]]] = field(default_factory=list)
    orphans: list[tuple[ObjectVersion, bool]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.run.damaged and self.run.orphans == self.run.removed

    def as_json(self) -> dict[str, Any]:
        run = self.run
        assert run.created_at and run.ended_at  # noqa: S101 - it is stored, and ended
        return {
            "run": str(run.key),
            "startedAt": run.created_at.isoformat(),
            "endedAt": run.ended_at.isoformat(),
            "student": run.student_id and str(run.student_id),
            "sample": None if run.scan_ids is None else len(run.scan_ids),
            "checked": run.checked,
            "damaged": run.damaged,
            "orphans": run.orphans,
            "removedOrphans": run.removed,
            "findings": [{"scan": str(key), "damages": damages} for key, damages in self.findings],
            "orphanObjects": [
                {
                    "key": each.key,
                    "version": each.version,
                    "storedAt": each.stored_at and each.stored_at.isoformat(),
                    "isDeleteMarker": each.is_delete_marker,
                    "removed": removed,
                }
                for each, removed in self.orphans
            ],
            "sound": self.sound,
        }

    def table(self) -> Table:
        table = Table("scan or object", "finding")
        for key, damages in self.findings:
            table.add_row(str(key), ", ".join(damages))
        for orphan, removed in self.orphans:
            table.add_row(f"{orphan.key} {orphan.version}", "ORPHAN removed" if removed else "ORPHAN")
        return table


async def check(
    console: Console,
    settings: Settings,
    *,
    student_id: ObjectId | None,
    sample: int | None,
    resume: bool,
    jobs: int,
    remove_orphans: bool,
) -> CheckReport:
    async with installed_archive(settings, prepares=True) as store:
        if resume:
            run = await interrupted_run(store)
            if run is None:
                raise ServerError("no run was interrupted", "begin one without --resume")
        else:
            run = await begin_run(store, student_id=student_id, sample=sample)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("scans", total=await scans_left(store, run))
            await go_on(store, run, jobs=jobs, checked=lambda scan_id, damages: progress.advance(bar))
        report = CheckReport(run)
        orphans, removed = await _orphans(store, report, remove=remove_orphans)
        report.run = await end_run(store, run, orphans=orphans, removed=removed)
        report.findings = [each async for each in findings_of(store, run, limit=TOLD_LIMIT)]
        return report


async def _orphans(store: Store, report: CheckReport, *, remove: bool) -> tuple[int, int]:
    """How many there are, and how many were removed."""
    found = removed = 0
    async for orphan in find_orphans(store, await scans_of_run(store, report.run)):
        gone = remove and await remove_orphan(store, report.run, orphan)
        found, removed = found + 1, removed + gone
        if found <= TOLD_LIMIT:
            report.orphans.append((orphan, gone))
    return found, removed


def write_report(report: CheckReport, to: Path) -> None:
    """Write it as JSON; ServerError where the file is there already."""
    try:
        with to.open("x", encoding="utf-8") as opened:
            json.dump(report.as_json(), opened, ensure_ascii=False, indent=2)
            opened.write("\n")
    except FileExistsError:
        raise ServerError(f"{to} exists already", "choose another name") from None
