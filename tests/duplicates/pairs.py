"""Two records of one person."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from archive_store.foundation.field_classes import encrypted_paths
from archive_store.students.documents import Student
from tests.admission.cases import act, add_papers, open_case, pass_review, stored
from tests.school import School

_SECOND = 7


async def enter_twin(school: School, **changes: Any) -> tuple[Student, Student]:
    """The same person entered twice, the second time under another number: the older record first."""
    return await enter(school, 1), await enter(school, _SECOND, name="新生1", **changes)


async def enter(school: School, number: int, **changes: Any) -> Student:
    key = await open_case(school, number, **changes)
    await add_papers(school, key)
    await pass_review(school, key)
    await act(school, "information", "enter", key)
    return await by_id(school, (await stored(school, key)).student_id)


async def by_id(school: School, key: ObjectId) -> Student:
    """The whole record, decrypted."""
    row = await school.store.database.collection(Student).find_one({"_id": key})
    assert row is not None
    await school.store.cipher.decrypt_paths([row], encrypted_paths(Student))
    return Student.model_validate(row)
