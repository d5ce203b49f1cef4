"""National student numbers: the history is kept, read as the number is, and each reading of it is recorded."""

from __future__ import annotations

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.students.accounts import link_account
from schema.nodes import global_id
from tests.organisation.test_graphql import run
from tests.school import School

QUERY = """query ($id: ID!) { student(id: $id) { nationalStudentNumber numberState
  numberHistory { number state validFrom validTo } } }"""
TEMPORARY, FORMAL = "L110105201105031234", "G11010519491231002X"


async def replaced(school: School) -> str:
    """A student whose temporary number became a formal one; not that of the identity card."""
    student = await school.student(0)
    for number in (TEMPORARY, FORMAL):
        request = await school.request("information", await school.student(0), national_student_number=number)
        await school.approve("director", request)
        await school.approve("vice-principal", request)
    return global_id("Student", student.key)


async def test_a_formal_number_replaces_a_temporary_one_which_is_kept(school: School) -> None:
    before = await school.student(0)
    text = await replaced(school)
    data, extensions = await run(school, "director", QUERY, id=text)
    told = data["student"]
    assert (told["nationalStudentNumber"], told["numberState"]) == (FORMAL, "FORMAL")
    assert [(held["number"], held["state"]) for held in told["numberHistory"]] == [
        (before.national_student_number, "FORMAL"),
        (TEMPORARY, "TEMPORARY"),
        (FORMAL, "FORMAL"),
    ]
    first, second, third = told["numberHistory"]
    assert first["validTo"] == second["validFrom"]
    assert second["validTo"] == third["validFrom"]
    assert third["validTo"] is None
    assert "redactions" not in extensions
    # Neither is told from the other, nor is the identity number.
    assert (await school.student(0)).identity_number == before.identity_number


async def test_it_is_kept_back_as_the_number_is(school: School) -> None:
    text = await replaced(school)
    student = await school.student(0)
    await link_account(school.store, student.key, "pupil")
    for subject in ("information", "archive", "teacher", "logistics", "principal"):
        data, extensions = await run(school, subject, QUERY, id=text)
        assert data["student"] == {"nationalStudentNumber": None, "numberState": None, "numberHistory": None}
        assert {line["field"] for line in extensions["redactions"]} == {
            "Student.nationalStudentNumber",
            "Student.numberState",
            "Student.numberHistory",
        }, subject
        for number in (TEMPORARY, FORMAL):
            assert number not in repr((data, extensions))
    data, _ = await run(school, "pupil", QUERY, id=text)
    assert len(data["student"]["numberHistory"]) == 3


async def test_reading_it_is_recorded_once_and_alone(school: School) -> None:
    text = await replaced(school)
    events = school.store.database.collection(AccessEvent)
    before = await events.count_documents({})
    await run(
        school,
        "director",
        "query ($id: ID!) { student(id: $id) { numberState numberHistory { number } } }",
        id=text,
    )
    found = await events.find({}).sort("_id", -1).to_list()
    assert len(found) == before + 1
    await run(school, "information", QUERY, id=text)
    assert await events.count_documents({}) == before + 1
