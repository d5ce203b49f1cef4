"""The GraphiQL page and the files it loads, all from this server: tokens are pasted into it.

GraphiQL and React come from npm by package-lock.json (`scripts/setup`); only the files named here are served.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from string import Template

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_FOLDER = Path(__file__).parent
_SCRIPT, _STYLE = "text/javascript", "text/css"
_ASSETS = {
    "react.js": ("node_modules/react/umd/react.production.min.js", _SCRIPT),
    "react-dom.js": ("node_modules/react-dom/umd/react-dom.production.min.js", _SCRIPT),
    "graphiql.js": ("node_modules/graphiql/graphiql.min.js", _SCRIPT),
    "graphiql.css": ("node_modules/graphiql/graphiql.min.css", _STYLE),
    "start.js": ("start.js", _SCRIPT),
}
# GraphiQL's stylesheet has its fonts and images in it. Its dialogs add a style element, hence the nonce.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; "
    "font-src data:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class GraphiQLMissingError(Exception):
    """The setting is on, the npm packages are not there."""


class GraphiQLPage:
    """The page and its files, read once."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        try:
            self._assets = {name: (folder / file).read_bytes() for name, (file, _) in _ASSETS.items()}
        except FileNotFoundError as error:
            raise GraphiQLMissingError(
                "REGISTRAR_GRAPHIQL is on, but GraphiQL's scripts are not installed: run scripts/setup"
            ) from error
        # In the addresses, so that browsers keep the files until they change.
        self._version = hashlib.sha256(b"".join(self._assets.values())).hexdigest()[:16]
        self._template = Template((folder / "page.html").read_text(encoding="utf-8"))

    def page(self) -> Response:
        nonce = secrets.token_urlsafe(16)
        headers = {
            "Content-Security-Policy": _POLICY.format(nonce=nonce),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(self._template.substitute(version=self._version, nonce=nonce), headers=headers)

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            raise HTTPException(404)
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "public, max-age=31536000, immutable",
        }
        return Response(self._assets[name], headers=headers, media_type=_ASSETS[name][1])
