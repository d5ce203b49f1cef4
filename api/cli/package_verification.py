"""`registrar archive verify-package`: a transfer package checked again by who receives it, with no server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from api.cli.client import ServerError
from api.cli.package_files import file_digest, read_history, read_package, read_tag, require_bag, write_tag
from api.cli.package_proofs import check_proofs
from archive_store.preservation.packages import FOUR_PROPERTIES, TAG_MANIFEST, DamagedPackageError, Package
from archive_store.preservation.packages_check import Check, four_properties, require_passed_report
from archive_store.preservation.packages_receipt import receipt
from archive_store.verifier.findings import MalformedError, VerifierError
from archive_store.verifier.inputs import read_key
from archive_store.verifier.notes import VerifierKey


async def verify_package(folder: Path, key: str | None) -> tuple[Package, list[Check]]:
    """The package and its checks, done anew. ServerError where it is not as it was made."""
    try:
        trusted = None if key is None else read_key(key)
        if trusted is not None:
            VerifierKey.parse(trusted)
    except VerifierError as error:
        raise ServerError(*error.lines) from None
    except MalformedError as error:
        raise ServerError(f"{key} has no verifier key", str(error)) from None
    try:
        require_bag(folder)
        stored = await read_package(folder)
        require_passed_report(read_tag(folder, FOUR_PROPERTIES))
        proofs = check_proofs(read_history(folder), stored.package, trusted)
    except DamagedPackageError as error:
        raise ServerError(f"REFUSED: {error}") from None
    return stored.package, four_properties(stored, proofs=proofs)


def bag_digest(folder: Path) -> str:
    """SHA-256 of the tag manifest in hex, which stands for every byte of the package."""
    return file_digest(folder / TAG_MANIFEST)


def lines_of(checks: list[Check]) -> str:
    """One line a check: property, name, result, and what was measured."""
    results = {True: "通过 passed", False: "不通过 FAILED", None: "未检测 not done"}
    return "\n".join(
        f"{check.property} {check.name}: {results[check.passed]} ({check.measured})" for check in checks
    )


def write_receipt(folder: Path, package: Package, checks: list[Check], to: Path, receiver: str) -> None:
    """Not within the package, which would be another one then."""
    if folder.resolve() in to.resolve().parents:
        raise ServerError("the receipt would change the package", "write it beside the folder")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        write_tag(to.parent, to.name, receipt(package, checks, bag_digest(folder), receiver, at))
    except FileExistsError:
        raise ServerError(f"{to} exists already", "choose another name") from None
