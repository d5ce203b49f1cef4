"""The public check over HTTP, and paper and document for those who may read the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import reportlab

from archive_store.certificates.printing import certificate_pdf
from archive_store.certificates.verification import is_ended, verify_certificate
from schema.nodes import global_id
from tests.certificates.papers import done, issued
from tests.school import School

ON_PAPER = {
    *("number", "kind", "name", "gender", "birthDate", "studiedFrom", "studiedUntil"),
    *("schoolName", "stage", "programme", "issuedOn"),
}


async def test_a_code_tells_the_paper_and_its_state(school: School, http: httpx.AsyncClient) -> None:
    student, held = await issued(school)
    answer = await http.get(f"/certificates/verify/{held.code}")
    told = answer.json()
    assert (answer.status_code, told["state"]) == (200, "VALID")
    assert told["certificate"].keys() == ON_PAPER
    assert told["certificate"]["name"] == student.name
    for secret in (str(held.key), str(student.key), student.identity_number, student.auxiliary_number):
        assert secret is not None
        assert secret not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    page = await http.get(f"/certificates/verify/{held.code}", headers={"Accept": "text/html"})
    assert student.name in page.text
    assert "有效 Valid" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script" not in page.text
    await done(school, "certificate.revoke", {"certificate_id": held.key, "student_id": held.student_id})
    assert (await http.get(f"/certificates/verify/{held.code}")).json()["state"] == "REVOKED"


async def test_unknown_and_malformed_codes_are_answered_alike(
    school: School, http: httpx.AsyncClient
) -> None:
    _, held = await issued(school)
    codes = ("a" * 32, "a", held.code[:-1], "%00", "$ne", "x" * 5000, held.number, str(held.key))
    for accept in ("*/*", "text/html"):
        answers = [
            await http.get(f"/certificates/verify/{code}", headers={"Accept": accept}) for code in codes
        ]
        assert len({(answer.status_code, answer.text, str(answer.headers)) for answer in answers}) == 1
        assert answers[0].status_code == 404


async def test_public_keys_and_status_list_check_a_certificate(
    school: School, http: httpx.AsyncClient
) -> None:
    _, held = await issued(school)
    document = json.loads(held.credential)
    keys = (await http.get("/.well-known/did.json")).json()
    assert verify_certificate(document, keys)["certificateNumber"] == held.number
    address = document["credentialStatus"]["statusListCredential"]
    path = address.removeprefix(school.store.settings.public_url)
    assert not is_ended(document, (await http.get(path)).json(), keys)
    await done(school, "certificate.revoke", {"certificate_id": held.key, "student_id": held.student_id})
    assert is_ended(document, (await http.get(path)).json(), keys)
    for other in ("0", "2", "x", "99999999"):
        assert (await http.get(f"/certificates/status/{other}")).status_code == 404


async def test_the_paper_carries_the_font_of_the_settings(school: School) -> None:
    _, held = await issued(school)
    font = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    carried = certificate_pdf(held.to_bson(), "https://registrar.school.example", font)
    assert b"/FontFile2" in carried
    assert b"/FontFile2" not in certificate_pdf(held.to_bson(), "https://registrar.school.example")


async def test_paper_and_document_for_whoever_may_read(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    _, held = await issued(school)
    path = f"/certificates/{global_id('Certificate', held.key)}"
    events = school.store.database.mongo["access_events"]
    before = await events.count_documents({})
    document = await http.get(f"{path}.json", headers=bearer("information"))
    assert document.json() == json.loads(held.credential)
    paper = await http.get(f"{path}.pdf", headers=bearer("information"))
    assert paper.content.startswith(b"%PDF-")
    assert await events.count_documents({}) == before + 2
    for subject, status in (("logistics", 404), ("academic-affairs", 403)):
        for suffix in (".pdf", ".json"):
            refused = await http.get(path + suffix, headers=bearer(subject))
            assert refused.status_code == status, subject
    assert (await http.get(f"{path}.pdf")).status_code == 401
    assert await events.count_documents({}) == before + 2
