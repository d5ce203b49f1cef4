"""The class of a student, for the student's own type."""

from __future__ import annotations

from typing import Any

import strawberry

from schema.context import Request
from schema.nodes import key_of_source
from schema.organisation.majors import Major
from schema.organisation.types import SchoolClass


async def resolve_class_of_student(root: strawberry.Parent[Any], info: Request) -> SchoolClass | None:
    return await info.context.loaders.organisation.classes_of_students.load(key_of_source(root))  # type: ignore[return-value]


async def resolve_major_of_student(root: strawberry.Parent[Any], info: Request) -> Major | None:
    return await info.context.loaders.organisation.majors_of_students.load(key_of_source(root))
