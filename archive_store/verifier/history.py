"""Older checkpoints against an export: does it continue the history that each of them fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archive_store.verifier.findings import ComparedCheckpoint, ExportReport, Finding, Flaw
from archive_store.verifier.log import ScannedLog
from archive_store.verifier.notes import Checkpoint
from archive_store.verifier.tiles import SignedTree


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint of that file, None if it is none; `is_authentic` if a key that counts has signed it."""

    file: str
    checkpoint: Checkpoint | None
    is_authentic: bool


def agreeing_sizes(older: Sequence[SignedCheckpoint], log: ScannedLog) -> list[int]:
    """The sizes of the older checkpoints that the lines themselves continue, in order."""
    return sorted(
        each.checkpoint.size
        for each in older
        if each.checkpoint is not None
        and each.is_authentic
        and log.root_at(each.checkpoint.size) == each.checkpoint.root
    )


def compare_older(
    report: ExportReport,
    own: SignedCheckpoint,
    older: Sequence[SignedCheckpoint],
    log: ScannedLog,
    tree: SignedTree | None,
) -> None:
    """Add to the report whether each older checkpoint is continued, and what is wrong where it is not.

    Against the export's own checkpoint it is the signed trees that are compared, not the lines: a changed line is no
    fork.
    """
    signed_size = own.checkpoint.size if own.checkpoint is not None and own.is_authentic else None
    compared = [(each.file, each.checkpoint, _agrees(each, signed_size, log, tree, report)) for each in older]
    continued = [checkpoint.size for _, checkpoint, agrees in compared if checkpoint is not None and agrees]
    for file, checkpoint, agrees in compared:
        size = None if checkpoint is None else checkpoint.size
        report.checkpoints.append(ComparedCheckpoint(file, size, agrees))
        if size is not None and agrees is False:
            since = max([0, *(each for each in continued if each < size)])
            report.findings.append(_finding(file, size, since, signed_size, log.count))


def _agrees(
    each: SignedCheckpoint,
    signed_size: int | None,
    log: ScannedLog,
    tree: SignedTree | None,
    report: ExportReport,
) -> bool | None:
    if each.checkpoint is None or not each.is_authentic:
        return None
    size, root = each.checkpoint.size, each.checkpoint.root
    if size > (log.count if signed_size is None else signed_size):
        return False
    of_lines = log.root_at(size)
    if of_lines == root:
        return True
    if signed_size is None or report.root_agrees:
        return False
    of_tree = None if tree is None else tree.root_at(size)
    return None if of_tree is None else of_tree == root


def _finding(file: str, size: int, since: int, signed_size: int | None, lines: int) -> Finding:
    if size > (lines if signed_size is None else signed_size):
        if signed_size is None:
            return Finding(Flaw.TRUNCATED, 0, size - 1, count=size - lines, file=file)
        return Finding(Flaw.TRUNCATED, signed_size, size - 1, file=file)
    if signed_size is None:
        detail = "the entries are not those of this checkpoint"
        return Finding(Flaw.CHANGED, since, size - 1, count=0, file=file, detail=detail)
    detail = f"the histories part between size {since} and size {size}"
    return Finding(Flaw.FORKED, since, max(since, size - 1), file=file, detail=detail)
