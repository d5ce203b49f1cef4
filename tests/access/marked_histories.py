"""Marked entries about records of every other kind, for the doors of the audit history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from archive_store.access.retrieval_grants import RetrievalGrant, Secrecy
from archive_store.approvals.emergency_documents import EmergencyAction
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.crisis.documents import CrisisTeam
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.people.delegations import Delegation
from archive_store.people.documents import Person
from archive_store.preservation.documents import DisposalBatch, DisposalItem, LegalHold
from archive_store.scans.documents import RetentionClass, Scan
from archive_store.students.documents import Export
from tests.access.marked_school import REASON, MarkedSchool, MarkedStudent
from tests.access.marks import Leaf

# What the entry says of each field of the record, the reason apart.
TOLD = {
    "grant": ("purpose", "document_type"),
    "team": ("title", "occasion"),
    "person": ("name", "identifiers.value"),
    "export": ("columns",),
    "hold": ("reason",),
    "batch": ("reason",),
    "delegation": ("delegator_name",),
}


class MarkedHistories:
    """The keys of the records by name."""

    def __init__(self, world: MarkedSchool) -> None:
        self.world, self.keys = world, dict[str, Subject]()

    async def add(self, student: MarkedStudent) -> None:
        """Of other people: a grant, a team, an emergency, an export, a delegation, a hold, a batch; and of a person."""
        now = self.world.store.clock.now()
        grant = RetrievalGrant(
            grantee_id=PydanticObjectId(),
            grantee_name="",
            secrecy=Secrecy.SENSITIVE,
            purpose=self._text("grant", "purpose"),
            document_type=self._text("grant", "document_type"),
            expires_at=now + timedelta(days=1),
            views_allowed=1,
        )
        team = CrisisTeam(
            title=self._text("team", "title"),
            occasion=self._text("team", "occasion"),
            formed_by=PydanticObjectId(),
            formed_by_name="",
            leader_id=PydanticObjectId(),
            leader_name="",
            members=[],
            days=1,
            formed_at=now,
        )
        action = EmergencyAction(
            operation="student.update",
            target_type="Student",
            target_id=PydanticObjectId(student.key),
            fields=["phone"],
            sealed={"payload": {}, "before": {}, "reason": ""},
            digest="",
            policy_version=1,
            executed_by=PydanticObjectId(),
            executed_by_name="",
            executed_at=now,
            due_at=now + timedelta(days=1),
            status="REVERSED",
        )
        delegation = Delegation(
            delegator_id=PydanticObjectId(),
            delegator_name=self._text("delegation", "delegator_name"),
            delegate_id=PydanticObjectId(),
            delegate_name="",
            post="DIRECTOR",
            valid_from=now.date(),
            valid_to=now.date(),
        )
        export = Export(exported_by=PydanticObjectId(), columns=[self._text("export", "columns")], filters=[])
        hold = LegalHold(
            student_id=PydanticObjectId(),
            scan_ids=[],
            reason=self._text("hold", "reason"),
            placed_by=PydanticObjectId(),
            placed_by_name="",
        )
        item = DisposalItem(
            scan_id=PydanticObjectId(),
            student_id=PydanticObjectId(),
            document_type="",
            retention=RetentionClass.YEARS_10,
            filed_on=now.date(),
            due_on=now.date(),
        )
        batch = DisposalBatch(
            table_version=0,
            due_by=now.date(),
            items=[item],
            proposed_by=PydanticObjectId(),
            proposed_by_name="",
            reason=self._text("batch", "reason"),
        )
        for name, record in (
            ("grant", grant),
            ("team", team),
            ("emergency", action),
            ("delegation", delegation),
            ("export", export),
            ("hold", hold),
            ("batch", batch),
        ):
            changes = [FieldChange(f, None, bson_value(getattr(record, f))) for f in TOLD.get(name, ())]
            await self._tell(name, record, changes)
        person = Subject(Person.subject_type, student.row["person_id"])
        told = [FieldChange(f, None, self._text("person", f)) for f in TOLD["person"]]
        await self._write("person", person, told, touches_name_alone=True)
        for kind, key in student.scans.items():
            await self._scan(f"{student.name} {kind}", key)
        for name, key in student.requests.items():
            await self._write(f"request {name}", Subject("ChangeRequest", key), [])
        self.world.until = self.world.store.clock.now() + timedelta(milliseconds=1)

    def _text(self, record: str, path: str) -> str:
        return self.world.marks.text(Leaf(record, path))

    async def _scan(self, record: str, key: ObjectId) -> None:
        paths = ("file_name", "media_type", "sha256")
        changes = [FieldChange(path, None, self._text(record, path)) for path in paths]
        await self._write(record, Subject(Scan.subject_type, key), changes)

    async def _tell(self, name: str, record: Record, changes: list[FieldChange]) -> None:
        subject = Subject(record.subject_type, record.key)
        self.keys[name] = subject
        await self._write(name, subject, changes, record)

    async def _write(
        self,
        name: str,
        subject: Subject,
        changes: list[FieldChange],
        record: Record | None = None,
        *,
        touches_name_alone: bool = False,
    ) -> None:
        async def work(unit: UnitOfWork) -> None:
            if record is not None:
                await unit.insert(record)
            unit.audit(subject, "marked:values", changes)
            # And one whose reason alone could tell.
            unit.reason = self._text(name, f"{REASON} in history")
            open_ones: list[Any] = [one for one in changes if one.field == "name"]
            unit.audit(subject, "marked:reason", open_ones if touches_name_alone else ())

        actor = (await self.world.school.viewer("information")).actor
        await governed_transaction(self.world.store, actor, "x", work)
