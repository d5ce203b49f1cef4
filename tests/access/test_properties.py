"""No sequence of filters, orders, pages, aliases and fragments reveals a masked value.

For many viewers, random questions are asked of a school in which every value is a mark, and of its twin, in which all
that this viewer may not read is otherwise. Nothing forbidden may stand in an answer, the answers of the two must be
equal, and so must be those to a right and a wrong guess at a masked value.

`REGISTRAR_GENERATED_QUERIES` says how many questions are asked; of as many, `REGISTRAR_GENERATED_SEED` other ones.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from archive_store.access.viewer import Viewer
from archive_store.foundation.errors import RegistrarError
from archive_store.foundation.store import Store
from archive_store.students.documents import StudentStatus
from archive_store.students.exports import begin_export
from archive_store.students.queries import StudentFilter
from schema.context import Context
from schema.root import build_schema
from tests.access.expected import counts_by
from tests.access.generated import Generator, Question
from tests.access.marked_school import MarkedSchool
from tests.access.marks import DAYS, MOMENTS
from tests.access.readers import RELATIONSHIPS, ROLES, reader_of
from tests.access.twins import CLASS_OF, filterable, may_read, other_values

QUESTIONS = int(os.environ.get("REGISTRAR_GENERATED_QUERIES", "1200"))
SEED = int(os.environ.get("REGISTRAR_GENERATED_SEED", "1"))
QUESTIONS_EACH = 30
# A grant that ends meanwhile is a matter of the matrix.
_TIES = [name for name in RELATIONSHIPS if name != "grant exhausted while signed in"]
_STATUSES = ("STATUS_RETAINED", "ENROLLED", "TRANSFERRED_OUT", "GRADUATED", "SUSPENDED")


@pytest.fixture(scope="module")
async def world(store: Store) -> MarkedSchool:
    built = MarkedSchool(store, seed=SEED)
    await built.install()
    for place, status in enumerate(_STATUSES):
        # The second is in the class of the first, who is the one that ties are about.
        shared = {"class_name": built.students[0].row["class_name"]} if place == 1 else {}
        student = await built.add_student(f"student {place}", status=StudentStatus(status), **shared)
        await built.add_history(student)
        await built.add_request(student, "closed")
        if place < 3:
            await built.add_scans(student)
    await built.add_readings()
    built.until = store.clock.now() + timedelta(milliseconds=1)
    return built


class Asker:
    def __init__(self, world: MarkedSchool, viewer: Viewer) -> None:
        self.world, self.viewer, self._schema = world, viewer, build_schema()
        self.has_faults = False

    async def ask(self, question: Question) -> str:
        """All that is answered, as text."""
        self.has_faults = False
        viewer = self.viewer.for_purpose(self.viewer.reading.purpose)
        if question.export is not None:
            return await self._export(viewer, **question.export)
        result = await self._schema.execute(
            question.document, question.variables, context_value=Context(self.world.store, viewer)
        )
        errors = [error.formatted for error in result.errors or ()]
        codes = {error["extensions"]["code"] for error in errors}  # type: ignore[index]
        assert "internal" not in codes, (question, errors)
        self.has_faults = "invalid_query" in codes
        return orjson.dumps([result.data, errors, result.extensions], default=str).decode()

    async def _export(self, viewer: Viewer, headers: list[str] | None, where: dict[str, Any]) -> str:
        try:
            told = where | ({"status": StudentStatus(where["status"])} if "status" in where else {})
            export = await begin_export(
                self.world.store, viewer, headers=headers, where=StudentFilter(**told)
            )
            content = b"".join([piece async for piece in export.pieces()])
            await export.end()
            return content.decode()
        except RegistrarError as error:
            return f"{error.code} {error.field} {error.message}"


async def random_viewer(world: MarkedSchool, chance: random.Random) -> tuple[str, Viewer]:
    """Of any role, with one or two relationships to the first student."""
    role, has_purpose = chance.choice(list(ROLES)), chance.random() < 0.6
    names = chance.sample(_TIES, chance.choice((1, 1, 2)))
    viewer = (await reader_of(world, role, names[0], has_purpose=has_purpose)).viewer
    for name in names[1:]:
        viewer = (await RELATIONSHIPS[name](world, viewer)).viewer
    return f"{role}, {names}, {has_purpose=}", viewer


async def test_no_question_reveals_a_masked_value(
    world: MarkedSchool, record_property: Callable[[str, object], None]
) -> None:
    chance, counted, started = random.Random(SEED), Counter[str](), time.monotonic()
    while counted["questions"] < QUESTIONS:
        seed = chance.randrange(2**32)
        who, viewer = await random_viewer(world, random.Random(seed))
        asker, generator = Asker(world, viewer), Generator(world, seed)
        questions = [
            generator.question() for _ in range(min(QUESTIONS_EACH, QUESTIONS - counted["questions"]))
        ]
        answers = []
        for question in questions:
            answers.append(await asker.ask(question))
            counted["refused as no query"] += asker.has_faults
            counted["showed values"] += bool(world.marks.found_in(answers[-1]))
            check_for_leaks(world, who, viewer, question, answers[-1])
            counted["guesses"] += await check_guesses(asker, who, question, answers[-1])
        async with other_values(world, viewer):
            for question, before in zip(questions, answers, strict=True):
                after = await asker.ask(question)
                check_for_leaks(world, who, viewer, question, after)
                if not (question.counts and counts_by(viewer)):
                    assert after == before, (who, question)
                    counted["compared with the twin"] += 1
        counted["questions"] += len(questions)
        counted["viewers"] += 1
    told = f"{dict(counted)} in {time.monotonic() - started:.0f} s"
    record_property("questions", told)
    print(told)  # noqa: T201
    assert counted["refused as no query"] * 20 < counted["questions"], told
    assert counted["compared with the twin"] * 10 > counted["questions"] * 8, told


def check_for_leaks(world: MarkedSchool, who: str, viewer: Viewer, question: Question, answer: str) -> None:
    allowed = may_read(world, viewer, counts=question.counts)
    asked = orjson.dumps([question.document, question.variables, question.export], default=str).decode()
    told = world.marks.found_in(answer)
    for token in world.marks.found_in(asked):
        told.pop(token, None)
    leaked = {leaf for leaf in told.values() if leaf not in allowed}
    assert not leaked, (who, question, leaked)


async def check_guesses(asker: Asker, who: str, question: Question, answer: str) -> int:
    """A filter by a masked value answers the same to a right and to a wrong guess."""
    classes, checked = filterable(asker.world, asker.viewer), 0
    for path, values in question.guesses.items():
        if CLASS_OF[path] in classes:
            continue
        for value in values:
            wrong = "SUSPENDED" if path == "status" else f"ZQ{'F' * 10}"[: len(value)]
            assert await asker.ask(question.with_guess(value, wrong)) == answer, (who, question)
            checked += 1
    return checked


async def test_the_twin_differs_and_is_undone(world: MarkedSchool) -> None:
    """Whoever reads everything sees that the twin of a viewer who reads nothing is another school."""
    director = (await reader_of(world, "director", "none", has_purpose=True)).viewer
    nobody = (await reader_of(world, "nobody", "none", has_purpose=False)).viewer
    fields = "name gender birthDate phone isOrphan guardians { phone } statusPeriods { effectiveFrom }"
    fields += " scans { fileName } auditHistory { edges { node { reason changes { after } } } }"
    question = Question(
        f"{{ students {{ edges {{ node {{ {fields} }} }} }} changeRequests {{ edges {{ node {{ reason }} }} }} }}"
    )
    asker = Asker(world, director)
    before = await asker.ask(question)
    async with other_values(world, nobody):
        during = await asker.ask(question)
    assert await asker.ask(question) == before
    kept = world.marks.found_in(before).keys() & world.marks.found_in(during).keys()
    # Days and months are too few for ever new ones.
    may_repeat = {"reason", "enrolled_month"} | DAYS | MOMENTS
    assert {world.marks.leaves[token].path.split()[0] for token in kept} <= may_repeat


async def test_a_leak_would_be_found(world: MarkedSchool) -> None:
    """What one viewer is shown, held against the rights of another."""
    logistics = (await reader_of(world, "logistics", "none", has_purpose=False)).viewer
    director = (await reader_of(world, "director", "none", has_purpose=False)).viewer
    question = Question("{ students { edges { node { nationality } } } }")
    answer = await Asker(world, director).ask(question)
    check_for_leaks(world, "", director, question, answer)
    with pytest.raises(AssertionError):
        check_for_leaks(world, "", logistics, question, answer)
