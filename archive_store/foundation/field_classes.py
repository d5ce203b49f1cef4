"""Field classes F0–F4 (design: the field-access policy) and how a stored type declares them.

Each leaf of a record carries its class as an annotation: `phone: Annotated[str | None, FieldClass.F3]`.
Leaves of F3 and F4 are encrypted in MongoDB; who reads which class is the access policy's business, not ours.
"""

from __future__ import annotations

import types
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


class FieldClass(StrEnum):
    """How sensitive a stored value is."""

    F0 = "F0"  # open inside the school 校内公开
    F1 = "F1"  # internal 内部
    F2 = "F2"  # personal 个人信息
    F3 = "F3"  # sensitive 敏感
    F4 = "F4"  # sealed 封存


ENCRYPTED_CLASSES = frozenset({FieldClass.F3, FieldClass.F4})


class UnclassifiedFieldError(TypeError):
    """A stored field without a class: a defect, found when the type is first used."""


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Model`, `list[Model]` or `Model | None`, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, Union, types.UnionType, Annotated):
        for argument in get_args(annotation):
            if found := _nested_model(argument):
                return found
    return None


def field_classes(record_type: type[BaseModel]) -> dict[str, FieldClass]:
    """Dotted path of every leaf to its class, e.g. `{"name": F0, "guardians.phone": F3}`."""
    return _field_classes(record_type)


@cache
def _field_classes(record_type: type[BaseModel]) -> dict[str, FieldClass]:
    classes: dict[str, FieldClass] = {}
    for name, field in record_type.model_fields.items():
        if name in ("id", "revision_id"):  # the key is not a value; the other is Beanie's own and unused
            continue
        own = [mark for mark in field.metadata if isinstance(mark, FieldClass)]
        nested = _nested_model(field.annotation)
        if own:
            classes[name] = own[0]
        elif nested:
            classes |= {f"{name}.{path}": held for path, held in field_classes(nested).items()}
        else:
            raise UnclassifiedFieldError(f"{record_type.__name__}.{name} has no field class")
    return classes


def encrypted_paths(record_type: type[BaseModel]) -> frozenset[str]:
    """Dotted paths of the leaves that are encrypted at rest."""
    return _encrypted_paths(record_type)


@cache
def _encrypted_paths(record_type: type[BaseModel]) -> frozenset[str]:
    return frozenset(path for path, held in field_classes(record_type).items() if held in ENCRYPTED_CLASSES)


def leaves_of(record_type: type[BaseModel], field: str) -> list[str]:
    """Dotted paths of the leaves at or below a top-level field."""
    return [path for path in field_classes(record_type) if path == field or path.startswith(f"{field}.")]
