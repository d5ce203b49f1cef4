"""Certificates as the family, the homeroom teacher and outsiders see them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.certificates.ending import CertificateRevoke
from archive_store.foundation.errors import ErrorCode, RegistrarError
from schema.nodes import global_id
from tests.academics.terms import in_two_classes
from tests.certificates.papers import ask as ask_for
from tests.certificates.papers import certificates, child_of, issued
from tests.certificates.test_graphql import SHOWN
from tests.conduct.cases import family
from tests.http.test_http import ask
from tests.school import School

NODE = """query ($id: ID!) { node(id: $id) { id ... on Certificate { number birthDate code paperUrl } } }"""


@pytest.mark.parametrize("subject", ["pupil", "parent", "teacher"])
async def test_who_reads_personal_values_has_the_paper(
    school: School, http: httpx.AsyncClient, bearer: Any, subject: str
) -> None:
    await in_two_classes(school)
    student, held = await issued(school)
    assert await family(school) == student.key
    headers = bearer(subject, "")
    answer = await ask(http, headers, SHOWN, id=global_id("Student", student.key))
    (shown,) = answer["data"]["student"]["certificates"]
    assert (shown["number"], shown["code"]) == (held.number, held.code)
    assert shown["birthDate"] == held.paper.birth_date.isoformat()
    for suffix in (".pdf", ".json"):
        path = f"/certificates/{global_id('Certificate', held.key)}{suffix}"
        assert (await http.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize("subject", ["pupil", "parent", "teacher"])
async def test_nobody_else_s_is_seen(
    school: School, http: httpx.AsyncClient, bearer: Any, subject: str
) -> None:
    """Neither by another family, nor by who teaches another class; as if there were none."""
    await in_two_classes(school)
    student, held = await issued(school)
    await family(school, 4)
    if subject == "teacher":
        # Neither taught nor led.
        students = school.store.database.mongo["students"]
        await students.update_one({"_id": student.key}, {"$set": {"class_name": "2023级3班"}})
    headers = bearer(subject)
    key = global_id("Certificate", held.key)
    for query, told in ((SHOWN, {"id": global_id("Student", student.key)}), (NODE, {"id": key})):
        answer = await ask(http, headers, query, **told)
        assert set(answer["data"].values()) == {None}
        assert held.number not in repr(answer)
    for suffix in (".pdf", ".json"):
        refused = await http.get(f"/certificates/{key}{suffix}", headers=headers)
        assert refused.status_code == 404
        assert held.number not in refused.text


async def test_a_teacher_of_the_class_is_shown_no_paper(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    await in_two_classes(school)
    student, held = await issued(school)
    students = school.store.database.mongo["students"]
    await students.update_one({"_id": student.key}, {"$set": {"class_name": "2023级2班"}})
    headers = bearer("teacher")
    answer = await ask(http, headers, SHOWN, id=global_id("Student", student.key))
    (shown,) = answer["data"]["student"]["certificates"]
    assert (shown["number"], shown["birthDate"], shown["code"], shown["paperUrl"]) == (
        *(held.number, None),
        *(None, None),
    )
    path = f"/certificates/{global_id('Certificate', held.key)}.pdf"
    assert (await http.get(path, headers=headers)).status_code == 403


async def test_none_of_them_has_one_revoked(school: School) -> None:
    await in_two_classes(school)
    student, held = await issued(school)
    await family(school)
    payload = payload_of(CertificateRevoke, {"certificate_id": held.key, "student_id": student.key})
    for subject in ("pupil", "parent", "teacher"):
        before = await school.counts()
        with pytest.raises(RegistrarError) as refused:
            await perform(
                school.store, await school.viewer(subject), "certificate.revoke", payload, reason="遗失"
            )
        assert refused.value.code is ErrorCode.FORBIDDEN
        assert await school.counts() == before
    other = await school.student(1)
    wrong = payload_of(CertificateRevoke, {"certificate_id": held.key, "student_id": other.key})
    with pytest.raises(RegistrarError) as refused:
        await perform(
            school.store, await school.viewer("information"), "certificate.revoke", wrong, reason="遗失"
        )
    assert refused.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("name", ["certificate.revoke", "certificate.reissue"])
async def test_nobody_signs_for_the_certificate_of_their_child(school: School, name: str) -> None:
    student, held = await issued(school)
    await child_of(school, student.key, "director")
    told = {"certificate_id": held.key, "student_id": student.key}
    if name == "certificate.reissue":
        told |= {"new_certificate_id": ObjectId(), "issued_on": held.paper.issued_on}
    request = (await ask_for(school, name, told)).change_request_id
    assert request is not None
    with pytest.raises(RegistrarError) as refused:
        await school.approve("director", request)
    assert refused.value.code is ErrorCode.SELF_APPROVAL
    assert [one.state.value for one in await certificates(school)] == ["VALID"]
