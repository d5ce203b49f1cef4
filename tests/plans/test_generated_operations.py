"""Operations on a school, by viewers of every kind: with plans each is answered as without."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import orjson

from archive_store.access.viewer import Viewer
from schema.context import Context
from schema.root import build_schema
from tests.access.generated import Generator, Question
from tests.access.marked_school import MarkedSchool
from tests.access.test_properties import random_viewer, world  # noqa: F401 - a fixture
from tests.plans.test_against_graphql_core import resolved  # noqa: F401 - a fixture

QUESTIONS = int(os.environ.get("REGISTRAR_PLANNED_OPERATIONS", "400"))
QUESTIONS_EACH = 20


async def test_generated_operations_are_answered_alike(
    world: MarkedSchool,  # noqa: F811
    resolved: Counter[str],  # noqa: F811
    record_property: Callable[[str, object], None],
) -> None:
    without, planned = build_schema(plans=False), build_schema()

    async def answer(schema: object, viewer: Viewer, question: Question) -> str:
        result = await schema.execute(  # type: ignore[attr-defined]
            question.document,
            question.variables,
            context_value=Context(world.store, viewer.for_purpose(viewer.reading.purpose)),
        )
        errors = [error.formatted for error in result.errors or ()]
        return orjson.dumps([result.data, errors, result.extensions], default=str).decode()

    chance, counted = random.Random(2), Counter[str]()
    while counted["questions"] < QUESTIONS:
        seed = chance.randrange(2**32)
        who, viewer = await random_viewer(world, random.Random(seed))
        generator = Generator(world, seed)
        for _ in range(QUESTIONS_EACH):
            question = generator.question()
            if question.export is not None:
                continue
            expected = await answer(without, viewer, question)
            counted["questions"] += 1
            counted["with redactions"] += "redactions" in expected
            for _ in range(2):
                assert await answer(planned, viewer, question) == expected, (who, question)
    record_property("questions", dict(counted) | dict(resolved))
    assert counted["with redactions"] > QUESTIONS // 10
    assert resolved["PlannedExecutor"] < 1.6 * resolved["StrawberryGraphQLCoreExecutionContext"], resolved
