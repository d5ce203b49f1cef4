"""`Student.archiveCompleteness`: below the students' types, which the other types of this room stand above."""

from __future__ import annotations

import strawberry


@strawberry.type(
    description="Which documents an archive file (案卷) must hold, as far as the viewer may know of them."
)
class ArchiveCompleteness:
    required: list[str] = strawberry.field(description="Document types, by the student's status.")
    missing: list[str] = strawberry.field(description="Those of them that are not filed.")

    @strawberry.field(description="Whether none is missing.")
    def is_complete(self) -> bool:
        return not self.missing
