"""What is told with a roster and of a batch."""

from __future__ import annotations

import strawberry
from strawberry.file_uploads import Upload

from schema.admission.enums import SchoolStage
from schema.imports.enums import ImportKind, ImportRowPolicy


@strawberry.input(description="Which of our columns one of the file is.")
class ImportColumnInput:
    header: str
    column: str | None = strawberry.field(default=None, description="Our header; null to ignore the column.")


@strawberry.input(description="Input of `importBegin`.")
class ImportBeginInput:
    file: Upload = strawberry.field(
        description="XLSX, XLS, or CSV in UTF-8 or GB18030 (GraphQL multipart request)."
    )
    kind: ImportKind = ImportKind.REGISTER
    policy: ImportRowPolicy = ImportRowPolicy.SKIP
    stage: SchoolStage | None = strawberry.field(default=None, description="Required of ADMISSION.")
    cohort: int | None = strawberry.field(default=None, description="级; required of ADMISSION.")
    batch: str | None = strawberry.field(default=None, description="批次 of the admission.")


@strawberry.input(description="Input of `importMap`.")
class ImportMapInput:
    id: strawberry.ID
    columns: list[ImportColumnInput] | None = strawberry.field(
        default=None,
        description="Columns that are not headed as ours are; the others are taken by their header.",
    )
    policy: ImportRowPolicy | None = None


@strawberry.input(description="Input of `importCheck`.")
class ImportCheckInput:
    id: strawberry.ID
    first: int = strawberry.field(default=100, description="Rows with errors or warnings, at most.")
    after_row: int | None = strawberry.field(default=None, description="Those after this row of the sheet.")


@strawberry.input(description="A batch.")
class ImportInput:
    id: strawberry.ID


@strawberry.input(description="Input of `importUndo`.")
class ImportUndoInput:
    id: strawberry.ID
    reason: str | None = strawberry.field(default=None, description="Required where it has to be approved.")
