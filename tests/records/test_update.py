"""`student.update`: asked for, approved, applied, told in the history."""

from __future__ import annotations

from typing import Any

import pytest

from api.dev.roster import demo_rows
from archive_store.approvals.documents import RequestStatus
from archive_store.approvals.operations import payload_of, perform
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.people.documents import Person
from archive_store.students.accounts import link_guardian_account
from archive_store.students.changes import StudentChanges, StudentUpdate
from archive_store.students.documents import Student
from archive_store.students.histories import STUDENT_HISTORY
from tests.school import School

_READING = ("access_events", "audit_entries", "audit_heads")


async def refused(
    school: School, subject: str = "information", *, is_reading: bool = False, **changes: Any
) -> RegistrarError:
    before = await school.counts()
    if is_reading:
        before |= {name: before[name] + 1 for name in _READING}
    with pytest.raises(RegistrarError) as caught:
        await school.request(subject, await school.student(), **changes)
    assert await school.counts() == before
    return caught.value


async def test_a_change_waits_for_the_director_then_applies(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, phone="13700000001", native_place="上海市")
    assert (await school.student()).phone == student.phone
    assert await school.approve("director", request) is RequestStatus.APPLIED
    changed = await school.student()
    assert (changed.phone, changed.native_place, changed.revision) == (
        "13700000001",
        "上海市",
        student.revision + 1,
    )
    (page,) = await STUDENT_HISTORY.pages(
        school.store, await school.viewer("director"), [student.key], first=1
    )
    assert page is not None
    entry = page.rows[0]
    assert (entry.kind, entry.actor_name, entry.change_request_id) == ("student:update", "赵主任", request)
    assert [(c.field, c.before, c.after) for c in entry.changes] == [
        ("native_place", student.native_place, "上海市"),
        ("phone", student.phone, "13700000001"),
    ]


async def test_key_identity_fields_need_the_vice_principal(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, name="王改名")
    assert await school.approve("director", request) is RequestStatus.IN_REVIEW
    assert (await school.student()).name == student.name
    assert await school.approve("vice-principal", request) is RequestStatus.APPLIED
    assert (await school.student()).name == "王改名"


async def test_a_new_identity_number_keeps_the_old_one_in_history(school: School) -> None:
    student = await school.student()
    new = list(demo_rows(40, seed=5))[38]
    birth = f"{new['出生日期'][:4]}-{new['出生日期'][4:6]}-{new['出生日期'][6:]}"
    request = await school.request(
        "information", student, identity_number=new["身份证件号"], birth_date=birth
    )
    await school.approve("director", request)
    await school.approve("vice-principal", request)
    row = await school.store.database.collection(Person).find_one({"_id": student.person_id})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], ["identifiers.value"])
    person = Person.model_validate(row)
    held = [
        (item.value, item.valid_to is None) for item in person.identifiers if item.kind == "IDENTITY_NUMBER"
    ]
    assert held == [(student.identity_number, False), (new["身份证件号"], True)]
    assert len(person.identifier_lookups) == 2


async def test_an_identity_number_of_another_student_does_not_apply(school: School) -> None:
    student, other = await school.student(0), await school.student(2)
    request = await school.request(
        "information", student, identity_number=other.identity_number, birth_date=other.birth_date.isoformat()
    )
    await school.approve("director", request)
    with pytest.raises(RegistrarError) as caught:
        await school.approve("vice-principal", request)
    assert caught.value.code is ErrorCode.DUPLICATE
    assert (await school.student(0)).identity_number == student.identity_number


async def test_a_record_changed_meanwhile_is_a_conflict_and_nothing_is_lost(school: School) -> None:
    student = await school.student()
    first = await school.request("information", student, address="甲路1号")
    second = await school.request("deputy-1", student, address="乙路2号", boarding="1")
    await school.approve("director", first)
    before = await school.counts()
    with pytest.raises(RegistrarError) as caught:
        await school.approve("director", second)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "address")
    assert (await school.student()).address == "甲路1号"
    # The conflict shows the address of now, which is recorded.
    read = {name: before[name] + 1 for name in ("access_events", "audit_entries", "audit_heads")}
    assert await school.counts() == before | read


async def test_a_change_of_other_fields_meanwhile_is_no_conflict(school: School) -> None:
    student = await school.student()
    first = await school.request("information", student, address="甲路1号")
    second = await school.request("information", student, phone="13700000002")
    await school.approve("director", first)
    await school.approve("director", second)
    changed = await school.student()
    assert (changed.address, changed.phone) == ("甲路1号", "13700000002")


async def test_guardians_who_stay_keep_their_account(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    father = student.guardians[0]
    kept = {"name": father.name, "relation": father.relation, "phone": "13700000003"}
    request = await school.request("information", await school.student(), guardians=[kept])
    await school.approve("director", request)
    assert student.key in (await school.viewer("parent")).ward_ids
    changed = (await school.student()).guardians
    assert [(guardian.name, guardian.phone) for guardian in changed] == [(father.name, "13700000003")]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"phone": "123"}, ErrorCode.INVALID_PHONE, "changes.phone"),
        ({"email": "nobody"}, ErrorCode.INVALID_EMAIL, "changes.email"),
        ({"postal_code": "12"}, ErrorCode.LENGTH, "changes.postal_code"),
        (
            {"national_student_number": "G1"},
            ErrorCode.INVALID_STUDENT_NUMBER,
            "changes.national_student_number",
        ),
        ({"identity_number": "11010519491231002"}, ErrorCode.LENGTH, "changes.identity_number"),
        ({"identity_number": "110105194912310020"}, ErrorCode.CHECK_DIGIT, "changes.identity_number"),
        ({"identity_number": "11010519491231002X"}, ErrorCode.MISMATCH_IDENTITY, "changes.identity_number"),
        ({"gender": "2"}, ErrorCode.MISMATCH_IDENTITY, "changes.gender"),
        ({"name": None}, ErrorCode.REQUIRED, "changes.name"),
        ({"name": "  "}, ErrorCode.REQUIRED, "changes.name"),
        ({"name": "长" * 101}, ErrorCode.TOO_LONG, "changes.name"),
        ({"birth_date": "2011-02-30"}, ErrorCode.INVALID_DATE, "changes.birth_date"),
        ({"star_sign": "狮子"}, ErrorCode.UNKNOWN_FIELD, "changes.star_sign"),
        ({"status": "GRADUATED"}, ErrorCode.UNKNOWN_FIELD, "changes.status"),
        ({"ethnic_group": "99"}, ErrorCode.UNKNOWN_CODE, "changes.ethnic_group"),
        ({"guardians": [{"name": "王", "phone": "1"}]}, ErrorCode.INVALID_PHONE, "changes.guardians.0.phone"),
        ({"guardians": [{"name": "王"}] * 11}, ErrorCode.TOO_MANY, "changes.guardians"),
        ({"guardians": ["王"]}, ErrorCode.INVALID_ARGUMENT, "changes.guardians.0"),
        ({"guardians": "王"}, ErrorCode.INVALID_ARGUMENT, "changes.guardians"),
        ({"name": 3}, ErrorCode.INVALID_ARGUMENT, "changes.name"),
        ({"name": "\ud800"}, ErrorCode.INVALID_ARGUMENT, "changes.name"),
        ({"name": "王\u202e五"}, ErrorCode.INVALID_ARGUMENT, "changes.name"),
        ({"enrolled_month": "2023-13"}, ErrorCode.INVALID_ARGUMENT, "changes.enrolled_month"),
        ({"is_orphan": 7}, ErrorCode.INVALID_ARGUMENT, "changes.is_orphan"),
        ({"address": "=1+1"}, ErrorCode.FORMULA, "changes.address"),
        ({"address": "＝1+1"}, ErrorCode.FORMULA, "changes.address"),
        ({"phone": "+1+1"}, ErrorCode.FORMULA, "changes.phone"),
        (
            {"guardians": [{"name": "王", "workplace": "@SUM(A1)"}]},
            ErrorCode.FORMULA,
            "changes.guardians.0.workplace",
        ),
        ({}, ErrorCode.NOTHING_TO_CHANGE, "changes"),
    ],
)
async def test_bad_input_names_field_and_rule(
    school: School, changes: dict[str, Any], code: ErrorCode, field: str
) -> None:
    error = await refused(school, **changes)
    assert (error.code, error.field) == (code, field)
    assert error.message.zh and error.message.en
    told = error.message.en + error.message.zh
    assert not any(word in told for word in ("Input", "Tuple", "String", "should", "pattern")), told


@pytest.mark.parametrize(
    ("field", "limit"), [("name", 100), ("address", 300), ("email", 300), ("boarding", 20)]
)
async def test_too_long_a_text_is_told_the_limit_of_its_field(school: School, field: str, limit: int) -> None:
    for length in (limit + 1, 100_000):
        error = await refused(school, **{field: "x" * length})
        assert (error.code, error.field) == (ErrorCode.TOO_LONG, f"changes.{field}")
        assert error.message.en == f"The text is longer than {limit} characters."


async def test_a_phone_number_may_begin_with_its_country(school: School) -> None:
    for phone in ("+86 13700000001", "+4915112345678"):
        guardians = [{"name": "王", "phone": phone}]
        await school.request("information", await school.student(), phone=phone, guardians=guardians)


async def test_no_change_is_said_only_of_values_the_asker_may_read(school: School) -> None:
    student = await school.student()
    assert (await refused(school, native_place=student.native_place)).code is ErrorCode.NOTHING_TO_CHANGE
    confirmed = await refused(school, "director", is_reading=True, phone=student.phone)
    assert confirmed.code is ErrorCode.NOTHING_TO_CHANGE
    # A right guess and a wrong one look the same to whoever may not read the number.
    for guess in (student.phone, "13799999999"):
        await school.request("information", student, phone=guess)


@pytest.mark.parametrize("subject", ["teacher", "academic-affairs", "service", "archive", "principal"])
async def test_who_may_not_ask(school: School, subject: str) -> None:
    assert (await refused(school, subject, phone="13700000001")).code is ErrorCode.FORBIDDEN


async def test_a_reason_is_required(school: School) -> None:
    student = await school.student()
    payload = payload_of(StudentUpdate, {"student_id": student.key, "changes": {"phone": "13700000001"}})
    viewer = await school.viewer("information")
    for reason, code in ((None, ErrorCode.REQUIRED), ("长" * 1001, ErrorCode.TOO_LONG)):
        with pytest.raises(RegistrarError) as caught:
            await perform(school.store, viewer, "student.update", payload, reason=reason)
        assert (caught.value.code, caught.value.field) == (code, "reason")


def test_every_changeable_field_is_a_field_of_the_record() -> None:
    assert StudentChanges.model_fields.keys() <= Student.model_fields.keys()


async def test_a_request_that_no_longer_fits_the_record_does_not_apply(school: School) -> None:
    """Each of two requests is right by itself; together they would contradict each other."""
    student = await school.student()
    passport = await school.request(
        "information", student, identity_document_type="A", identity_number="E1234567"
    )
    for subject in ("director", "vice-principal"):
        await school.approve(subject, passport)
    born = await school.request("information", await school.student(), birth_date="2009-01-01")
    card = await school.request(
        "information",
        await school.student(),
        identity_document_type="1",
        identity_number=student.identity_number,
    )
    for request in (born, card):
        await school.approve("director", request)
    await school.approve("vice-principal", born)
    with pytest.raises(RegistrarError) as caught:
        await school.approve("vice-principal", card)
    assert (caught.value.code, caught.value.field) == (ErrorCode.MISMATCH_IDENTITY, "identity_number")
    assert (await school.student()).identity_number == "E1234567"


async def test_a_document_type_that_the_stored_number_does_not_fit(school: School) -> None:
    student = await school.student()
    passport = await school.request(
        "information", student, identity_document_type="A", identity_number="E1234567"
    )
    for subject in ("director", "vice-principal"):
        await school.approve(subject, passport)
    assert (await refused(school, "director", identity_document_type="1")).code is ErrorCode.LENGTH
    # Who may not read the number is not told of it; who decides is.
    blind = await school.request("information", student, identity_document_type="1")
    await school.approve("director", blind)
    with pytest.raises(RegistrarError) as caught:
        await school.approve("vice-principal", blind)
    assert (caught.value.code, caught.value.field) == (ErrorCode.LENGTH, "identity_number")
    assert (await refused(school, identity_number=None)).code is ErrorCode.REQUIRED


async def test_numbers_have_one_spelling(school: School) -> None:
    student = await school.student()
    request = await school.request(
        "information", student, identity_document_type="A", identity_number=" e12３4567 "
    )
    for subject in ("director", "vice-principal"):
        await school.approve(subject, request)
    assert (await school.student()).identity_number == "E1234567"


async def test_the_person_goes_by_the_records_name(school: School) -> None:
    student = await school.student()
    request = await school.request("information", student, name="王改名")
    for subject in ("director", "vice-principal"):
        await school.approve(subject, request)
    person = await school.store.database.collection(Person).find_one({"_id": student.person_id})
    assert person is not None
    assert person["name"] == "王改名"


async def test_one_account_goes_to_one_guardian(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    father = student.guardians[0]
    twice = [{"name": father.name, "relation": father.relation}] * 2
    await school.approve("director", await school.request("information", student, guardians=twice))
    assert [held.person_id is not None for held in (await school.student()).guardians] == [True, False]
    spelt = [{"name": "改了名", "relation": "99", "phone": father.phone}]
    again = await school.request("information", await school.student(), guardians=spelt)
    await school.approve("director", again)
    assert [held.person_id for held in (await school.student()).guardians] == [None]


async def test_a_guardian_whose_name_is_corrected_keeps_the_account(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    corrected = [{"name": "改了名", "relation": "51", "phone": student.guardians[0].phone}]
    request = await school.request("information", await school.student(), guardians=corrected)
    await school.approve("director", request)
    assert student.key in (await school.viewer("parent")).ward_ids


async def test_a_guardian_who_is_taken_off_loses_sight_even_with_a_shared_telephone(school: School) -> None:
    student = await school.student()
    await link_guardian_account(school.store, student.key, 0, "parent")
    phone = student.guardians[0].phone
    left = [{"name": "另一人", "relation": "52", "phone": phone}]
    await school.approve(
        "director", await school.request("information", await school.student(), guardians=left)
    )
    assert [held.person_id for held in (await school.student()).guardians] == [None]
    assert (await school.viewer("parent")).ward_ids == frozenset()
