"""Code tables (代码表) and divisions (行政区划), and the root fields that read them."""

from __future__ import annotations

import base64
import binascii

import strawberry

from archive_store.duties.queries import entries_of, table_on, tables_on
from archive_store.foundation import code_tables as store
from archive_store.foundation import divisions
from archive_store.foundation.paging import foreign_cursor
from schema.context import Request
from schema.nodes import Connection, connection
from schema.scalars import Day

_CURSOR = "code:"
_CODE_LIMIT = 20


@strawberry.type(description="A code with its labels.")
class CodeTableEntry:
    code: str
    label_zh: str = strawberry.field(description="名称.")
    label_en: str
    spellings: list[str] = strawberry.field(description="Other spellings that a roster may have.")
    until: Day | None = strawberry.field(description="The last day on which it may be given.")
    is_abolished: bool = strawberry.field(
        description="Not given any more; records that have it keep it, and its label."
    )


@strawberry.type(description="代码表: a version of a code table, whole.")
class CodeTable:
    name: str = strawberry.field(description="As the field of a student record is named, where there is one.")
    title_zh: str
    title_en: str
    standard: str | None = strawberry.field(description="标准; null where the codes are Registrar's own.")
    edition: str = strawberry.field(description="The year of the standard, or another mark of its version.")
    source: str = strawberry.field(
        description="Where the codes come from, and whether they were checked against the standard's text."
    )
    valid_from: Day | None = strawberry.field(description="The day from which it holds; null if not known.")
    loaded_version: int | None = strawberry.field(
        description="Counts what was loaded here; null of a shipped table."
    )
    editions: list[str] = strawberry.field(description="The editions there are, shipped ones first.")
    table: strawberry.Private[store.CodeTable]

    @strawberry.field(description="Its codes in their order.")
    def entries(
        self, info: Request, first: int = 20, after: str | None = None, include_abolished: bool = True
    ) -> Connection[CodeTableEntry]:
        page = entries_of(
            info.context.store,
            self.table,
            first=first,
            after=None if after is None else _code_of(after),
            with_abolished=include_abolished,
        )
        rows = [
            CodeTableEntry(
                code=entry.code,
                label_zh=entry.zh,
                label_en=entry.en,
                spellings=list(entry.also),
                until=None if entry.until is None else Day(entry.until),
                is_abolished=entry.is_abolished(self.table.day),
            )
            for entry in page.rows
        ]
        cursors = [base64.urlsafe_b64encode(f"{_CURSOR}{row.code}".encode()).decode() for row in rows]
        return connection(rows, cursors, has_next=page.has_next, after=after)  # type: ignore[no-any-return]


@strawberry.type(
    description="行政区划 (GB/T 2260): a code, today's or abolished. Years are those of year-end lists since 1980."
)
class Division:
    code: str
    name: str
    full_name: str = strawberry.field(description="With the province and the city above it.")
    parents: list[str]
    former_names: list[str] = strawberry.field(description="Names that the code had before, oldest first.")
    valid_from_year: int = strawberry.field(description="1980 stands for 1980 or before.")
    valid_to_year: int | None
    is_abolished: bool
    source: str = strawberry.field(description="The lists that it was read from.")


def shown_table(table: store.CodeTable) -> CodeTable:
    return CodeTable(
        name=table.name,
        title_zh=table.title_zh,
        title_en=table.title_en,
        standard=table.standard,
        edition=table.version,
        source=table.source,
        valid_from=None if table.valid_from is None else Day(table.valid_from),
        loaded_version=table.loaded,
        editions=[version.version for version in store.code_table_versions(table.name)],
        table=table,
    )


def _code_of(cursor: str) -> str:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise foreign_cursor() from error
    if not text.startswith(_CURSOR):
        raise foreign_cursor()
    return text.removeprefix(_CURSOR)


async def resolve_code_tables(on: Day | None = None) -> list[CodeTable]:
    """All tables, by name."""
    return [shown_table(table) for table in tables_on(on)]


async def resolve_code_table(name: str, on: Day | None = None) -> CodeTable | None:
    """One table; null where there is none of the name."""
    table = table_on(name, on)
    return None if table is None else shown_table(table)


async def resolve_division(code: str, year: int | None = None) -> Division | None:
    """One division; null where no list has the code, or none of the year."""
    found = divisions.division(code, year) if len(code) <= _CODE_LIMIT else None
    if found is None:
        return None
    return Division(
        code=found.code,
        name=found.name,
        full_name=found.full_name,
        parents=list(found.parents),
        former_names=list(found.former_names),
        valid_from_year=found.valid_from_year,
        valid_to_year=found.valid_to_year,
        is_abolished=found.is_abolished,
        source=divisions.source(),
    )


@strawberry.type
class CodeTableQueries:
    code_tables: list[CodeTable] = strawberry.field(
        resolver=resolve_code_tables, description="代码表: every code table in force today, or on a day."
    )
    code_table: CodeTable | None = strawberry.field(
        resolver=resolve_code_table,
        description="代码表 of a name, in force today or on a day; null where there is none.",
    )
    division: Division | None = strawberry.field(
        resolver=resolve_division,
        description="行政区划 of a code, under its newest name or that of a year, also where it was abolished.",
    )
