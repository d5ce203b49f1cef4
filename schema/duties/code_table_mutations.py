"""`codeTableLoad`: asks for a version of a code table."""

from __future__ import annotations

import strawberry
from bson import ObjectId

from archive_store.approvals.operations import payload_of, perform
from archive_store.duties.code_tables import CodeTableLoad
from archive_store.foundation.errors import RegistrarError
from schema.approvals.queries import request_of
from schema.approvals.types import ChangeRequest
from schema.context import Request
from schema.duties.code_table_types import CodeTable, resolve_code_table
from schema.errors import UserError, typed_errors
from schema.scalars import Day


@strawberry.input(description="A code of `codeTableLoad`.")
class CodeTableEntryInput:
    code: str
    label_zh: str
    label_en: str
    spellings: list[str] = strawberry.field(default_factory=list, description="As rosters write it, too.")
    until: Day | None = strawberry.field(default=None, description="The last day on which it may be given.")


@strawberry.input(
    description="Input of `codeTableLoad`: the whole table. No code is left out; `until` abolishes one."
)
class CodeTableLoadInput:
    name: str = strawberry.field(description="A table that there is.")
    edition: str = strawberry.field(description="The year of the standard, or another mark of its version.")
    valid_from: Day = strawberry.field(description="The day (in China) from which it holds.")
    standard: str | None = None
    source: str = strawberry.field(description="Where the codes come from.")
    entries: list[CodeTableEntryInput]
    reason: str | None = None


@strawberry.type(description="Result of `codeTableLoad`.")
class CodeTableLoadPayload:
    code_table: CodeTable | None = strawberry.field(default=None, description="What is in force now.")
    change_request: ChangeRequest | None = strawberry.field(
        default=None, description="The request that now awaits approval."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


# Leaves of the payload by the input's names, where they differ.
_NAMES = {"table": "name", "zh": "label_zh", "en": "label_en", "also": "spellings"}


@typed_errors(CodeTableLoadPayload)
async def resolve_code_table_load(info: Request, input: CodeTableLoadInput) -> CodeTableLoadPayload:  # noqa: A002
    context = info.context
    try:
        payload = payload_of(
            CodeTableLoad,
            {
                "version_id": ObjectId(),
                "table": input.name,
                "edition": input.edition,
                "valid_from": input.valid_from,
                "standard": input.standard,
                "source": input.source,
                "entries": [
                    {
                        "code": entry.code,
                        "zh": entry.label_zh,
                        "en": entry.label_en,
                        "also": entry.spellings,
                        "until": entry.until,
                    }
                    for entry in input.entries
                ],
            },
        )
        outcome = await perform(
            context.store, context.viewer, "code_table.load", payload, reason=input.reason
        )
    except RegistrarError as error:
        if error.field is not None:
            error.field = ".".join(_NAMES.get(part, part) for part in error.field.split("."))
        raise
    return CodeTableLoadPayload(
        code_table=await resolve_code_table(payload.table),
        change_request=await request_of(info, outcome.change_request_id),
    )


@strawberry.type
class CodeTableMutations:
    code_table_load: CodeTableLoadPayload = strawberry.field(
        resolver=resolve_code_table_load, description="Ask for a version of a code table (代码表)."
    )
