"""Files that have to be read here and there."""

from __future__ import annotations

import struct

import pytest

import archive_store.scans.segments as segments
from archive_store.scans.segments import SEGMENT_SIZE
from tests.scans.test_interrupted_uploads import begun, sent
from tests.school import School

BLOCK = 256 * 1024


def scattered(size: int, pages: int) -> bytes:
    """A TIFF whose directories lie one block apart from each other, each in another segment than the one before."""
    content, blocks = bytearray(size), size // BLOCK
    per_segment = SEGMENT_SIZE // BLOCK
    order = sorted(range(1, blocks), key=lambda block: (block % per_segment, block))
    tags = ((256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 1))
    at = [order[n % len(order)] * BLOCK + n // len(order) * 128 for n in range(pages)]
    struct.pack_into("<2sHI", content, 0, b"II", 42, at[0])
    for number, offset in enumerate(at):
        following = at[number + 1] if number + 1 < pages else 0
        directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        content[offset : offset + len(directory) + 4] = directory + struct.pack("<I", following)
    return bytes(content)


async def test_a_file_that_is_read_here_and_there_does_not_cost_a_hundred_times_its_size(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each range of 256 KiB loads a segment of 4 MiB, and that time is not counted against the child."""
    content = scattered(6 * SEGMENT_SIZE, 900)
    loaded = 0
    load = segments._load

    def counted(*told: object) -> bytes:
        nonlocal loaded
        plain = load(*told)  # type: ignore[arg-type]
        loaded += len(plain)
        return plain

    monkeypatch.setattr(segments, "_load", counted)
    upload = await begun(school, len(content))
    await sent(school, upload, 0, content)
    assert loaded < 12 * len(content)
