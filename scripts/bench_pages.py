"""Pages of a list of students: the same questions of a small school and of a large one.

Both lie on one server, in databases of their own; the records are copies of one, with other numbers, names and
classes. A page is read as the director reads it, in the store, without HTTP.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from bson import ObjectId
from pymongo.write_concern import WriteConcern

from api.dev.demo import load_demo_school
from archive_store.access.viewer import Viewer
from archive_store.archive import open_archive
from archive_store.foundation.database import Row
from archive_store.foundation.paging import Cursor
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.people.sign_in import load_viewer
from archive_store.students.documents import Student, StudentStatus
from archive_store.students.queries import StudentFilter, StudentOrder, list_students

SMALL = 10_000
PAGE = 50
BAR = 1.5
_AT_ONCE = 10_000
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "明华强军磊洋勇艳杰娟涛敏静丽伟芳娜秀英霞平刚桂兰玉梅"
_FIELDS = frozenset({"name", "gender", "birth_date", "auxiliary_number", "status", "grade", "class_name"})
_CLASS_SIZE = 50


@dataclass(frozen=True)
class SchoolOfSize:
    store: Store
    director: Viewer
    size: int
    class_name: str
    middle: dict[StudentOrder, str]  # cursors


Ask = Callable[[SchoolOfSize], Awaitable[Any]]


def _ask(order: StudentOrder, where: StudentFilter | None = None, *, middle: bool = False) -> Ask:
    async def ask(school: SchoolOfSize) -> Any:
        told = where
        if where is not None and where.class_name is not None:
            told = replace(where, class_name=school.class_name)
        after = school.middle[order] if middle else None
        return await list_students(
            school.store, school.director, _FIELDS, first=PAGE, after=after, order=order, where=told
        )

    return ask


_NUMBER, _NAME = StudentOrder.STUDENT_NUMBER, StudentOrder.NAME
QUESTIONS: dict[str, Ask] = {
    "first": _ask(_NUMBER),
    "middle": _ask(_NUMBER, middle=True),
    "middle-by-name": _ask(_NAME, middle=True),
    "of-a-class": _ask(_NUMBER, StudentFilter(class_name="")),
    "of-a-class-by-name": _ask(_NAME, StudentFilter(class_name="")),
    "of-a-grade-by-name": _ask(_NAME, StudentFilter(grade="三年级")),
    "suspended": _ask(_NUMBER, StudentFilter(status=StudentStatus.SUSPENDED)),
    "suspended-by-name": _ask(_NAME, StudentFilter(status=StudentStatus.SUSPENDED)),
    "by-name-prefix": _ask(_NAME, StudentFilter(name_prefix="王")),
}


async def bench_pages(settings: Settings, *, students: int, rounds: int) -> None:
    """Latency of each question at `students` against 10,000."""
    async with AsyncExitStack() as opened:
        small, large = [
            await _school(opened, settings, name, size)
            for name, size in (("bench_small", SMALL), ("bench_large", students))
        ]
        for name, ask in QUESTIONS.items():
            times: dict[int, list[float]] = {small.size: [], large.size: []}
            for turn in range(rounds + 3):
                for school in (small, large):
                    started = time.perf_counter()
                    page = await ask(school)
                    if turn >= 3:
                        times[school.size].append(time.perf_counter() - started)
                    assert page.page.rows, name  # noqa: S101
            measured, floor = (statistics.median(times[school.size]) for school in (large, small))
            print(f"page-{name} ratio={measured / floor:.2f} bar={BAR}")
            print(
                f"# page-{name}: {measured * 1000:.2f} ms against {floor * 1000:.2f} ms (medians)", flush=True
            )


async def _school(opened: AsyncExitStack, settings: Settings, name: str, size: int) -> SchoolOfSize:
    named = settings.model_copy(update={"mongodb_database": name})
    store = await opened.enter_async_context(open_archive(named))
    await load_demo_school(store, 10)
    students = store.database.collection(Student)
    pattern = await students.find_one({})
    assert pattern is not None  # noqa: S101
    bare = students.with_options(write_concern=WriteConcern(1))
    started = time.perf_counter()
    rows = _copies(pattern, size - await students.count_documents({}))
    while block := list(itertools.islice(rows, _AT_ONCE)):
        await bare.insert_many(block, ordered=False)
    print(f"# {size:,} students stand after {time.perf_counter() - started:.0f} s", flush=True)
    director = await load_viewer(store, "director")
    assert director is not None  # noqa: S101
    middle = {}
    for order in (_NUMBER, _NAME):
        skipped = students.find({}, {"_id": 1, order.value[0]: 1}).sort([order.value, ("_id", 1)])
        row = (await skipped.skip(size // 2).limit(1).to_list())[0]
        page = Cursor(order.name, row[order.value[0]], row["_id"])
        middle[order] = page.encode()
    return SchoolOfSize(store, director, size, f"2000级{size // _CLASS_SIZE // 2}班", middle)


def _copies(pattern: Row, count: int) -> Iterator[Row]:
    chance = random.Random(count)  # noqa: S311 - invented students
    for number in range(count):
        given = "".join(chance.choices(_GIVEN, k=2))
        yield pattern | {
            "_id": ObjectId(),
            "person_id": ObjectId(),
            "pseudonym": f"{number:032x}",
            "name": chance.choice(_SURNAMES) + given,
            "name_pinyin": "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=10)),
            "auxiliary_number": f"P{chance.randrange(10**9):09d}{number:08d}",
            "class_name": f"2000级{number // _CLASS_SIZE}班",
            "grade": chance.choice(("一年级", "二年级", "三年级", "四年级", "五年级", "六年级")),
            "status": "SUSPENDED" if number % 100 == 0 else "ENROLLED",
            "guardians": [],
        }
