"""Exports of student records, streamed as CSV or XLSX."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.students.documents import StudentStatus
from archive_store.students.export_columns import COLUMNS
from archive_store.students.export_files import FileType
from archive_store.students.exports import RunningExport, begin_export
from archive_store.students.queries import StudentFilter
from schema.errors import camel_case

# Parameter -> attribute of the filter. Not the identity number: an address is logged on its way.
_FILTERS = {
    "namePrefix": "name_prefix",
    "className": "class_name",
    "grade": "grade",
    "status": "status",
    "auxiliaryNumber": "auxiliary_number",
}
# A column may be named as GraphQL names the field, too.
_HEADERS = {camel_case(column.field): column.header for column in COLUMNS}
_COMMA = re.compile("[,,、]")
MEDIA_TYPES = {
    FileType.CSV: "text/csv; charset=utf-8",
    FileType.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
HEADERS_OF_ANSWER = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class _ExportResponse(Response):
    """Sends the pieces and sees to it that the end of the export is written, also where the client breaks off."""

    def __init__(self, export: RunningExport) -> None:
        super().__init__()
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces = self._export.pieces()
        try:
            # Read now, so that what fails at once is an error and not a torn answer.
            first = await anext(pieces)
            file_type = self._export.file_type
            named = {"Content-Disposition": f'attachment; filename="students.{file_type}"'}
            answer = StreamingResponse(
                _after(first, pieces),
                media_type=MEDIA_TYPES[file_type],
                headers={**HEADERS_OF_ANSWER, **named},
            )
            await answer(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            await pieces.aclose()
            await self._export.end()


async def _after(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def export_csv(request: Request) -> Response:
    """GET /exports/students.csv?columns=HEADER,HEADER&className=NAME… , for the purpose that the header states."""
    return await _export(request, FileType.CSV)


async def export_workbook(request: Request) -> Response:
    """GET /exports/students.xlsx, with the same parameters."""
    return await _export(request, FileType.XLSX)


async def _export(request: Request, file_type: FileType) -> Response:
    state = request.app.state
    viewer = await state.sign_in.viewer_of(request)
    told = _parameters(request)
    columns = told.pop("columns", None)
    headers = None if columns is None else _headers(columns)
    export = await begin_export(
        state.store, viewer, headers=headers, where=_filter(told), file_type=file_type
    )
    return _ExportResponse(export)


def _headers(columns: str) -> list[str]:
    words = [word.strip() for word in _COMMA.split(columns)]
    return [_HEADERS.get(word, word) for word in words]


def _parameters(request: Request) -> dict[str, str]:
    """The parameters, each known, told once and not blank: a filter that is overlooked exports too much."""
    told: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if (name != "columns" and name not in _FILTERS) or name in told:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field=name[:50],
                detail_zh="没有此参数,或重复",
                detail_en="there is no such parameter, or it stands twice",
            )
        if not value.strip():
            raise RegistrarError(ErrorCode.REQUIRED, field=name)
        told[name] = value
    return told


def _filter(told: dict[str, str]) -> StudentFilter:
    texts = {_FILTERS[name]: value for name, value in told.items() if name != "status"}
    return StudentFilter(status=_status(told["status"]) if "status" in told else None, **texts)


def _status(text: str) -> StudentStatus:
    try:
        return StudentStatus(text)
    except ValueError:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field="status",
            detail_zh="不是学籍状态",
            detail_en="not a student status",
        ) from None
