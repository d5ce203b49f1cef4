"""Each kind of status change through its chain, by GraphQL alone."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.status_changes.kinds import KINDS
from archive_store.status_changes.operations import STATUS_CHANGES
from archive_store.students.change_kinds import ChangeKind
from archive_store.students.documents import StudentStatus
from archive_store.students.status_periods import in_force
from schema.nodes import global_id
from tests.http.test_http import ask
from tests.organisation.structure import THIRD, build
from tests.school import School
from tests.status_changes.changes import day, paper

Bearer = Any

ASK = """mutation ($input: StudentStatusChangeInput!) { studentStatusChange(input: $input) {
    changeRequest { id chain } applied errors { code field messageZh } } }"""
PREVIEW = """query ($input: StatusChangeAsked!) { statusChangePreview(input: $input) {
    allowed tiers stepsDueAt partiesDueOn findings { requirement isMet article missing } } }"""
APPROVE = """mutation ($input: ChangeRequestApproveInput!) { changeRequestApprove(input: $input) {
    changeRequest { status } errors { code } } }"""
RECORD = """query ($id: ID!) { student(id: $id) { status grade className statusPeriods { status effectiveFrom
    effectiveTo supersededAt cause changeRequestId } } }"""
# The statuses from which a kind is tried, where it is not ENROLLED.
BEGINS: dict[ChangeKind, StudentStatus] = {
    ChangeKind.RESUME: StudentStatus.SUSPENDED,
    ChangeKind.TRANSFER_IN: StudentStatus.TRANSFERRED_OUT,
    ChangeKind.DEFER_ADMISSION: StudentStatus.PENDING_ADMISSION,
    ChangeKind.TAKE_UP: StudentStatus.ADMISSION_DEFERRED,
    ChangeKind.REINSTATE: StudentStatus.CANCELLED,
}
PAPERS: dict[ChangeKind, str] = {
    ChangeKind.DIE: "死亡证明",
    ChangeKind.TRANSFER_OUT: "转学申请表",
    ChangeKind.TRANSFER_IN: "转学申请表",
}
# What there is not in a junior school.
FORBIDDEN = {ChangeKind.WITHDRAW, ChangeKind.EXPEL, ChangeKind.CHANGE_MAJOR}


class Office:
    """The information group and the tiers, over HTTP."""

    def __init__(self, school: School, http: httpx.AsyncClient, bearer: Bearer) -> None:
        self._school, self._http, self._bearer = school, http, bearer

    async def send(self, subject: str, document: str, **variables: Any) -> Any:
        told = await ask(self._http, self._bearer(subject), document, **variables)
        assert "errors" not in told, told
        return told["data"]

    async def change(self, kind: ChangeKind, days: int, **told: Any) -> tuple[str, list[str]]:
        """Ask, and sign as the chain says; the request and its tiers."""
        student = await self._school.student()
        given = {
            "studentId": global_id("Student", student.key),
            "kind": kind.value,
            "effectiveFrom": day(self._school, days).isoformat(),
            **told,
        }
        preview = (await self.send("information", PREVIEW, input=given))["statusChangePreview"]
        assert preview["allowed"], preview
        answer = (await self.send("information", ASK, input={**given, "reason": "按申请办理"}))[
            "studentStatusChange"
        ]
        assert answer["errors"] == [], answer
        request = answer["changeRequest"]
        assert request["chain"] == preview["tiers"]
        assert len(preview["stepsDueAt"]) == len(preview["tiers"])
        status = None
        for tier in request["chain"]:
            subject = {"DEPARTMENT_HEAD": "director", "VICE_PRINCIPAL": "vice-principal"}[tier]
            decided = (await self.send(subject, APPROVE, input={"id": request["id"]}))["changeRequestApprove"]
            assert decided["errors"] == []
            status = decided["changeRequest"]["status"]
        assert status == "APPLIED"
        return request["id"], request["chain"]


@pytest.mark.parametrize("kind", [kind for kind in STATUS_CHANGES if kind not in FORBIDDEN])
async def test_each_kind_through_its_chain(
    school: School, http: httpx.AsyncClient, bearer: Bearer, kind: ChangeKind
) -> None:
    await build(school)
    office = Office(school, http, bearer)
    if begins := BEGINS.get(kind):
        papers = {}
        if begins is StudentStatus.TRANSFERRED_OUT:
            papers["evidence"] = [global_id("Scan", await paper(school, "转学申请表"))]
        await office.change(ChangeKind.CORRECT, -20, status=begins.value, **papers)
    told: dict[str, Any] = {}
    if KINDS[kind].moves:
        told["toClass"] = THIRD
    if kind is ChangeKind.CORRECT:
        told["status"] = StudentStatus.STATUS_RETAINED.value
    if kind is ChangeKind.SUSPEND:
        told["until"] = day(school, 180).isoformat()
    if document_type := PAPERS.get(kind):
        told["evidence"] = [global_id("Scan", await paper(school, document_type))]
    request, _ = await office.change(kind, -5, **told)
    student = await school.student()
    after = KINDS[kind].after or StudentStatus.STATUS_RETAINED
    assert student.status is after
    shown = (await office.send("director", RECORD, id=global_id("Student", student.key)))["student"]
    held = [period for period in shown["statusPeriods"] if period["supersededAt"] is None]
    assert (held[-1]["status"], held[-1]["cause"], held[-1]["changeRequestId"]) == (
        after.value,
        kind.value,
        request,
    )
    assert held[-1]["effectiveFrom"] == day(school, -5).isoformat()
    assert held[-1]["effectiveTo"] is None
    for one, other in pairwise(in_force(student.status_periods)):
        assert one.effective_to is not None
        assert one.effective_to + timedelta(days=1) == other.effective_from
    if KINDS[kind].moves:
        assert (shown["className"], shown["grade"]) == (THIRD, "九年级")
    assert (await verify_history(school.store, RECORD_TYPES)).sound


@pytest.mark.parametrize("kind", sorted(FORBIDDEN))
async def test_what_compulsory_education_does_not_have(
    school: School, http: httpx.AsyncClient, bearer: Bearer, kind: ChangeKind
) -> None:
    await build(school)
    office = Office(school, http, bearer)
    student = await school.student()
    given = {
        "studentId": global_id("Student", student.key),
        "kind": kind.value,
        "effectiveFrom": day(school).isoformat(),
    }
    preview = (await office.send("information", PREVIEW, input=given))["statusChangePreview"]
    unmet, *_ = [held for held in preview["findings"] if not held["isMet"]]
    assert (preview["allowed"], unmet["requirement"]) == (False, "STAGE")
    answer = (await office.send("information", ASK, input={**given, "reason": "x"}))["studentStatusChange"]
    assert [error["code"] for error in answer["errors"]] == ["rule_forbids"]
    assert unmet["article"] in answer["errors"][0]["messageZh"]
    assert (await school.student()).status is StudentStatus.ENROLLED


REPLACE = """mutation ($input: StatusRulesReplaceInput!) { statusRulesReplace(input: $input) {
    changeRequest { id chain } differences { isGained change pack } errors { code field } } }"""


async def test_other_rules_are_decided_by_the_principal(
    school: School, http: httpx.AsyncClient, bearer: Bearer
) -> None:
    office = Office(school, http, bearer)
    held = (await office.send("director", "{ statusRules { version rules } }"))["statusRules"]
    kept = [rule for rule in held["rules"] if rule["change"] != "DIE"]
    given = {"effectiveFrom": day(school).isoformat(), "reason": "修订", "rules": kept}
    for bad, error in (
        ({"a": 1}, "invalid_argument"),
        (held["rules"], "nothing_to_change"),
        ([{}], "required"),
    ):
        told = (await office.send("director", REPLACE, input={**given, "rules": bad}))["statusRulesReplace"]
        assert [held["code"] for held in told["errors"]] == [error], bad
    asked_for = (await office.send("director", REPLACE, input=given))["statusRulesReplace"]
    assert (asked_for["errors"], [line["change"] for line in asked_for["differences"]]) == ([], ["DIE"])
    for subject in ("vice-principal", "principal"):
        sent = {"id": asked_for["changeRequest"]["id"]}
        await office.send(subject, APPROVE, input=sent)
    school.store.versions_seen.clear()
    assert (await office.send("director", "{ statusRules { version } }"))["statusRules"]["version"] == 1
    await office.change(ChangeKind.DIE, 0)
