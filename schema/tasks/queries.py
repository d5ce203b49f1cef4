"""`viewer.tasks`, and the one task of a record: change requests, admission cases and appeals that await the viewer."""

from __future__ import annotations

from itertools import chain

from bson import ObjectId

from archive_store.admission.queries import cases_by_id
from archive_store.admission.tasks import cases_awaiting
from archive_store.approvals.queries import list_change_requests
from archive_store.conduct.tasks import appeals_awaiting
from archive_store.foundation.paging import check_page_size
from schema.admission.types import ADMISSION_CASE, note_withheld, with_names
from schema.context import Context, Request
from schema.nodes import Connection, connection, key_of
from schema.tasks.types import Task, appeal_task, case_task, decision_task


async def resolve_tasks(info: Request, first: int = 20, after: str | None = None) -> Connection[Task]:
    """A page of what awaits the viewer. A service account never decides, so that nothing awaits it."""
    context = info.context
    check_page_size(first, context.store.settings.page_size_limit)
    key = None if after is None else key_of(after, "Task", field="after")
    if context.viewer.is_service:
        return connection([], [], has_next=False, after=after)  # type: ignore[no-any-return]
    requests = await list_change_requests(
        context.store, context.viewer, first=first, after=key, awaiting_me=True
    )
    cases = await cases_awaiting(context.store, context.viewer, frozenset(), first=first, after=key)
    appeals = await appeals_awaiting(context.store, context.viewer, first=first, after=key)
    # All lists go from new to old by key, so that the newest of each are the newest of all.
    listed = (
        [row.key for row in requests.rows],
        [view.id for view in cases.rows],
        [view.id for view in appeals.rows],
    )
    keys = sorted(chain.from_iterable(listed), reverse=True)
    found = {request.key: decision_task(request) for request in requests.rows}
    found |= {view.id: appeal_task(view) for view in appeals.rows}
    # Of the cases only what is shown is read.
    paths = ADMISSION_CASE.selected(info, "edges", "node", "subject")
    awaiting = {view.id: view.status for view in cases.rows if view.id in set(keys[:first])}
    loaded = await cases_by_id(context.store, context.viewer, list(awaiting), with_names(paths))
    # One that moved on in between awaits somebody else.
    views = [view for view in loaded if view is not None and view.status is awaiting[view.id]]
    note_withheld(info, views, paths)
    found |= {view.id: case_task(view) for view in views}
    tasks = [found[held] for held in keys[:first] if held in found]
    has_next = requests.has_next or cases.has_next or appeals.has_next or len(keys) > first
    return connection(tasks, [task.id for task in tasks], has_next=has_next, after=after)  # type: ignore[no-any-return]


async def task_about(context: Context, request_id: ObjectId) -> Task | None:
    """The task of deciding on this request; None unless it awaits the viewer now."""
    # The list goes from new to old: the first one up to this key is the one itself, or it does not await them.
    page = await list_change_requests(
        context.store, context.viewer, first=1, after=_next_key(request_id), awaiting_me=True
    )
    found = [request for request in page.rows if request.key == request_id]
    return decision_task(found[0]) if found else None


async def task_about_case(info: Request, case_id: ObjectId) -> Task | None:
    """The task of taking the next step of this case; None unless it awaits the viewer now."""
    context, paths = info.context, ADMISSION_CASE.selected(info, "subject")
    page = await cases_awaiting(
        context.store, context.viewer, with_names(paths), first=1, after=_next_key(case_id)
    )
    found = [view for view in page.rows if view.id == case_id]
    note_withheld(info, found, paths)
    return case_task(found[0]) if found else None


async def task_about_appeal(context: Context, appeal_id: ObjectId) -> Task | None:
    """The task of the next step of this appeal; None unless it awaits the viewer now."""
    page = await appeals_awaiting(context.store, context.viewer, first=1, after=_next_key(appeal_id))
    found = [view for view in page.rows if view.id == appeal_id]
    return appeal_task(found[0]) if found else None


def _next_key(key: ObjectId) -> ObjectId:
    return ObjectId((int.from_bytes(key.binary) + 1).to_bytes(12))
