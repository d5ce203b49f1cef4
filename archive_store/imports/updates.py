"""The policy UPDATE: of students on record, the fields that differ are asked for, as any change is (`student.update`).

Fields that the importer may not read are asked for as the row has them, whatever is on record: that one differs, or
does not, would tell of it. The numbers by which the student was found are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bson import ObjectId

from archive_store.access.viewer import Viewer
from archive_store.approvals.operations import Asking, Prepared, payload_of, prepare
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.database import Row
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.store import Store
from archive_store.imports.documents import ImportBatch, RowOutcome
from archive_store.imports.matching import JudgedRow
from archive_store.imports.telling import viewer_of_run
from archive_store.students.changes import StudentChanges, StudentUpdate
from archive_store.students.documents import Student
from archive_store.students.operations import request_decisions, same_value
from archive_store.students.registration import STUDENT_NUMBERS

# What became of a row on record: what asks for its change, the error that refuses it, or None where all is the same.
Update = Prepared | RegistrarError | None


async def prepared_updates(
    store: Store, batch: ImportBatch, rows: Sequence[JudgedRow]
) -> dict[int, tuple[ObjectId, Update]]:
    """By row of the sheet: the student, and what asks for the change."""
    known = {row.person_id: row for row in rows if row.outcome is RowOutcome.ALREADY_ON_RECORD}
    if not known:
        return {}
    viewer = await viewer_of_run(store, batch)
    found = await store.database.collection(Student).find({"person_id": {"$in": list(known)}}).to_list()
    decisions = await request_decisions(store, viewer, [row["_id"] for row in found])
    values = {row["_id"]: known[row["person_id"]].check.values for row in found}
    compared = {
        key: {field for field in values[key] if decision.readable.issuperset(leaves_of(Student, field))}
        for key, decision in decisions.items()
    }
    read = [ReadRows(_sensitive(fields), [key]) for key, fields in compared.items()]
    await record_reading(store, viewer, Student, read)
    await store.cipher.decrypt_paths(found, encrypted_paths(Student))
    updates: dict[int, tuple[ObjectId, Update]] = {}
    for row in found:
        key = row["_id"]
        if key not in compared:  # out of the importer's sight
            continue
        judged = known[row["person_id"]]
        same = {field for field in STUDENT_NUMBERS if field in judged.found}
        asked = {
            field: value
            for field, value in values[key].items()
            if field in StudentChanges.model_fields and field not in same
        }
        update = await _prepared(store, viewer, batch, row, asked, compared[key])
        updates[judged.check.sheet_row] = (key, update)
    return updates


def _sensitive(fields: set[str]) -> frozenset[str]:
    leaves = frozenset(leaf for field in fields for leaf in leaves_of(Student, field))
    return leaves & encrypted_paths(Student)


async def _prepared(
    store: Store,
    viewer: Viewer,
    batch: ImportBatch,
    row: Row,
    asked: Mapping[str, Any],
    compared: Collection[str],
) -> Update:
    try:
        wanted = payload_of(StudentUpdate, {"student_id": row["_id"], "changes": asked})
        differing = {
            field: asked[field]
            for field, value in wanted.values.items()
            if field not in compared or not same_value(field, row.get(field), value)
        }
        if not differing:
            return None
        payload = payload_of(StudentUpdate, {"student_id": row["_id"], "changes": differing})
        asking = Asking(f"花名册导入 roster import {batch.file_name}")
        return await prepare(store, viewer, "student.update", payload, asking)
    except RegistrarError as error:
        return None if error.code is ErrorCode.NOTHING_TO_CHANGE else error


def updated_row(student_id: ObjectId, update: Prepared, result: Any) -> Row:
    """What the row tells of it."""
    return {"student_id": student_id, "request_id": None if update.applies else result}
