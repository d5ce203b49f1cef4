"""The paper of a transcript as PDF, A4 upright, in as many pages as needed; each has number, check and key at its foot.

Fonts are those of the certificates (`certificates/printing.py`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from archive_store.certificates.printing import draw_check, font_of, size_that_fits
from archive_store.transcripts.credentials import TITLE
from archive_store.transcripts.documents import TranscriptState
from archive_store.transcripts.rules import printed_key
from archive_store.transcripts.wording import COLUMNS, STATES, average_line, person_lines, terms_of

_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT = 18 * mm, _WIDTH - 18 * mm
_ROW = 6.2 * mm
_FOOT = 44 * mm
_QR_SIDE = 26 * mm
# Where each column begins, from the left.
_PLACES = tuple(_LEFT + place * mm for place in (0, 28, 98, 116, 148, 174))
# A row of the table: one text across, or the cells of COLUMNS.
_Row = str | Sequence[str]


def transcript_pdf(row: Mapping[str, Any], check_url: str, font_file: Path | None = None) -> bytes:
    """`row` decrypted, its `credential` parsed; the same transcript gives the same bytes."""
    told = row["credential"]["credentialSubject"]
    font = font_of(font_file)
    pages = list(_pages(told))
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=1)
    canvas.setTitle(f"{TITLE[0]} {row['number']}")
    for place, rows in enumerate(pages):
        top = _head(canvas, font, row) if place == 0 else _HEIGHT - 18 * mm
        _table(canvas, font, rows, top)
        _foot(canvas, font, row, check_url, f"{place + 1} / {len(pages)}")
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _rows(told: Mapping[str, Any]) -> Iterator[_Row]:
    for term in terms_of(told):
        yield term.title
        yield from term.courses
    if (line := average_line(told)) is not None:
        yield line


def _pages(told: Mapping[str, Any]) -> Iterator[list[_Row]]:
    """The rows of each page; no term begins as the last row of one."""
    first, others = _room(_top_below_head(told)), _room(_HEIGHT - 18 * mm)
    page: list[_Row] = []
    room = first
    for held in _rows(told):
        if len(page) >= room - isinstance(held, str):
            yield page
            page, room = [], others
        page.append(held)
    yield page


def _top_below_head(told: Mapping[str, Any]) -> float:
    lines = (len(person_lines(told)) + 1) // 2
    return float(_HEIGHT - (44 + 7 * lines) * mm)


def _room(top: float) -> int:
    # One row is the head of the table.
    return int((top - _FOOT) / _ROW) - 1


def _head(canvas: Canvas, font: str, row: Mapping[str, Any]) -> float:
    told = row["credential"]["credentialSubject"]
    canvas.setFont(font, 24)
    canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 22 * mm, TITLE[0])
    canvas.setFont(font, 11)
    canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 29 * mm, TITLE[1])
    state = TranscriptState(row["state"])
    if state is not TranscriptState.VALID:
        canvas.setFillColorRGB(0.7, 0, 0)
        canvas.drawCentredString(_WIDTH / 2, _HEIGHT - 35 * mm, " ".join(STATES[state]))
        canvas.setFillColorRGB(0, 0, 0)
    place = _HEIGHT - 42 * mm
    for number, line in enumerate(person_lines(told)):
        x = _LEFT if number % 2 == 0 else _WIDTH / 2
        value = line.zh if line.zh == line.en else f"{line.zh} {line.en}"
        text = f"{line.label_zh} {line.label_en}: {value}"
        canvas.setFont(font, size_that_fits(text, font, 10, _WIDTH / 2 - 22 * mm))
        canvas.drawString(x, place, text)
        if number % 2 == 1:
            place -= 7 * mm
    return _top_below_head(told)


def _table(canvas: Canvas, font: str, rows: Sequence[_Row], top: float) -> None:
    _cells(canvas, font, [f"{zh} {en}" for zh, en in COLUMNS], top)
    canvas.line(_LEFT, top - 2 * mm, _RIGHT, top - 2 * mm)
    for place, held in enumerate(rows, start=1):
        y = top - place * _ROW
        if isinstance(held, str):
            canvas.setFont(font, size_that_fits(held, font, 9.5, _RIGHT - _LEFT))
            canvas.drawString(_LEFT, y, held)
            canvas.line(_LEFT, y - 1.5 * mm, _RIGHT, y - 1.5 * mm)
        else:
            _cells(canvas, font, held, y)


def _cells(canvas: Canvas, font: str, cells: Sequence[str], y: float) -> None:
    for (x, end), cell in zip(pairwise(_PLACES), cells, strict=True):
        canvas.setFont(font, size_that_fits(cell, font, 9, end - x - 2 * mm))
        canvas.drawString(x, y, cell)


def _foot(canvas: Canvas, font: str, row: Mapping[str, Any], check_url: str, page: str) -> None:
    draw_check(canvas, check_url, _RIGHT - _QR_SIDE, 14 * mm, _QR_SIDE)
    lines = (
        f"成绩单编号 Transcript number: {row['number']}    {page}",
        f"查阅码 Reading key: {printed_key(row['reading_key'])}",
        "查验时输入查阅码,可与原件逐条核对。 With the key, the check shows the original to hold this against.",
        f"查验 Check: {check_url}",
    )
    for place, line in enumerate(lines):
        canvas.setFont(font, size_that_fits(line, font, 8, _RIGHT - _LEFT - _QR_SIDE - 4 * mm))
        canvas.drawString(_LEFT, 34 * mm - place * 5 * mm, line)
