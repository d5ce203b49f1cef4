"""What each door must show to a viewer, told from the plain reading of the policy in `expected`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.analysis.dimensions import StudentDimension
from archive_store.foundation.field_classes import FieldClass, field_classes
from archive_store.foundation.posts import Post
from archive_store.scans.documents import Scan
from archive_store.students.documents import Student
from archive_store.students.export_columns import COLUMNS
from archive_store.students.queries import FILTER_FIELDS, StudentOrder
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from tests.access.expected import (
    AUDIT_READERS,
    REQUEST_READERS,
    RULES,
    SEALED_KNOWN_TO,
    Classes,
    audits,
    classes_everywhere,
    classes_read,
    counts_by,
    decides,
    has_scope,
    is_told_of_readings,
    knows_scan,
    reads_purposes,
    sees,
)
from tests.access.marked_school import (
    BOTH,
    CHANGEABLE,
    COMMENT,
    PURPOSE,
    REASON,
    MarkedSchool,
    leaves_of_field,
)
from tests.access.marks import FLAGS, SCAN_PATHS, STUDENT_PATHS, Leaf

F0, F1, F2, F3, F4 = FieldClass
CLASS_OF, CLASS_OF_SCAN = field_classes(Student), field_classes(Scan)
# Requests about the tied student: their fields and the post whose decision is awaited.
REQUESTS: dict[str, tuple[tuple[str, ...], Post | None]] = {
    "closed": (CHANGEABLE, None),
    "of the director": (CHANGEABLE, Post.DIRECTOR),
    "of the vice principal": (CHANGEABLE, Post.VICE_PRINCIPAL),
    "of an open field": (("grade",), None),
    "of an internal field": (("class_seat_number",), None),
    "of a personal field": (("native_place",), None),
    "of a sensitive field": (("address",), None),
}
_SHOWN_TO_NOBODY = {"person_id", "pseudonym", "created_at", "guardians.person_id"}
_HISTORY = set(CHANGEABLE) | {"major_code", "status", "status_periods", "merged_into"}


def _leaves(name: str, paths: Iterable[str], classes: Classes) -> set[Leaf]:
    return {Leaf(name, path) for path in paths if CLASS_OF[path] in classes}


def _named(world: MarkedSchool) -> list[tuple[str, dict[str, object]]]:
    return [(student.name, student.row) for student in world.students[:2]]


def records(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    paths = set(STUDENT.coordinates) - _SHOWN_TO_NOBODY
    return {leaf for name, row in _named(world) for leaf in _leaves(name, paths, classes_read(viewer, row))}


def _in_class_in_sight(world: MarkedSchool, viewer: Viewer) -> set[str]:
    """Who reads records by post sees every class, others those that tie them; a grant opens no class."""
    return {
        name
        for name, row in _named(world)
        if F0 in classes_read(viewer.without_grants(grant.id for grant in viewer.grants), row)
    }


def rosters(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    in_sight = _in_class_in_sight(world, viewer)
    shown = {leaf for leaf in listed(world, viewer) if leaf.record in in_sight}
    return shown | {Leaf(name, "class_name") for name in in_sight}


def numbers(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    return {leaf for leaf in records(world, viewer) if leaf.path == "national_student_number"}


def _can_list(world: MarkedSchool, viewer: Viewer) -> bool:
    """A list is in order by number or by name, one of which must be readable."""
    return F0 in classes_everywhere(viewer, world.students[0].row)


def listed(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    return records(world, viewer) if _can_list(world, viewer) else set()


def history(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    found = set()
    for name, row in _named(world):
        classes = classes_read(viewer, row)
        if F1 not in classes or not has_scope(viewer, Scope.AUDIT_READ):
            continue
        for field in _HISTORY:
            leaves = leaves_of_field(field)
            if {CLASS_OF[path] for path in leaves} <= classes:
                found |= {Leaf(name, path) for path in leaves if path not in _SHOWN_TO_NOBODY}
                found.add(Leaf(name, f"{REASON} {field}"))
    return found & universe(world)


def follows(viewer: Viewer, row: dict[str, object]) -> bool:
    """Who asks for moments learns when something changed, which is internal."""
    return F1 in classes_read(viewer, row) and has_scope(viewer, Scope.AUDIT_READ)


def at_moments(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    followed = {name for name, row in _named(world) if follows(viewer, row)}
    return {leaf for leaf in records(world, viewer) if leaf.record in followed}


def different(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    changed = {path for field in CHANGEABLE for path in leaves_of_field(field)}
    return {leaf for leaf in at_moments(world, viewer) if leaf.path in changed}


def access_history(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    found = set()
    for name, row in _named(world):
        if not is_told_of_readings(viewer, row):
            continue
        known = [kind for kind in world.students[0].scans if name == "tied" and knows_scan(viewer, row, kind)]
        found |= {leaf for leaf in scans(world, viewer) if leaf.path != "content"} if known else set()
        alone = [name, *(f"{name} {kind}" for kind in known)]
        if reads_purposes(viewer, row, alone=True):
            found |= {Leaf(record, PURPOSE) for record in alone}
        if reads_purposes(viewer, row, alone=False):
            found.add(Leaf(BOTH, PURPOSE))
    return found


_IN_HISTORY = f"{REASON} in history"
_TEAM_READERS = {Post.DIRECTOR, Post.VICE_PRINCIPAL, Post.PRINCIPAL}
_GRANT_DECIDERS = {Post.DIRECTOR, Post.VICE_PRINCIPAL}
_EMERGENCY_READERS = _TEAM_READERS | {Post.DEPUTY_DIRECTOR}


def node_histories(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    """What each node shows by its own fields, its history shows; reasons are as sensitive as what they may tell."""
    if not has_scope(viewer, Scope.AUDIT_READ):
        return set()
    tied, by_post = world.students[0], classes_read(viewer, None)
    found = set()
    for kind in tied.scans:
        if knows_scan(viewer, tied.row, kind):
            held = classes_read(viewer, tied.row, record="Scan", document_type=kind)
            paths = {path for path in ("file_name", "media_type", "sha256") if CLASS_OF_SCAN[path] in held}
            found |= {Leaf(f"tied {kind}", path) for path in paths}
            if RULES.document_class(kind) in held:
                found.add(Leaf(f"tied {kind}", _IN_HISTORY))
    comments = {leaf.record for leaf in requests(world, viewer) if leaf.path.startswith(f"{REASON} of")}
    found |= {Leaf(record, _IN_HISTORY) for record in comments}
    sees_emergency = viewer.posts & _EMERGENCY_READERS and has_scope(viewer, Scope.CHANGE_REQUEST_READ)
    # As a request is: a grant opens the record, not what was done about it.
    if sees_emergency and F3 in classes_read(viewer, tied.row, with_grants=False):
        found.add(Leaf("emergency", _IN_HISTORY))
    if viewer.scopes is None and viewer.posts & _GRANT_DECIDERS:
        found.add(Leaf("grant", "document_type"))
        if viewer.reading.purpose is not None:
            found.add(Leaf("grant", "purpose"))
        if F3 in by_post:
            found.add(Leaf("grant", _IN_HISTORY))
    if viewer.scopes is None and viewer.posts & _TEAM_READERS:
        found.add(Leaf("team", "title"))
        # The principal may close it, so its texts are theirs to read.
        if F3 in by_post or Post.PRINCIPAL in viewer.posts:
            found |= {Leaf("team", "occasion"), Leaf("team", _IN_HISTORY)}
    if viewer.scopes is None and viewer.posts & SEALED_KNOWN_TO:
        found |= {Leaf("batch", "reason"), Leaf("batch", _IN_HISTORY)}
        if viewer.reading.purpose is not None:
            found |= {Leaf("hold", "reason"), Leaf("hold", _IN_HISTORY)}
    return found


def audit_entries(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    """To auditors: all histories of what they may know of; and of what is no node, what posts alone read."""
    if not audits(viewer):
        return set()
    classes = classes_read(viewer, None)
    found = history(world, viewer) | node_histories(world, viewer) | {Leaf("delegation", "delegator_name")}
    found.add(Leaf("archive", "uploaded_by"))  # who acted
    if F1 in classes:
        found |= {Leaf("grant", "document_type"), Leaf("person", "name"), Leaf("export", "columns")}
    if F3 in classes:
        found |= {Leaf("grant", "purpose"), Leaf("person", "identifiers.value")}
        found |= {Leaf(name, _IN_HISTORY) for name in ("grant", "person", "export", "delegation")}
    return found


def requests(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    if not viewer.posts & REQUEST_READERS or not has_scope(viewer, Scope.CHANGE_REQUEST_READ):
        return set()
    found = set()
    classes = classes_read(viewer, world.students[0].row, with_grants=False)
    for name, (fields, awaited) in REQUESTS.items():
        shows = {
            field
            for field in fields
            if decides(viewer, awaited) or {CLASS_OF[path] for path in leaves_of_field(field)} <= classes
        }
        leaves = {path for field in shows for path in leaves_of_field(field)} - _SHOWN_TO_NOBODY
        found |= {Leaf(f"request {name}", path) for path in leaves}
        if shows == set(fields):
            found |= {Leaf(f"request {name}", f"{text} {name}") for text in (f"{REASON} of", COMMENT)}
    return found & universe(world)


def filtered(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    tied = world.students[0]
    classes = classes_everywhere(viewer, tied.row) if sees(viewer, tied.row) else frozenset()
    return _leaves(tied.name, FILTER_FIELDS.values(), classes) if _can_list(world, viewer) else set()


def ordered(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    paths, classes = (
        {order.value[0] for order in StudentOrder},
        classes_everywhere(viewer, world.students[0].row),
    )
    return {leaf for leaf in records(world, viewer) if leaf.path in paths and CLASS_OF[leaf.path] in classes}


def default_columns(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    paths = {column.path for column in COLUMNS if column.in_roster}
    classes = classes_everywhere(viewer, world.students[0].row)
    return {leaf for leaf in listed(world, viewer) if leaf.path in paths and CLASS_OF[leaf.path] in classes}


def named_columns(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    paths = {column.path for column in COLUMNS}
    return {leaf for leaf in listed(world, viewer) if leaf.path in paths}


def statistics(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    """Of a date of birth the year is told, which is no mark."""
    paths = {dimension.path for dimension in StudentDimension} - {"birth_date"}
    return {leaf for name, _ in _named(world) for leaf in _leaves(name, paths, counts_by(viewer))}


def pseudonymised(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    """Of two students all but the grade is rare."""
    if Post.ANALYSIS_GROUP not in viewer.posts or viewer.scopes is not None:
        return set()
    return {Leaf(name, path) for name, _ in _named(world) for path in ("pseudonym", "grade")}


def scans(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    tied, found = world.students[0], set()
    for kind in tied.scans:
        if not knows_scan(viewer, tied.row, kind):
            continue
        classes = classes_read(viewer, tied.row, record="Scan", document_type=kind)
        found |= {Leaf(f"tied {kind}", path) for path in SCAN.coordinates if CLASS_OF_SCAN[path] in classes}
        if RULES.document_class(kind) in classes:
            found.add(Leaf(f"tied {kind}", "content"))
    return found


def content(world: MarkedSchool, viewer: Viewer) -> set[Leaf]:
    """Bytes with their type, size and digest, which whoever has the bytes can tell; and the name where it is read."""
    shown = scans(world, viewer)
    found = set()
    for record in (leaf.record for leaf in shown if leaf.path == "content"):
        found |= {Leaf(record, path) for path in ("content", "media_type", "sha256", "size")}
        found |= shown & {Leaf(record, "file_name")}
    return found


def redactions(world: MarkedSchool, viewer: Viewer, door: str) -> dict[str, str]:
    """The lines of `extensions.redactions`: one for each coordinate that some row in sight keeps back."""
    kept: list[tuple[str, bool]] = []  # and whether a purpose would open it
    for name, row in _named(world):
        if not sees(viewer, row) or (door == "students" and not _can_list(world, viewer)):
            continue
        if door == "auditHistory":
            has_history = F1 in classes_read(viewer, row) and has_scope(viewer, Scope.AUDIT_READ)
            kept += [] if has_history else [("Student.auditHistory", False)]
        elif door == "student at moments" and not follows(viewer, row):
            kept += [(where, False) for where in STUDENT.coordinates.values()]
        elif door == "diff" and not follows(viewer, row):
            kept.append(("Student.diff", False))
        elif door == "accessHistory":
            kept += _kept_of_readings(world, viewer, name, row)
        elif door == "scans":
            kept += _kept_of_scans(world, viewer) if name == "tied" else []
        else:
            held, stated = classes_read(viewer, row), classes_read(viewer, row, has_purpose=True)
            left_out = {"revision", "updated_at"} if door == "diff" else set()
            paths = STUDENT.coordinates.keys() - left_out
            classes = {STUDENT.coordinates[path]: CLASS_OF[path] for path in paths}
            kept += [(where, found in stated) for where, found in classes.items() if found not in held]
    return _lines(kept)


def _kept_of_readings(
    world: MarkedSchool, viewer: Viewer, name: str, row: Mapping[str, object]
) -> Iterable[tuple[str, bool]]:
    if not is_told_of_readings(viewer, row):
        yield "Student.accessHistory", False
        return
    if not reads_purposes(viewer, row, alone=False):
        audits = viewer.posts & AUDIT_READERS and has_scope(viewer, Scope.STUDENT_READ_SENSITIVE)
        yield "AccessEvent.purpose", bool(audits)
    if name == "tied":
        yield from (line for line in _kept_of_scans(world, viewer) if line[0] != "Student.scans")


def _kept_of_scans(world: MarkedSchool, viewer: Viewer) -> Iterable[tuple[str, bool]]:
    tied = world.students[0]
    known = [kind for kind in tied.scans if knows_scan(viewer, tied.row, kind)]
    knows = has_scope(viewer, Scope.SCAN_READ) and F1 in classes_read(viewer, tied.row, record="Scan")
    if not known and not knows:
        yield "Student.scans", False
    for kind in known:
        held = classes_read(viewer, tied.row, record="Scan", document_type=kind)
        for path, where in SCAN.coordinates.items():
            if CLASS_OF_SCAN[path] not in held:
                yield where, False  # no leaf of a scan's is opened by a purpose


def _lines(kept: Iterable[tuple[str, bool]]) -> dict[str, str]:
    lines: dict[str, str] = {}
    for where, for_purpose in kept:
        if lines.get(where) != "PURPOSE_REQUIRED":
            lines[where] = "PURPOSE_REQUIRED" if for_purpose else "NOT_PERMITTED"
    return lines


def nothing(_: MarkedSchool, __: Viewer) -> set[Leaf]:
    return set()


MUST_SHOW: dict[str, Callable[[MarkedSchool, Viewer], set[Leaf]]] = {
    "student": records,
    "students": listed,
    "node": records,
    "_entities": records,
    "auditHistory": history,
    "student at moments": at_moments,
    "diff": different,
    "accessHistory": access_history,
    "histories of other nodes": node_histories,
    "auditEntries": audit_entries,
    "change requests": requests,
    "where": filtered,
    "orderBy": ordered,
    "export, default columns": default_columns,
    "export, named column": named_columns,
    "export, workbook": default_columns,
    "statistics": statistics,
    "pseudonymised rows": pseudonymised,
    "scans": scans,
    "bytes of a scan": content,
    "fieldAccess": records,
    "class rosters": rosters,
    "numbers": numbers,
    "notifications": nothing,
}


def universe(world: MarkedSchool) -> set[Leaf]:
    """Every stored leaf of two students and two scans, and what requests and entries tell of them."""
    found = {Leaf(name, path) for name, _ in _named(world) for path in STUDENT_PATHS}
    found |= {
        Leaf(f"tied {kind}", path) for kind in world.students[0].scans for path in (*SCAN_PATHS, "content")
    }
    found |= set(world.marks.of)
    for name, (fields, _) in REQUESTS.items():
        found |= {Leaf(f"request {name}", path) for path in FLAGS | {"gender"} if path in fields}
    return found


def is_encrypted(leaf: Leaf) -> bool:
    """Whether a view of a grant is taken before the leaf is shown."""
    held = CLASS_OF_SCAN if " " in leaf.record and leaf.record.startswith("tied ") else CLASS_OF
    return held.get(leaf.path, F3) in (F3, F4)
