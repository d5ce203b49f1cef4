"""Grade sheets to fill in (成绩单模板) over HTTP; they are sent back by `gradeSheetImport`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.exports import HEADERS_OF_ANSWER, MEDIA_TYPES
from api.scans import signed_in
from archive_store.grade_sheets.templates import grade_sheet_template
from archive_store.students.export_files import FileType
from schema.nodes import key_of


async def grade_sheet_csv(request: Request) -> Response:
    """GET /grade-sheets/{arrangement}.csv: numbers and names of the class, without a grade."""
    return await _template(request, FileType.CSV)


async def grade_sheet_workbook(request: Request) -> Response:
    """GET /grade-sheets/{arrangement}.xlsx."""
    return await _template(request, FileType.XLSX)


async def _template(request: Request, file_type: FileType) -> Response:
    store, viewer = await signed_in(request)
    key = key_of(request.path_params["id"], "CourseArrangement", field="id")
    content = await grade_sheet_template(store, viewer, key, file_type)
    named = {"Content-Disposition": f'attachment; filename="grades.{file_type}"'}
    return Response(content, media_type=MEDIA_TYPES[file_type], headers={**HEADERS_OF_ANSWER, **named})
