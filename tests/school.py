"""The small school of the tests: viewers by role, students, and the usual steps."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.access.rules import Scope
from archive_store.access.viewer import Viewer
from archive_store.approvals.decisions import decide
from archive_store.approvals.documents import Decision, RequestStatus
from archive_store.approvals.operations import payload_of, perform
from archive_store.audit.remembered import memory_file
from archive_store.foundation.field_classes import encrypted_paths
from archive_store.foundation.store import Store
from archive_store.people.sign_in import load_viewer
from archive_store.students.changes import StudentUpdate
from archive_store.students.documents import Student

PURPOSE = "核对学籍"


class School:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def viewer(self, subject: str, purpose: str | None = PURPOSE) -> Viewer:
        found = await load_viewer(self.store, subject, frozenset(Scope))
        assert found is not None, subject
        return found.for_purpose(purpose)

    async def student(self, position: int = 0) -> Student:
        """A whole student record, decrypted; by student number."""
        rows = self.store.database.collection(Student).find().sort("auxiliary_number", 1)
        row = (await rows.to_list())[position]
        await self.store.cipher.decrypt_paths([row], encrypted_paths(Student))
        return Student.model_validate(row)

    async def request(self, subject: str, student: Student, **changes: Any) -> ObjectId:
        """Ask for a change of the student; the change request's key."""
        payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": changes})
        viewer = await self.viewer(subject)
        outcome = await perform(self.store, viewer, "student.update", payload, reason="家长来电")
        assert outcome.change_request_id is not None
        return outcome.change_request_id

    async def approve(self, subject: str, request_id: ObjectId) -> RequestStatus:
        return await decide(self.store, await self.viewer(subject), request_id, Decision.APPROVED)

    async def documents(self) -> dict[str, list[dict[str, Any]]]:
        """Everything as stored, the key of the fields apart."""
        database = self.store.database.mongo
        names = set(await database.list_collection_names()) - {"field_keys"}
        return {name: await database[name].find().sort("_id", 1).to_list() for name in sorted(names)}

    async def restore(self, documents: dict[str, list[dict[str, Any]]]) -> None:
        """Store what `documents` told, and nothing else."""
        database = self.store.database.mongo
        memory_file(self.store).unlink(missing_ok=True)
        for name in (await self.documents()).keys() | documents.keys():
            await database[name].delete_many({})
            if documents.get(name):
                await database[name].insert_many(documents[name])

    async def counts(self) -> dict[str, int]:
        """Documents by collection: what a refused call must leave as it was."""
        database = self.store.database.mongo
        names = await database.list_collection_names()
        return {name: await database[name].count_documents({}) for name in names}
