"""A figure as a chart, SVG or PNG, by matplotlib's objects, without its state machine.

The font of the settings (TrueType, with Chinese) draws every text of a PNG; without it there is no PNG, since Chinese
would be empty boxes. An SVG holds its texts as text, and names fonts with Chinese that the reader's program may have.
A suppressed count has no bar but the mark, above the other bars of a stack. One thread draws: the library is not made
for several.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ticker import MaxNLocator

from archive_store.foundation.errors import ErrorCode, RegistrarError
from archive_store.foundation.workers import Workers
from archive_store.statistics.figures import Figure, Suppressed

CATEGORIES_LIMIT = 60
SERIES_LIMIT = 20
drawing = Workers("charts", 1, waiting=20)
# Text stays text, a name with a dollar sign is no formula, and equal figures are equal bytes.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "registrar", "text.parse_math": False})
# Without the font of the settings, texts are measured by one that lacks Chinese.
warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
_NAMED_FONTS = [
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Zen Hei",
]
_WIDE, _HIGH, _DOTS = 11.0, 6.0, 120


class ChartType(StrEnum):
    """What a chart is drawn as; also the ending of its name."""

    SVG = "svg"
    PNG = "png"


def fits(figure: Figure) -> bool:
    """Whether a chart of so many bars can be read."""
    return len(figure.categories) <= CATEGORIES_LIMIT and len(figure.series) <= SERIES_LIMIT


def chart_of(figure: Figure, chart_type: ChartType, font_file: Path | None) -> bytes:
    """The chart. TOO_MANY of a figure that no chart holds; WRONG_STATE of a PNG where no font is set.

    Takes a second of a thread: call it by `drawing`.
    """
    for field, held, limit in (
        ("categories", figure.categories, CATEGORIES_LIMIT),
        ("series", figure.series, SERIES_LIMIT),
    ):
        if len(held) > limit:
            raise RegistrarError(ErrorCode.TOO_MANY, field=field, limit=limit)
    if font_file is None and chart_type is ChartType.PNG:
        raise RegistrarError(ErrorCode.WRONG_STATE, field="file", state="NO_FONT_FILE")
    families = [*([_family(font_file)] if font_file else []), *_NAMED_FONTS, "sans-serif"]
    return _drawn(figure, chart_type, families)


@lru_cache(maxsize=4)
def _family(font_file: Path) -> str:
    fontManager.addfont(str(font_file))
    return FontProperties(fname=str(font_file)).get_name()


def _drawn(figure: Figure, chart_type: ChartType, families: Sequence[str]) -> bytes:
    page = Drawing(figsize=(_WIDE, _HIGH), layout="constrained")
    canvas = FigureCanvasSVG(page) if chart_type is ChartType.SVG else FigureCanvasAgg(page)
    font = FontProperties(family=list(families), size=10)
    small = FontProperties(family=list(families), size=8)
    axes = page.add_subplot()
    _bars(axes, figure, font)
    axes.set_title(figure.title, fontproperties=FontProperties(family=list(families), size=14))
    axes.set_xlabel("\n".join([figure.axis, *figure.notes]), fontproperties=font)
    axes.set_ylabel(figure.counted, fontproperties=font)
    is_long = len(figure.categories) > 8 or any(len(text) > 12 for text in figure.categories)
    axes.set_xticks(
        range(len(figure.categories)),
        labels=list(figure.categories),
        fontproperties=small,
        rotation=45 if is_long else 0,
        ha="right" if is_long else "center",
        rotation_mode="anchor",
    )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    if len(figure.series) > 1:
        page.legend(loc="outside right upper", prop=small, frameon=False)
    file = io.BytesIO()
    undated: dict[str, Any] = {"Date": None} if chart_type is ChartType.SVG else {"Software": None}
    canvas.print_figure(file, dpi=_DOTS, format=chart_type.value, metadata=undated)
    return file.getvalue()


def _bars(axes: Axes, figure: Figure, font: FontProperties) -> None:
    colours = colormaps["tab20" if len(figure.series) > 10 else "tab10"]
    number = len(figure.series)
    width = 0.8 if figure.is_stacked else 0.8 / max(number, 1)
    below = [0] * len(figure.categories)
    marks: set[tuple[float, int]] = set()
    for order, series in enumerate(figure.series):
        shift = 0.0 if figure.is_stacked else (order - (number - 1) / 2) * width
        places = [place + shift for place in range(len(series.counts))]
        counts = [0 if isinstance(count, Suppressed) else count for count in series.counts]
        axes.bar(places, counts, width * 0.95, bottom=below, label=series.name, color=colours(order))
        marks |= {
            (places[place], place)
            for place, count in enumerate(series.counts)
            if isinstance(count, Suppressed)
        }
        if figure.is_stacked:
            below = [held + count for held, count in zip(below, counts, strict=True)]
    for x, place in sorted(marks):
        axes.text(x, below[place], Suppressed.CELL.value, ha="center", va="bottom", fontproperties=font)
    axes.set_ylim(bottom=0)
