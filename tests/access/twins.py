"""A school's twin: other values where one viewer may not read them, so that nothing they ask may tell the two apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bson import ObjectId
from pymongo import ReplaceOne

from archive_store.access.retrieval_grants import AccessEvent
from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import ChangeRequest
from archive_store.audit.chain import entry_hash
from archive_store.audit.documents import ENTRIES
from archive_store.foundation.field_classes import FieldClass, encrypted_paths, field_classes
from archive_store.foundation.records import bson_value
from archive_store.people.documents import IdentifierKind, Person
from archive_store.scans.documents import Scan
from archive_store.students.documents import Gender, Student, StudentStatus
from schema.scans.types import SCAN
from schema.students.types import STUDENT
from tests.access.expected import (
    REQUEST_READERS,
    RULES,
    Classes,
    audits,
    classes_read,
    counts_by,
    has_scope,
    knows_scan,
    reads_every_student,
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
    MarkedStudent,
    leaves_of_field,
)
from tests.access.marks import FLAGS, SCAN_PATHS, STUDENT_PATHS, Leaf

F0, F1, *_, F4 = FieldClass
CLASS_OF, CLASS_OF_SCAN = field_classes(Student), field_classes(Scan)
_ANALYSIS = {
    "pseudonym",
    "gender",
    "grade",
    "status",
    "enrolled_month",
    "admission_method",
    "boarding",
    "student_source",
}


def may_read(world: MarkedSchool, viewer: Viewer, *, counts: bool) -> set[Leaf]:
    """The leaves that some door may show to the viewer; of counts, also what is counted by."""
    found: set[Leaf] = set()
    for student in world.students:
        classes = classes_read(viewer, student.row)
        found |= {Leaf(student.name, path) for path in STUDENT.coordinates if CLASS_OF[path] in classes}
        shown = (field for field in CHANGEABLE if is_shown(field, classes))
        found |= {Leaf(student.name, f"{REASON} {field}") for field in shown}
        by_right = classes_read(viewer, student.row, with_grants=False)
        if viewer.posts & REQUEST_READERS and all(is_shown(field, by_right) for field in CHANGEABLE):
            found |= {Leaf(student.name, path) for path in (f"{REASON} of closed", f"{COMMENT} closed")}
        for alone, record in ((True, student.name), (False, BOTH)):
            if reads_purposes(viewer, student.row, alone=alone):
                found.add(Leaf(record, PURPOSE))
        for kind in student.scans:
            if knows_scan(viewer, student.row, kind):
                if reads_purposes(viewer, student.row, alone=True):
                    found.add(Leaf(f"{student.name} {kind}", PURPOSE))
                held = classes_read(viewer, student.row, record="Scan", document_type=kind)
                paths = {path for path in SCAN.coordinates if CLASS_OF_SCAN[path] in held}
                found |= {Leaf(f"{student.name} {kind}", path) for path in paths}
        if counts and (counted := counts_by(viewer)):
            rows = _ANALYSIS if viewer.scopes is None else set()
            paths = {path for path in STUDENT_PATHS if CLASS_OF[path] in counted}
            found |= {Leaf(student.name, path) for path in paths | rows if path != "birth_date"}
    if audits(viewer):
        found.add(Leaf("archive", "uploaded_by"))
    return found


def is_shown(field: str, held: Classes) -> bool:
    """Whether entries and requests show a field: where all its leaves may be read."""
    leaves = leaves_of_field(field)
    return bool(leaves) and {CLASS_OF[path] for path in leaves} <= held


def filterable(world: MarkedSchool, viewer: Viewer) -> Classes:
    """The classes that filters may use; none for a viewer who sees nobody, to whom every guess looks the same."""
    if reads_every_student(viewer):
        return classes_read(viewer, None)
    seen = [classes_read(viewer, student.row) for student in world.students if sees(viewer, student.row)]
    return frozenset.intersection(*seen) if seen else frozenset()


@asynccontextmanager
async def other_values(world: MarkedSchool, viewer: Viewer) -> AsyncIterator[None]:
    """While it lasts, every stored value that the viewer may not read is another."""
    database = world.store.database
    writes = {
        database.collection(Student).name: [],
        database.collection(Person).name: [],
        database.collection(Scan).name: [],
        database.collection(ChangeRequest).name: [],
        ENTRIES: [],
    }  # type: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]
    for student in world.students:
        await _student(world, viewer, student, writes)
        await _scans(world, viewer, student, writes)
        await _texts(world, viewer, student, writes)
    await _readings(world, viewer, writes)
    try:
        await _write(world, writes, 1)
        yield
    finally:
        await _write(world, writes, 0)


async def _write(world: MarkedSchool, writes: Mapping[str, Sequence[Any]], which: int) -> None:
    for name, pairs in writes.items():
        documents = [pair[which] for pair in pairs]
        if documents:
            orders = [ReplaceOne({"_id": document["_id"]}, document) for document in documents]
            await world.store.database.mongo[name].bulk_write(orders)


async def _student(world: MarkedSchool, viewer: Viewer, student: MarkedStudent, writes: Any) -> None:
    store, row = world.store, student.row
    classes = classes_read(viewer, row)
    masked = {path for path in STUDENT_PATHS if CLASS_OF[path] not in classes} | {"pseudonym", "created_at"}
    masked -= {"person_id"}
    if sees(viewer, row):  # what the sight itself depends on
        masked -= {"class_name", "status"}
    fresh = bson_value(world.values(student.name))
    fresh["pseudonym"] = ObjectId().binary.hex().ljust(32, "0")
    changed = dict(row)
    for path in masked:
        if path in FLAGS:
            changed[path] = not row[path]
        elif path in ("gender", "status"):
            kind: Any = Gender if path == "gender" else StudentStatus
            changed[path] = next(each.value for each in kind if each.value != row[path])
        elif "." not in path:
            changed[path] = fresh[path]
    for name in ("guardians", "status_periods"):
        own = {path.partition(".")[2] for path in masked if path.startswith(f"{name}.")}
        changed[name] = [
            held | {leaf: new[leaf] for leaf in own} for held, new in zip(row[name], fresh[name], strict=True)
        ]
    if {"guardians.name", "guardians.phone"} <= masked:
        changed["guardians"] = changed["guardians"][:1]
    collection = store.database.collection(Student)
    before = await collection.find_one({"_id": student.key})
    await store.cipher.encrypt_paths([changed], encrypted_paths(Student))
    writes[collection.name].append((before, changed))
    if "identity_number" in masked:
        person = await store.database.collection(Person).find_one({"_id": row["person_id"]})
        lookup = store.cipher.blind_index(IdentifierKind.IDENTITY_NUMBER, fresh["identity_number"])
        writes["persons"].append((person, person | {"identifier_lookups": [lookup]}))  # type: ignore[operator]


async def _scans(world: MarkedSchool, viewer: Viewer, student: MarkedStudent, writes: Any) -> None:
    """A scan that the viewer does not know of is another paper; of others, the masked leaves are."""
    for kind, key in student.scans.items():
        record = f"{student.name} {kind}"
        before = await world.store.database.collection(Scan).find_one({"_id": key})
        assert before is not None
        classes = classes_read(viewer, student.row, record="Scan", document_type=kind)
        knows = knows_scan(viewer, student.row, kind)
        masked = {path for path in SCAN_PATHS if not knows or CLASS_OF_SCAN[path] not in classes}
        texts = masked & {"file_name", "media_type", "sha256", "uploaded_by_name"}
        changed = before | {path: world.marks.text(Leaf(record, path)) for path in texts}
        numbers = masked & {"page_count", "cohort", "batch", "size", "revision"}
        changed |= {path: world.marks.number(Leaf(record, path)) for path in numbers}
        if "status" in masked:
            changed["status"] = "ON_HOLD"
        if "disposed_at" in masked:
            changed["disposed_at"] = world.marks.moment(Leaf(record, "disposed_at"))
        if not knows and RULES.document_class(kind) is F4:
            changed["document_type"] = "体检表"  # sealed, too, and one that the archive file must hold
        writes["scans"].append((before, changed))


async def _texts(world: MarkedSchool, viewer: Viewer, student: MarkedStudent, writes: Any) -> None:
    """Entries of the history, and closed requests."""
    store, classes = world.store, classes_read(viewer, student.row)
    by_right = classes_read(viewer, student.row, with_grants=False)
    shows_history = F1 in classes and has_scope(viewer, Scope.AUDIT_READ)

    def another(field: str, value: Any) -> Any:
        leaves = leaves_of_field(field)
        if value is None or not leaves:
            return value
        fresh = bson_value(world.values(student.name, [field])[field])
        read = {path.partition(".")[2] for path in leaves if CLASS_OF[path] in classes} - {"", "person_id"}
        if shows_history and read:  # a student at a moment shows what may be read of each
            return [new | {leaf: old[leaf] for leaf in read} for old, new in zip(value, fresh, strict=True)]
        return fresh

    entries = await store.database.mongo[ENTRIES].find({"subject_id": student.key}).to_list()
    changed = [dict(entry) for entry in entries]
    await store.cipher.decrypt_paths(changed, ["sealed"])
    for entry in changed:
        sealed = entry["sealed"]
        touched = {change["field"] for change in sealed["changes"]} | set(sealed["touched"])
        for change in sealed["changes"]:
            if not (shows_history and is_shown(change["field"], classes)):
                change["before"] = another(change["field"], change["before"])
                change["after"] = another(change["field"], change["after"])
        if sealed["reason"] and not (shows_history and all(is_shown(field, classes) for field in touched)):
            sealed["reason"] = f"{sealed['reason']} and more"
    await store.cipher.encrypt_paths(changed, ["sealed"])
    writes[ENTRIES] += zip(entries, changed, strict=True)

    collection = store.database.collection(ChangeRequest)
    requests = await collection.find({"target_id": student.key}).to_list()
    altered = [dict(request, steps=[dict(step) for step in request["steps"]]) for request in requests]
    await store.cipher.decrypt_paths(altered, encrypted_paths(ChangeRequest))
    for request in altered:
        sealed = request["sealed"]
        hidden = [field for field in request["fields"] if not is_shown(field, by_right)]
        for field in hidden:
            sealed["current"][field] = another(field, sealed["current"][field])
            after = another(field, sealed["payload"]["changes"][field])
            if field == "guardians":
                after = [{name: held[name] for name in held if name != "person_id"} for held in after]
            sealed["payload"]["changes"][field] = after
        if hidden:
            sealed["reason"] = f"{sealed['reason']} and more"
            for step in request["steps"]:
                step["comment"] = f"{step['comment']} and more"
    await store.cipher.encrypt_paths(altered, encrypted_paths(ChangeRequest))
    writes[collection.name] += zip(requests, altered, strict=True)


async def _readings(world: MarkedSchool, viewer: Viewer, writes: Any) -> None:
    """Readings are for other purposes where those may not be read, and those of several students of more of them."""
    store, told = world.store, may_read(world, viewer, counts=False)
    query = {"subject_type": AccessEvent.subject_type, "subject_id": {"$lt": world.readings_end}}
    entries = await store.database.mongo[ENTRIES].find(query).to_list()
    changed = [dict(entry) for entry in entries]
    await store.cipher.decrypt_paths(changed, ["sealed"])
    for entry in changed:
        reading = entry["sealed"]["reading"]
        for purpose in reading["purposes"]:
            leaf = world.marks.leaves.get(purpose["text"])
            if leaf is not None and leaf not in told:
                purpose["text"] = world.marks.text(leaf)
            if leaf == Leaf(BOTH, PURPOSE):
                reading["groups"][0]["subject_ids"] += [ObjectId() for _ in range(3)]
    await store.cipher.encrypt_paths(changed, ["sealed"])
    # Genuine, as it would be had it been written so; what is no entry of ours is not told at all.
    for entry in changed:
        entry["hash"] = entry_hash(store.keyring.audit, entry, store.settings.audit_hash)
    writes[ENTRIES] += zip(entries, changed, strict=True)
