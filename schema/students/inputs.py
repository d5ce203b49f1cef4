"""Input of the student mutations."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry import UNSET

from schema.enums import Gender
from schema.scalars import Day


@strawberry.input(description="监护人 as they shall be.")
class GuardianInput:
    name: str
    relation: str | None = None
    phone: str | None = None
    workplace: str | None = None


@strawberry.input(description="The fields to change. A field left out stays; null clears an optional one.")
class StudentChangesInput:
    name: str | None = strawberry.field(default=UNSET, description="姓名")
    name_pinyin: str | None = strawberry.field(default=UNSET, description="姓名拼音")
    former_name: str | None = strawberry.field(default=UNSET, description="曾用名")
    gender: Gender | None = strawberry.field(default=UNSET, description="性别, GB/T 2261.1")
    birth_date: Day | None = strawberry.field(default=UNSET, description="出生日期")
    birth_place_code: str | None = strawberry.field(default=UNSET, description="出生地行政区划码, GB/T 2260")
    native_place: str | None = strawberry.field(default=UNSET, description="籍贯")
    ethnic_group: str | None = strawberry.field(default=UNSET, description="民族, code of GB/T 3304")
    nationality: str | None = strawberry.field(default=UNSET, description="国籍/地区, code of GB/T 2659")
    overseas_status: str | None = strawberry.field(default=UNSET, description="港澳台侨外")
    political_status: str | None = strawberry.field(default=UNSET, description="政治面貌, code of GB/T 4762")
    health_status: str | None = strawberry.field(default=UNSET, description="健康状况, code")
    household_division_code: str | None = strawberry.field(
        default=UNSET, description="户口所在地行政区划码, GB/T 2260"
    )
    household_type: str | None = strawberry.field(default=UNSET, description="户口性质, code")
    identity_document_type: str | None = strawberry.field(default=UNSET, description="身份证件类型, code")
    identity_number: str | None = strawberry.field(default=UNSET, description="身份证件号")
    national_student_number: str | None = strawberry.field(
        default=UNSET, description="全国学籍号 (G, L or J number)"
    )
    auxiliary_number: str | None = strawberry.field(
        default=UNSET, description="学籍辅号, the school's own number"
    )
    class_seat_number: str | None = strawberry.field(default=UNSET, description="班内学号")
    grade: str | None = strawberry.field(default=UNSET, description="年级")
    class_name: str | None = strawberry.field(default=UNSET, description="班级")
    enrolled_month: str | None = strawberry.field(default=UNSET, description="入学年月, YYYY-MM")
    admission_method: str | None = strawberry.field(default=UNSET, description="入学方式, code")
    boarding: str | None = strawberry.field(default=UNSET, description="就读方式, code")
    student_source: str | None = strawberry.field(default=UNSET, description="学生来源, code")
    address: str | None = strawberry.field(default=UNSET, description="现住址")
    phone: str | None = strawberry.field(default=UNSET, description="联系电话")
    postal_code: str | None = strawberry.field(default=UNSET, description="邮政编码")
    email: str | None = strawberry.field(default=UNSET, description="电子信箱")
    is_only_child: bool | None = strawberry.field(default=UNSET, description="是否独生子女")
    is_left_behind: bool | None = strawberry.field(default=UNSET, description="是否留守儿童")
    is_migrant_worker_child: bool | None = strawberry.field(
        default=UNSET, description="是否进城务工人员随迁子女"
    )
    is_orphan: bool | None = strawberry.field(default=UNSET, description="是否孤儿")
    needs_financial_aid: bool | None = strawberry.field(default=UNSET, description="是否需要申请资助")
    guardians: list[GuardianInput] | None = strawberry.field(
        default=UNSET, description="监护人, the whole list as it shall be"
    )

    def values(self) -> dict[str, Any]:
        """The fields that were given."""
        given = {name: value for name, value in vars(self).items() if value is not UNSET}
        if given.get("guardians"):
            given["guardians"] = [vars(guardian) for guardian in given["guardians"]]
        return given


@strawberry.input(description="Input of `studentUpdate`.")
class StudentUpdateInput:
    student_id: strawberry.ID
    changes: StudentChangesInput
    reason: str | None = strawberry.field(
        default=None, description="Why, for those who approve and for the history; a draft may go without."
    )
    evidence: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="材料: scans of the student that it rests on."
    )
    effective_from: Day | None = strawberry.field(
        default=None,
        description="The day, in China, from which it holds. One to come is waited for. One that is over makes it a "
        "correction (追溯更正): applied when it is approved, and told by the history to hold from that day; not before "
        "the record's first day.",
    )
    draft: bool = strawberry.field(
        default=False, description="Keep it as a draft (草稿), shown to nobody else."
    )


@strawberry.input(description="Input of `studentUpdateRevise`. What is left out stays as it was asked for.")
class StudentUpdateReviseInput:
    id: strawberry.ID = strawberry.field(description="The change request.")
    changes: StudentChangesInput | None = None
    reason: str | None = None
    evidence: list[strawberry.ID] | None = None
    effective_from: Day | None = None
