"""Transfer packages as folders: BagIt 1.0 bags (RFC 8493), written once and read with suspicion."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bagit

from archive_store.foundation.errors import RegistrarError
from archive_store.inspection.findings import IntakeWarning
from archive_store.inspection.inspect import inspect
from archive_store.inspection.media_types import SNIFF_SIZE, media_type_of
from archive_store.preservation.packages import (
    ENCAPSULATION,
    HISTORY,
    PAYLOAD,
    TAG_FILES,
    TAG_MANIFEST,
    DamagedPackageError,
    Package,
    StoredFile,
    StoredPackage,
)
from archive_store.preservation.packages_xml import parse_encapsulation

# Of a tag file; the payload is never held whole.
_TAG_LIMIT = 64 * 1024 * 1024
_PAGE_LIMIT = 100_000
# What it finds is told once, by the error that it raises.
logging.getLogger("bagit").setLevel(logging.CRITICAL + 1)
_OXUM = re.compile(r"^Payload-Oxum: ([0-9]{1,18})\.([0-9]{1,9})$", re.MULTILINE)
_UNOPENED = {IntakeWarning.UNREADABLE, IntakeWarning.PASSWORD_PROTECTED}


def write_tag(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("xb") as opened:
        opened.write(content)


def write_bag_files(folder: Path, package: Package) -> None:
    """`bagit.txt`, `bag-info.txt` and the manifest of the payload."""
    size = sum(scan.size for scan in package.scans)
    info = {
        "Source-Organization": package.unit,
        "External-Identifier": package.student_id,
        "Bagging-Date": package.created_at[:10],
        "Payload-Oxum": f"{size}.{len(package.scans)}",
    }
    write_tag(folder, "bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    write_tag(folder, "bag-info.txt", "".join(f"{name}: {text}\n" for name, text in info.items()).encode())
    lines = sorted(f"{scan.sha256}  {scan.path}\n" for scan in package.scans)
    write_tag(folder, "manifest-sha256.txt", "".join(lines).encode())


def write_tag_manifest(folder: Path) -> None:
    """Last of all: it has the digest of every other tag file."""
    lines = [f"{file_digest(folder / name)}  {name}\n" for name in sorted(TAG_FILES)]
    write_tag(folder, TAG_MANIFEST, "".join(lines).encode())


def require_bag(folder: Path) -> None:
    """DamagedPackageError unless it is a bag of exactly our files, each with the digest that the manifests tell."""
    names = dict(_files(folder))
    tags = {name for name in names if not name.startswith(PAYLOAD)}
    if unlike := tags ^ {*TAG_FILES, TAG_MANIFEST}:
        raise DamagedPackageError(f"not the files of a package: {', '.join(map(ascii, sorted(unlike)))}")
    if _manifest(folder, TAG_MANIFEST).keys() != TAG_FILES:
        raise DamagedPackageError(f"{TAG_MANIFEST} does not name every tag file")
    _manifest(folder, "manifest-sha256.txt")
    try:
        bagit.Bag(str(folder)).validate()
    except (bagit.BagError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise DamagedPackageError(f"the bag is not valid: {error}") from error


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file by its path within; DamagedPackageError for a link, a device, or a folder that no package has."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            told, within = path.lstat(), path.relative_to(folder).as_posix()
            if stat.S_ISDIR(told.st_mode):
                if within not in ("data", "metadata"):
                    raise DamagedPackageError(f"an unexpected folder: {within!r}")
            elif stat.S_ISREG(told.st_mode):
                yield within, told
            else:
                raise DamagedPackageError(f"no plain file: {within!r}")


def _manifest(folder: Path, name: str) -> dict[str, str]:
    """Digests by path; DamagedPackageError for a line that we do not write."""
    found: dict[str, str] = {}
    for line in read_tag(folder, name).decode("utf-8", "replace").splitlines():
        digest, two_blanks, path = line.partition("  ")
        if not re.fullmatch("[0-9a-f]{64}", digest) or not two_blanks or path in found:
            raise DamagedPackageError(f"{name} has a line that is no entry")
        found[path] = digest
    return found


async def read_package(folder: Path) -> StoredPackage:
    """The package as it lies there; DamagedPackageError where its files do not tell what it is."""
    package = parse_encapsulation(read_tag(folder, ENCAPSULATION))
    manifest = _manifest(folder, "manifest-sha256.txt")
    names = [name for name, _ in _files(folder)]
    files = {name: await _stored_file(folder / name) for name in names if name.startswith(PAYLOAD)}
    oxum = _OXUM.search(read_tag(folder, "bag-info.txt").decode("utf-8", "replace"))
    return StoredPackage(
        package=package,
        files=files,
        manifest=manifest,
        payload_oxum=(int(oxum[1]), int(oxum[2])) if oxum else None,
        unexpected=tuple(sorted(set(names) - files.keys() - {*TAG_FILES, TAG_MANIFEST})),
    )


async def _stored_file(path: Path) -> StoredFile:
    with path.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        try:
            media_type = media_type_of(opened.read(SNIFF_SIZE))
        except RegistrarError:
            media_type = None
        opens, page_count = False, None
        if media_type is not None:

            async def read(start: int, length: int) -> bytes:
                opened.seek(start)
                return opened.read(length)

            try:
                found = await inspect(media_type, size, read, page_limit=_PAGE_LIMIT)
                opens = _UNOPENED.isdisjoint(found.warnings)
                page_count = found.page_count
            except RegistrarError:
                opens = False
    return StoredFile(size, file_digest(path), media_type, opens, page_count)


def read_history(folder: Path) -> Mapping[str, Any]:
    """The checkpoint and proofs of the audit log that the package has; DamagedPackageError."""
    try:
        told = json.loads(read_tag(folder, HISTORY))
    except (ValueError, RecursionError) as error:
        raise DamagedPackageError(f"{HISTORY} is no JSON") from error
    if not isinstance(told, dict):
        raise DamagedPackageError(f"{HISTORY} has another shape")
    return told


def read_tag(folder: Path, name: str) -> bytes:
    try:
        with (folder / name).open("rb") as opened:
            content = opened.read(_TAG_LIMIT + 1)
    except OSError as error:
        raise DamagedPackageError(f"{name} cannot be read: {error.strerror}") from error
    if len(content) > _TAG_LIMIT:
        raise DamagedPackageError(f"{name} is too large")
    return content


def file_digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
