"""Papers made in code: pages that look like text, as PDF scans, images and OFD; and hostile ones."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Sequence
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from archive_store.inspection.inspect import inspect

NAMESPACE = "http://www.ofdspec.org/2016"
A4_INCHES = (8.27, 11.69)


def text_page(
    dpi: int = 200, *, angle: float = 0, lines: int = 40, mode: str = "L", seed: int = 1
) -> Image.Image:
    """An A4 page with lines of words in boxes of a letter's size, turned anticlockwise by `angle` degrees."""
    random = Random(seed)
    width, height = (round(side * dpi) for side in A4_INCHES)
    image = Image.new("L", (width, height), 245)
    draw = ImageDraw.Draw(image)
    unit = dpi / 20  # a letter, 3.6 points
    for line in range(lines):
        top, left = height * (0.1 + 0.8 * line / 40), width * 0.12
        while left < width * 0.85:
            for _ in range(random.randint(2, 9)):
                draw.rectangle((left, top, left + unit * 0.6, top + unit * random.uniform(0.8, 1.3)), fill=30)
                left += unit
            left += unit
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=245).convert(mode)


def blank_page(dpi: int = 200) -> Image.Image:
    """Paper with some dust and the shadow of the scanner's edge."""
    random = Random(2)
    image = Image.new("L", tuple(round(side * dpi) for side in A4_INCHES), 240)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, round(dpi * 0.1), image.height), fill=60)
    for _ in range(30):
        x, y = random.randrange(image.width), random.randrange(image.height)
        draw.rectangle((x, y, x + 1, y + 1), fill=90)
    return image


def saved(images: Sequence[Image.Image], kind: str, **options: Any) -> bytes:
    """The file; a PDF is one image a page, of `resolution` dpi."""
    buffer = io.BytesIO()
    # An image keeps settings of how it was saved before, which may not suit this kind.
    images = [image.copy() for image in images]
    more = {"save_all": True, "append_images": images[1:]} if kind in ("PDF", "TIFF") else {}
    images[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


def ofd(pages: int = 2, *, root: str = "Doc_0/Document.xml", more: dict[str, str] | None = None) -> bytes:
    listed = "".join(f'<ofd:Page ID="{n}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(pages))
    files = {
        "OFD.xml": (
            f'<?xml version="1.0" encoding="UTF-8"?><ofd:OFD xmlns:ofd="{NAMESPACE}" Version="1.0" DocType="OFD">'
            f"<ofd:DocBody><ofd:DocInfo><ofd:DocID>1</ofd:DocID></ofd:DocInfo><ofd:DocRoot>{root}</ofd:DocRoot>"
            "</ofd:DocBody></ofd:OFD>"
        ),
        "Doc_0/Document.xml": (
            f'<ofd:Document xmlns:ofd="{NAMESPACE}"><ofd:Pages>{listed}</ofd:Pages></ofd:Document>'
        ),
        **(more or {}),
    }
    return zipped(files)


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Reads:
    """A file to be read in ranges, which notes them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[tuple[int, int]] = []

    async def __call__(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        await asyncio.sleep(0)
        return self.content[offset : offset + length]


async def inspected(content: bytes, media_type: str, *, page_limit: int = 1000) -> Any:
    return await inspect(media_type, len(content), Reads(content), page_limit=page_limit)


def encrypted_pdf() -> bytes:
    """Under a password that nobody knows: what would verify one are other bytes than those of the empty password."""
    return plain_pdf(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        trailer=f"/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >>",
    )


def plain_pdf(*pages: str, trailer: str = "", objects: Sequence[bytes] = ()) -> bytes:
    """Catalogue, page tree, the pages from object 3 on, then the objects."""
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        *(page.encode() for page in pages),
        *objects,
    ]
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return content + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(bodies) + 1, table, len(bodies) + 1, trailer.encode(), len(content))
    )
