"""How well the pages were scanned, by their small images, and the images kept of the first; of the child process."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, cast

from PIL import Image

from archive_store.inspection import frames
from archive_store.inspection.findings import IntakeWarning
from archive_store.inspection.pages import Page, Pages

if TYPE_CHECKING:
    from archive_store.inspection.child import Parent

# DA/T 31-2017 asks for 200 dpi at least, and 300 for small print.
LEAST_DPI = 200
# Share of pixels that differ from the paper: a page number alone is 0.01 %, a line of text 0.3 %.
BLANK_SHARE = 0.001
SKEW_DEGREES = 1.5

_THUMBNAIL_SIDE = 256
_SIDE = 800
_MARGIN = 0.03  # shadows at the edges of the scanner
_CONTRAST = 48
_STEEPEST = 10
# The profile of lines has peaks; that of a photograph has none worth the name.
_PEAK = 1.3
_JPEG_QUALITIES = (80, 60, 40, 20)


def inspect_pages(pages: Pages, parent: Parent, numbers: Sequence[int]) -> None:
    """Tell the count, the images of the first page, and what is wrong with the pages of these ordinals, from 0."""
    parent.tell_count(pages.count)
    for number in numbers:
        try:
            page = pages.page(number)
            if number == 0:
                _tell_images(page.image, parent)
            for code in warnings_of(page):
                parent.warn(code, number + 1)
        except Exception:
            parent.warn(IntakeWarning.UNREADABLE, number + 1)


def warnings_of(page: Page) -> list[IntakeWarning]:
    """What is wrong with the page."""
    found = []
    if page.dpi is not None and round(page.dpi) < LEAST_DPI:
        found.append(IntakeWarning.LOW_RESOLUTION)
    ink = _ink(page.image)
    if _share(ink) < BLANK_SHARE:
        found.append(IntakeWarning.BLANK_PAGE)
    elif abs(_skew(ink)) > SKEW_DEGREES:
        found.append(IntakeWarning.SKEWED)
    return found


def skew_of(image: Image.Image) -> float:
    """Degrees by which the lines of text must be turned, anticlockwise, to lie level; 0 where there are none."""
    return _skew(_ink(image))


def _ink(image: Image.Image) -> Image.Image:
    """White where the page differs from its paper, the commonest shade, without its edges."""
    grey = image.convert("L")
    grey.thumbnail((_SIDE, _SIDE))
    across, down = round(grey.width * _MARGIN), round(grey.height * _MARGIN)
    grey = grey.crop((across, down, grey.width - across, grey.height - down))
    histogram = grey.histogram()
    paper = histogram.index(max(histogram))
    return grey.point([255 if abs(shade - paper) >= _CONTRAST else 0 for shade in range(256)])


def _share(ink: Image.Image) -> float:
    return ink.histogram()[255] / max(1, ink.width * ink.height)


def _skew(ink: Image.Image) -> float:
    """By the projection profile: turned level, lines and the gaps between them differ most."""
    scores = {float(angle): _sharpness(ink, angle) for angle in range(-_STEEPEST, _STEEPEST + 1)}
    coarse = max(scores, key=lambda angle: (scores[angle], -abs(angle)))
    if scores[coarse] < _PEAK * median(scores.values()):
        return 0.0
    fine = {angle: _sharpness(ink, angle) for angle in (coarse + step / 4 for step in range(-3, 4))}
    return max(fine, key=lambda angle: (fine[angle], -abs(angle)))


def _sharpness(ink: Image.Image, angle: float) -> float:
    turned = ink.rotate(angle, Image.Resampling.NEAREST)
    column = turned.convert("F").resize((1, turned.height), Image.Resampling.BOX)
    profile = cast("Sequence[float]", column.get_flattened_data())
    return sum((above - below) ** 2 for above, below in pairwise(profile))


def _tell_images(image: Image.Image, parent: Parent) -> None:
    if preview := _jpeg(image, frames.PREVIEW_LIMIT):
        parent.tell(frames.PREVIEW, preview)
    image = image.copy()
    image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    if thumbnail := _jpeg(image, frames.THUMBNAIL_LIMIT):
        parent.tell(frames.THUMBNAIL, thumbnail)


def _jpeg(image: Image.Image, limit: int) -> bytes | None:
    """In the best quality that fits the limit of bytes."""
    for quality in _JPEG_QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= limit:
            return buffer.getvalue()
    return None
