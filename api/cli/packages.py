"""`registrar archive package`: an archive file as a transfer package, by the server's API and the caller's rights."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiofiles
import httpx
from rich.console import Console

from api.cli.client import ServerError, ask, check_streamed, client
from api.cli.package_files import read_package, require_bag, write_bag_files, write_tag, write_tag_manifest
from api.cli.package_proofs import check_proofs
from api.cli.scans import PIECE, progress_of
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection.media_types import EXTENSIONS
from archive_store.preservation.packages import (
    ENCAPSULATION,
    FOUR_PROPERTIES,
    HISTORY,
    PAYLOAD,
    Package,
    PackagedEvent,
    PackagedScan,
)
from archive_store.preservation.packages_check import Check, all_passed, checks_xml, four_properties
from archive_store.preservation.packages_xml import encapsulation
from archive_store.scans.file_names import parse_file_name

_STUDENT = """query ($id: ID!) { student(id: $id) { id name scans { id documentType fileName mediaType size pageCount
    sha256 retention uploadedByName createdAt viewerCan(action: DOWNLOAD) { allowed reason { code messageEn } } } } }"""
_HISTORY = """query ($id: ID!, $after: String) { scan(id: $id) { auditHistory(first: 50, after: $after) {
    edges { node { sequence at actorName operation kind hash logIndex } } pageInfo { hasNextPage endCursor } } } }"""
_CHECKPOINT = "{ checkpoint { origin treeSize note } }"
_PROOF = """query ($index: Int!, $size: Int) { inclusionProof(logIndex: $index, treeSize: $size) {
    logIndex leafHash hashes } }"""


async def make_package(
    console: Console,
    url: str,
    token: str,
    student: str,
    to: Path,
    *,
    unit: str | None,
    purpose: str,
    without_withheld: bool,
) -> list[Check]:
    """Make the folder, whole or not at all; the checks that it passed. ServerError."""
    part = to.with_name(to.name + ".part")
    if to.exists():  # noqa: ASYNC240 - nothing else runs here
        raise ServerError(f"{to} exists already", "choose another name")
    try:
        part.mkdir(mode=0o700)
    except FileExistsError:
        raise ServerError(
            f"{part} exists already", "another package is being made, or was broken off"
        ) from None
    try:
        async with client(url, token, purpose) as server:
            checks = await _Packing(console, server, part, unit).pack(student, without_withheld)
        part.rename(to)
    except BaseException:
        # It is plaintext: nothing of it stays where the package did not come about.
        shutil.rmtree(part, ignore_errors=True)
        raise
    return checks


class _Packing:
    def __init__(self, console: Console, server: httpx.AsyncClient, folder: Path, unit: str | None) -> None:
        self._console = console
        self._server = server
        self._folder = folder
        self._unit = unit

    async def pack(self, student: str, without_withheld: bool) -> list[Check]:
        found = (await self._ask(_STUDENT, id=student))["student"]
        if found is None or found["scans"] is None:
            raise ServerError("there is no such student, or no archive file that you may know of")
        taken, withheld, disposed = _divided(found["scans"])
        if withheld and not without_withheld:
            told = [f"{scan['id']} {scan['viewerCan']['reason']['code']}" for scan in withheld]
            raise ServerError(
                f"{len(withheld)} scans are withheld from you; the package would be incomplete",
                *told,
                "--without-withheld makes it without them, and says so in it",
            )
        if not taken:
            raise ServerError("there is no scan to hand over")
        (self._folder / PAYLOAD).mkdir(mode=0o700)
        paths = _paths(taken)
        for scan in taken:
            await self._download(scan, self._folder / paths[scan["id"]])
        # After the downloads, which it tells as well.
        events = {scan["id"]: await self._events(scan["id"]) for scan in taken}
        package = Package(
            unit=self._unit or await self._origin(),
            student_id=found["id"],
            student_name=found["name"] or "",
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            withheld=len(withheld),
            disposed=disposed,
            scans=tuple(_packaged(scan, paths[scan["id"]], events[scan["id"]]) for scan in taken),
        )
        return await self._finish(package)

    async def _finish(self, package: Package) -> list[Check]:
        folder, history = self._folder, await self._proofs(package)
        write_tag(folder, ENCAPSULATION, encapsulation(package))
        write_tag(folder, HISTORY, json.dumps(history, ensure_ascii=False, indent=1).encode())
        write_bag_files(folder, package)
        checks = four_properties(await read_package(folder), proofs=check_proofs(history, package, None))
        if not all_passed(checks):
            failed = (f"{check.name}: {check.measured}" for check in checks if check.passed is False)
            raise ServerError("the package does not pass the four-property check", *failed)
        write_tag(folder, FOUR_PROPERTIES, checks_xml(checks, package.created_at))
        write_tag_manifest(folder)
        require_bag(folder)
        return checks

    async def _ask(self, query: str, **variables: Any) -> Mapping[str, Any]:
        return await ask(self._server, query, **variables)

    async def _download(self, scan: Mapping[str, Any], to: Path) -> None:
        digest = hashlib.sha256()
        with progress_of(self._console) as progress:
            bar = progress.add_task(to.name, total=scan["size"])
            async with (
                self._server.stream("GET", f"/scans/{scan['id']}/content") as response,
                aiofiles.open(to, "xb") as opened,
            ):
                await check_streamed(response)
                async for piece in response.aiter_bytes(PIECE):
                    await opened.write(piece)
                    digest.update(piece)
                    progress.advance(bar, len(piece))
        if digest.hexdigest() != scan["sha256"]:
            raise ServerError(f"the content of {scan['id']} does not match its digest")

    async def _events(self, scan_id: str) -> tuple[PackagedEvent, ...]:
        """Oldest first; none where the caller may not read of them."""
        events: list[PackagedEvent] = []
        after = None
        while True:
            scan = (await self._ask(_HISTORY, id=scan_id, after=after))["scan"]
            history = scan and scan["auditHistory"]
            if history is None:
                return ()
            events += [_event(edge["node"]) for edge in history["edges"]]
            if not history["pageInfo"]["hasNextPage"]:
                return tuple(reversed(events))
            after = history["pageInfo"]["endCursor"]

    async def _origin(self) -> str:
        """The name of the audit log, which names the school."""
        newest = (await self._ask(_CHECKPOINT))["checkpoint"]
        if newest is None:
            raise ServerError("it is not known who hands over", "--unit names the school")
        return str(newest["origin"])

    async def _proofs(self, package: Package) -> dict[str, Any]:
        """The newest checkpoint, and of each entry under it that it is there."""
        newest = (await self._ask(_CHECKPOINT))["checkpoint"]
        if newest is None:
            return {"checkpoint": None, "proofs": []}
        size = newest["treeSize"]
        indexes = {event.log_index for scan in package.scans for event in scan.events}
        proofs = [
            (await self._ask(_PROOF, index=index, size=size))["inclusionProof"]
            for index in sorted(index for index in indexes if index is not None and index < size)
        ]
        return {"checkpoint": newest["note"], "proofs": proofs}


def _divided(scans: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Those that can be packed, oldest first, those withheld, and how many are disposed of (销毁).

    Of the first every field must be told.
    """
    taken: list[dict[str, Any]] = []
    withheld: list[dict[str, Any]] = []
    disposed = 0
    for scan in reversed(scans):
        if scan["viewerCan"]["allowed"]:
            taken.append(scan)
        elif scan["viewerCan"]["reason"]["code"] == ErrorCode.DISPOSED:
            disposed += 1
        else:
            withheld.append(scan)
    told = (
        "fileName",
        "documentType",
        "mediaType",
        "size",
        "sha256",
        "retention",
        "uploadedByName",
        "createdAt",
    )
    for scan in taken:
        if lacking := [name for name in told if scan[name] is None]:
            raise ServerError(f"of scan {scan['id']} you may not read {', '.join(lacking)}")
    return taken, withheld, disposed


def _paths(scans: list[dict[str, Any]]) -> dict[str, str]:
    """By scan its file: the policy name, and a number where several have one. No other name becomes a path."""
    used: dict[str, int] = {}
    paths = {}
    for scan in scans:
        try:
            name = str(parse_file_name(scan["fileName"]))
        except RegistrarError:
            raise ServerError(f"scan {scan['id']} has no name by the policy") from None
        used[name] = used.get(name, 0) + 1
        number = "" if used[name] == 1 else f" ({used[name]})"
        paths[scan["id"]] = f"{PAYLOAD}{name}{number}{EXTENSIONS.get(scan['mediaType'], '')}"
    return paths


def _packaged(scan: Mapping[str, Any], path: str, events: tuple[PackagedEvent, ...]) -> PackagedScan:
    return PackagedScan(
        id=scan["id"],
        path=path,
        title=scan["fileName"],
        document_type=scan["documentType"],
        media_type=scan["mediaType"],
        size=int(scan["size"]),
        page_count=scan["pageCount"],
        sha256=scan["sha256"],
        retention=scan["retention"],
        filed_at=scan["createdAt"],
        filed_by=scan["uploadedByName"],
        events=events,
    )


def _event(node: Mapping[str, Any]) -> PackagedEvent:
    return PackagedEvent(
        sequence=node["sequence"],
        at=node["at"],
        actor=node["actorName"],
        operation=node["operation"],
        kind=node["kind"],
        hash=node["hash"],
        log_index=node["logIndex"],
    )
