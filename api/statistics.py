"""Statistics over HTTP as charts and workbooks: the same questions and answers as in GraphQL, in words.

Policy §一(二): decisions rest on them. An answer is asked for, drawn and sent; nothing of it is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from api.scans import signed_in
from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import StudentDimension, StudentStatisticsFilter, check_dimensions
from archive_store.analysis.queries import student_statistics
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.store import Store
from archive_store.statistics.charts import ChartType, chart_of, drawing
from archive_store.statistics.figures import (
    Figure,
    figure_of_flows,
    figure_of_grades,
    figure_of_stocks,
    figure_of_students,
)
from archive_store.statistics.flows import StudentFlow, student_flows
from archive_store.statistics.grades import GradesBy, grade_distributions
from archive_store.statistics.periods import PeriodUnit
from archive_store.statistics.stocks import student_stocks
from archive_store.statistics.telling import ToldCells
from archive_store.statistics.wording import Language
from archive_store.statistics.workbooks import workbook_of
from archive_store.students.documents import Gender, StudentStatus
from schema.errors import camel_case

_WORKBOOK = "xlsx"
_MEDIA_TYPES = {
    ChartType.SVG.value: "image/svg+xml",
    ChartType.PNG.value: "image/png",
    _WORKBOOK: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Vary": "Accept-Language, Authorization",
    "X-Content-Type-Options": "nosniff",
}
# Parameter of a filter -> attribute.
_FILTERS = {camel_case(dimension.attribute): dimension for dimension in StudentDimension}
_Told = Mapping[str, str]
_Named = TypeVar("_Named", bound=Enum)


async def statistics_file(request: Request) -> Response:
    """GET /statistics/{question}.{ending}: `students`, `flows`, `stocks` or `grades` as svg, png or xlsx.

    Parameters are named as the arguments in GraphQL, lists with commas; `lang` is zh or en, else as Accept-Language
    prefers. Refusals are those of the fields.
    """
    store, viewer = await signed_in(request)
    question, ending = request.path_params["question"], request.path_params["ending"]
    if question not in _QUESTIONS or ending not in _MEDIA_TYPES:
        raise RegistrarError(ErrorCode.NOT_FOUND)
    answer, parameters = _QUESTIONS[question]
    told = _parameters(request, parameters)
    figure = await answer(store, viewer, told, _language(request, told))
    if ending == _WORKBOOK:
        data = await asyncio.to_thread(workbook_of, figure)
    else:
        data = await drawing.run(chart_of, figure, ChartType(ending), store.settings.certificate_font_file)
    named = {"Content-Disposition": f'attachment; filename="{figure.name}.{ending}"'}
    return Response(data, headers={**_HEADERS, **named}, media_type=_MEDIA_TYPES[ending])


async def _students(store: Store, viewer: Viewer, told: _Told, language: Language) -> Figure:
    group_by, where = _names(told, "groupBy", StudentDimension), _where(told)
    found = await student_statistics(store, viewer, group_by, where)
    dimensions = check_dimensions(viewer, group_by, where)
    return figure_of_students(ToldCells(found.smallest_cell, dimensions, found.cells), language)


async def _flows(store: Store, viewer: Viewer, told: _Told, language: Language) -> Figure:
    by = _named(told, "by", PeriodUnit)
    months = _required(told, "fromMonth"), _required(told, "toMonth")
    kinds = _names(told, "kinds", StudentFlow) or None
    group_by = _names(told, "groupBy", StudentDimension)
    return figure_of_flows(await student_flows(store, viewer, by, *months, group_by, kinds), language)


async def _stocks(store: Store, viewer: Viewer, told: _Told, language: Language) -> Figure:
    group_by = _names(told, "groupBy", StudentDimension)
    return figure_of_stocks(await student_stocks(store, viewer, _list(told, "months"), group_by), language)


async def _grades(store: Store, viewer: Viewer, told: _Told, language: Language) -> Figure:
    by = _named(told, "by", GradesBy) if "by" in told else GradesBy.SCHOOL
    found = await grade_distributions(store, viewer, _list(told, "terms"), _list(told, "courses"), by)
    return figure_of_grades(found, language)


_Answer = Callable[[Store, Viewer, _Told, Language], Awaitable[Figure]]
# Question -> what answers it, and its parameters.
_QUESTIONS: Mapping[str, tuple[_Answer, frozenset[str]]] = {
    "students": (_students, frozenset({"groupBy", *map(str, _FILTERS)})),
    "flows": (_flows, frozenset({"by", "fromMonth", "toMonth", "groupBy", "kinds"})),
    "stocks": (_stocks, frozenset({"months", "groupBy"})),
    "grades": (_grades, frozenset({"terms", "courses", "by"})),
}


def _parameters(request: Request, known: frozenset[str]) -> dict[str, str]:
    """The parameters, each known and told once."""
    told: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if (name not in known and name != "lang") or name in told:
            raise RegistrarError(
                ErrorCode.INVALID_ARGUMENT,
                field=name[:50],
                detail_zh="没有此参数,或重复",
                detail_en="there is no such parameter, or it stands twice",
            )
        told[name] = value
    return told


def _required(told: _Told, name: str) -> str:
    if not told.get(name):
        raise RegistrarError(ErrorCode.REQUIRED, field=name)
    return told[name]


def _list(told: _Told, name: str) -> list[str]:
    return [text.strip() for text in told.get(name, "").split(",") if text.strip()]


def _member(text: str, name: str, kind: type[_Named]) -> _Named:
    if text not in kind.__members__:
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT,
            field=name,
            detail_zh="没有此选项",
            detail_en="there is no such choice",
        )
    return kind[text]


def _named(told: _Told, name: str, kind: type[_Named]) -> _Named:
    return _member(_required(told, name), name, kind)


def _names(told: _Told, name: str, kind: type[_Named]) -> Sequence[_Named]:
    return [_member(text, name, kind) for text in _list(told, name)]


def _where(told: _Told) -> StudentStatisticsFilter:
    values: dict[str, Any] = {}
    for name, dimension in _FILTERS.items():
        if (text := told.get(str(name))) is None:
            continue
        if dimension is StudentDimension.GENDER:
            values[dimension.attribute] = _member(text, str(name), Gender)
        elif dimension is StudentDimension.STATUS:
            values[dimension.attribute] = _member(text, str(name), StudentStatus)
        elif dimension is StudentDimension.BIRTH_YEAR:
            values[dimension.attribute] = _year(text, str(name))
        else:
            values[dimension.attribute] = text
    return StudentStatisticsFilter(**values)


def _year(text: str, name: str) -> int:
    if len(text) != 4 or not (text.isascii() and text.isdigit()):
        raise RegistrarError(ErrorCode.INVALID_DATE, field=name)
    return int(text)


def _language(request: Request, told: _Told) -> Language:
    """As `lang` says, else what Accept-Language prefers of the two, else Chinese."""
    if "lang" in told:
        return _member(told["lang"].upper(), "lang", Language)
    preferred: list[tuple[float, int, Language]] = []
    for place, part in enumerate(request.headers.get("accept-language", "").split(",")):
        tag, _, weight = part.strip().partition(";q=")
        name = tag.partition("-")[0].strip().upper()
        if name in Language.__members__:
            preferred.append((-_weight(weight), place, Language[name]))
    return min(preferred)[2] if preferred else Language.ZH


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
