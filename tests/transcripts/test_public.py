"""The public check of transcripts by code and key, the status list, and paper and document for who reads the grades."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import httpx
import pypdfium2
from bson import ObjectId

from archive_store.certificates.verification import TRANSCRIPT, is_ended, verify_certificate
from archive_store.oversight.histories import HISTORIES, SubjectType
from archive_store.readings.queries import access_histories
from archive_store.transcripts.printing import transcript_pdf
from archive_store.transcripts.rules import masked_name, printed_key
from schema.nodes import global_id
from tests.academics.terms import correct
from tests.school import School
from tests.transcripts.papers import graded, issue, revoke, stored

BY_CODE = {"number", "issuedOn", "schoolName", "name", "grades", "digest", "correctedSince"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def with_key(http: httpx.AsyncClient, code: str, key: str, accept: str = "*/*") -> httpx.Response:
    headers = {**FORM, "Accept": accept}
    return await http.post(f"/transcripts/verify/{code}", content=f"key={key}", headers=headers)


async def test_a_code_confirms_the_paper_and_tells_no_grade(school: School, http: httpx.AsyncClient) -> None:
    held = await graded(school)
    made = await stored(school, await issue(school, held.student, "parent", "留学申请"))
    student = await school.student()
    for accept in ("*/*", "text/html"):
        answer = await http.get(f"/transcripts/verify/{made.code}", headers={"Accept": accept})
        assert answer.status_code == 200
        assert made.number in answer.text
        assert masked_name(student.name) in answer.text
        secrets = [student.name, "85.5", "3.73", "数学", "MATH", "留学申请", made.reading_key]
        secrets += [student.auxiliary_number, student.class_name, str(made.id), str(held.student)]
        for secret in secrets:
            assert secret not in answer.text, (accept, secret)
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text
    told = (await http.get(f"/transcripts/verify/{made.code}")).json()
    assert told["transcript"].keys() == BY_CODE
    assert (told["state"], told["keyMatches"], told["statement"]) == ("VALID", None, None)
    assert (told["transcript"]["grades"], told["transcript"]["digest"]) == (2, made.digest)


async def test_the_key_tells_what_was_signed_and_its_history_tells_of_it(
    school: School, http: httpx.AsyncClient
) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    made = await stored(school, key)
    entries = school.store.database.mongo["audit_entries"]
    before = await entries.count_documents({})
    for wrong in ("", "a" * 12, made.code, made.reading_key[:-1], "%00", "é", "[]"):
        answer = await with_key(http, made.code, wrong)
        assert (answer.status_code, answer.json()["keyMatches"]) == (403, False), wrong
        assert answer.json()["statement"] is None
    assert await entries.count_documents({}) == before
    for typed in (made.reading_key, printed_key(made.reading_key).upper()):
        answer = await with_key(http, made.code, typed)
        assert answer.status_code == 200
        assert answer.json()["statement"] == json.loads(made.credential)["credentialSubject"]
    page = await with_key(http, made.code, made.reading_key, "text/html")
    assert "85.5" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert await entries.count_documents({}) == before + 3
    history = HISTORIES[SubjectType.TRANSCRIPT]
    assert (await history.rights(school.store, await school.viewer("parent", None), [key])).keys() == {key}
    assert (await history.rights(school.store, await school.viewer("information"), [key])).keys() == set()
    kinds = [row["kind"] async for row in entries.find({"subject_id": key}).sort("sequence", 1)]
    assert kinds == ["transcript:issue", *["transcript:check"] * 3]


async def test_unknown_and_malformed_codes_are_answered_alike(
    school: School, http: httpx.AsyncClient
) -> None:
    held = await graded(school)
    made = await stored(school, await issue(school, held.student))
    for accept in ("*/*", "text/html"):
        answers = []
        for code in ("a" * 32, "a", made.code[:-1], "%00", "$ne", "x" * 5000, made.number, str(made.id)):
            answers.append(await http.get(f"/transcripts/verify/{code}", headers={"Accept": accept}))
            answers.append(await with_key(http, code, made.reading_key, accept))
        assert len({(answer.status_code, answer.text, str(answer.headers)) for answer in answers}) == 1
        assert answers[0].status_code == 404


async def test_a_form_has_room_for_a_key_only(school: School, http: httpx.AsyncClient) -> None:
    answer = await with_key(http, "a" * 32, "a" * 2000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_a_correction_and_a_revocation_are_told(school: School, http: httpx.AsyncClient) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    made = await stored(school, key)
    path = f"/transcripts/verify/{made.code}"
    assert not (await http.get(path)).json()["transcript"]["correctedSince"]
    await school.approve("director", await correct(school, held.student, score="90"))
    told = (await with_key(http, made.code, made.reading_key)).json()
    assert (told["state"], told["transcript"]["correctedSince"]) == ("VALID", True)
    # What was signed, and nothing of what it was corrected to.
    assert told["statement"]["courses"][0]["score"] == "85.5"
    document = json.loads(made.credential)
    keys = (await http.get("/.well-known/did.json")).json()
    listed = document["credentialStatus"]["statusListCredential"]
    list_path = listed.removeprefix(school.store.settings.public_url)
    assert not is_ended(document, (await http.get(list_path)).json(), keys)
    await school.approve("director", await revoke(school, key, held.student))
    told = (await with_key(http, made.code, made.reading_key)).json()
    assert (told["state"], told["keyMatches"], told["statement"]) == ("REVOKED", True, None)
    assert is_ended(document, (await http.get(list_path)).json(), keys)
    assert (await http.get("/transcripts/status/2")).status_code == 404


async def test_paper_and_document_for_who_reads_the_grades(
    school: School, http: httpx.AsyncClient, bearer: Any
) -> None:
    held = await graded(school)
    key = await issue(school, held.student)
    made = await stored(school, key)
    path = f"/transcripts/{global_id('Transcript', key)}"
    events = school.store.database.mongo["access_events"]
    before = await events.count_documents({})
    for subject, purpose in (("pupil", ""), ("parent", ""), ("academic-affairs", ""), ("teacher", "")):
        document = await http.get(f"{path}.json", headers=bearer(subject, purpose))
        assert document.status_code == 200, subject
        assert hashlib.sha256(document.content).hexdigest() == made.digest
        paper = await http.get(f"{path}.pdf", headers=bearer(subject, purpose))
        assert paper.content.startswith(b"%PDF-")
        assert made.number in paper.headers["content-disposition"]
    assert await events.count_documents({}) == before + 8
    keys = (await http.get("/.well-known/did.json")).json()
    assert verify_certificate(document.json(), keys, kind=TRANSCRIPT)["transcriptNumber"] == made.number
    refusals = [("director", "", 403), ("information", "核对", 404), ("logistics", "核对", 404)]
    refusals += [("vice-principal", "核对", 404), ("analysis", "核对", 404)]
    for subject, purpose, status in refusals:
        for suffix in (".pdf", ".json"):
            refused = await http.get(path + suffix, headers=bearer(subject, purpose))
            assert refused.status_code == status, subject
            assert made.number not in refused.text
    assert (await http.get(f"{path}.pdf")).status_code == 401
    missing = f"/transcripts/{global_id('Transcript', ObjectId())}.pdf"
    unseen = await http.get(f"{path}.pdf", headers=bearer("information"))
    assert (await http.get(missing, headers=bearer("information"))).text == unseen.text
    assert await events.count_documents({}) == before + 8
    # The family is told who had it.
    assert (await http.get(f"{path}.pdf", headers=bearer("director", "奖学金"))).status_code == 200
    (page,) = await access_histories(
        school.store, await school.viewer("parent", None), [held.student], first=1
    )
    assert page is not None
    assert [(row.actor_name, row.fields) for row in page.rows] == [("赵主任", ("transcripts",))]


def _told(terms: int, courses: int) -> dict[str, Any]:
    line = {"credits": "2", "scheme": "PERCENT", "kind": "REGULAR", "status": "ENTERED", "score": "77"}
    return {
        **{"transcriptNumber": "CJ20261129-ABCDEFGH", "issuedOn": "2026-11-29", "schoolName": "示范中学"},
        **{"name": "欧阳小明", "studentNumber": "20230001", "className": "2023级1班", "stage": "JUNIOR"},
        **{"studiedFrom": "2023-09", "studentStatus": "ENROLLED"},
        "courses": [
            {
                **line,
                "schoolYear": 2023 + term // 2,
                "term": 1 + term % 2,
                "code": f"C{term}N{n}",
                "name": "数学",
            }
            for term in range(terms)
            for n in range(courses)
        ],
        "average": {"value": "3.00", "credits": "2", "scale": 0},
    }


def test_every_course_is_on_some_page_with_the_key_on_each() -> None:
    for terms, courses in ((1, 1), (2, 12), (6, 15), (12, 9)):
        told = _told(terms, courses)
        row = {"number": told["transcriptNumber"], "state": "VALID", "reading_key": "abcdefghijkl"}
        data = transcript_pdf({**row, "credential": {"credentialSubject": told}}, "https://r.example/t/x")
        pages = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(io.BytesIO(data))]
        whole = "\n".join(pages)
        for course in told["courses"]:
            assert whole.count(f"{course['code']}\r") + whole.count(f"{course['code']} ") >= 1, course
        for place, text in enumerate(pages, start=1):
            assert "abcd-efgh-ijkl" in text
            assert f"{place} / {len(pages)}" in text
        assert (len(pages) == 1) is (terms * courses <= 24)


def test_names_are_masked_but_for_the_first_letter() -> None:
    assert [masked_name(name) for name in ("张三", "欧阳小明", "李", "")] == ["张*", "欧***", "李*", "*"]
