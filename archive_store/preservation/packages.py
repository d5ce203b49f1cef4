"""Transfer packages (移交包) of an archive file: what one holds. Pure.

A package is a BagIt 1.0 bag (RFC 8493): the scans as they were filed, and beside them what is known of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Tag files, beside those of BagIt itself.
ENCAPSULATION = "metadata/encapsulation.xml"
FOUR_PROPERTIES = "metadata/four-properties.xml"
HISTORY = "metadata/history.json"
BAGIT_FILES = ("bagit.txt", "bag-info.txt", "manifest-sha256.txt")
TAG_FILES = frozenset({*BAGIT_FILES, ENCAPSULATION, FOUR_PROPERTIES, HISTORY})
TAG_MANIFEST = "tagmanifest-sha256.txt"
PAYLOAD = "data/"


class DamagedPackageError(Exception):
    """The package is not one of ours, or is not as it was made; the message says where."""


@dataclass(frozen=True, slots=True)
class PackagedEvent:
    """An audit entry of a scan as its reader was shown it. `at` is ISO 8601; `log_index` its place in the audit log."""

    sequence: int
    at: str
    actor: str
    operation: str
    kind: str
    hash: str
    log_index: int | None


@dataclass(frozen=True, slots=True)
class PackagedScan:
    """One scan: `size` in bytes, `sha256` in hex of its content, `path` within the package, `filed_at` ISO 8601."""

    id: str
    path: str
    title: str
    document_type: str
    media_type: str
    size: int
    page_count: int | None
    sha256: str
    retention: str
    filed_at: str
    filed_by: str
    events: tuple[PackagedEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """What is handed over: by whom (`unit`), of which student, when.

    `withheld` counts scans that were left out, `disposed` those of which only a stub is left to the school.
    """

    unit: str
    student_id: str
    student_name: str
    created_at: str
    withheld: int
    disposed: int
    scans: tuple[PackagedScan, ...]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A payload file as it lies there. `media_type` is told by its content, None where it is of no accepted kind.

    `opens` says whether it could be opened, and `page_count` how many pages it then had, None where they cannot be
    counted.
    """

    size: int
    sha256: str
    media_type: str | None
    opens: bool
    page_count: int | None


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package as it was read: its encapsulation, its payload by path, and what manifest and `bag-info.txt` tell.

    `payload_oxum` is (bytes, files), None where it is not told; `unexpected` are files that no package has.
    """

    package: Package
    files: Mapping[str, StoredFile]
    manifest: Mapping[str, str]
    payload_oxum: tuple[int, int] | None
    unexpected: tuple[str, ...] = ()
