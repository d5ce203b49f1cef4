"""Verification of an export: what the checkpoint and older ones say, against what is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from archive_store.verifier.export_files import CHECKPOINT, ExportFolder
from archive_store.verifier.findings import (
    ExportReport,
    Finding,
    Flaw,
    MalformedError,
    VerifierError,
)
from archive_store.verifier.history import SignedCheckpoint, agreeing_sizes, compare_older
from archive_store.verifier.keys import KeyLine
from archive_store.verifier.localisation import locate
from archive_store.verifier.log import ScannedLog
from archive_store.verifier.merkle import UnsupportedHashError, hash_function
from archive_store.verifier.notes import LONGEST_NOTE, Checkpoint, Note, VerifierKey
from archive_store.verifier.tiles import SignedTree, tile_findings
from archive_store.verifier.workers import entry_ranges


def verify_export(
    folder: Path,
    trusted_key: str,
    checkpoints: Iterable[tuple[str, bytes]] = (),
    *,
    processes: int | None = None,
) -> ExportReport:
    """Verify an export with the verifier key that is trusted, and older checkpoints by their name and content.

    VerifierError where it cannot begin: no folder, no key, no such hash on this machine.
    """
    try:
        key = VerifierKey.parse(trusted_key.strip())
    except MalformedError as error:
        raise VerifierError(
            f"the trusted key is none: {error}", "it reads <origin>+<8 hex digits>+<base64>"
        ) from error
    if not folder.is_dir():
        raise VerifierError(f"{folder} is no folder")
    verification = _Verification(ExportFolder(folder), key, list(checkpoints))
    try:
        verification.run(processes)
    except UnsupportedHashError as error:
        raise VerifierError(
            str(error), "the history is hashed with it; use a build of OpenSSL that has it"
        ) from error
    verification.report.close()
    return verification.report


class _Verification:
    def __init__(
        self, export: ExportFolder, key: VerifierKey, checkpoints: Sequence[tuple[str, bytes]]
    ) -> None:
        self.report = ExportReport(origin=key.name)
        self._export = export
        line = KeyLine(export, key)
        self._tell(*line.findings)
        self._own = self._read_own(line)
        self._older = [self._read(file, content, line.keys) for file, content in checkpoints]
        signed = [each.checkpoint for each in (self._own, *self._older) if each.checkpoint is not None]
        self._hash_name = signed[0].hash_name if signed else "sha256"
        self._hash = hash_function(self._hash_name)
        if self._own.checkpoint is not None:
            self.report.size, self.report.root = self._own.checkpoint.size, self._own.checkpoint.root

    def _tell(self, *findings: Finding) -> None:
        self.report.findings += findings

    def _read_own(self, line: KeyLine) -> SignedCheckpoint:
        try:
            content = self._export.read(CHECKPOINT, LONGEST_NOTE)
            if content is None:
                raise MalformedError("it is not there")
        except MalformedError as error:
            self._tell(Finding(Flaw.MALFORMED, file=CHECKPOINT, detail=str(error)))
            return SignedCheckpoint(CHECKPOINT, None, False)
        return self._read(CHECKPOINT, content, [line.newest])

    def _read(self, file: str, content: bytes, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
        """A checkpoint that one of the keys must have signed."""
        try:
            note = Note.parse(content)
            checkpoint = Checkpoint.parse(note.text)
        except MalformedError as error:
            self._tell(Finding(Flaw.MALFORMED, file=file, detail=str(error)))
            return SignedCheckpoint(file, None, False)
        is_authentic = checkpoint.origin == keys[0].name and any(note.is_signed_by(key) for key in keys)
        if not is_authentic:
            detail = (
                "the newest key has not signed it"
                if file == CHECKPOINT
                else "no key of the line has signed it"
            )
            self._tell(Finding(Flaw.BAD_SIGNATURE, file=file, detail=detail))
        return SignedCheckpoint(file, checkpoint, is_authentic)

    def run(self, processes: int | None) -> None:
        own = self._own.checkpoint
        sizes = [each.checkpoint.size for each in (self._own, *self._older) if each.checkpoint is not None]
        with entry_ranges(self._export, self._hash_name, processes) as ranges:
            log = ScannedLog(self._export, self._hash, ranges, own.size if own else 0, sizes)
            self.report.entries, self.report.subjects = log.count, log.chains.subjects
            if not ranges:
                self._tell(Finding(Flaw.MALFORMED, file="entries.jsonl", detail="it is not there"))
            if log.is_unterminated:
                detail = "the last line has no end"
                self._tell(Finding(Flaw.MALFORMED, file="entries.jsonl", line=log.count, detail=detail))
            if log.gave_up:
                self._tell(*log.malformed_lines())
                detail = "too many lines are no entries; the rest was not read"
                self._tell(Finding(Flaw.MALFORMED, file="entries.jsonl", detail=detail))
                return
            tree = self._check_entries(log)
        compare_older(self.report, self._own, self._older, log, tree)

    def _check_entries(self, log: ScannedLog) -> SignedTree | None:
        """Findings of entries and tiles; the signed tree where it had to be sought."""
        own = self._own.checkpoint
        if own is not None and log.root_at(own.size) == own.root:
            self._tell(*tile_findings(self._export, self._hash, own.size, *log.tree_at(own.size)))
            self._tell(*log.different_tiles())
            if log.count == own.size:
                self.report.root_agrees = self._own.is_authentic
                self._tell(*log.malformed_entries(), *log.chains.findings(by_line=False))
                self.report.untold += log.chains.untold
                return None
        tree = None
        if own is not None and self._own.is_authentic:
            leaves = log.leaves()
            tree = SignedTree(self._export, self._hash, own.size, own.root, leaves)
            if tree.is_known:
                self._tell(*(tree.findings if log.root_at(own.size) != own.root else []))
                self._tell(*locate(self._export, tree, leaves))
                return tree
            self._tell(*tree.findings)
        self._tell_without_tree(log)
        return None

    def _tell_without_tree(self, log: ScannedLog) -> None:
        """What can be said where nothing tells the logged entries one by one."""
        self._tell(*log.malformed_lines(), *log.chains.findings(by_line=True))
        self.report.untold += log.chains.untold
        own = self._own.checkpoint
        if own is None or not self._own.is_authentic:
            return
        if log.count < own.size:
            detail = "where they are missing cannot be told without sound tiles"
            lacking = own.size - log.count
            self._tell(Finding(Flaw.TRUNCATED, 0, own.size - 1, count=lacking, detail=detail))
        elif log.count > own.size:
            detail = "which of them cannot be told without sound tiles"
            count = log.count - own.size
            self._tell(Finding(Flaw.ADDED, count=count, line=1, last_line=log.count, detail=detail))
        else:
            detail = "which of them cannot be told without sound tiles"
            first = max([0, *(size for size in agreeing_sizes(self._older, log) if size < own.size)])
            self._tell(Finding(Flaw.CHANGED, first, own.size - 1, count=0, detail=detail))
