"""Which line of an export is which logged entry, from the leaf hashes of both, pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archive_store.verifier.merkle import HASH_SIZE, TILE_BYTES, TILE_WIDTH

UNMATCHED = -1


@dataclass
class Stretch:
    """Lines that are no logged entry, and the logged entries that stand between the same neighbours but are not there.

    `is_known` is False where the leaf hashes of some of the places are not. Then some of the lines may be right.
    """

    lines: list[int]
    places: list[int]
    is_known: bool
    is_tail: bool


@dataclass
class Alignment:
    """The place in the log of each line, or UNMATCHED; the lines that are out of order; and what is between."""

    places: array[int]
    moved: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)
    stretches: list[Stretch] = field(default_factory=list)


def align(expected: Sequence[bytes | None], size: int, actual: bytes) -> Alignment:
    """Align lines of the leaf hashes `actual` with a log of that size, whose hashes `expected` has by tiles.

    Memory: up to 250 bytes for each entry between the first and the last that differ.
    """
    lines = len(actual) // HASH_SIZE
    unknown = {number for number, tile in enumerate(expected) if tile is None}
    logged = b"".join(
        tile if tile is not None else bytes(min(TILE_BYTES, size * HASH_SIZE - number * TILE_BYTES))
        for number, tile in enumerate(expected)
    )
    before = _common_start(logged, actual)
    after = _common_end(logged, actual, min(size, lines) - before)
    matched = array("q", [UNMATCHED]) * lines
    for line in range(before):
        matched[line] = line
    for line in range(lines - after, lines):
        matched[line] = line + size - lines
    alignment = Alignment(matched)
    _match_middle(
        alignment, logged, unknown, actual, range(before, size - after), range(before, lines - after)
    )
    _find_stretches(alignment, unknown, range(before, size - after), range(before, lines - after), after == 0)
    return alignment


def _common_start(left: bytes, right: bytes) -> int:
    """How many hashes both begin with."""
    end = min(len(left), len(right))
    at = 0
    while at < end and left[at : at + TILE_BYTES] == right[at : at + TILE_BYTES]:
        at += TILE_BYTES
    at = min(at, end)
    while at < end and left[at : at + HASH_SIZE] == right[at : at + HASH_SIZE]:
        at += HASH_SIZE
    return at // HASH_SIZE


def _common_end(left: bytes, right: bytes, most: int) -> int:
    """How many hashes both end with, of which there are at most so many."""
    count = 0
    while count < most:
        step = min(TILE_WIDTH, most - count)
        begin, end = (count + step) * HASH_SIZE, count * HASH_SIZE
        if left[len(left) - begin : len(left) - end] != right[len(right) - begin : len(right) - end]:
            break
        count += step
    while count < most and _from_end(left, count) == _from_end(right, count):
        count += 1
    return count


def _from_end(hashes: bytes, count: int) -> bytes:
    end = len(hashes) - count * HASH_SIZE
    return hashes[end - HASH_SIZE : end]


def _match_middle(
    alignment: Alignment, logged: bytes, unknown: set[int], actual: bytes, places: range, lines: range
) -> None:
    where = {
        logged[place * HASH_SIZE : (place + 1) * HASH_SIZE]: place
        for place in reversed(places)
        if place // TILE_WIDTH not in unknown
    }
    found = [
        (line, place)
        for line in lines
        if (place := where.get(actual[line * HASH_SIZE : (line + 1) * HASH_SIZE])) is not None
    ]
    del where
    in_order = {found[at][0] for at in _longest_rising([place for _, place in found])}
    taken = {place for line, place in found if line in in_order}
    matched = []
    for line, place in found:
        if line not in in_order and place in taken:
            alignment.repeated.add(line)
        else:
            taken.add(place)
            matched.append((line, place))
            alignment.places[line] = place
    if len(matched) > len(in_order):
        exchanged = _exchanged(matched)
        rest = [each for each in matched if each[0] not in exchanged]
        in_order = {rest[at][0] for at in _longest_rising([place for _, place in rest])}
        alignment.moved.update(line for line, _ in matched if line not in in_order)


def _exchanged(matched: list[tuple[int, int]]) -> set[int]:
    """Lines of two entries that are in each other's place, whatever is missing or added between them."""
    in_order = sorted(place for _, place in matched)
    ranks = [bisect_left(in_order, place) for _, place in matched]
    return {line for at, (line, _) in enumerate(matched) if ranks[at] != at and ranks[ranks[at]] == at}


def _longest_rising(values: list[int]) -> list[int]:
    """The positions of a longest strictly rising subsequence."""
    ends: list[int] = []
    at_end: list[int] = []
    previous = array("q", [UNMATCHED]) * len(values)
    for position, value in enumerate(values):
        length = bisect_left(ends, value)
        if length:
            previous[position] = at_end[length - 1]
        if length == len(ends):
            ends.append(value)
            at_end.append(position)
        else:
            ends[length], at_end[length] = value, position
    chain = []
    position = at_end[-1] if at_end else UNMATCHED
    while position != UNMATCHED:
        chain.append(position)
        position = previous[position]
    return chain[::-1]


def _find_stretches(
    alignment: Alignment, unknown: set[int], places: range, lines: range, is_to_the_end: bool
) -> None:
    matched, moved, repeated = alignment.places, alignment.moved, alignment.repeated
    moved_places = {matched[line] for line in moved}
    place = places.start
    between: list[int] = []
    for line, anchor in _anchors(alignment, lines, places.stop):
        if line is not None and anchor is None:
            if line not in repeated:
                between.append(line)
            continue
        assert anchor is not None  # noqa: S101
        absent = [at for at in range(place, anchor) if at not in moved_places]
        if between or absent:
            is_known = not any(at // TILE_WIDTH in unknown for at in absent)
            is_tail = line is None and is_to_the_end
            alignment.stretches.append(Stretch(between, absent, is_known, is_tail))
        between = []
        place = anchor + 1


def _anchors(alignment: Alignment, lines: range, end: int) -> Iterator[tuple[int | None, int | None]]:
    """Each line with its place if it is in order, lines that are matched nowhere without one, then the end."""
    for line in lines:
        if line in alignment.moved:
            continue
        place = alignment.places[line]
        yield line, None if place == UNMATCHED else place
    yield None, end
