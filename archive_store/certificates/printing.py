"""The paper of a certificate as PDF, A4 across, in Chinese and English, with the address of its check as QR code.

The font of the settings (TrueType, with Chinese) is carried in the file, as far as it is used. Without one the file
names STSong-Light (Adobe CJK), which the reader's program must have.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from archive_store.certificates.documents import CertificateState
from archive_store.certificates.wording import STATES, lines_of, title_of

_NAMED_FONT = "STSong-Light"
_QR_SIDE = 34 * mm


def certificate_pdf(row: Mapping[str, Any], check_url: str, font_file: Path | None = None) -> bytes:
    """`row` as stored; one that is no longer valid says so across its head."""
    font = font_of(font_file)
    width, height = landscape(A4)
    file = io.BytesIO()
    # The same certificate gives the same bytes.
    canvas = Canvas(file, pagesize=(width, height), invariant=1)
    zh, en = title_of(row["kind"])
    canvas.setTitle(f"{zh} {row['number']}")
    canvas.setFont(font, 32)
    canvas.drawCentredString(width / 2, height - 32 * mm, zh)
    canvas.setFont(font, 14)
    canvas.drawCentredString(width / 2, height - 41 * mm, en)
    state = CertificateState(row["state"])
    if state is not CertificateState.VALID:
        canvas.setFillColorRGB(0.7, 0, 0)
        canvas.drawCentredString(width / 2, height - 50 * mm, " ".join(STATES[state]))
        canvas.setFillColorRGB(0, 0, 0)
    place = height - 64 * mm
    for line in lines_of(row["number"], row["paper"]):
        canvas.setFont(font, 13)
        canvas.drawString(30 * mm, place, f"{line.label_zh} {line.label_en}")
        told = line.zh if line.zh == line.en else f"{line.zh} {line.en}"
        canvas.setFont(font, size_that_fits(told, font, 13, 115 * mm))
        canvas.drawString(100 * mm, place, told)
        place -= 11 * mm
    draw_check(canvas, check_url, width - 30 * mm - _QR_SIDE, 22 * mm, _QR_SIDE)
    canvas.setFont(font, 8)
    canvas.drawString(30 * mm, 16 * mm, f"查验 Check: {check_url}")
    canvas.save()
    return file.getvalue()


def font_of(file: Path | None) -> str:
    name = _NAMED_FONT if file is None else str(file)
    if name not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(name) if file is None else TTFont(name, file))
    return name


def size_that_fits(text: str, font: str, size: float, width: float) -> float:
    wide: float = pdfmetrics.stringWidth(text, font, size)
    return size if wide <= width else size * width / wide


def draw_check(canvas: Canvas, check_url: str, x: float, y: float, side: float) -> None:
    """The address as a QR code, its lower left corner at x and y."""
    code = QrCodeWidget(check_url, barLevel="M")
    left, bottom, right, top = code.getBounds()
    drawing = Drawing(side, side, transform=(side / (right - left), 0, 0, side / (top - bottom), 0, 0))
    drawing.add(code)
    renderPDF.draw(drawing, canvas, x, y)
