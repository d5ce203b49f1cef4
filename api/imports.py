"""Rosters over HTTP: sent in one go, and kept sealed from then on.

The file itself is never on a disk in clear: while it is read, it lies encrypted under a key of this process alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import BinaryIO, TypeVar, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from api.scans import signed_in
from archive_store.admission.documents import SchoolStage
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.texts import size_text
from archive_store.imports.beginning import BatchTerms, begin
from archive_store.imports.documents import ImportKind, RowPolicy
from archive_store.imports.rights import may_begin
from archive_store.imports.sealed_file import SealedFile
from schema.nodes import global_id

Choice = TypeVar("Choice", bound=StrEnum)


async def begin_import(request: Request) -> Response:
    """PUT /imports?fileName=NAME with the bytes as body.

    Optionally `kind`, `policy`, and for candidates `stage`, `cohort` and `batch`. 201 with `{"id", "rows", "isMapped",
    "earlierBatchId"}`.
    """
    store, viewer = await signed_in(request)
    told = request.query_params
    kind = _choice(ImportKind, told.get("kind", "REGISTER"), "kind")
    terms = BatchTerms(
        kind,
        _choice(RowPolicy, told.get("policy", "SKIP"), "policy"),
        _choice(SchoolStage, told["stage"], "stage") if "stage" in told else None,
        _number(told["cohort"], "cohort") if "cohort" in told else None,
        told.get("batch"),
    )
    # Before the file is taken.
    may_begin(viewer, kind)
    limit = store.settings.roster_size_limit
    too_large = RegistrarError(ErrorCode.TOO_LARGE, field="file", limit=size_text(limit))
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length) > limit:
        raise too_large
    with SealedFile() as file:
        try:
            async for piece in request.stream():
                file.write(piece)
                if file.tell() > limit:
                    raise too_large
        except ClientDisconnect:
            return Response(status_code=499)
        content = cast("BinaryIO", file)
        batch = await begin(store, viewer, content, file_name=told.get("fileName", ""), terms=terms)
    earlier = batch.earlier_batch_id
    return JSONResponse(
        {
            "id": global_id("ImportBatch", batch.key),
            "rows": batch.rows,
            "isMapped": batch.mapping is not None,
            "earlierBatchId": None if earlier is None else global_id("ImportBatch", earlier),
        },
        status_code=201,
    )


def _choice(kind: type[Choice], text: str, field: str) -> Choice:
    if text not in kind.__members__:
        known = ", ".join(kind.__members__)
        raise RegistrarError(
            ErrorCode.INVALID_ARGUMENT, field=field, detail_zh=f"须为 {known}", detail_en=f"one of {known}"
        )
    return kind[text]


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise RegistrarError(ErrorCode.INVALID_DATE, field=field)
    return int(text)
