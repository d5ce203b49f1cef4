"""Certificates over HTTP: the public check and the public keys, without a sign-in; paper and signed document with one.

Policy §四(一) 学历认证. Of the public answers none is kept anywhere but the keys and the list of ended certificates,
which are of nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.client_limits import refused_for_now
from api.scans import signed_in
from archive_store.certificates.credentials import STATUS_LIST_SECONDS
from archive_store.certificates.documents import CertificateState
from archive_store.certificates.printing import certificate_pdf
from archive_store.certificates.publication import certificate_of_code, public_keys
from archive_store.certificates.queries import read_document
from archive_store.certificates.status_lists import StatusLists, signing
from archive_store.certificates.wording import STATES, lines_of, title_of
from schema.errors import camel_case
from schema.nodes import key_of

SAFETY = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
KEPT_NOWHERE = {**SAFETY, "Cache-Control": "no-store"}
# Of nobody, and read by whoever checks a certificate, pages of others included.
PUBLIC = {
    **SAFETY,
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": f"public, max-age={STATUS_LIST_SECONDS}",
}
_UNKNOWN = ("查无此证", "No such certificate")


async def check_certificate(request: Request) -> Response:
    """GET /certificates/verify/{code}: `{"state", "certificate"}`, or a page where HTML is asked for.

    404, state `UNKNOWN` and `certificate` null of a code that is unknown or malformed, both alike. 429 to an address
    that asks too often.
    """
    if (refusal := refused_for_now(request)) is not None:
        return refusal
    found = await certificate_of_code(request.app.state.store, request.path_params["code"])
    status, headers = 200 if found else 404, {**KEPT_NOWHERE, "Vary": "Accept"}
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_page(found), status, headers)
    told = {"state": found["state"] if found else "UNKNOWN", "certificate": _told(found) if found else None}
    return json_answer(told, headers, status)


async def key_document(request: Request) -> Response:
    """GET /.well-known/did.json: the public keys that certificates are checked with."""
    return json_answer(public_keys(request.app.state.store), PUBLIC, media_type="application/did+json")


async def status_list(request: Request) -> Response:
    """GET /certificates/status/{list}: a signed Bitstring Status List of revoked and superseded certificates."""
    return await status_list_answer(request, request.app.state.certificate_lists)


async def status_list_answer(request: Request, lists: StatusLists) -> Response:
    """The list named by the path, or 304 for who has it."""
    held = await lists.read(request.app.state.store, request.path_params["list"])
    headers = {**PUBLIC, "ETag": f'"{held.tag}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(held.body, headers=headers, media_type="application/vc")


async def certificate_document(request: Request) -> Response:
    """GET /certificates/{id}.json: the signed document. The reading is recorded."""
    row = await _read(request)
    headers = {**KEPT_NOWHERE, "Content-Disposition": f'attachment; filename="{row["number"]}.json"'}
    return json_answer(row["credential"], headers, media_type="application/vc")


async def certificate_paper(request: Request) -> Response:
    """GET /certificates/{id}.pdf: the paper. The reading is recorded."""
    row = await _read(request)
    store = request.app.state.store
    public_url, _ = signing(store)
    address = f"{public_url}/certificates/verify/{row['code']}"
    data = await asyncio.to_thread(certificate_pdf, row, address, store.settings.certificate_font_file)
    headers = {**KEPT_NOWHERE, "Content-Disposition": f'attachment; filename="{row["number"]}.pdf"'}
    return Response(data, headers=headers, media_type="application/pdf")


async def _read(request: Request) -> Mapping[str, Any]:
    store, viewer = await signed_in(request)
    return await read_document(store, viewer, key_of(request.path_params["id"], "Certificate", field="id"))


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    paper = {str(camel_case(name)): value for name, value in found["paper"].items()}
    return {"number": found["number"], "kind": found["kind"], **paper}


def _page(found: Mapping[str, Any] | None) -> str:
    if found is None:
        title, state, rows = ("证书查验", "Certificate check"), _UNKNOWN, ""
    else:
        title, state = title_of(found["kind"]), STATES[CertificateState(found["state"])]
        rows = "".join(
            f"<tr><th>{escape(f'{line.label_zh} {line.label_en}')}</th>"
            f"<td>{escape(line.zh if line.zh == line.en else f'{line.zh} {line.en}')}</td></tr>"
            for line in lines_of(found["number"], found["paper"])
        )
    head = escape(" ".join(title))
    return page_of(head, f"<p><strong>{escape(' '.join(state))}</strong></p><table>{rows}</table>")


def page_of(head: str, body: str) -> str:
    """A page without script or style; both are HTML."""
    return (
        '<!doctype html><html lang="zh"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{head}</title></head>'
        f"<body><h1>{head}</h1>{body}</body></html>"
    )


def json_answer(
    told: Any, headers: Mapping[str, str], status: int = 200, media_type: str = "application/json"
) -> Response:
    return Response(orjson.dumps(told), status, dict(headers), media_type=media_type)
