"""The student record (学籍) in GraphQL. Each governed field names the stored leaf it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry
from bson import ObjectId
from graphql import GraphQLResolveInfo

from archive_store.access.policy import Withheld
from archive_store.foundation.database import Row
from archive_store.students import documents as stored
from schema.academics.attendance import AttendanceSummary, resolve_attendance
from schema.academics.students import GradeAverage, GradeRecord, resolve_gpa, resolve_grades
from schema.access import GovernedType, governed, governed_list
from schema.audit.types import AUDIT_HISTORY, AuditEntry, resolve_audit_history
from schema.certificates.students import resolve_certificates
from schema.certificates.types import Certificate
from schema.conduct.students import resolve_awards, resolve_sanctions
from schema.conduct.types import Award, Sanction
from schema.context import Request
from schema.directives import directives_of
from schema.enums import Gender, StudentStatus
from schema.loaders import StudentKey
from schema.logistics.types import BedStay, MealEnrolment, resolve_dormitory, resolve_meals
from schema.nodes import Connection, Node, global_id, key_of_source
from schema.objections.loaders import resolve_objections
from schema.objections.types import RecordObjection
from schema.organisation.enums import NumberState
from schema.organisation.majors import Major
from schema.organisation.students import resolve_class_of_student, resolve_major_of_student
from schema.organisation.types import SchoolClass
from schema.permissions import Permission
from schema.preservation.completeness import ArchiveCompleteness
from schema.readings.types import AccessEvent, access_connection
from schema.scalars import Day
from schema.scans.types import Scan, note_withheld
from schema.students.access import FieldAccess, StudentAction, field_accesses, student_permission
from schema.students.moments import FieldDifference, Moment, MomentInput, student_differences
from schema.students.numbers import StudentNumber, shown_numbers
from schema.students.parts import Guardian, StatusPeriod
from schema.transcripts.loaders import resolve_transcripts
from schema.transcripts.types import Transcript
from schema.transfer_cases.loaders import resolve_transfer_cases
from schema.transfer_cases.types import TransferCase
from schema.transfers.loaders import resolve_file_transfers
from schema.transfers.types import FileTransfer


@strawberry.federation.type(
    keys=["id"],
    authenticated=True,
    description="学籍: one enrollment. A field the viewer may not read is null.",
)
class Student(Node):
    name: str | None = governed(stored.Student, "name", "姓名")
    name_pinyin: str | None = governed(stored.Student, "name_pinyin", "姓名拼音")
    former_name: str | None = governed(stored.Student, "former_name", "曾用名")
    gender: Gender | None = governed(stored.Student, "gender", "性别, GB/T 2261.1")
    birth_date: Day | None = governed(stored.Student, "birth_date", "出生日期")
    birth_place_code: str | None = governed(stored.Student, "birth_place_code", "出生地行政区划码, GB/T 2260")
    native_place: str | None = governed(stored.Student, "native_place", "籍贯")
    ethnic_group: str | None = governed(stored.Student, "ethnic_group", "民族, code of GB/T 3304")
    nationality: str | None = governed(stored.Student, "nationality", "国籍/地区, code of GB/T 2659")
    overseas_status: str | None = governed(stored.Student, "overseas_status", "港澳台侨外")
    political_status: str | None = governed(stored.Student, "political_status", "政治面貌, code of GB/T 4762")
    health_status: str | None = governed(stored.Student, "health_status", "健康状况, code")
    household_division_code: str | None = governed(
        stored.Student, "household_division_code", "户口所在地行政区划码, GB/T 2260"
    )
    household_type: str | None = governed(stored.Student, "household_type", "户口性质, code")
    identity_document_type: str | None = governed(
        stored.Student, "identity_document_type", "身份证件类型, code"
    )
    identity_number: str | None = governed(stored.Student, "identity_number", "身份证件号")
    national_student_number: str | None = governed(
        stored.Student, "national_student_number", "全国学籍号 (G, L or J number)"
    )
    auxiliary_number: str | None = governed(
        stored.Student, "auxiliary_number", "学籍辅号, the school's own number"
    )
    class_seat_number: str | None = governed(stored.Student, "class_seat_number", "班内学号")
    status: StudentStatus | None = governed(stored.Student, "status", "学籍状态")
    grade: str | None = governed(stored.Student, "grade", "年级")
    class_name: str | None = governed(stored.Student, "class_name", "班级")
    major_code: str | None = governed(stored.Student, "major_code", "专业, a code of `majors`")
    enrolled_month: str | None = governed(stored.Student, "enrolled_month", "入学年月, YYYY-MM")
    admission_method: str | None = governed(stored.Student, "admission_method", "入学方式, code")
    boarding: str | None = governed(stored.Student, "boarding", "就读方式, code")
    student_source: str | None = governed(stored.Student, "student_source", "学生来源, code")
    address: str | None = governed(stored.Student, "address", "现住址")
    phone: str | None = governed(stored.Student, "phone", "联系电话")
    postal_code: str | None = governed(stored.Student, "postal_code", "邮政编码")
    email: str | None = governed(stored.Student, "email", "电子信箱")
    is_only_child: bool | None = governed(stored.Student, "is_only_child", "是否独生子女")
    is_left_behind: bool | None = governed(stored.Student, "is_left_behind", "是否留守儿童")
    is_migrant_worker_child: bool | None = governed(
        stored.Student, "is_migrant_worker_child", "是否进城务工人员随迁子女"
    )
    is_orphan: bool | None = governed(stored.Student, "is_orphan", "是否孤儿")
    needs_financial_aid: bool | None = governed(stored.Student, "needs_financial_aid", "是否需要申请资助")
    revision: int | None = governed(stored.Student, "revision", "counts changes of the record from 1")
    updated_at: datetime | None = governed(stored.Student, "updated_at", "when the record last changed")
    guardians: list[Guardian] | None = governed_list(Guardian, "监护人")
    status_periods: list[StatusPeriod] | None = governed_list(
        StatusPeriod, "学籍状态区间, in the order they were recorded; at a moment, as known by then"
    )
    moment: Moment | None = strawberry.field(
        description="The moment at which the record is shown; null of now. Scans, history and what the viewer may do "
        "are those of now."
    )
    audit_history: Connection[AuditEntry] | None = strawberry.field(
        resolver=resolve_audit_history, description=AUDIT_HISTORY
    )

    @strawberry.field(
        description="The record of the same person that goes on, where this one was merged (合并).",
        directives=directives_of(stored.Student, "merged_into"),
        metadata={"path": "merged_into"},
    )
    def merged_into(self) -> strawberry.ID | None:
        key = self.get("merged_into")  # type: ignore[attr-defined]
        return None if key is None else strawberry.ID(global_id("Student", key))

    @strawberry.field(
        description="Records of the same person that went into this one (合并): those in sight, as of "
        "now; null where the viewer may not know of merges."
    )
    async def merged_records(self, info: Request) -> list[Student] | None:
        keys = await info.context.loaders.merged_students.load(key_of_source(self))
        if keys is None:
            info.context.withhold({"Student.mergedRecords": Withheld.NOT_PERMITTED})
            return None
        found = [await Student.resolve_reference(info, key) for key in keys]
        return [row for row in found if row is not None]  # type: ignore[misc]

    objections: list[RecordObjection] | None = strawberry.field(
        resolver=resolve_objections,
        description="更正申请 about this record, newest first; null where the viewer may not know of them.",
    )
    file_transfers: list[FileTransfer] | None = strawberry.field(
        resolver=resolve_file_transfers,
        description="档案转移, newest first; null where the viewer may not know of them.",
    )

    transfer_cases: list[TransferCase] | None = strawberry.field(
        resolver=resolve_transfer_cases,
        description="转学办理, newest first, to the office and the family; null to others.",
    )

    @strawberry.field(
        description="扫描件: filed scans, newest first; null where the viewer may not know of them."
    )
    async def scans(self, info: Request) -> list[Scan] | None:
        found = await info.context.loaders.scans_by_student.load(key_of_source(self))
        if found is None:
            info.context.withhold({"Student.scans": Withheld.NOT_PERMITTED})
        else:
            note_withheld(info, found)
        return found  # type: ignore[return-value]

    awards: list[Award] | None = strawberry.field(
        resolver=resolve_awards, description="奖励, newest first; null where the viewer may not know of them."
    )
    sanctions: list[Sanction] | None = strawberry.field(
        resolver=resolve_sanctions,
        description="处分, newest first; null where the viewer may not know of them.",
    )

    grades: list[GradeRecord] | None = strawberry.field(
        resolver=resolve_grades,
        description="成绩 of a term, or all, by term and course, as of now; of a teacher's courses where the viewer "
        "reads only those; null where none.",
    )
    attendance: list[AttendanceSummary] | None = strawberry.field(
        resolver=resolve_attendance,
        description="出勤 by term, as of now; null where the viewer may not read it.",
    )
    dormitory: list[BedStay] | None = strawberry.field(
        resolver=resolve_dormitory,
        description="住宿安排 by day, as of now; null where the viewer may not read it.",
    )
    meals: list[MealEnrolment] | None = strawberry.field(
        resolver=resolve_meals, description="用餐 by day, as of now; null where the viewer may not read it."
    )
    gpa: GradeAverage | None = strawberry.field(
        resolver=resolve_gpa,
        description="平均学分绩点 of a term, or of all, as of now; null where no grade counts, and to whoever does not "
        "read all of the grades.",
    )

    certificates: list[Certificate] | None = strawberry.field(
        resolver=resolve_certificates,
        description="证书: certificates, newest first, as of now; null where the viewer may not know of them.",
    )

    transcripts: list[Transcript] | None = strawberry.field(
        resolver=resolve_transcripts,
        description="成绩单 that were issued, newest first; null where the viewer does not read the grades.",
    )

    school_class: SchoolClass | None = strawberry.field(
        resolver=resolve_class_of_student,
        description="班级 that `className` names, as of now; null where the structure has none by that name.",
    )

    major: Major | None = strawberry.field(
        resolver=resolve_major_of_student,
        description="专业 that `majorCode` names, as of now; null where there is none.",
    )

    @strawberry.field(
        description="学籍号状态 of the number in force now, read as the number is: 临时 (L), 正式 (G), 替代 (J).",
        directives=directives_of(stored.Student, "national_student_number"),
    )
    async def number_state(self, info: Request) -> NumberState | None:
        found = await shown_numbers(info, key_of_source(self), "Student.numberState")
        return found.state if found else None

    @strawberry.field(
        description="全国学籍号 one after the other, the first one first; a replaced number is kept."
    )
    async def number_history(self, info: Request) -> list[StudentNumber] | None:
        found = await shown_numbers(info, key_of_source(self), "Student.numberHistory")
        return list(found.periods) if found else None  # type: ignore[arg-type]

    @strawberry.field(
        description="档案完整情况: what the archive file must hold; null where the viewer may not know of scans."
    )
    async def archive_completeness(self, info: Request) -> ArchiveCompleteness | None:
        found = await info.context.loaders.completeness.load(key_of_source(self))
        if found is None:
            info.context.withhold({"Student.archiveCompleteness": Withheld.NOT_PERMITTED})
            return None
        return ArchiveCompleteness(required=list(found.required), missing=list(found.missing))

    @strawberry.field(
        description="What the record says otherwise at another moment; null where the viewer does not read its "
        "history. A field that they may not read is left out, and named in `extensions.redactions`, whether it differs "
        "or not."
    )
    async def diff(
        self,
        info: Request,
        from_: Annotated[MomentInput, strawberry.argument(name="from")],
        to: MomentInput | None = None,
        fields: Annotated[
            list[str] | None, strawberry.argument(description="Fields to compare; all if left out.")
        ] = None,
    ) -> list[FieldDifference] | None:
        shown = await student_differences(info, key_of_source(self), (from_, to), fields)
        info.context.withhold(
            {"Student.diff": Withheld.NOT_PERMITTED}
            if shown.differences is None
            else STUDENT.coordinates_of(shown.withheld)
        )
        return shown.differences

    @strawberry.field(
        description="查阅记录: who looked at which sensitive or sealed values of this student, newest first. To the "
        "student, the guardians and auditors; null to others. What the family read themselves is left out unless "
        "`includeOwn`."
    )
    async def access_history(
        self, info: Request, first: int = 20, after: str | None = None, include_own: bool = False
    ) -> Connection[AccessEvent] | None:
        return await access_connection(info, key_of_source(self), first, after, include_own)

    @strawberry.field(description="Whether the viewer may, and else why not and how to obtain it.")
    async def viewer_can(
        self, info: Request, action: StudentAction, fields: list[str] | None = None
    ) -> Permission:
        return await student_permission(info, action, fields)

    @strawberry.field(
        description="What the viewer may do with each field, so that a form shows the right ones."
    )
    async def field_access(self, info: Request) -> list[FieldAccess]:
        held = await info.context.loaders.student_decisions.load(key_of_source(self))
        return field_accesses(STUDENT, held.decision) if held else []

    @classmethod
    async def resolve_reference(cls, info: Request, key: ObjectId) -> Row | None:
        row, withheld = await info.context.loaders.students.load(StudentKey(key, STUDENT.selected(info)))
        info.context.withhold(STUDENT.coordinates_of(withheld))
        return row

    @classmethod
    def is_type_of(cls, source: Any, info: GraphQLResolveInfo[Any]) -> bool:
        return isinstance(source, dict)


STUDENT = GovernedType(Student)
