"""Duplicates by GraphQL: candidates, dismissal, a merge by two signatures and its reversal."""

from __future__ import annotations

from typing import Any

from schema.context import Context
from schema.nodes import global_id
from schema.root import build_schema
from tests.admission.asking import ask
from tests.duplicates.pairs import enter_twin
from tests.school import School

CANDIDATES = """query ($dismissed: Boolean!) { duplicateCandidates(withDismissed: $dismissed) {
    edges { node { score grounds isDismissed studentIds students { name } } } } }"""
DISMISS = """mutation ($input: DuplicateDismissInput!) { duplicateDismiss(input: $input) {
    done errors { code field } } }"""
REOPEN = """mutation ($input: DuplicateReopenInput!) { duplicateReopen(input: $input) {
    done errors { code field } } }"""
MERGE = """mutation ($input: StudentMergeInput!) { studentMerge(input: $input) {
    changeRequest { id awaits changes { field before after withheld } } errors { code field } } }"""
UNMERGE = """mutation ($input: StudentUnmergeInput!) { studentUnmerge(input: $input) {
    changeRequest { id } errors { code field } } }"""
APPROVE = """mutation ($id: ID!) { changeRequestApprove(input: {id: $id, comment: "同意"}) {
    changeRequest { status } errors { code } } }"""
CASES = """query ($id: ID!) { mergeCases(studentId: $id) { id status fields survivor { id } merged {
    id status mergedIntoId } } }"""

NODE = """query ($id: ID!) { node(id: $id) { id ... on MergeCase { status auditHistory {
    edges { node { kind changes { field after } } } } } } }"""
RECORDS = "query ($id: ID!) { student(id: $id) { mergedRecords { id } } }"


async def found(school: School, subject: str, *, dismissed: bool = False) -> list[dict[str, Any]]:
    data = await ask(school, subject, CANDIDATES, "核对重复", dismissed=dismissed)
    return [edge["node"] for edge in data["duplicateCandidates"]["edges"]]


async def test_a_pair_is_dismissed_and_looked_at_anew(school: School) -> None:
    ids = [global_id("Student", student.key) for student in await enter_twin(school)]
    (held,) = [pair for pair in await found(school, "director") if set(pair["studentIds"]) == set(ids)]
    assert [student["name"] for student in held["students"]] == ["新生1", "新生1"]
    given = {"studentIds": ids, "reason": "同名同日"}
    assert (await ask(school, "information", DISMISS, input=given))["duplicateDismiss"]["done"]
    again = (await ask(school, "information", DISMISS, input=given))["duplicateDismiss"]
    assert [error["code"] for error in again["errors"]] == ["nothing_to_change"]
    assert set(ids) not in [set(pair["studentIds"]) for pair in await found(school, "director")]
    shown = await found(school, "director", dismissed=True)
    assert [pair["isDismissed"] for pair in shown if set(pair["studentIds"]) == set(ids)] == [True]
    assert (await ask(school, "director", REOPEN, input={"studentIds": ids}))["duplicateReopen"]["done"]
    assert set(ids) in [set(pair["studentIds"]) for pair in await found(school, "director")]
    alone = (await ask(school, "director", DISMISS, input=given | {"studentIds": ids[:1]}))[
        "duplicateDismiss"
    ]
    assert [error["code"] for error in alone["errors"]] == ["invalid_argument"]


async def test_others_are_told_of_no_pair(school: School) -> None:
    await enter_twin(school)
    for subject in ("archive", "logistics", "teacher", "academic-affairs", "service"):
        context = Context(school.store, await school.viewer(subject))
        result = await build_schema().execute(
            CANDIDATES, variable_values={"dismissed": False}, context_value=context
        )
        assert result.errors is not None
        assert (result.errors[0].extensions or {})["code"] == "forbidden"


async def test_a_merge_and_its_reversal(school: School) -> None:
    first, second = await enter_twin(school, native_place="北京")
    ids = [global_id("Student", student.key) for student in (first, second)]
    given = {"survivorId": ids[0], "mergedId": ids[1], "fields": ["nativePlace"], "reason": "同一人"}
    asked = (await ask(school, "information", MERGE, input=given))["studentMerge"]
    assert asked["errors"] == [] and asked["changeRequest"]["awaits"] == "DEPARTMENT_HEAD"
    changes = {change["field"]: change for change in asked["changeRequest"]["changes"]}
    assert changes["nativePlace"]["after"] == "北京" and changes["status"]["after"] == "VOIDED"
    request = asked["changeRequest"]["id"]
    own = (await ask(school, "information", APPROVE, id=request))["changeRequestApprove"]
    assert [error["code"] for error in own["errors"]] in (["self_approval"], ["forbidden"])
    for subject, status in (("director", "IN_REVIEW"), ("vice-principal", "APPLIED")):
        done = (await ask(school, subject, APPROVE, id=request))["changeRequestApprove"]
        assert done["changeRequest"]["status"] == status
    (case,) = (await ask(school, "director", CASES, id=ids[0]))["mergeCases"]
    assert case["merged"] == {"id": ids[1], "status": "VOIDED", "mergedIntoId": ids[0]}
    assert (case["survivor"]["id"], case["fields"]) == (ids[0], ["nativePlace"])
    assert (await ask(school, "logistics", CASES, id=ids[0]))["mergeCases"] == []
    node = (await ask(school, "director", NODE, id=case["id"]))["node"]
    assert [entry["node"]["kind"] for entry in node["auditHistory"]["edges"]] == ["merge:apply"]
    told = {
        change["field"]: change["after"] for change in node["auditHistory"]["edges"][0]["node"]["changes"]
    }
    assert (told["survivorId"], told["mergedId"]) == (ids[0], ids[1])
    assert (await ask(school, "logistics", NODE, id=case["id"]))["node"] is None
    shown = (await ask(school, "director", RECORDS, id=ids[0]))["student"]
    assert [record["id"] for record in shown["mergedRecords"]] == [ids[1]]
    assert (await ask(school, "logistics", RECORDS, id=ids[0]))["student"]["mergedRecords"] is None
    back = await ask(school, "information", UNMERGE, input={"id": case["id"], "reason": "误并"})
    request = back["studentUnmerge"]["changeRequest"]["id"]
    for subject in ("director", "vice-principal"):
        await ask(school, subject, APPROVE, id=request)
    (case,) = (await ask(school, "director", CASES, id=ids[1]))["mergeCases"]
    assert (case["status"], case["merged"]["mergedIntoId"]) == ("REVERSED", None)
