"""The audit history of students, within the viewer's scope and rights."""

from __future__ import annotations

from collections.abc import Sequence

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.audit.queries import HistoryEntry, histories_of
from archive_store.audit.readings import GrantExhaustedError, ReadRows, record_reading
from archive_store.foundation.field_classes import FieldClass, encrypted_paths
from archive_store.foundation.paging import Page, check_page_size
from archive_store.foundation.store import Store
from archive_store.students.documents import Student
from archive_store.students.queries import facts_by_id
from archive_store.students.scope import student_scope


async def student_histories(
    store: Store, viewer: Viewer, student_ids: Sequence[ObjectId], *, first: int, after: int | None = None
) -> list[Page[HistoryEntry] | None]:
    """The audit history of each student, newest first, in the order of the ids.

    None for a student who is not visible, and where the viewer reads no internal (F1) field of it.
    """
    check_page_size(first, store.settings.page_size_limit)
    if not viewer.has_scope(Scope.AUDIT_READ):
        return [None] * len(student_ids)
    facts = await facts_by_id(store, viewer, student_ids)
    while True:
        scope = student_scope(viewer)
        held = {key: scope.decide(row) for key, row in facts.items()}
        readable = {
            key: row.decision.readable for key, row in held.items() if FieldClass.F1 in row.decision.classes
        }
        pages = await histories_of(store, Student, readable, first=first, after=after) if readable else {}
        shown = {key: _shown_paths(page) & encrypted_paths(Student) for key, page in pages.items()}
        read = [ReadRows(paths, [key], held[key].grants_for(paths)) for key, paths in shown.items() if paths]
        try:
            await record_reading(store, viewer, Student, read)
        except GrantExhaustedError as error:
            viewer = viewer.without_grants(error.grant_ids)
        else:
            return [pages.get(student_id) for student_id in student_ids]


def _shown_paths(page: Page[HistoryEntry]) -> frozenset[str]:
    """The leaves whose values the entries of a page show, or of which their reasons may speak."""
    changes = [change for entry in page.rows for change in entry.changes if not change.withheld]
    told = (entry.reason_leaves for entry in page.rows)
    return frozenset(leaf for change in changes for leaf in change.leaves).union(*told)
