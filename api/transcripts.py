"""Transcripts over HTTP: the public check, without a sign-in; paper and signed document with one.

Policy 引言, §三(二). What the check tells by the code alone, and what by the reading key as well, is in
`transcripts/publication.py` of the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.certificates import KEPT_NOWHERE, json_answer, page_of, status_list_answer
from api.client_limits import refused_for_now
from api.scans import signed_in
from archive_store.certificates.status_lists import signing
from archive_store.certificates.wording import Line
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.transcripts.credentials import TITLE
from archive_store.transcripts.printing import transcript_pdf
from archive_store.transcripts.publication import CheckedTranscript, check_by_code
from archive_store.transcripts.queries import read_transcript
from archive_store.transcripts.wording import (
    COLUMNS,
    CORRECTED,
    STATES,
    UNKNOWN,
    WRONG_KEY,
    average_line,
    checked_lines,
    person_lines,
    terms_of,
)
from schema.nodes import key_of

_FORM_LIMIT = 1024
_CHECK_PAGE = {
    **KEPT_NOWHERE,
    # The page has the one form, which comes back here.
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Vary": "Accept",
}


async def check_transcript(request: Request) -> Response:
    """GET /transcripts/verify/{code}: `{"state", "transcript", "statement"}`, or a page where HTML is asked for.

    POST with `key` as a form tells the statement, too. 404 and `UNKNOWN` of a code that is unknown or malformed, both
    alike; 403 of a wrong key; 429 to an address that asks too often.
    """
    if (refusal := refused_for_now(request)) is not None:
        return refusal
    key = await _typed_key(request) if request.method == "POST" else None
    found = await check_by_code(request.app.state.store, request.path_params["code"], key)
    status = 404 if found is None else 403 if found.key_matches is False else 200
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_page(found), status, _CHECK_PAGE)
    return json_answer(_told(found), _CHECK_PAGE, status)


async def transcript_status_list(request: Request) -> Response:
    """GET /transcripts/status/{list}: a signed Bitstring Status List of revoked transcripts."""
    return await status_list_answer(request, request.app.state.transcript_lists)


async def transcript_document(request: Request) -> Response:
    """GET /transcripts/{id}.json: the signed document. The reading is recorded."""
    row = await _read(request)
    return json_answer(row["credential"], _attached(row, "json"), media_type="application/vc")


async def transcript_paper(request: Request) -> Response:
    """GET /transcripts/{id}.pdf: the paper. The reading is recorded."""
    row = await _read(request)
    store = request.app.state.store
    public_url, _ = signing(store)
    address = f"{public_url}/transcripts/verify/{row['code']}"
    data = await asyncio.to_thread(transcript_pdf, row, address, store.settings.certificate_font_file)
    return Response(data, headers=_attached(row, "pdf"), media_type="application/pdf")


async def _read(request: Request) -> Mapping[str, Any]:
    store, viewer = await signed_in(request)
    return await read_transcript(store, viewer, key_of(request.path_params["id"], "Transcript", field="id"))


def _attached(row: Mapping[str, Any], suffix: str) -> dict[str, str]:
    return {**KEPT_NOWHERE, "Content-Disposition": f'attachment; filename="{row["number"]}.{suffix}"'}


async def _typed_key(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _FORM_LIMIT:
            raise RegistrarError(ErrorCode.TOO_LARGE, field="key", limit=_FORM_LIMIT)
    try:
        typed = parse_qs(body.decode("ascii"), max_num_fields=2).get("key", [""])
    except ValueError:
        typed = [""]
    return typed[0]


def _told(found: CheckedTranscript | None) -> dict[str, Any]:
    if found is None:
        return {"state": "UNKNOWN", "transcript": None, "keyMatches": None, "statement": None}
    transcript = {
        "number": found.number,
        "issuedOn": found.issued_on,
        "schoolName": found.school_name,
        "name": found.name,
        "grades": found.grades,
        "digest": found.digest,
        "correctedSince": found.corrected_since,
    }
    return {
        "state": found.state.value,
        "transcript": transcript,
        "keyMatches": found.key_matches,
        "statement": found.statement,
    }


def _page(found: CheckedTranscript | None) -> str:
    head = escape(f"{TITLE[0]}查验 Transcript check")
    if found is None:
        return page_of(head, _strong(UNKNOWN))
    lines = checked_lines(
        found.number, found.name, found.school_name, found.issued_on, found.grades, found.digest
    )
    body = _strong(STATES[found.state]) + (_strong(CORRECTED) if found.corrected_since else "")
    body += _lines(lines)
    if found.statement is not None:
        return page_of(head, body + _statement(found.statement))
    if found.key_matches is False:
        body += _strong(WRONG_KEY)
    form = (
        '<form method="post"><label>查阅码 Reading key <input name="key" autocomplete="off" maxlength="40"></label> '
        "<button>核对成绩 Show the grades</button></form>"
    )
    return page_of(head, body + form)


def _statement(told: Mapping[str, Any]) -> str:
    heads = "".join(f"<th>{escape(f'{zh} {en}')}</th>" for zh, en in COLUMNS)
    tables = ""
    for term in terms_of(told):
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>" for cells in term.courses
        )
        tables += f"<h2>{escape(term.title)}</h2><table><tr>{heads}</tr>{rows}</table>"
    average = average_line(told)
    return _lines(person_lines(told)) + tables + (f"<p>{escape(average)}</p>" if average else "")


def _lines(lines: list[Line]) -> str:
    rows = "".join(
        f"<tr><th>{escape(f'{line.label_zh} {line.label_en}')}</th>"
        f"<td>{escape(line.zh if line.zh == line.en else f'{line.zh} {line.en}')}</td></tr>"
        for line in lines
    )
    return f"<table>{rows}</table>"


def _strong(words: tuple[str, str]) -> str:
    return f"<p><strong>{escape(' '.join(words))}</strong></p>"
