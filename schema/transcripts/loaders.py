"""Transcripts of students: one query a batch and selection."""

from __future__ import annotations

from typing import Any, NamedTuple

import strawberry
from bson import ObjectId
from strawberry.dataloader import DataLoader

from archive_store.access.policy import Withheld
from archive_store.transcripts.queries import TranscriptView, transcripts_by_id, transcripts_of_students
from schema.context import Context, Request
from schema.nodes import key_of, key_of_source
from schema.transcripts.types import Transcript, wants_purpose


class TranscriptsKey(NamedTuple):
    """A student, and whether the purposes of the transcripts are asked for."""

    student_id: ObjectId
    with_purpose: bool


class TranscriptLoaders:
    """One for each request."""

    def __init__(self, context: Context) -> None:
        store, viewer = context.store, context.viewer

        async def load(keys: list[TranscriptsKey]) -> list[list[TranscriptView] | Withheld]:
            found: dict[TranscriptsKey, list[TranscriptView] | Withheld] = {}
            for purpose in {key.with_purpose for key in keys}:
                ids = list({key.student_id: None for key in keys if key.with_purpose is purpose})
                views = await transcripts_of_students(store, viewer, ids, with_purpose=purpose)
                found |= {TranscriptsKey(key, purpose): held for key, held in zip(ids, views, strict=True)}
            return [found[key] for key in keys]

        self.of_students: DataLoader[TranscriptsKey, list[TranscriptView] | Withheld] = DataLoader(
            load_fn=load, cache=False
        )


async def resolve_transcripts(root: strawberry.Parent[Any], info: Request) -> list[Transcript] | None:
    key = TranscriptsKey(key_of_source(root), wants_purpose(info))
    found = await info.context.loaders.transcripts.of_students.load(key)
    if isinstance(found, Withheld):
        info.context.withhold({"Student.transcripts": found})
        return None
    return found  # type: ignore[return-value]


async def resolve_transcript(info: Request, id: strawberry.ID) -> Transcript | None:  # noqa: A002
    """One transcript; null when there is none to see."""
    return await transcript_node(info, key_of(id, "Transcript", field="id"))  # type: ignore[no-any-return]


async def transcript_node(info: Request, key: ObjectId, *route: str) -> Any:
    context = info.context
    (view,) = await transcripts_by_id(
        context.store, context.viewer, [key], with_purpose=wants_purpose(info, *route)
    )
    return view
