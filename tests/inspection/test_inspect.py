"""What an inspection tells of good scans and bad ones, read range by range."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from random import Random
from typing import Any

import pytest
from PIL import Image

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.inspection import frames
from archive_store.inspection.child import RangeFile, sample
from archive_store.inspection.findings import Finding, IntakeWarning
from archive_store.inspection.inspect import inspect
from archive_store.inspection.media_types import JPEG, PDF, PNG, TIFF
from tests.inspection.papers import Reads, blank_page, encrypted_pdf, inspected, plain_pdf, saved, text_page

W = IntakeWarning
DPI = {"dpi": (200, 200)}


@pytest.mark.parametrize("kind", [PDF, TIFF])
async def test_good_pages_are_counted_and_warn_of_nothing(kind: str) -> None:
    pages = [text_page(seed=number) for number in range(3)]
    content = saved(pages, "PDF", resolution=200) if kind == PDF else saved(pages, "TIFF", **DPI)
    found = await inspected(content, kind)
    assert (found.page_count, found.findings, found.warnings) == (3, (), ())


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("1", {"compression": "group4"}),
        ("1", {"compression": "group3"}),
        ("L", {}),
        ("L", {"compression": "packbits"}),
        ("RGB", {"compression": "tiff_lzw"}),
        ("RGB", {"compression": "jpeg"}),
        ("RGB", {"compression": "tiff_adobe_deflate"}),
        ("P", {}),
        ("CMYK", {}),
        ("RGBA", {}),
        ("L", {"compression": "tiff_lzw", "big_tiff": True}),
    ],
)
async def test_tiffs_of_every_make(mode: str, options: dict[str, Any]) -> None:
    page = text_page(mode="RGB").convert(mode)
    found = await inspected(saved([page, page], "TIFF", **DPI, **options), TIFF)
    assert (found.page_count, found.findings) == (2, ())
    assert not is_blank(found.preview)


def is_blank(image: bytes) -> bool:
    darkest, lightest = Image.open(io.BytesIO(image)).convert("L").getextrema()
    return lightest - darkest < 100  # type: ignore[operator]


async def test_a_tiff_of_tiles() -> None:
    found = await inspected(tiled_tiff(text_page(150).convert("L")), TIFF)
    assert (found.page_count, found.findings) == (1, ())
    assert not is_blank(found.preview)


def tiled_tiff(page: Image.Image, side: int = 256) -> bytes:
    """Pillow writes no tiles itself."""
    boxes = [(x, y) for y in range(0, page.height, side) for x in range(0, page.width, side)]
    tiles = [page.crop((x, y, x + side, y + side)).tobytes() for x, y in boxes]
    end = 8 + len(tiles) * side * side
    tags = [
        (256, page.width),
        (257, page.height),
        (258, 8),
        (259, 1),
        (262, 1),
        (277, 1),
        (322, side),
        (323, side),
    ]
    lists = end + 2 + 12 * (len(tags) + 2) + 4
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
    entries.append(struct.pack("<HHII", 324, 4, len(tiles), lists))
    entries.append(struct.pack("<HHII", 325, 4, len(tiles), lists + 4 * len(tiles)))
    places = [8 + number * side * side for number in range(len(tiles))]
    return b"".join(
        [b"II*\0", struct.pack("<I", end), *tiles, struct.pack("<H", len(entries)), *entries, bytes(4)]
        + [struct.pack("<I", place) for place in places]
        + [struct.pack("<I", side * side)] * len(tiles)
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "LA", "RGBA"])
async def test_pngs_of_every_make(mode: str) -> None:
    found = await inspected(saved([text_page(mode="RGB").convert(mode)], "PNG", **DPI), PNG)
    assert (found.page_count, found.findings) == (1, ())


async def test_sixteen_bits_of_grey_are_scaled() -> None:
    page = text_page().convert("I;16").point(lambda shade: shade * 256)
    found = await inspected(saved([page], "PNG", **DPI), PNG)
    assert found.findings == ()
    assert not is_blank(found.preview)


async def test_images_of_the_first_page() -> None:
    found = await inspected(saved([text_page(300), blank_page()], "PDF", resolution=300), PDF)
    for image, side, limit in (
        (found.thumbnail, 256, frames.THUMBNAIL_LIMIT),
        (found.preview, 1240, frames.PREVIEW_LIMIT),
    ):
        opened = Image.open(io.BytesIO(image))
        assert (opened.format, max(opened.size)) == ("JPEG", side)
        assert opened.width < opened.height
        assert len(image) <= limit
        assert not is_blank(image)


async def test_images_stay_within_their_bytes_whatever_is_on_the_page() -> None:
    noise = Image.frombytes("RGB", (1240, 1240), Random(1).randbytes(3 * 1240 * 1240))
    found = await inspected(saved([noise], "PNG"), PNG)
    assert found.preview is None or len(found.preview) <= frames.PREVIEW_LIMIT
    assert len(found.thumbnail) <= frames.THUMBNAIL_LIMIT


async def test_a_photograph_lies_as_its_tag_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = await inspected(saved([text_page()], "JPEG", exif=exif, **DPI), JPEG)
    opened = Image.open(io.BytesIO(found.preview))
    assert opened.width > opened.height


@pytest.mark.parametrize(
    ("dpi", "warns"), [(100, True), (199, True), (199.6, False), (200, False), (300, False)]
)
@pytest.mark.parametrize(("kind", "name"), [(TIFF, "TIFF"), (JPEG, "JPEG"), (PNG, "PNG")])
async def test_resolution_by_the_tags(kind: str, name: str, dpi: float, warns: bool) -> None:
    if name == "JPEG":
        dpi = round(dpi)
    found = await inspected(saved([text_page(150)], name, dpi=(dpi, 300)), kind)
    assert found.findings == ((Finding(W.LOW_RESOLUTION, (1,)),) if warns else ())


@pytest.mark.parametrize(("kind", "name"), [(TIFF, "TIFF"), (JPEG, "JPEG"), (PNG, "PNG")])
async def test_an_unknown_resolution_warns_of_nothing(kind: str, name: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a photograph"
    options = {"exif": exif} if name == "JPEG" else {}
    assert (await inspected(saved([text_page(100)], name, **options), kind)).findings == ()


async def test_resolution_of_a_pdf_is_that_of_its_page_images() -> None:
    pages = [text_page(100), text_page(100)]
    low = await inspected(saved(pages, "PDF", resolution=100), PDF)
    assert low.findings == (Finding(W.LOW_RESOLUTION, (1, 2)),)
    # The same pixels on half the paper.
    assert (await inspected(saved(pages, "PDF", resolution=200), PDF)).findings == ()


FULL, COARSE, FINE = "595.2 0 0 841.68 0 0", 100, 300
A4_AT = {dpi: (round(8.2667 * dpi), round(11.69 * dpi)) for dpi in (COARSE, FINE)}


def placed(*images: tuple[tuple[int, int], str]) -> bytes:
    """A page of black images, each of so many pixels, by their matrices."""
    names = " ".join(f"/I{number} {number + 5} 0 R" for number in range(len(images)))
    draws = "\n".join(f"q {matrix} cm /I{number} Do Q" for number, (_, matrix) in enumerate(images)).encode()
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595.2 841.68] /Contents 4 0 R"
        f" /Resources << /XObject << {names} >> >> >>"
    )
    objects = [b"<< /Length %d >>\nstream\n%s\nendstream" % (len(draws), draws)]
    for (width, height), _ in images:
        data = zlib.compress(bytes((width + 7) // 8 * height))
        head = "<< /Type /XObject /Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /FlateDecode"
        head += f" /Width {width} /Height {height} /Length {len(data)} >>"
        objects.append(head.encode() + b"\nstream\n" + data + b"\nendstream")
    return plain_pdf(page, objects=objects)


@pytest.mark.parametrize(
    ("images", "warns"),
    [
        ([(A4_AT[COARSE], FULL)], True),
        ([(A4_AT[FINE], FULL)], False),
        # A mask of text over a coarse background, as compressed scans have it.
        ([(A4_AT[COARSE], FULL), (A4_AT[FINE], FULL)], False),
        # Strips of a page.
        ([((827, 390), f"595.2 0 0 280.56 0 {280.56 * n}") for n in range(3)], True),
        ([((2480, 1169), f"595.2 0 0 280.56 0 {280.56 * n}") for n in range(3)], False),
        # Turned by a right angle.
        ([((3508, 2480), "0 841.68 -595.2 0 595.2 0")], False),
        ([((1169, 827), "0 841.68 -595.2 0 595.2 0")], True),
        # The finer side does not make up for the coarser.
        ([((2480, 1169), FULL)], True),
        ([(A4_AT[FINE], FULL), ((9, 9), "0 0 0 0 10 10")], False),
        # A letterhead is no scan, and a fine stamp makes no scan finer.
        ([((50, 50), "100 0 0 100 400 700")], False),
        ([(A4_AT[COARSE], FULL), ((600, 600), "72 0 0 72 400 700")], True),
    ],
)
async def test_resolution_of_images_as_they_are_placed(
    images: list[tuple[tuple[int, int], str]], warns: bool
) -> None:
    found = await inspected(placed(*images), PDF)
    assert (W.LOW_RESOLUTION in found.warnings) is warns
    assert W.UNREADABLE not in found.warnings


async def test_each_page_is_told_by_its_number() -> None:
    pages = [text_page(), blank_page(), text_page(angle=3), text_page(angle=1), blank_page()]
    for content, kind in (
        (saved(pages, "PDF", resolution=200), PDF),
        (saved(pages, "TIFF", compression="tiff_lzw", **DPI), TIFF),
    ):
        found = await inspected(content, kind)
        assert found.findings == (Finding(W.BLANK_PAGE, (2, 5)), Finding(W.SKEWED, (3,)))
        assert found.warnings == (W.BLANK_PAGE, W.SKEWED)


async def test_many_pages_are_counted_and_some_looked_at() -> None:
    content = saved([text_page(30)] * 45, "PDF", resolution=30)
    found = await inspected(content, PDF)
    assert found.page_count == 45
    (low,) = (finding for finding in found.findings if finding.code is W.LOW_RESOLUTION)
    assert low.pages == tuple(number + 1 for number in sample(45))
    assert (len(low.pages), low.pages[0], low.pages[-1]) == (20, 1, 45)


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 40, 5000])
def test_the_sample_is_even(count: int) -> None:
    chosen = sample(count)
    assert len(chosen) == len(set(chosen)) == min(count, 20)
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (0, count - 1)


@pytest.mark.parametrize(("pages", "limit", "refused"), [(3, 3, False), (4, 3, True), (40, 3, True)])
@pytest.mark.parametrize("kind", [PDF, TIFF])
async def test_more_pages_than_the_limit(kind: str, pages: int, limit: int, refused: bool) -> None:
    content = saved([text_page(30)] * pages, "PDF" if kind == PDF else "TIFF")
    if not refused:
        assert (await inspected(content, kind, page_limit=limit)).page_count == pages
        return
    with pytest.raises(RegistrarError) as caught:
        await inspected(content, kind, page_limit=limit)
    assert (caught.value.code, caught.value.field) == (ErrorCode.TOO_MANY_PAGES, "content")
    assert str(limit) in caught.value.message.zh and str(limit) in caught.value.message.en


async def test_a_file_under_a_password() -> None:
    found = await inspected(encrypted_pdf(), PDF)
    assert (found.page_count, found.findings) == (None, (Finding(W.PASSWORD_PROTECTED),))
    assert found.thumbnail is None


async def test_a_large_file_is_read_in_small_ranges_and_never_whole() -> None:
    file = VirtualTiff(pages=120)
    assert file.size > 1_000_000_000
    found = await inspect(TIFF, file.size, file, page_limit=1000)
    assert (found.page_count, found.warnings) == (120, (W.BLANK_PAGE,))
    assert max(length for _, length in file.ranges) <= frames.READ_LIMIT
    assert sum(length for _, length in file.ranges) < file.size / 4


class VirtualTiff:
    """Blank A4 pages at 300 dpi, uncompressed, of which only the directories exist."""

    def __init__(self, pages: int) -> None:
        width, height = 2480, 3508
        step = 2 + 12 * 10 + 4
        head = b"II*\0" + struct.pack("<I", 8)
        pixels = 8 + pages * step
        for number in range(pages):
            place = pixels + number * width * height
            tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, place), (277, 1)]
            tags += [(278, height), (279, width * height), (284, 1)]
            following = 8 + (number + 1) * step if number + 1 < pages else 0
            entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
            head += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
        self.head, self.size = head, pixels + pages * width * height
        self.ranges: list[tuple[int, int]] = []

    async def __call__(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        return self.head[offset : offset + length].ljust(length, b"\xff")


class _Content:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return self.content[offset : offset + length]


def test_a_file_of_ranges_is_a_file() -> None:
    random = Random(3)
    content = random.randbytes(3 * frames.READ_LIMIT + 17)
    file, like = RangeFile(_Content(content), len(content)), io.BytesIO(content)  # type: ignore[arg-type]
    for _ in range(200):
        offset = random.choice([0, frames.READ_LIMIT, len(content)]) + random.randint(0, 3)
        length = random.choice([0, 1, 5, frames.READ_LIMIT, 2 * frames.READ_LIMIT])
        assert file.seek(offset) == like.seek(offset) == file.tell()
        assert file.read(length) == like.read(length)
    assert file.seek(-22, io.SEEK_END) == like.seek(-22, io.SEEK_END)
    assert file.read() == like.read()
    file.seek(0)
    with pytest.raises(OSError, match="whole"):
        file.read()
    with pytest.raises(OSError, match="before"):
        file.seek(-1)


async def test_what_reading_raises_is_raised() -> None:
    for error in (LookupError, ConnectionResetError, TimeoutError):

        async def read(offset: int, length: int, error: type[Exception] = error) -> bytes:
            raise error

        with pytest.raises(error):
            await inspect(PDF, 1000, read, page_limit=10)

    async def short(offset: int, length: int) -> bytes:
        return b"%PDF"

    with pytest.raises(EOFError):
        await inspect(PDF, 1000, short, page_limit=10)


async def test_who_waits_for_a_reader_keeps_the_event_loop_running() -> None:
    content = saved([text_page()], "PDF")
    reads = Reads(content)

    async def slow(offset: int, length: int) -> bytes:
        await asyncio.sleep(0.2)
        return await reads(offset, length)

    inspecting = asyncio.create_task(inspect(PDF, len(content), slow, page_limit=10))
    turns = 0
    while not inspecting.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert (await inspecting).page_count == 1
    assert turns > 10
