"""Who reads what is said in an objection. No I/O.

The texts are kept as sensitive values, since they can hold anything. Beside those who read such values of the record,
they are read by who answers them and reads the field that is objected to; nobody answers what they may not read.
"""

from __future__ import annotations

from archive_store.access.policy import Withheld
from archive_store.access.viewer import Viewer
from archive_store.foundation.database import Row
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes, leaves_of
from archive_store.foundation.posts import Post
from archive_store.objections.documents import RecordObjection
from archive_store.students.documents import Student
from archive_store.students.scope import student_scope

ANSWERERS = frozenset({Post.INFORMATION_GROUP, Post.DEPUTY_DIRECTOR, Post.DIRECTOR})
# What those read for whose work it is, who need not state it.
ANSWERING = "答复更正申请 answering an objection"
TEXTS = encrypted_paths(RecordObjection)


def is_sensitive(field: str) -> bool:
    """Whether some of it is read by no office, so that the department head answers."""
    return any(leaf in encrypted_paths(Student) for leaf in leaves_of(Student, field))


def why_texts_withheld(viewer: Viewer, facts: Row, field: str) -> Withheld | None:
    """None where the viewer reads them."""
    own = student_scope(viewer).decide(facts, RecordObjection).without_grants
    sensitive = field_classes(RecordObjection)["statement"]
    if sensitive in own.classes:
        return None
    reasons = [own.why_withheld(sensitive)]
    if viewer.holds_any(ANSWERERS):
        on_record = student_scope(viewer).decide(facts).without_grants
        lacking = _classes(field) - on_record.classes
        if not lacking:
            return None
        reasons += [Withheld.NOT_PERMITTED if lacking - on_record.for_purpose else Withheld.PURPOSE_REQUIRED]
    return Withheld.PURPOSE_REQUIRED if Withheld.PURPOSE_REQUIRED in reasons else Withheld.NOT_PERMITTED


def may_answer(viewer: Viewer, facts: Row, field: str) -> bool:
    """Whether the viewer reads the texts, or would for a stated purpose: to answer is one."""
    return why_texts_withheld(viewer, facts, field) is not Withheld.NOT_PERMITTED


def _classes(field: str) -> frozenset[FieldClass]:
    classes = field_classes(Student)
    return frozenset(classes[leaf] for leaf in leaves_of(Student, field))
