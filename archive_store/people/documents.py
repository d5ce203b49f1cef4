"""Persons (自然人) and role grants (授权) as stored."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from beanie import PydanticObjectId
from pydantic import BaseModel, Field
from pymongo import IndexModel

from archive_store.access.rules import Scope
from archive_store.foundation.field_classes import FieldClass
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record

F0, F1, F2, F3, F4 = FieldClass


class PersonKind(StrEnum):
    HUMAN = "HUMAN"
    SERVICE = "SERVICE"  # an integrator's program; it reads by its grants and never requests or approves


class IdentifierKind(StrEnum):
    IDENTITY_NUMBER = "IDENTITY_NUMBER"  # 身份证件号: the citizen ID (GB 11643), or another document's number
    NATIONAL_STUDENT_NUMBER = "NATIONAL_STUDENT_NUMBER"  # 全国学籍号


class Identifier(BaseModel):
    """A number a person bears or bore. A number is kept when the next one replaces it."""

    kind: Annotated[IdentifierKind, F1]
    value: Annotated[str, F3]
    valid_from: Annotated[datetime, F1]
    valid_to: Annotated[datetime | None, F1] = None


class Person(Record):
    """A human or a service account. `identifier_lookups` are the blind indexes of the numbers in force."""

    subject_type: ClassVar[str] = "Person"

    name: Annotated[str, F0]
    kind: Annotated[PersonKind, F0] = PersonKind.HUMAN
    sign_in_subject: Annotated[str | None, F1] = None  # `sub` of the sign-in token
    scopes: Annotated[list[Scope], F1] = Field(default_factory=list)  # of a service account
    identifiers: list[Identifier] = Field(default_factory=list)
    # Keyed digests, for look-up and uniqueness only; no query shows them.
    identifier_lookups: Annotated[list[str], F1] = Field(default_factory=list)

    class Settings:
        name = "persons"
        indexes = [  # noqa: RUF012 - Beanie reads a plain list
            IndexModel(
                "sign_in_subject",
                unique=True,
                partialFilterExpression={"sign_in_subject": {"$type": "string"}},
            ),
            IndexModel(
                "identifier_lookups",
                unique=True,
                partialFilterExpression={"identifier_lookups.0": {"$exists": True}},
            ),
        ]


class GrantKind(StrEnum):
    PRIMARY = "PRIMARY"
    ROTATION = "ROTATION"  # 轮岗
    ACTING = "ACTING"  # 代理


class RoleGrant(Record):
    """A post held by a person from one day in China to another (policy §二).

    `business_line` is a deputy director's (分管具体业务), one of the field-access policy's lines; `class_names` and
    `homeroom_class_names` (班主任) are a teacher's. `qualified` and `confidentiality_undertaken` are conditions of
    the grant (policy §二(二)).
    """

    subject_type: ClassVar[str] = "RoleGrant"

    person_id: Annotated[PydanticObjectId, F0]
    post: Annotated[Post, F0]
    kind: Annotated[GrantKind, F0] = GrantKind.PRIMARY
    business_line: Annotated[str | None, F0] = None
    class_names: Annotated[list[str], F0] = Field(default_factory=list)
    homeroom_class_names: Annotated[list[str], F0] = Field(default_factory=list)
    valid_from: Annotated[date, F0]
    valid_to: Annotated[date | None, F0] = None  # the last day, inclusive
    qualified: Annotated[bool, F1]
    confidentiality_undertaken: Annotated[bool, F1]

    class Settings:
        name = "role_grants"
        indexes = [  # noqa: RUF012
            IndexModel([("person_id", 1), ("valid_from", 1)]),
            IndexModel([("post", 1), ("valid_from", 1)]),
        ]
