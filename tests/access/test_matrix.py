"""Every role with every relationship, with and without a purpose, through every door, for every stored leaf.

What must be shown is told by `verdicts` from the policy as data; what was shown is told from the shape of the answers
and from marks found anywhere in their text. Run with -s or see the id of the last test for the size.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from archive_store.access.viewer import Viewer
from archive_store.approvals.documents import Tier
from archive_store.foundation.posts import Post
from archive_store.foundation.settings import Settings
from archive_store.foundation.store import Store
from archive_store.students.documents import Gender, StudentStatus
from schema.nodes import global_id
from schema.root import build_schema
from tests.access.doors import DOORS, WITHOUT_VALUES, Door
from tests.access.expected import sees
from tests.access.marked_histories import MarkedHistories
from tests.access.marked_school import MarkedSchool
from tests.access.readers import RELATIONSHIPS, ROLES, Reader, reader_of
from tests.access.verdicts import MUST_SHOW, REQUESTS, is_encrypted, redactions, universe
from tests.access.visitor import Answer, Visitor

_TIERS = {tier.post: tier for tier in Tier}
PURPOSES = (False, True)
LEAST_CELLS = 1_000_000


@pytest.fixture(scope="module")
async def visitor(store: Store, settings: Settings) -> AsyncIterator[Visitor]:
    world = MarkedSchool(store)
    await world.install()
    tied = await world.add_student("tied", status=StudentStatus.STATUS_RETAINED, gender=Gender.NOT_STATED)
    other = await world.add_student("other", status=StudentStatus.TRANSFERRED_OUT, gender=Gender.UNKNOWN)
    await world.add_classes()
    await world.add_history(tied)
    await world.add_history(other)
    await world.add_scans(tied)
    await world.add_readings()
    for name, (fields, awaited) in REQUESTS.items():
        awaits = None if awaited is None else _TIERS[awaited]
        await world.add_request(tied, name, fields, awaits=awaits, about=f"request {name}")
    histories = MarkedHistories(world)
    await histories.add(tied)
    built = Visitor(world, settings, histories)
    yield built
    await built.http.aclose()


@pytest.mark.parametrize("relationship", RELATIONSHIPS)
@pytest.mark.parametrize("role", ROLES)
async def test_matrix(visitor: Visitor, role: str, relationship: str) -> None:
    faults = []
    for has_purpose in PURPOSES:
        reader = await reader_of(visitor.world, role, relationship, has_purpose=has_purpose)
        visitor.become(reader.viewer)
        for door in DOORS:
            answer = Answer()
            await door.open(visitor, answer)
            faults += [
                f"{has_purpose=} {door.name}: {fault}" for fault in _faults(visitor, reader, door, answer)
            ]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def _faults(visitor: Visitor, reader: Reader, door: Door, answer: Answer) -> list[str]:
    world, must_show = visitor.world, MUST_SHOW[door.name]
    must = must_show(world, reader.surely)
    # A grant whose last view was just taken still shows what needs no view, until the viewer is read again; and that
    # something may be read is no value.
    may = must | {leaf for leaf in must_show(world, reader.viewer) if not is_encrypted(leaf)}
    if door.name in ("fieldAccess", "scans"):
        may |= {
            leaf
            for leaf in must_show(world, reader.viewer)
            if door.name == "fieldAccess" or leaf.path == "content"
        }
    marked = set(world.marks.found_in("\n".join(answer.texts)).values())
    faults = [f"leaks {leaf}" for leaf in sorted((marked | answer.shown) - may)]
    faults += [f"keeps back {leaf}" for leaf in sorted(must - marked - answer.shown)]
    if door.spells:
        unspelt = {
            leaf for leaf in must - marked if world.marks.of[leaf] and (leaf.path, door.name) not in _UNSPELT
        }
        faults += [f"does not spell {leaf}" for leaf in sorted(unspelt)]
    if reader.stale:
        return faults
    if door.has_redactions:
        expected = redactions(world, reader.viewer, door.name)
        faults += [f"redaction {line}" for line in sorted(answer.redactions.items() ^ expected.items())]
    if door.name == "notifications":
        faults += _subjects(visitor, reader.viewer, answer)
    return faults


_UNSPELT = {
    ("content", "scans"),  # whether it may be downloaded
    # Told by how many entries were known, and when the last was written.
    ("revision", "student at moments"),
    ("updated_at", "student at moments"),
}


def _subjects(visitor: Visitor, viewer: Viewer, answer: Answer) -> Iterator[str]:
    """A notification about the tied student went to each post; it tells of whom to those who see them."""
    tied = visitor.tied
    expected = bool(viewer.posts) and viewer.scopes is None and sees(viewer, tied.row)
    if (global_id("Student", tied.key) in answer.texts[0]) is not expected:
        yield f"subject told: {not expected}"


async def test_every_root_field_and_route_is_a_door_or_shows_no_value(visitor: Visitor) -> None:
    fields = set(build_schema()._schema.query_type.fields)  # type: ignore[union-attr, attr-defined]
    routes = {
        f"{method} {path}" for path, methods in visitor.routes for method in methods if method != "HEAD"
    }
    known = {way for door in DOORS for way in door.goes_by}
    assert not known & WITHOUT_VALUES.keys()
    assert fields | routes <= known | WITHOUT_VALUES.keys()
    assert known <= fields | routes
    # The page of GraphiQL is served where a setting says so.
    assert WITHOUT_VALUES.keys() - fields - routes <= {"GET /graphiql/{name}"}


def test_the_roles_and_relationships_are_those_of_the_policy() -> None:
    assert {post for posts, _ in ROLES.values() for post in posts} == set(Post)
    assert MUST_SHOW.keys() == {door.name for door in DOORS}


async def test_size_of_the_matrix(visitor: Visitor, record_property: Callable[[str, object], None]) -> None:
    leaves = len(universe(visitor.world))
    size = len(ROLES) * len(RELATIONSHIPS) * len(PURPOSES) * leaves * len(DOORS)
    told = (
        f"{len(ROLES)} roles x {len(RELATIONSHIPS)} relationships x {len(PURPOSES)} purposes x {leaves} leaves "
        f"x {len(DOORS)} doors = {size:,} cells"
    )
    record_property("matrix", told)
    print(told)  # noqa: T201
    assert size >= LEAST_CELLS, told
