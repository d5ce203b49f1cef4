"""What is known of a candidate, leaf by leaf; classes and codes are those of a student record."""

from __future__ import annotations

from typing import Any

import strawberry

from archive_store.admission import documents as stored
from schema.access import governed, governed_list
from schema.enums import Gender
from schema.scalars import Day

CASE = stored.AdmissionCase


@strawberry.type(description="监护人 of a candidate.")
class AdmissionGuardian:
    name: str | None = governed(CASE, "applicant.guardians.name", "姓名")
    relation: str | None = governed(CASE, "applicant.guardians.relation", "关系, code of GB/T 4761")
    phone: str | None = governed(CASE, "applicant.guardians.phone", "联系电话")
    workplace: str | None = governed(CASE, "applicant.guardians.workplace", "工作单位")


def _leaf(name: str, description: str) -> Any:
    return governed(CASE, f"applicant.{name}", description)


@strawberry.type(
    description="入学申请人: what was collected of the candidate, in the classes of a student record."
)
class AdmissionApplicant:
    name: str | None = _leaf("name", "姓名")
    name_pinyin: str | None = _leaf("name_pinyin", "姓名拼音")
    former_name: str | None = _leaf("former_name", "曾用名")
    gender: Gender | None = _leaf("gender", "性别, GB/T 2261.1")
    birth_date: Day | None = _leaf("birth_date", "出生日期")
    birth_place_code: str | None = _leaf("birth_place_code", "出生地行政区划码, GB/T 2260")
    native_place: str | None = _leaf("native_place", "籍贯")
    ethnic_group: str | None = _leaf("ethnic_group", "民族, code of GB/T 3304")
    nationality: str | None = _leaf("nationality", "国籍/地区, code of GB/T 2659")
    overseas_status: str | None = _leaf("overseas_status", "港澳台侨外")
    political_status: str | None = _leaf("political_status", "政治面貌, code of GB/T 4762")
    health_status: str | None = _leaf("health_status", "健康状况, code")
    household_division_code: str | None = _leaf("household_division_code", "户口所在地行政区划码, GB/T 2260")
    household_type: str | None = _leaf("household_type", "户口性质, code")
    identity_document_type: str | None = _leaf("identity_document_type", "身份证件类型, code")
    identity_number: str | None = _leaf("identity_number", "身份证件号")
    national_student_number: str | None = _leaf("national_student_number", "全国学籍号")
    auxiliary_number: str | None = _leaf("auxiliary_number", "学籍辅号")
    class_seat_number: str | None = _leaf("class_seat_number", "班内学号")
    grade: str | None = _leaf("grade", "年级")
    class_name: str | None = _leaf("class_name", "班级")
    enrolled_month: str | None = _leaf("enrolled_month", "入学年月, YYYY-MM")
    admission_method: str | None = _leaf("admission_method", "入学方式, code")
    boarding: str | None = _leaf("boarding", "就读方式, code")
    student_source: str | None = _leaf("student_source", "学生来源, code")
    address: str | None = _leaf("address", "现住址")
    phone: str | None = _leaf("phone", "联系电话")
    postal_code: str | None = _leaf("postal_code", "邮政编码")
    email: str | None = _leaf("email", "电子信箱")
    is_only_child: bool | None = _leaf("is_only_child", "是否独生子女")
    is_left_behind: bool | None = _leaf("is_left_behind", "是否留守儿童")
    is_migrant_worker_child: bool | None = _leaf("is_migrant_worker_child", "是否进城务工人员随迁子女")
    is_orphan: bool | None = _leaf("is_orphan", "是否孤儿")
    needs_financial_aid: bool | None = _leaf("needs_financial_aid", "是否需要申请资助")
    guardians: list[AdmissionGuardian] | None = governed_list(AdmissionGuardian, "监护人")
