"""Hostile files, and a child process that was taken over: each harms its own inspection alone, within bounds."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archive_store.inspection.inspect as inspection
from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection import frames
from archive_store.inspection.findings import Finding, IntakeWarning
from archive_store.inspection.media_types import JPEG, OFD, PDF, PNG, TIFF
from tests.inspection.papers import Reads, inspected, plain_pdf, saved, text_page

W = IntakeWarning
UNREADABLE = (Finding(W.UNREADABLE),)
JPEG_START = b"\xff\xd8\xff"


def png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", following) + bytes(64)


def bomb_pdf() -> bytes:
    """One page of an image of 40,000 by 40,000 colour pixels, whose data are a few kilobytes a gigabyte."""
    data = zlib.compress(zlib.compress(bytes(64 * 1024 * 1024), 9), 9)
    image = (
        b"<< /Type /XObject /Subtype /Image /Width 40000 /Height 40000 /ColorSpace /DeviceRGB /BitsPerComponent 8"
        b" /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n%s\nendstream" % (len(data), data)
    )
    draw = b"q 595 0 0 842 0 0 cm /I Do Q"
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /XObject << /I 5 0 R >> >> >>"
    )
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draw), draw)
    return plain_pdf(page, objects=[stream, image])


HUGE = 2**31
BROKEN = [
    (PDF, b"%PDF-1.7\n" + b"\xff" * 1000),
    (PDF, b"%PDF-1.7\n"),
    (PDF, saved([text_page(50)], "PDF")[:2000]),
    (PDF, plain_pdf()),
    (TIFF, b"II*\0" + b"\xff" * 1000),
    (TIFF, b"II*\0"),
    (JPEG, JPEG_START + bytes(1000)),
    (PNG, b"\x89PNG\r\n\x1a\n"),
]


@pytest.mark.parametrize(("kind", "content"), BROKEN)
async def test_a_broken_file_is_unreadable(kind: str, content: bytes) -> None:
    found = await inspected(content, kind)
    assert (found.page_count, found.findings) == (None, UNREADABLE)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (PNG, png(50_000, 50_000, zlib.compress(bytes(1_000_000)))),
        (PNG, png(2_000_000_000, 1, b"")),
        (PNG, saved([text_page(50)], "PNG")[:500]),
        (JPEG, saved([text_page(50)], "JPEG")[:700]),
        (TIFF, tiff((256, 4, 1, HUGE), (257, 4, 1, HUGE), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8))),
        (TIFF, tiff((256, 4, 1, 99), (257, 4, 1, 99), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 9**9))),
        (TIFF, tiff((256, 4, 1, 99), (257, 4, 1, 99), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, HUGE, 8))),
        (PDF, bomb_pdf()),
        (PDF, plain_pdf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e30 1e30] >>")),
        (PDF, plain_pdf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 0 0] /UserUnit 1e9 >>")),
        (PDF, plain_pdf("<< /Type /Pages /Kids [2 0 R] /Count 99 >>")),
        (PDF, plain_pdf("null", "3 0 R")),
    ],
)
async def test_a_hostile_file_ends_its_own_inspection_alone(kind: str, content: bytes) -> None:
    started = time.monotonic()
    found = await inspected(content, kind)
    assert set(found.warnings) <= {W.UNREADABLE, W.BLANK_PAGE, W.LOW_RESOLUTION}
    assert time.monotonic() - started < 45
    assert (await inspected(saved([text_page()], "PDF", resolution=200), PDF)).findings == ()


async def test_directories_in_a_circle_are_counted_once() -> None:
    page = ((256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 81))
    assert (await inspected(tiff(*page, following=8), TIFF)).page_count == 1


async def test_one_page_that_cannot_be_read_spoils_no_other() -> None:
    content = bytearray(
        saved([text_page(seed=n) for n in range(3)], "TIFF", compression="tiff_lzw", dpi=(200, 200))
    )
    # The width of the second page, in its directory.
    first = struct.unpack_from("<I", content, 4)[0]
    second = struct.unpack_from("<I", content, first + 2 + 12 * struct.unpack_from("<H", content, first)[0])[
        0
    ]
    assert struct.unpack_from("<H", content, second + 2)[0] == 256
    struct.pack_into("<HII", content, second + 4, 4, 1, HUGE)
    found = await inspected(bytes(content), TIFF)
    assert (found.page_count, found.findings) == (3, (Finding(W.UNREADABLE, (2,)),))
    assert found.preview is not None


SAMPLES = [
    (PDF, saved([text_page(30, lines=5)], "PDF")),
    (TIFF, saved([text_page(30, lines=5)], "TIFF", compression="tiff_lzw")),
    (PNG, saved([text_page(30, lines=5)], "PNG")),
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.data())
def test_flipped_bytes_never_escape(sample: tuple[str, bytes], data: st.DataObject) -> None:
    kind, content = sample[0], bytearray(sample[1])
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        asyncio.run(inspected(bytes(content), kind))
    except RegistrarError as error:
        assert error.code is ErrorCode.TOO_MANY_PAGES


# From here on the child is another program.


def speaks(monkeypatch: pytest.MonkeyPatch, program: str, *, seconds: float = 5) -> None:
    prelude = (
        "import os, struct, sys, time; out = sys.stdout.buffer; put = lambda kind, body=b'': (out.write("
    )
    prelude += "struct.pack('!cI', kind, len(body)) + body), out.flush())\n"
    monkeypatch.setattr(inspection, "_command", lambda *_: [sys.executable, "-I", "-c", prelude + program])
    monkeypatch.setattr(inspection, "_SECONDS", seconds)


COUNTED = "put(b'P', struct.pack('!I', 7))\n"


@pytest.mark.parametrize(
    "program",
    [
        "",
        "os.abort()",
        "sys.exit(3)",
        "out.write(b'no frame at all, but text')",
        "put(b'R', struct.pack('!QI', 0, 0))",
        "put(b'R', struct.pack('!QI', 1 << 63, 10))",
        "put(b'R', struct.pack('!QI', 995, 6))",
        f"put(b'R', struct.pack('!QI', 0, {frames.READ_LIMIT + 1}))",
        "put(b'R', b'1')",
        "put(b'R')",
        "put(b'?')",
        "out.write(struct.pack('!cI', b'V', 1 << 31))",
        f"out.write(struct.pack('!cI', b'T', {frames.THUMBNAIL_LIMIT + 1}))",
        "put(b'V', b'<html>')",
        "put(b'T')",
        "put(b'P', struct.pack('!I', 0))",
        "put(b'P', b'7')",
        "put(b'W', struct.pack('!I', 0) + b'NEWS')",
        "put(b'W', struct.pack('!I', 0) + bytes([255]))",
        "put(b'W', struct.pack('!I', 3) + b'SKEWED')",
        "put(b'W', struct.pack('!I', 0) + b'DUPLICATE')",
        "put(b'W', b'S')",
    ],
)
async def test_a_child_that_says_what_it_must_not(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    speaks(monkeypatch, program)
    read = Reads(bytes(1000))
    found = await inspection.inspect(PDF, 1000, read, page_limit=10)
    assert (found.page_count, found.findings, found.preview) == (None, UNREADABLE, None)
    assert read.ranges == []


@pytest.mark.parametrize(
    "program",
    [
        "time.sleep(600)",
        "while True: pass",
        "while True: put(b'R', struct.pack('!QI', 0, 1000))",
        "while True: put(b'W', struct.pack('!I', 1) + b'SKEWED')",
        "put(b'P', struct.pack('!I', 7))",
        "while True: out.write(bytes(65536))",
        "put(b'V'); time.sleep(600)",
        "sys.stdin.close(); os.close(0); put(b'R', struct.pack('!QI', 0, 1000)); time.sleep(600)",
        "os.close(1); time.sleep(600)",
        "os.abort()",
        "os.fork(); time.sleep(600)",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
        "sys.exit()",
    ],
)
async def test_a_child_that_misbehaves_loses_nothing_that_it_told(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    told = COUNTED + "put(b'T', bytes([255, 216, 255])); put(b'W', struct.pack('!I', 7) + b'BLANK_PAGE')\n"
    speaks(monkeypatch, told + program, seconds=0.7)
    started = time.monotonic()
    found = await inspection.inspect(PDF, 1000, Reads(bytes(1000)), page_limit=10)
    assert time.monotonic() - started < 4
    assert (found.page_count, found.thumbnail) == (7, JPEG_START)
    assert {W.BLANK_PAGE, W.UNREADABLE} <= set(found.warnings) <= {W.BLANK_PAGE, W.UNREADABLE, W.SKEWED}


async def test_a_child_that_reads_the_file_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch, "while True: put(b'R', struct.pack('!QI', 0, 1000)); sys.stdin.buffer.read(1000)")
    monkeypatch.setattr(inspection, "_READS_OF_ANY_FILE", 5000)
    read = Reads(bytes(1000))
    assert (await inspection.inspect(PDF, 1000, read, page_limit=10)).findings == UNREADABLE
    assert len(read.ranges) == 13


async def test_a_child_that_takes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asks = f"for _ in range(64): put(b'R', struct.pack('!QI', 0, {frames.READ_LIMIT}))\n"
    speaks(monkeypatch, asks + "time.sleep(600)", seconds=1)
    content = bytes(frames.READ_LIMIT)
    read = Reads(content)
    assert (await inspection.inspect(PDF, len(content), read, page_limit=10)).findings == UNREADABLE
    assert len(read.ranges) < 5


@pytest.mark.parametrize("end", ["put(b'E')", "time.sleep(600)"])
async def test_no_child_is_left_behind(monkeypatch: pytest.MonkeyPatch, end: str, tmp_path: Path) -> None:
    notes = tmp_path / "id"
    speaks(monkeypatch, f"open({str(notes)!r}, 'w').write(str(os.getpid())); {COUNTED}{end}", seconds=0.5)
    await inspection.inspect(PDF, 1000, Reads(bytes(1000)), page_limit=10)
    with pytest.raises(ProcessLookupError):
        os.kill(int(notes.read_text()), 0)


async def test_who_is_cancelled_takes_the_child_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    notes = tmp_path / "id"
    speaks(monkeypatch, f"open({str(notes)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    inspecting = asyncio.create_task(inspection.inspect(PDF, 1000, Reads(bytes(1000)), page_limit=10))
    while not (notes.exists() and notes.read_text()):  # noqa: ASYNC110 - another process writes it
        await asyncio.sleep(0.01)
    inspecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await inspecting
    with pytest.raises(ProcessLookupError):
        os.kill(int(notes.read_text()), 0)


async def test_a_lie_about_pages_is_bounded_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch, "put(b'P', struct.pack('!I', 11)); put(b'E')")
    with pytest.raises(RegistrarError) as caught:
        await inspection.inspect(PDF, 1000, Reads(bytes(1000)), page_limit=10)
    assert caught.value.code is ErrorCode.TOO_MANY_PAGES


async def test_an_archive_that_nobody_confirmed_is_no_ofd(monkeypatch: pytest.MonkeyPatch) -> None:
    speaks(monkeypatch, COUNTED + "put(b'E')")
    with pytest.raises(RegistrarError) as caught:
        await inspection.inspect(OFD, 1000, Reads(bytes(1000)), page_limit=10)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE


async def test_two_are_inspected_at_a_time_and_who_waits_long_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speaks(monkeypatch, "time.sleep(0.6); " + COUNTED + "put(b'E')")

    async def one() -> object:
        try:
            return (await inspection.inspect(PDF, 1000, Reads(bytes(1000)), page_limit=10)).page_count
        except RegistrarError as error:
            return error.code

    monkeypatch.setattr(inspection, "_WAIT_SECONDS", 0.2)
    results = await asyncio.gather(*(one() for _ in range(4)))
    assert results == [7, 7, ErrorCode.TRY_AGAIN, ErrorCode.TRY_AGAIN]
    assert await one() == 7


def test_the_child_can_open_nothing_once_it_begins() -> None:
    program = f"""
import os, resource, socket, subprocess, sys
sys.path.insert(0, {inspection._ROOT!r})
from archive_store.inspection.child import give_up_rights
give_up_rights()
def fails(act):
    try: act()
    except OSError: return True
print(
    fails(lambda: open("/etc/passwd")),
    fails(lambda: open("/tmp/plain", "wb").write(b"x")),
    fails(socket.socket),
    fails(lambda: subprocess.run(["true"])),
    resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
    sorted(os.environ) in ([], ["LC_CTYPE"]),
    not any(name.startswith("archive_store.foundation") for name in sys.modules),
)
"""
    ended = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, env={})
    assert ended.stdout.split() == ["True"] * 7, ended.stderr
