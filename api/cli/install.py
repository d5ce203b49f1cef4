"""`registrar install FILE`: the first people of a school.

The file is JSON: `{"people": [{"name", "signInSubject", "service"?, "scopes"?, "posts": [{"post", "from", "to"?,
"businessLine"?, "classNames"?, "homeroomClassNames"?, "qualified", "confidentialityUndertaken"}]}]}`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import aiofiles
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from api.cli.client import ServerError
from archive_store.access.rules import Scope
from archive_store.archive import open_archive
from archive_store.foundation.posts import Post
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.documents import Person, PersonKind, RoleGrant
from archive_store.people.operations import install


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class FirstPost(_Model):
    post: Post
    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(None, alias="to")
    business_line: str | None = None
    class_names: list[str] = []
    homeroom_class_names: list[str] = []
    qualified: bool
    confidentiality_undertaken: bool


class FirstPerson(_Model):
    name: str
    sign_in_subject: str
    service: bool = False
    scopes: list[Scope] = []
    posts: list[FirstPost] = []


class FirstPeople(_Model):
    people: list[FirstPerson] = Field(min_length=1)


async def install_people(store: Store, first: FirstPeople) -> int:
    """Install; the number of people."""
    persons, grants = [], []
    for told in first.people:
        person = Person(
            name=told.name,
            sign_in_subject=told.sign_in_subject,
            scopes=told.scopes,
            kind=PersonKind.SERVICE if told.service else PersonKind.HUMAN,
        )
        persons.append(person)
        grants += [RoleGrant(person_id=person.key, **post.model_dump()) for post in told.posts]
    await install(store, persons, grants)
    return len(persons)


async def install_school(settings: Settings, file: Path) -> int:
    async with aiofiles.open(file, encoding="utf-8") as opened:
        text = await opened.read()
    try:
        first = FirstPeople.model_validate_json(text)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ServerError(f"{file.name} does not describe a school", *faults) from error
    async with open_archive(settings) as store:
        return await install_people(store, first)
