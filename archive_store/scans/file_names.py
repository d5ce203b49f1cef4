"""File names by policy §三(二): `{cohort}级[第{batch}批]{document type}[-{student number}]`, pure.

The policy's own example, 2023级新生学籍信息表, names no batch: a missing batch is the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archive_store.foundation.errors import ErrorCode, RegistrarError

RULE = "policy §三(二)"
LENGTH_LIMIT = 120
_NAME = re.compile(
    r"(?P<cohort>[0-9]{4})级(?:第(?P<batch>[1-9][0-9]{0,2})批)?"
    # Nothing that a file system, a header or a page reads otherwise, and no extension.
    r"(?P<type>(?!第[0-9])[^\W\d_][^-/\\.<>:\"|?*;%]{0,60}?)"
    r"(?:-(?P<number>[0-9A-Za-z]{1,30}))?"
)
_EXTENSIONS = (".pdf", ".tif", ".tiff", ".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class PolicyFileName:
    """The parts of a name; `batch` counts from 1."""

    cohort: int
    batch: int
    document_type: str
    student_number: str | None = None

    def __str__(self) -> str:
        batch = "" if self.batch == 1 else f"第{self.batch}批"
        number = "" if self.student_number is None else f"-{self.student_number}"
        return f"{self.cohort}级{batch}{self.document_type}{number}"


def parse_file_name(name: str) -> PolicyFileName:
    """The parts of a policy name, with or without a scan's extension; INVALID_FILE_NAME for any other name."""
    stem = name.strip()
    for extension in _EXTENSIONS:
        if stem.lower().endswith(extension):
            stem = stem[: -len(extension)]
            break
    found = _NAME.fullmatch(stem) if len(stem) <= LENGTH_LIMIT and stem.isprintable() else None
    if found is None:
        raise RegistrarError(ErrorCode.INVALID_FILE_NAME, field="file_name", rule=RULE)
    return PolicyFileName(
        cohort=int(found["cohort"]),
        batch=int(found["batch"] or 1),
        document_type=found["type"],
        student_number=found["number"],
    )
