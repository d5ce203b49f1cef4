"""What a verification is given from outside the export: the trusted key and older checkpoints."""

from __future__ import annotations

from pathlib import Path

from archive_store.verifier.export_files import ExportFolder
from archive_store.verifier.findings import MalformedError, VerifierError
from archive_store.verifier.notes import LONGEST_NOTE, VerifierKey

KEY_IS_EXPORTED = (
    "the key was taken from the export itself: this proves only that the export agrees with itself. Whoever wrote it "
    "anew, with a key of their own, would pass. Get the verifier key from the school by another way."
)


def read_key(key: str) -> str:
    """The verifier key out of a text, or out of the file of that name; VerifierError."""
    try:
        VerifierKey.parse(key.strip())
        return key.strip()
    except MalformedError:
        try:
            content = _read(Path(key)).decode("utf-8")
        except (UnicodeDecodeError, ValueError) as error:
            raise VerifierError(f"{key} has no verifier key") from error
    return content.strip()


def exported_key(folder: Path) -> str:
    """The first key that the export names, which proves nothing by itself."""
    try:
        content = ExportFolder(folder).read("keys/000", LONGEST_NOTE)
    except MalformedError as error:
        raise VerifierError(f"the export has no key: {error}") from error
    if content is None:
        raise VerifierError("the export has no key", "keys/000 is not there")
    return content.decode("utf-8", "replace").strip()


def read_checkpoint(file: Path) -> tuple[str, bytes]:
    """The name and content of an older checkpoint's file, of which no more is read than a note may have."""
    return str(file), _read(file)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST_NOTE + 1)
    except OSError as error:
        raise VerifierError(f"cannot read {file}: {error.strerror}") from error
