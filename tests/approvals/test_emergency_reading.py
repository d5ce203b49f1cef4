"""Having executed an emergency action gives no right to read; who decides on it sees it, and is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bson import ObjectId

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.viewer import Viewer
from archive_store.approvals import emergencies
from archive_store.approvals.contents import RequestContent
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.approvals.emergency_queries import (
    emergency_actions_by_id,
    emergency_contents_for,
    list_emergency_actions,
    visible_emergency_ids,
)
from archive_store.approvals.emergency_rules import may_see
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.students.histories import STUDENT_HISTORY
from tests.approvals.test_emergency import NEW, REASON, acknowledge, held, ratify, suspended, updated
from tests.approvals.test_requests import delegated
from tests.school import School


async def content(school: School, viewer: Viewer, key: ObjectId) -> RequestContent:
    (action,) = await emergency_actions_by_id(school.store, viewer, [key])
    assert action is not None
    (shown,) = await emergency_contents_for(school.store, viewer, [action])
    return shown


async def test_executing_widens_no_reading(school: School) -> None:
    student = await school.student()
    key = await updated(school, phone=NEW)
    information = await school.viewer("information")
    shown = await content(school, information, key)
    assert [(one.field, one.before, one.after, one.withheld) for one in shown.changes] == [
        ("phone", None, NEW, True)
    ]
    assert shown.reason == REASON
    assert await school.store.database.collection(AccessEvent).count_documents({}) == 0
    for entry in (await STUDENT_HISTORY.pages(school.store, information, [student.key], first=1))[0].rows:  # type: ignore[union-attr]
        assert [(one.before, one.after) for one in entry.changes] == [(None, None)]
        assert entry.reason is None
    # Nor once it is decided.
    await acknowledge(school, "director", key)
    await ratify(school, "vice-principal", key)
    assert (await content(school, information, key)).changes[0].before is None


async def test_who_decides_sees_both_values_and_is_recorded(school: School) -> None:
    student = await school.student()
    key = await updated(school, phone=NEW)
    vice, deputy = await school.viewer("vice-principal", None), await school.viewer("deputy-1")
    (change,) = (await content(school, vice, key)).changes
    assert (change.before, change.after) == (student.phone, NEW)
    rows = await school.store.database.collection(AccessEvent).find().to_list()
    await school.store.cipher.decrypt_paths(rows, encrypted_paths(AccessEvent))
    assert [(row["viewer_id"], row["purpose"]) for row in rows] == [
        (vice.person_id, "应急处置 deciding on an emergency action")
    ]
    withheld = await content(school, deputy, key)
    assert (withheld.changes[0].before, withheld.changes[0].after, withheld.reason) == (None, None, None)
    await acknowledge(school, "vice-principal", key)
    await ratify(school, "director", key)
    # It is no longer theirs, and they did not decide it.
    assert (await content(school, vice, key)).changes[0].withheld
    director = await school.viewer("director", None)
    assert not (await content(school, director, key)).changes[0].withheld


async def test_why_a_student_was_suspended_is_as_guarded_as_their_health(school: School) -> None:
    key = await suspended(school)
    deputy = await content(school, await school.viewer("deputy-1"), key)
    assert (deputy.changes[0].after, deputy.reason) == ("SUSPENDED", None)
    assert (await content(school, await school.viewer("information"), key)).reason == REASON


SUBJECTS = (
    *(
        "director",
        "deputy-1",
        "deputy-2",
        "information",
        "archive",
        "analysis",
        "vice-principal",
        "principal",
    ),
    *("teacher", "academic-affairs", "admissions", "logistics", "service"),
)


async def test_the_list_shows_what_may_be_seen(school: School) -> None:
    await delegated(school, "director", "teacher", "DIRECTOR", operations=["student.suspend"])
    await delegated(school, "principal", "archive", "PRINCIPAL")
    one, other = await updated(school), await suspended(school)
    await school.store.database.collection(EmergencyAction).update_one(
        {"_id": other}, {"$set": {"due_at": (await held(school, one)).due_at + timedelta(days=1)}}
    )
    late = (await held(school, one)).due_at + timedelta(hours=1)
    seen: dict[str, tuple[bool, bool]] = {}
    for escalated in (0, 1):
        if escalated:
            assert await emergencies.escalate_overdue(school.store, late) == 1
        for subject in SUBJECTS:
            viewer = await school.viewer(subject)
            listed = {
                action.key for action in (await list_emergency_actions(school.store, viewer, first=5)).rows
            }
            assert listed == await visible_emergency_ids(school.store, viewer, [one, other])
            for key in (one, other):
                allowed = may_see(viewer, await held(school, key))
                assert (key in listed) == allowed, (subject, key)
            seen[subject] = (one in listed, other in listed)
    assert {subject for subject, both in seen.items() if all(both)} == {
        *("director", "deputy-1", "deputy-2", "information", "vice-principal", "principal")
    }
    assert (seen["teacher"], seen["archive"]) == ((False, True), (True, False))
    # Another of the group did not execute it.
    colleague = replace(await school.viewer("information"), person_id=ObjectId())
    assert await emergency_actions_by_id(school.store, colleague, [one]) == [None]
