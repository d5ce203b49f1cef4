"""Reading transcripts: as the grades are read that they tell (`academics/queries.py`), whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from bson import ObjectId

from archive_store.academics.documents import GradeRecord
from archive_store.academics.queries import decide_on_grade, purpose_of
from archive_store.access.policy import FieldDecision, Withheld
from archive_store.access.viewer import Viewer
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.store import Store
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import RowDecision, student_scope
from archive_store.transcripts.documents import Transcript

_CONTENT = frozenset({"credential", "reading_key"})
_PURPOSE = frozenset({"purpose"})


@dataclass(frozen=True, slots=True)
class TranscriptView:
    """A transcript that the viewer reads; `purpose` only where it was asked for.

    `corrected_since`: a grade that it tells was corrected after it was issued.
    """

    row: Row
    corrected_since: bool

    @property
    def id(self) -> ObjectId:
        return ObjectId(self.row["_id"])

    @property
    def student_id(self) -> ObjectId:
        return ObjectId(self.row["student_id"])


def decide_on_transcript(viewer: Viewer, facts: Row) -> RowDecision:
    return decide_on_grade(student_scope(viewer), facts, record_type=Transcript)


def reads_all(held: RowDecision) -> bool:
    """Whether it opens a transcript: all of it, or nothing."""
    return held.decision.readable >= _CONTENT


async def transcripts_of_students(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], *, with_purpose: bool = False
) -> list[list[TranscriptView] | Withheld]:
    """Of each student, newest first; why none is told to who does not read the grades.

    The purposes are sensitive: showing them is recorded as a reading.
    """
    facts = await facts_by_id(store, viewer, student_ids)
    held = {key: decide_on_transcript(viewer, row) for key, row in facts.items()}
    open_to = [key for key, decision in held.items() if reads_all(decision)]
    try:
        views = await _views(store, viewer, {"student_id": {"$in": open_to}}, held, with_purpose)
    except GrantExhaustedError as error:
        left = viewer.without_grants(error.grant_ids)
        return await transcripts_of_students(store, left, student_ids, with_purpose=with_purpose)
    found: dict[ObjectId, list[TranscriptView]] = defaultdict(list)
    for view in views:
        found[view.student_id].append(view)
    return [
        found[key]
        if key in open_to
        else held[key].decision.why_withheld(FieldClass.F3)
        if key in held
        else Withheld.NOT_PERMITTED
        for key in student_ids
    ]


async def transcripts_by_id(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId], *, with_purpose: bool = False
) -> list[TranscriptView | None]:
    """In the order of the ids, None where there is none to see."""
    decisions = await transcript_decisions(store, viewer, ids)
    open_to = [key for key, held in decisions.items() if reads_all(held)]
    rows = store.database.collection(Transcript).find({"_id": {"$in": open_to}}, {"student_id": 1})
    held = {row["student_id"]: decisions[row["_id"]] for row in await rows.to_list()}
    try:
        views = await _views(store, viewer, {"_id": {"$in": open_to}}, held, with_purpose)
    except GrantExhaustedError as error:
        left = viewer.without_grants(error.grant_ids)
        return await transcripts_by_id(store, left, ids, with_purpose=with_purpose)
    by_key = {view.id: view for view in views}
    return [by_key.get(key) for key in ids]


async def transcript_decisions(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> dict[ObjectId, RowDecision]:
    """How the viewer stands to each transcript of a student in sight."""
    found = store.database.collection(Transcript).find({"_id": {"$in": list(ids)}}, {"student_id": 1})
    owners = {row["_id"]: row["student_id"] for row in await found.to_list()}
    facts = await facts_by_id(store, viewer, list(owners.values()))
    return {
        key: decide_on_transcript(viewer, facts[student_id])
        for key, student_id in owners.items()
        if student_id in facts
    }


async def request_decisions(
    store: Store, viewer: Viewer, ids: Sequence[ObjectId]
) -> Mapping[ObjectId, FieldDecision]:
    """As requests about transcripts are read, by who knows of the transcript.

    A retrieval grant opens the transcript, not what is asked of it.
    """
    decisions = await transcript_decisions(store, viewer, ids)
    return {key: held.without_grants for key, held in decisions.items() if reads_all(held)}


async def _views(
    store: Store, viewer: Viewer, query: Row, held: Mapping[ObjectId, RowDecision], with_purpose: bool
) -> list[TranscriptView]:
    hidden = encrypted_paths(Transcript) - (_PURPOSE if with_purpose else frozenset())
    shown = dict.fromkeys(hidden, 0)
    rows = await store.database.collection(Transcript).find(query, shown).sort("_id", -1).to_list()
    if with_purpose:
        read = [
            ReadRows(_PURPOSE, [key], held[key].grants_for(_PURPOSE))
            for key in sorted({row["student_id"] for row in rows if row["purpose"] is not None})
        ]
        await record_reading(store, viewer, Transcript, read, purpose=purpose_of(viewer))
        await store.cipher.decrypt_paths(rows, _PURPOSE)
    corrected = await corrected_of(store, rows)
    return [TranscriptView(row, row["_id"] in corrected) for row in rows]


async def corrected_of(store: Store, rows: Sequence[Row]) -> frozenset[ObjectId]:
    """The transcripts among the rows of which a grade has another revision than it tells."""
    stated = {grade["grade_id"] for row in rows for grade in row["stated"]}
    found = store.database.collection(GradeRecord).find({"_id": {"$in": sorted(stated)}}, {"revision": 1})
    now = {row["_id"]: row["revision"] for row in await found.to_list()}
    return frozenset(
        row["_id"]
        for row in rows
        if any(now.get(grade["grade_id"]) != grade["revision"] for grade in row["stated"])
    )


async def read_transcript(store: Store, viewer: Viewer, transcript_id: ObjectId) -> Mapping[str, Any]:
    """The whole record, decrypted, for who reads the grades, which is recorded as a reading. NOT_FOUND otherwise.

    PURPOSE_REQUIRED where a stated purpose is all that is missing. `credential` in it is the signed document, parsed.
    """
    while True:
        held = (await transcript_decisions(store, viewer, [transcript_id])).get(transcript_id)
        if held is None or not reads_all(held):
            why = held.decision.why_withheld(FieldClass.F3) if held else Withheld.NOT_PERMITTED
            if why is Withheld.PURPOSE_REQUIRED:
                raise RegistrarError(ErrorCode.PURPOSE_REQUIRED, field="id")
            raise RegistrarError(ErrorCode.NOT_FOUND, field="id")
        row = await store.database.collection(Transcript).find_one({"_id": transcript_id})
        assert row is not None  # noqa: S101 - transcripts are never removed
        read = ReadRows(_CONTENT, [row["student_id"]], held.grants_for(_CONTENT))
        try:
            await record_reading(store, viewer, Transcript, [read], purpose=purpose_of(viewer))
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        else:
            break
    await store.cipher.decrypt_paths([row], encrypted_paths(Transcript))
    return {**row, "credential": orjson.loads(row["credential"])}
