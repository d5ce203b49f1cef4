"""Skew and blankness of pages, in this process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from archive_store.inspection.findings import IntakeWarning
from archive_store.inspection.pages import Page
from archive_store.inspection.quality import skew_of, warnings_of
from tests.inspection.papers import blank_page, text_page

W = IntakeWarning


@pytest.mark.parametrize(
    ("angle", "warns"),
    [(0, False), (1, False), (-1, False), (1.5, False), (2, True), (3, True), (-5, True), (9, True)],
)
@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
def test_the_angle_of_the_lines(angle: float, warns: bool, mode: str) -> None:
    page = text_page(angle=angle, mode=mode)
    assert skew_of(page.convert("RGB")) == pytest.approx(-angle, abs=0.3)
    assert warnings_of(Page(page.convert("L"), 300)) == ([W.SKEWED] if warns else [])


@settings(max_examples=25, deadline=None)
@given(st.floats(-9, 9), st.integers(3, 40), st.integers(0, 1000))
def test_any_angle_of_any_text(angle: float, lines: int, seed: int) -> None:
    assert skew_of(text_page(100, angle=angle, lines=lines, seed=seed)) == pytest.approx(-angle, abs=0.4)


def test_what_has_no_lines_has_no_angle() -> None:
    for image in (
        Image.effect_noise((800, 1000), 80),
        Image.linear_gradient("L").resize((800, 1000)),
        Image.new("L", (800, 1000), 255),
        Image.new("L", (1, 1)),
        Image.new("L", (5000, 1)),
    ):
        assert abs(skew_of(image)) <= 1.5


def test_white_on_black_is_text_too() -> None:
    page = text_page(angle=3).point(lambda shade: 255 - shade)
    assert skew_of(page) == pytest.approx(-3, abs=0.3)


@pytest.mark.parametrize("shade", [255, 200, 120, 0])
def test_paper_of_any_shade_is_blank(shade: int) -> None:
    assert warnings_of(Page(Image.new("L", (827, 1169), shade), None)) == [W.BLANK_PAGE]


def test_dust_shadows_and_a_page_number_leave_a_page_blank_and_a_line_does_not() -> None:
    page = blank_page()
    ImageDraw.Draw(page).text((800, 2200), "- 7 -", fill=20, font_size=30)
    assert warnings_of(Page(page, None)) == [W.BLANK_PAGE]
    assert warnings_of(Page(text_page(lines=1), None)) == []


@pytest.mark.parametrize(
    ("dpi", "warns"), [(None, False), (0, True), (199.4, True), (199.5, False), (600, False)]
)
def test_resolution(dpi: float | None, warns: bool) -> None:
    assert (W.LOW_RESOLUTION in warnings_of(Page(text_page(100), dpi))) is warns
