"""A school of marked students: every leaf of record, history, requests and scans has a mark of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from beanie import PydanticObjectId
from bson import ObjectId

from api.cli.install import FirstPeople, install_people
from api.dev.demo import demo_people
from archive_store.access.retrieval_grants import RetrievalGrant, Secrecy
from archive_store.access.viewer import HeldGrant
from archive_store.approvals.documents import (
    ApprovalStep,
    ChangeRequest,
    Decision,
    RequestStatus,
    RouteStep,
    Tier,
)
from archive_store.audit.governed_transaction import governed_transaction
from archive_store.audit.readings import ReadRows, record_reading
from archive_store.foundation.field_classes import encrypted_paths, leaves_of
from archive_store.foundation.posts import Post
from archive_store.foundation.records import Record, bson_value
from archive_store.foundation.stages import SchoolStage
from archive_store.foundation.store import Store
from archive_store.foundation.unit_of_work import FieldChange, Subject, UnitOfWork
from archive_store.organisation.documents import Cohort, SchoolClass
from archive_store.scans.documents import RetentionClass, Scan
from archive_store.scans.uploads import file_scan
from archive_store.students.changes import StudentChanges
from archive_store.students.documents import Gender, Guardian, StatusPeriod, Student
from archive_store.students.registration import prepare_records, register_records
from tests.access.marks import FLAGS, Leaf, Marks
from tests.school import School

OPEN_PAPER, SEALED_PAPER = "ZQ成绩单", "诊断证明"
CHANGEABLE = tuple(StudentChanges.model_fields)
# Not shown by the types; a request's and an entry's own.
REASON, COMMENT = "reason", "comment"
# A reading's own; and the record of a reading of two students together.
PURPOSE, BOTH = "purpose", "both"
_SCAN_MOMENTS = ("created_at", "updated_at", "locked_until", "disposed_at")


@dataclass
class MarkedStudent:
    """The student as stored, the keys of scans by document type, and of requests by name."""

    name: str
    row: dict[str, Any]
    registered_at: datetime | None = None
    scans: dict[str, ObjectId] = field(default_factory=dict)
    requests: dict[str, ObjectId] = field(default_factory=dict)

    @property
    def key(self) -> ObjectId:
        return self.row["_id"]  # type: ignore[no-any-return]


class MarkedSchool:
    def __init__(self, store: Store, seed: int = 1) -> None:
        self.store, self.marks, self.school = store, Marks(seed), School(store)
        self.students: list[MarkedStudent] = []
        self.requester = ObjectId()
        self.readings_end = ObjectId()  # the marked readings are older, those of visitors newer
        self.until = datetime.min  # after the entries that it begins with; readings add others

    async def install(self) -> None:
        for name in await self.store.database.mongo.list_collection_names():
            if name != "field_keys":
                await self.store.database.mongo[name].delete_many({})
        self.store.versions_seen.clear()
        await install_people(self.store, FirstPeople.model_validate({"people": demo_people()}))

    def values(self, name: str, only: Collection[str] = tuple(Student.model_fields)) -> dict[str, Any]:
        """New marks for the leaves of a student, nested as the record is."""

        def made(model: Any, path: str) -> Any:
            return model(
                **{leaf: self.marks.value(Leaf(name, f"{path}.{leaf}")) for leaf in model.model_fields}
            )

        values: dict[str, Any] = {}
        for leaf in only:
            if leaf == "guardians":
                guardians = []
                for _ in range(2):
                    person = PydanticObjectId()
                    self.marks.note(Leaf(name, "guardians.person_id"), str(person))
                    told = {
                        part: self.marks.text(Leaf(name, f"guardians.{part}"))
                        for part in ("name", "relation", "phone", "workplace")
                    }
                    guardians.append(Guardian(person_id=person, **told))
                values[leaf] = guardians
            elif leaf == "status_periods":
                # The second holds now.
                ended, holds = (made(StatusPeriod, "status_periods") for _ in range(2))
                values[leaf] = [ended, holds.model_copy(update={"effective_to": None, "superseded_at": None})]
            elif leaf not in ("id", "revision_id", "person_id", "pseudonym"):
                values[leaf] = self.marks.value(Leaf(name, leaf))
        return values

    async def add_student(self, name: str, **fixed: Any) -> MarkedStudent:
        student = Student(person_id=PydanticObjectId(), **(self.values(name) | fixed))
        self.marks.note(Leaf(name, "person_id"), str(student.person_id))
        self.marks.note(Leaf(name, "pseudonym"), student.pseudonym)
        for path in ("created_at", "updated_at", "revision"):
            assert getattr(student, path) is not None

        async def register(unit: UnitOfWork) -> datetime:
            await register_records(unit, prepare_records(self.store, [student.to_bson()]))
            unit.audit(Subject("Student", student.key), "student:guardian:link")
            return unit.at

        registered_at = await governed_transaction(
            self.store, (await self.school.viewer("information")).actor, "x", register
        )
        kept = {path: getattr(student, path) for path in ("created_at", "updated_at", "revision")}
        await self.store.database.collection(Student).update_one({"_id": student.key}, {"$set": kept})
        added = MarkedStudent(name, student.to_bson(), registered_at)
        self.students.append(added)
        return added

    async def add_classes(self) -> None:
        """A class for each student, by the name that their record has."""
        cohort = Cohort(
            name="2023级",
            stage=SchoolStage.JUNIOR,
            enrolled_year=2023,
            grades=[{"label": "七年级", "valid_from": "2023-09-01"}],
        )
        classes = [
            SchoolClass(
                name=student.row["class_name"],
                cohort_id=cohort.id,
                capacity=45,
                opened_on=date(2023, 9, 1),
            )
            for student in self.students
        ]

        async def open_them(unit: UnitOfWork) -> None:
            await unit.insert(cohort)
            await unit.insert(*classes)
            for record in (cohort, *classes):
                unit.audit(Subject(record.subject_type, record.key), "x")

        await governed_transaction(
            self.store, (await self.school.viewer("information")).actor, "x", open_them
        )

    async def add_history(self, student: MarkedStudent) -> None:
        """An entry for each field with its own reason; every field becomes another."""
        after = self.values(student.name, CHANGEABLE)
        after |= {name: not student.row[name] for name in FLAGS}
        after["gender"] = next(held for held in Gender if held.value != student.row["gender"])

        async def work(unit: UnitOfWork) -> None:
            for name in CHANGEABLE:
                unit.reason = self.marks.text(Leaf(student.name, f"{REASON} {name}"))
                change = FieldChange(name, student.row[name], bson_value(after[name]))
                unit.audit(
                    Subject("Student", student.key), "student:update", [change], touched=frozenset({name})
                )

        await governed_transaction(self.store, (await self.school.viewer("information")).actor, "x", work)

    async def add_request(
        self,
        student: MarkedStudent,
        name: str,
        fields: tuple[str, ...] = CHANGEABLE,
        *,
        awaits: Tier | None = None,
        about: str | None = None,
    ) -> None:
        """A request of somebody else; `about` is the record whose leaves its marks are counted as."""
        record = about or student.name
        before, after = (bson_value(self.values(record, fields)) for _ in range(2))
        for guardian in after.get("guardians", ()):
            guardian.pop("person_id")
        steps = []
        if awaits is not Tier.DEPARTMENT_HEAD:
            comment = self.marks.text(Leaf(record, f"{COMMENT} {name}"))
            told: Any = {"decided_by": PydanticObjectId(), "decided_by_name": "", "comment": comment}
            step = {"tier": Tier.DEPARTMENT_HEAD, "post": Post.DIRECTOR, "decision": Decision.APPROVED} | told
            place = {"position": 0, "round": 1, "digest": ""}
            steps.append(ApprovalStep(decided_at=self.store.clock.now(), **step, **place))
        route = [
            RouteStep(tier=tier, posts=[tier.post]) for tier in (Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL)
        ]
        request = ChangeRequest(
            operation="student.update",
            target_type="Student",
            target_id=PydanticObjectId(student.key),
            concerns=[PydanticObjectId(student.key)],
            fields=sorted(fields),
            sealed={
                "payload": {"student_id": student.key, "changes": after},
                "current": before,
                "reason": self.marks.text(Leaf(record, f"{REASON} of {name}")),
            },
            digest="",
            route=route,
            position=len(steps),
            awaited_posts=[] if awaits is None else [awaits.post],
            policy_version=1,
            chain=[Tier.DEPARTMENT_HEAD, Tier.VICE_PRINCIPAL],
            steps=steps,
            status=RequestStatus.WITHDRAWN if awaits is None else RequestStatus.SUBMITTED,
            requested_by=PydanticObjectId(self.requester),
            requested_by_name="",
        )

        async def work(unit: UnitOfWork) -> None:
            await unit.insert(request)
            subject = Subject("ChangeRequest", request.key)
            unit.audit(subject, "change_request:submit")
            for post in Post:
                unit.notify(post, "change_request:awaits_decision", subject)
                unit.notify(post, "student:test", Subject("Student", student.key))

        await governed_transaction(self.store, (await self.school.viewer("information")).actor, "x", work)
        student.requests[name] = request.key

    async def add_scans(self, student: MarkedStudent) -> None:
        """A paper that is open to F3 and one that is sealed, each with marked bytes and marked leaves."""
        archive = await self.school.viewer("archive")
        for kind in (OPEN_PAPER, SEALED_PAPER):
            record = f"{student.name} {kind}"
            content = f"%PDF-1.7\n{self.marks.text(Leaf(record, 'content'))}".encode()
            scan = await file_scan(self.store, archive, student.key, f"2023级{kind}", _body(content))
            marked = {
                path: self.marks.text(Leaf(record, path))
                for path in ("file_name", "media_type", "sha256", "uploaded_by_name")
            }
            marked |= {
                path: self.marks.number(Leaf(record, path)) for path in ("page_count", "cohort", "batch")
            }
            marked |= {path: self.marks.moment(Leaf(record, path)) for path in _SCAN_MOMENTS}
            marked["revision"] = self.marks.number(Leaf(record, "revision"))
            marked["retention"] = RetentionClass.YEARS_30.value
            await self.store.database.collection(Scan).update_one({"_id": scan.key}, {"$set": marked})
            for path in ("archive_file_id", "uploaded_by"):
                token = str(getattr(scan, path))
                if token not in self.marks.leaves:  # one archive file holds both, one person filed all
                    self.marks.note(Leaf("archive", path), token)
            student.scans[kind] = scan.key

    async def add_readings(self) -> None:
        """Of each student alone, of both together, and of the bytes of each scan, each for a marked purpose."""
        director = await self.school.viewer("director")
        tied, other = self.students[:2]
        phone, content = frozenset({"phone"}), frozenset({"content"})
        readings: list[tuple[str, type[Record], frozenset[str], list[ObjectId]]] = [
            *((each.name, Student, phone, [each.key]) for each in (tied, other)),
            *((f"{tied.name} {kind}", Scan, content, [key]) for kind, key in tied.scans.items()),
            (BOTH, Student, phone, [tied.key, other.key]),
        ]
        for record, kind, paths, keys in readings:
            viewer = director.for_purpose(self.marks.text(Leaf(record, PURPOSE)))
            await record_reading(self.store, viewer, kind, [ReadRows(paths, keys)])
        self.readings_end = ObjectId()

    async def give(
        self,
        grantee: ObjectId,
        secrecy: Secrecy,
        *,
        student: MarkedStudent | None = None,
        document_type: str | None = None,
        is_exhausted: bool = False,
    ) -> HeldGrant:
        grant = RetrievalGrant(
            grantee_id=PydanticObjectId(grantee),
            grantee_name="",
            secrecy=secrecy,
            purpose="ZQ",
            student_id=PydanticObjectId(student.key) if student else None,
            document_type=document_type,
            expires_at=self.store.clock.now() + timedelta(days=1),
            views_allowed=1_000_000,
            views_taken=1_000_000 if is_exhausted else 0,
        )
        row = grant.to_bson()
        await self.store.cipher.encrypt_paths([row], encrypted_paths(RetrievalGrant))
        await self.store.database.collection(RetrievalGrant).insert_one(row)
        return grant.held()


async def _body(content: bytes) -> AsyncIterator[bytes]:
    yield content


def leaves_of_field(name: str) -> list[str]:
    return leaves_of(Student, name)
