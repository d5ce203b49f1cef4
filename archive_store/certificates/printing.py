"""The paper of a certificate as PDF, A4 across, in Chinese and English, with the address of its check as QR code.

Chinese is set in the reader's own STSong-Light (Adobe CJK), which the file names and does not carry.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from reportlab.graphics import renderPDF
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from archive_store.certificates.documents import CertificateState
from archive_store.certificates.wording import STATES, lines_of, title_of

_FONT = "STSong-Light"
_QR_SIDE = 34 * mm


def certificate_pdf(row: Mapping[str, Any], check_url: str) -> bytes:
    """`row` as stored; one that is no longer valid says so across its head."""
    pdfmetrics.registerFont(UnicodeCIDFont(_FONT))
    width, height = landscape(A4)
    file = io.BytesIO()
    # The same certificate gives the same bytes.
    canvas = Canvas(file, pagesize=(width, height), invariant=1)
    zh, en = title_of(row["kind"])
    canvas.setTitle(f"{zh} {row['number']}")
    canvas.setFont(_FONT, 32)
    canvas.drawCentredString(width / 2, height - 32 * mm, zh)
    canvas.setFont(_FONT, 14)
    canvas.drawCentredString(width / 2, height - 41 * mm, en)
    state = CertificateState(row["state"])
    if state is not CertificateState.VALID:
        canvas.setFillColorRGB(0.7, 0, 0)
        canvas.drawCentredString(width / 2, height - 50 * mm, " ".join(STATES[state]))
        canvas.setFillColorRGB(0, 0, 0)
    place = height - 64 * mm
    for line in lines_of(row["number"], row["paper"]):
        canvas.setFont(_FONT, 13)
        canvas.drawString(30 * mm, place, f"{line.label_zh} {line.label_en}")
        told = line.zh if line.zh == line.en else f"{line.zh} {line.en}"
        canvas.setFont(_FONT, _size_that_fits(told, 115 * mm))
        canvas.drawString(100 * mm, place, told)
        place -= 11 * mm
    _draw_check(canvas, width, check_url)
    canvas.save()
    return file.getvalue()


def _size_that_fits(text: str, width: float) -> float:
    wide = pdfmetrics.stringWidth(text, _FONT, 13)
    return 13.0 if wide <= width else 13.0 * width / wide


def _draw_check(canvas: Canvas, width: float, check_url: str) -> None:
    code = QrCodeWidget(check_url, barLevel="M")
    left, bottom, right, top = code.getBounds()
    scale = (_QR_SIDE / (right - left), 0, 0, _QR_SIDE / (top - bottom), 0, 0)
    drawing = Drawing(_QR_SIDE, _QR_SIDE, transform=scale)
    drawing.add(code)
    renderPDF.draw(drawing, canvas, width - 30 * mm - _QR_SIDE, 22 * mm)
    canvas.setFont(_FONT, 8)
    canvas.drawString(30 * mm, 16 * mm, f"查验 Check: {check_url}")
