"""The signed status list is made once, and anew when a certificate has ended, whichever process ended it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from archive_store.certificates import status_lists
from archive_store.certificates.credentials import CERTIFICATE_LISTS
from archive_store.certificates.documents import Certificate
from archive_store.certificates.publication import public_keys
from archive_store.certificates.status_lists import StatusLists
from archive_store.certificates.verification import is_ended
from tests.certificates.papers import certificates, done, issue_values, issued
from tests.school import School


async def test_a_list_is_signed_once_and_anew_when_one_has_ended(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, held = await issued(school)
    signed = []
    sign = status_lists.status_list_credential

    def counted(*told: Any, **more: Any) -> Any:
        signed.append(more["status_list"])
        return sign(*told, **more)

    monkeypatch.setattr(status_lists, "status_list_credential", counted)
    # As two processes have them.
    here, there = (StatusLists(Certificate, CERTIFICATE_LISTS) for _ in range(2))
    keys, document = public_keys(school.store), json.loads(held.credential)

    async def ended_by(lists: StatusLists) -> bool:
        return is_ended(document, json.loads((await lists.read(school.store, "1")).body), keys)

    for _ in range(3):
        assert not await ended_by(here)
        assert not await ended_by(there)
    assert len(signed) == 2
    first = await here.read(school.store, "1")
    await done(school, "certificate.revoke", {"certificate_id": held.key, "student_id": student.key})
    assert await ended_by(there)
    assert await ended_by(here)
    second = await here.read(school.store, "1")
    assert second.tag != first.tag
    assert len(signed) == 4
    # Another issue ends none.
    await done(school, "certificate.issue", issue_values(school, student))
    assert (await here.read(school.store, "1")) is second
    new = (await certificates(school))[-1]
    assert not is_ended(json.loads(new.credential), json.loads(second.body), keys)


async def test_who_has_the_list_is_told_so(school: School, http: httpx.AsyncClient) -> None:
    student, held = await issued(school)
    path = "/certificates/status/1"
    answer = await http.get(path)
    tag = answer.headers["etag"]
    again = await http.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    told = {"certificate_id": held.key, "student_id": student.key}
    await done(school, "certificate.revoke", told)
    changed = await http.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
