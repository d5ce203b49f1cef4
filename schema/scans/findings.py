"""Warnings of the intake checks (入库检查) in GraphQL."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.foundation.errors import Message
from archive_store.inspection.findings import IntakeWarning
from archive_store.scans.findings import FINDING_TEXTS
from schema.enums import ScanFindingCode
from schema.scalars import member


@strawberry.type(description="提示: what the checks of an upload found; it was taken all the same.")
class ScanFinding:
    code: ScanFindingCode
    pages: list[int] = strawberry.field(
        description="Pages that it is of, from 1; none where it is of the file."
    )

    @strawberry.field(description="The sentence in Chinese (中文).")
    def message_zh(self) -> str:
        return _text(self).zh

    @strawberry.field(description="The sentence in English.")
    def message_en(self) -> str:
        return _text(self).en


def _text(source: Any) -> Message:
    return FINDING_TEXTS[IntakeWarning(str(member(source, "code")))]
