"""From the decision on a class to a certificate that anyone checks without the school's server."""

from __future__ import annotations

import json
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from bson import ObjectId
from typer.testing import CliRunner

from api.cli.main import app
from api.dev.roster import demo_workbook
from archive_store.approvals.operations import payload_of, perform
from archive_store.archive import RECORD_TYPES
from archive_store.audit.verification import verify_history
from archive_store.certificates.documents import Certificate
from archive_store.graduation.decisions import GraduationDecide
from archive_store.imports.operations import import_roster
from archive_store.students.documents import Student
from schema.nodes import global_id
from tests.certificates.papers import SIGNERS, done, issue_values, range_values
from tests.organisation.structure import FIRST, build
from tests.school import School
from tests.status_changes.changes import day

COHORT = int(os.environ.get("REGISTRAR_GRADUATING", "40"))


async def graduated(school: School, query: dict[str, Any]) -> list[Student]:
    """These students, by the decision that the audit allows."""
    rows = await school.store.database.collection(Student).find(query, {"_id": 1}).to_list()
    decisions = tuple({"student_id": row["_id"], "outcome": "GRADUATE"} for row in rows)
    told = {"batch_id": ObjectId(), "label": "毕业", "graduates_on": day(school), "decisions": decisions}
    payload = payload_of(GraduationDecide, told)
    viewer = await school.viewer("information")
    outcome = await perform(school.store, viewer, "graduation.decide", payload, reason="毕业审核")
    assert outcome.change_request_id is not None
    for signer in SIGNERS:
        await school.approve(signer, outcome.change_request_id)
    return [Student.model_construct(id=row["_id"]) for row in rows]


async def certificates(school: School) -> list[Certificate]:
    rows = await school.store.database.collection(Certificate).find().to_list()
    return [Certificate.model_validate(row) for row in rows]


async def test_a_class_graduates_and_its_certificates_are_checked_offline(
    school: School, http: httpx.AsyncClient, bearer: Any, tmp_path: Path
) -> None:
    await build(school)
    await done(school, "certificate_range.open", range_values(school), ("director",))
    students = await graduated(school, {"class_name": FIRST})
    await done(school, "certificate.issue", issue_values(school, *students))
    issued = await certificates(school)
    assert len({held.number for held in issued}) == len(students)
    path = f"/certificates/{global_id('Certificate', issued[0].key)}.json"
    document = (await http.get(path, headers=bearer("information"))).json()
    (tmp_path / "did.json").write_bytes((await http.get("/.well-known/did.json")).content)
    forged = json.loads(json.dumps(document))
    forged["credentialSubject"]["name"] = "李小明"
    exits = []
    for name, content in (("good", document), ("forged", forged)):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        told = ["certificate", "verify", str(file), "--key", str(tmp_path / "did.json")]
        exits.append(CliRunner(env={"PATH": "", "HOME": str(tmp_path)}).invoke(app, told).exit_code)
    assert exits == [0, 1]
    assert (await verify_history(school.store, RECORD_TYPES)).sound


async def test_a_cohort_is_issued_in_bulk(school: School, record_property: Any) -> None:
    """`REGISTRAR_GRADUATING=600` for a cohort of usual size; `--junitxml` tells the seconds."""
    await build(school)
    roster = demo_workbook(COHORT, cohort=2022)
    information = await school.viewer("information")
    await import_roster(school.store, information, roster, file_name="2022级.xlsx", dry_run=False)
    await done(school, "certificate_range.open", range_values(school, last_number=9_999), ("director",))
    moments = [time.perf_counter()]
    students = await graduated(school, {"enrolled_month": {"$lt": "2023-01"}})
    assert len(students) == COHORT
    moments.append(time.perf_counter())
    await done(school, "certificate.issue", issue_values(school, *students))
    moments.append(time.perf_counter())
    steps = zip(("graduated", "issued"), pairwise(moments), strict=True)
    record_property("seconds", {step: round(end - start, 2) for step, (start, end) in steps})
    assert len({held.number for held in await certificates(school)}) == COHORT
