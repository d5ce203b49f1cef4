"""Reading who looked at what of students, as their entries tell; nothing of other students in the same readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId

from archive_store.academics.documents import GradeRecord
from archive_store.access.policy import Withheld
from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.viewer import Viewer
from archive_store.audit.reading_entries import ReadingEntry, Wanted, newest_readings
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.conduct.readings import TOLD_AS, conduct_keys
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.objections.documents import RecordObjection
from archive_store.readings.rules import Sight, sight_of, told_purpose
from archive_store.scans.documents import Scan
from archive_store.scans.queries import ScanView, scans_by_student
from archive_store.students.documents import Student
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope
from archive_store.transcripts.documents import Transcript
from archive_store.transfer_cases.documents import TransferCase

_PURPOSE = frozenset({"purpose"})
# Which of a student's was read is not told: an entry is of the student.
_TOLD_WHOLE: Mapping[str, str] = {
    GradeRecord.subject_type: "grades",
    RecordObjection.subject_type: "objections",
    Transcript.subject_type: "transcripts",
    TransferCase.subject_type: "transfer_cases",
}


@dataclass(frozen=True, slots=True)
class Access:
    """One reading of one student's sensitive or sealed values, as far as the viewer may know of it.

    `fields` are paths of the student's record, or of their sanctions below it, or `grades`, `objections`,
    `transcripts` or `transfer_cases`; `scans` those whose bytes were read. `why_withheld` says why the purpose, or some
    of it, is kept back. `by_grant` and `by_team` are of this student's values, not of others' in the same reading.
    """

    event_id: ObjectId
    at: datetime
    actor_name: str
    actor_posts: tuple[str, ...]
    is_own: bool
    fields: tuple[str, ...]
    scans: tuple[ScanView, ...]
    purpose: str | None
    why_withheld: Withheld | None
    by_grant: bool
    by_team: bool
    entry_id: ObjectId
    sequence: int
    hash: str
    log_index: int | None  # of the entry; None until it has a place in the log


async def access_histories(
    store: Store,
    viewer: Viewer,
    student_ids: Sequence[ObjectId],
    *,
    first: int,
    after: ObjectId | None = None,
    with_own: bool = False,
    with_purposes: bool = True,
) -> list[Page[Access] | None]:
    """Who looked at what of each student, newest first, in the order of the ids; `after` is the last event told.

    None for a student who is not visible, and to whoever is neither family nor auditor. What the family read
    themselves is left out unless asked for `with_own`. Purposes are sensitive (F3): showing them is recorded as a
    reading, of the access events and not of the student, so that it makes no more to be told of.
    """
    check_page_size(first, store.settings.page_size_limit)
    scope, facts = student_scope(viewer), await facts_by_id(store, viewer, student_ids)
    sights = {key: sight for key, row in facts.items() if (sight := sight_of(scope, row)) is not None}
    if not sights:
        return [None] * len(student_ids)
    keys = list(sights)
    known = await scans_by_student(store, viewer, keys)
    # A paper that the viewer may not know of is not looked for, so that no page is short of it.
    scans = {key: {view.id: view for view in views or ()} for key, views in zip(keys, known, strict=True)}
    conduct = await conduct_keys(store, viewer, keys)
    wanted = [
        Wanted(
            frozenset({key, *scans[key], *conduct.get(key, ())}),
            after,
            viewer.person_id if sights[key].is_family and not with_own else None,
        )
        for key in keys
    ]
    pages = await newest_readings(store, wanted, first=first)
    family = viewer.own_student_ids | viewer.ward_ids
    found = {
        key: Page(
            [
                _access(
                    viewer,
                    sights[key],
                    entry,
                    key,
                    scans[key],
                    conduct.get(key, frozenset()),
                    family,
                    with_purposes,
                )
                for entry in page.rows
            ],
            page.has_next,
        )
        for key, page in zip(keys, pages, strict=True)
    }
    shown = {row.event_id for page in found.values() for row in page.rows if row.purpose is not None}
    read = [ReadRows(_PURPOSE, sorted(shown))] if shown else []
    await record_reading(store, viewer, AccessEvent, read)
    return [found.get(student_id) for student_id in student_ids]


def _access(
    viewer: Viewer,
    sight: Sight,
    entry: ReadingEntry,
    student_id: ObjectId,
    scans: Mapping[ObjectId, ScanView],
    conduct: Collection[ObjectId],
    family: Collection[ObjectId],
    with_purposes: bool,
) -> Access:
    groups = entry.groups_of({student_id, *scans, *conduct})
    read = {subject_id for group in groups for subject_id in group["subject_ids"]}
    read_type = entry.content["type"]
    told = {field for group in groups for field in group["fields"]}
    if read_type in _TOLD_WHOLE:
        fields = {_TOLD_WHOLE[read_type]}
    elif read_type in TOLD_AS:
        fields = {f"{TOLD_AS[read_type]}.{field}" for field in told}
    else:
        fields = told if read_type == Student.subject_type else set()
    purpose, why = None, None
    if with_purposes:
        purpose, why = told_purpose(sight, entry, student_id, {*family, *scans, *conduct})
    return Access(
        event_id=entry.event_id,
        at=entry.at,
        actor_name=entry.actor_name,
        actor_posts=entry.actor_posts,
        is_own=entry.actor_id == viewer.person_id,
        fields=tuple(sorted(fields)),
        scans=tuple(view for key, view in scans.items() if key in read)
        if read_type == Scan.subject_type
        else (),
        purpose=purpose,
        why_withheld=why,
        by_grant=any(group["grant_ids"] for group in groups),
        by_team=any(group["team_ids"] for group in groups),
        entry_id=entry.id,
        sequence=entry.sequence,
        hash=entry.hash.hex(),
        log_index=entry.log_index,
    )
