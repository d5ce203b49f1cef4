"""The record types, operations and jobs of the room, as `archive_store/archive.py` takes them into its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.approvals.operation import Operation
from archive_store.foundation.records import Record
from archive_store.transfer_cases.documents import TransferCase, TransferRules
from archive_store.transfer_cases.ending import CASE_CLOSE, CASE_WITHDRAW
from archive_store.transfer_cases.jobs import CASE_JOBS
from archive_store.transfer_cases.leaving import FILE_RETURN, FILE_SEND, STUDENT_TRANSFER_OUT
from archive_store.transfer_cases.operations import (
    CASE_ANSWER,
    CASE_OPEN,
    CASE_RECORD_STEP,
)

CASE_RECORD_TYPES: tuple[type[Record], ...] = (TransferCase, TransferRules)
# The wrapped operations stand in place of those of their own rooms.
CASE_OPERATIONS: Mapping[str, Operation[Any]] = {
    operation.name: operation
    for operation in (
        *(CASE_OPEN, CASE_RECORD_STEP, CASE_ANSWER, CASE_WITHDRAW, CASE_CLOSE),
        *(STUDENT_TRANSFER_OUT, FILE_SEND, FILE_RETURN),
    )
}
__all__ = ["CASE_JOBS", "CASE_OPERATIONS", "CASE_RECORD_TYPES"]
