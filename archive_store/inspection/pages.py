"""The pages of a PDF or an image file as small images, with their resolution; of the child process."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

import pypdfium2
import pypdfium2.raw as pdfium_c
from PIL import ExifTags, Image, ImageOps, MpoImagePlugin, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

# Loaded now, for later nothing more can be opened; some JPEG files are handed on to MPO.
Image.preinit()
_LOADED = (MpoImagePlugin, TiffImagePlugin)

PREVIEW_SIDE = 1240  # A4 at 106 dpi
# Four bytes each once they are decoded. A3 at 600 dpi has 70 million.
_PIXELS_LIMIT = 120_000_000
_STORED_PAGE_LIMIT = 128 * 1024 * 1024
_OBJECTS_LIMIT = 1000
_FORMATS = {"image/tiff": "TIFF", "image/jpeg": "JPEG", "image/png": "PNG"}


class PasswordError(Exception):
    """The file opens with a password only."""


class UnreadablePageError(Exception):
    """This page cannot be rendered within the limits."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, its longer side of at most PREVIEW_SIDE, in grey or RGB; `dpi` of the scan, None where nothing says."""

    image: Image.Image
    dpi: float | None


class Pages(Protocol):
    """A file by its pages; `count` is one more than the limit where there are more."""

    count: int

    def page(self, number: int) -> Page:
        """The page of the ordinal, from 0; whatever it raises means that it cannot be read."""


def open_pages(file: io.RawIOBase, media_type: str, page_limit: int) -> Pages:
    """PasswordError where it takes a password; whatever else it raises means that the file cannot be read."""
    if media_type == "application/pdf":
        return _PdfPages(file)
    if media_type == "image/tiff":
        return _TiffPages(file, page_limit)
    return _Photograph(file, _FORMATS[media_type])


class _PdfPages:
    def __init__(self, file: io.RawIOBase) -> None:
        try:
            self._document = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError as error:
            if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                raise PasswordError from error
            raise
        self.count = len(self._document)

    def page(self, number: int) -> Page:
        page = self._document[number]
        try:
            width, height = page.get_size()
            bitmap = page.render(scale=PREVIEW_SIDE / max(width, height, 1), limit_image_cache=True)
            # Rounded up, it can have a pixel too much.
            return Page(_small(bitmap.to_pil()), _dpi_of_pdf(page, width * height))
        finally:
            page.close()


def _dpi_of_pdf(page: Any, area: float) -> float | None:
    """Of the images that make up the page: one that covers half of it, the finest, or else all of them as strips.

    `area` in square points. None for a page that is no scan. Images within form objects are not looked at.
    """
    covering, strips = [], []
    for number, each in enumerate(page.get_objects([pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=1)):
        if number >= _OBJECTS_LIMIT:
            break
        left, bottom, right, top = each.get_bounds()
        share = (right - left) * (top - bottom) / area
        if share <= 0:
            continue
        dpi = _dpi_as_placed(each)
        strips.append((share, dpi))
        if share >= 0.5:
            covering.append(dpi)
    if covering:
        return float(max(covering))
    covered = sum(share for share, _ in strips)
    return sum(share * dpi for share, dpi in strips) / covered if covered >= 0.5 else None


def _dpi_as_placed(image: pypdfium2.PdfImage) -> float:
    """The smaller of the two; by the matrix, which has the image's sides in points, however it is turned."""
    a, b, c, d, _, _ = image.get_matrix().get()
    width, height = image.get_px_size()
    return float(min(width * 72 / math.hypot(a, b), height * 72 / math.hypot(c, d)))


class _Photograph:
    count = 1

    def __init__(self, file: io.RawIOBase, image_format: str) -> None:
        self._image = Image.open(cast("IO[bytes]", file), formats=[image_format])

    def page(self, number: int) -> Page:
        dpi = _dpi_of_image(self._image)
        self._image.draft("RGB", (2 * PREVIEW_SIDE, 2 * PREVIEW_SIDE))
        return Page(_small(self._image), dpi)


class _TiffPages:
    """Each page is given to the decoder as a file of its own, for it reads the whole of a compressed file."""

    def __init__(self, file: io.RawIOBase, page_limit: int) -> None:
        image = Image.open(cast("IO[bytes]", file), formats=["TIFF"])
        assert isinstance(image, TiffImageFile)  # noqa: S101 - of this format
        self._file, self._image = file, image
        self.count = 0
        # One by one: a seek beyond the last page leaves a wrong number of pages behind.
        with contextlib.suppress(EOFError):
            while self.count <= page_limit:
                image.seek(self.count)
                self.count += 1

    def page(self, number: int) -> Page:
        self._image.seek(number)
        with Image.open(_alone(self._image.tag_v2, self._file), formats=["TIFF"]) as image:
            return Page(_small(image), _dpi_of_image(image))


# What decoding a page takes, by TIFF 6.0 and its supplements, beside where its bytes are.
_TIFF_TAGS = frozenset(
    (256, 257, 258, 259, 262, 266, 274, 277, 278, 282, 283, 284, 292, 293, 296, 317, 320, 322, 323)
) | frozenset((338, 339, 347, 530, 531, 532))
_STRIPS, _TILES = (273, 279), (324, 325)


def _alone(tags: ImageFileDirectory_v2, file: io.RawIOBase) -> io.BytesIO:
    """A TIFF of this one page."""
    where, sizes = _STRIPS if _STRIPS[0] in tags else _TILES
    ranges = list(zip(tags[where], tags[sizes], strict=True))
    stored = sum(size for _, size in ranges)
    if stored > _STORED_PAGE_LIMIT:
        raise UnreadablePageError
    order = b"MM\0*" if tags.prefix == b"MM" else b"II*\0"
    page = ImageFileDirectory_v2(order + bytes(4))
    for tag in _TIFF_TAGS & tags.keys():
        page.tagtype[tag] = tags.tagtype[tag]
        page[tag] = tags[tag]
    page.tagtype[where] = page.tagtype[sizes] = 4  # LONG
    page[where], page[sizes] = tuple(0 for _ in ranges), tuple(size for _, size in ranges)
    place, places = 8 + len(page.tobytes(8)), []
    for _, size in ranges:
        places.append(place)
        place += size
    # Offsets of strips are counted from the end of the directory by the library, those of tiles are not.
    if where == _STRIPS[0]:
        places = [each - places[0] for each in places]
    page[where] = tuple(places)
    alone = io.BytesIO()
    page.save(alone)
    for offset, size in ranges:
        file.seek(offset)
        alone.write(file.read(size) or b"")
    alone.seek(0)
    return alone


def _dpi_of_image(image: Image.Image) -> float | None:
    """By its tags, the smaller of the two; None where they say nothing, for which the library has defaults."""
    if isinstance(image, TiffImageFile):
        if TiffImagePlugin.X_RESOLUTION not in image.tag_v2:
            return None
    elif (
        image.format == "JPEG"
        and not image.info.get("jfif_unit")
        and ExifTags.Base.XResolution not in image.getexif()
    ):
        return None
    dpi = image.info.get("dpi")
    return None if dpi is None or min(dpi) <= 1 else float(min(dpi))


def _small(image: Image.Image) -> Image.Image:
    if image.width * image.height > _PIXELS_LIMIT:
        raise UnreadablePageError
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    if image.mode.startswith("I;16"):
        # The library would clip 16 bits to 8, not scale them.
        image = image.convert("I").point(lambda shade: shade / 256)
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode in ("1", "I", "F") else "RGB")
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return ImageOps.exif_transpose(image)
