"""Objections of families: raised to one field, answered in time, each text by its class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.access.policy import Withheld
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.objections.documents import ObjectionStatus, RecordObjection
from archive_store.objections.operations import (
    ObjectionAnswer,
    ObjectionRaise,
    ObjectionWithdraw,
    capacity_of,
    tell_overdue_answers,
)
from archive_store.objections.queries import objections_of
from schema.nodes import global_id
from tests.conduct.cases import family
from tests.http.test_http import ask
from tests.school import School

Bearer = Any
STATEMENT = "现住址写错了,应为和平路1号"
ALL = frozenset({"statement", "answer"})


async def raised(
    school: School, student_id: ObjectId, subject: str = "pupil", field: str = "address"
) -> ObjectId:
    viewer, key = await school.viewer(subject), ObjectId()
    told = {"objection_id": key, "student_id": student_id, "field": field, "statement": STATEMENT}
    payload = payload_of(ObjectionRaise, {**told, "capacity": capacity_of(viewer, student_id)})
    await perform(school.store, viewer, "record_objection.raise", payload)
    return key


async def answered(
    school: School, key: ObjectId, request: ObjectId | None = None, by: str = "information"
) -> None:
    told = {"objection_id": key, "answer": "经核对", "change_request_id": request}
    payload = payload_of(ObjectionAnswer, told)
    await perform(school.store, await school.viewer(by), "record_objection.answer", payload)


async def stored(school: School, key: ObjectId) -> dict[str, Any]:
    row = await school.store.database.collection(RecordObjection).find_one({"_id": key})
    assert row is not None
    return row


async def code(awaited: Any) -> ErrorCode:
    with pytest.raises(RegistrarError) as caught:
        await awaited
    return caught.value.code


async def test_an_objection_is_answered_by_the_change_that_corrected_it(school: School) -> None:
    student_id = await family(school)
    student = await school.student()
    early = await school.request("information", student, phone="13900000001")
    await school.approve("director", early)
    key = await raised(school, student_id)
    assert STATEMENT not in repr(await stored(school, key))
    assert await code(raised(school, student_id, "parent")) is ErrorCode.DUPLICATE
    assert await code(answered(school, key, early, by="director")) is ErrorCode.WRONG_STATE
    other = await school.request("information", await school.student(), phone="13900000002")
    await school.approve("director", other)
    assert await code(answered(school, key, other, by="director")) is ErrorCode.UNKNOWN_FIELD
    request = await school.request("information", await school.student(), address="和平路1号")
    assert await code(answered(school, key, request, by="director")) is ErrorCode.WRONG_STATE
    await school.approve("director", request)
    await answered(school, key, request, by="director")
    row = await stored(school, key)
    assert (row["status"], row["change_request_id"]) == (ObjectionStatus.CORRECTED.value, request)
    assert await code(answered(school, key, by="director")) is ErrorCode.WRONG_STATE
    await raised(school, student_id, "parent")
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_who_may_object_and_answer(school: School) -> None:
    student_id = await family(school)
    other = (await school.student(1)).key
    assert await code(raised(school, other)) is ErrorCode.FORBIDDEN
    for subject in ("teacher", "logistics", "director"):
        assert await code(raised(school, student_id, subject)) is ErrorCode.FORBIDDEN
    assert await code(raised(school, student_id, field="pseudonym")) is ErrorCode.UNKNOWN_FIELD
    key = await raised(school, student_id)
    for subject in ("pupil", "parent", "teacher", "vice-principal"):
        assert await code(answered(school, key, by=subject)) is ErrorCode.FORBIDDEN
    payload = payload_of(ObjectionWithdraw, {"objection_id": key})
    for subject in ("parent", "information"):
        viewer = await school.viewer(subject)
        assert await code(perform(school.store, viewer, "record_objection.withdraw", payload)) is (
            ErrorCode.FORBIDDEN
        )
    await perform(school.store, await school.viewer("pupil"), "record_objection.withdraw", payload)
    assert (await stored(school, key))["status"] == ObjectionStatus.WITHDRAWN.value
    at_school = await raised(school, student_id, "information")
    assert (await stored(school, at_school))["capacity"] == "AT_SCHOOL"


async def test_a_late_answer_is_told_once(school: School) -> None:
    key = await raised(school, await family(school))
    now = school.store.clock.now()
    assert await tell_overdue_answers(school.store, now) == 0
    later = now + timedelta(days=30)
    assert await tell_overdue_answers(school.store, later) == 1
    assert await tell_overdue_answers(school.store, later) == 0
    await answered(school, key, by="director")
    assert (await stored(school, key))["status"] == ObjectionStatus.DECLINED.value


async def test_texts_are_read_by_their_class(school: School) -> None:
    student_id = await family(school)
    await raised(school, student_id, field="name")
    seen: dict[str, Any] = {}
    for subject in ("pupil", "parent", "director", "information", "logistics", "archive"):
        (views,) = await objections_of(school.store, await school.viewer(subject), [student_id], ALL)
        seen[subject] = None if not views else views[0].value("statement")
    assert (seen["pupil"], seen["parent"], seen["director"]) == (STATEMENT, STATEMENT, STATEMENT)
    # Who answers reads what is said of a field that they read; others, who answer nothing, do not.
    assert (seen["information"], seen["archive"], seen["logistics"]) == (STATEMENT, None, None)
    events = school.store.database.mongo["access_events"]
    rows = await events.find({"read_type": RecordObjection.subject_type}).sort("_id", 1).to_list()
    information = (await school.viewer("information")).person_id
    (row,) = [row for row in rows if row["viewer_id"] == information]
    assert (row["groups"][0]["fields"], row["groups"][0]["subject_ids"]) == (sorted(ALL), [student_id])
    # An address is as sensitive as what is said of it.
    await raised(school, student_id)
    viewer = await school.viewer("director", "")
    (views,) = await objections_of(school.store, viewer, [student_id], ALL)
    assert views is not None
    assert [(view.value("field"), view.value("statement")) for view in views] == [
        ("address", None),
        ("name", STATEMENT),
    ]
    assert views[0].withheld == dict.fromkeys(ALL, Withheld.PURPOSE_REQUIRED)


async def test_nobody_answers_what_they_may_not_read(school: School) -> None:
    student_id = await family(school)
    key = await raised(school, student_id, field="identity_number")
    rows = school.store.database.mongo["notifications"].find({"kind": "record_objection:raised"})
    assert {row["recipient_post"] for row in await rows.to_list()} == {"INFORMATION_GROUP", "DIRECTOR"}
    (views,) = await objections_of(school.store, await school.viewer("information"), [student_id], ALL)
    assert views is not None
    assert (views[0].value("field"), views[0].value("statement")) == ("identity_number", None)
    assert set(views[0].withheld.values()) == {Withheld.NOT_PERMITTED}
    assert await code(answered(school, key)) is ErrorCode.FORBIDDEN
    assert (await stored(school, key))["status"] == ObjectionStatus.OPEN.value
    await answered(school, key, by="director")
    # A deputy reads internal values of those who are not of their line.
    for field, is_read in (("phone", False), ("name", True)):
        other = await raised(school, student_id, field=field)
        if is_read:
            await answered(school, other, by="deputy-2")
        else:
            assert await code(answered(school, other, by="deputy-2")) is ErrorCode.FORBIDDEN


async def test_over_graphql(school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
    student_id = await family(school)
    raise_ = """mutation ($input: RecordObjectionRaiseInput!) { recordObjectionRaise(input: $input) {
        recordObjectionId errors { code field } } }"""
    given = {"studentId": global_id("Student", student_id), "field": "guardians", "statement": STATEMENT}
    told = (await ask(http, bearer("pupil"), raise_, input=given))["data"]["recordObjectionRaise"]
    assert told["errors"] == []
    open_ = "{ recordObjectionsOpen { edges { node { id field status dueAt statement } } } }"
    waiting = (await ask(http, bearer("director"), open_))["data"]["recordObjectionsOpen"]["edges"]
    assert [(edge["node"]["id"], edge["node"]["field"]) for edge in waiting] == [
        (told["recordObjectionId"], "guardians")
    ]
    answer = """mutation ($input: RecordObjectionAnswerInput!) { recordObjectionAnswer(input: $input) {
        errors { code } } }"""
    sent = {"id": told["recordObjectionId"], "answer": "经核对无误"}
    assert (await ask(http, bearer("director"), answer, input=sent))["data"]["recordObjectionAnswer"][
        "errors"
    ] == []
    own = "query ($id: ID!) { student(id: $id) { objections { status answer answeredByName } } }"
    (shown,) = (await ask(http, bearer("pupil"), own, id=given["studentId"]))["data"]["student"]["objections"]
    assert (shown["status"], shown["answer"]) == ("DECLINED", "经核对无误")
    refused = await ask(http, bearer("teacher"), open_)
    assert refused["errors"][0]["extensions"]["code"] == "forbidden"
