"""The enums of people and classes as GraphQL ones."""

from __future__ import annotations

from archive_store.people.documents import GrantKind
from archive_store.people.rules import NumberState
from schema.enum_names import name_enum

name_enum(
    GrantKind,
    "How a post is held.",
    {"PRIMARY": "任职", "ROTATION": "轮岗", "ACTING": "代理"},
)
name_enum(
    NumberState,
    "学籍号状态, by the letter of the national student number.",
    {
        "TEMPORARY": "临时, an L number",
        "FORMAL": "正式, a G number",
        "SUBSTITUTE": "无有效证件者, a J number",
    },
)

__all__ = ["GrantKind", "NumberState"]
