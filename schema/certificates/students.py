"""Certificates of a student, for the student's own type."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.access.policy import Withheld
from schema.certificates.types import Certificate, note_withheld
from schema.context import Request
from schema.nodes import key_of_source


async def resolve_certificates(root: strawberry.Parent[Any], info: Request) -> list[Certificate] | None:
    found = await info.context.loaders.certificates_by_student.load(key_of_source(root))
    if found is None:
        info.context.withhold({"Student.certificates": Withheld.NOT_PERMITTED})
    else:
        note_withheld(info, found)
    return found  # type: ignore[return-value]
