"""The record types and operations of the room, as the tables of the store take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive_store.approvals.operation import Operation
from archive_store.foundation.records import Record
from archive_store.transcripts.documents import Transcript
from archive_store.transcripts.operations import TRANSCRIPT_ISSUE, TRANSCRIPT_REVOKE

TRANSCRIPT_RECORD_TYPES: tuple[type[Record], ...] = (Transcript,)
TRANSCRIPT_OPERATIONS: Mapping[str, Operation[Any]] = {
    "transcript.issue": TRANSCRIPT_ISSUE,
    "transcript.revoke": TRANSCRIPT_REVOKE,
}
