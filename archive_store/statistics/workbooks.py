"""A figure as a workbook (XLSX): its rows, and a chart of Excel's own over the counts that it shows.

Text is written as text, so that no spreadsheet computes it. A suppressed cell is the mark in the rows and blank in the
range of the chart: Excel would draw a text as 0. The chart's cache is made of that range.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import xlsxwriter

from archive_store.statistics import wording
from archive_store.statistics.charts import fits
from archive_store.statistics.figures import Figure, Suppressed

_HEAD = 1  # rows above the headers


def workbook_of(figure: Figure) -> bytes:
    """The same figure gives the same bytes."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"title": figure.title, "created": datetime(2000, 1, 1, tzinfo=UTC)})
    bold = book.add_format({"bold": True})
    data = book.add_worksheet(wording.DATA_SHEET.of(figure.language))
    _write_rows(figure, book, data, bold)
    if figure.rows and fits(figure):
        _write_chart(figure, book, bold)
    book.close()
    return file.getvalue()


def _write_rows(figure: Figure, book: Any, sheet: Any, bold: Any) -> None:
    mark = book.add_format({"align": "right"})
    sheet.write_string(0, 0, figure.title, bold)
    texts = len(figure.headers) - figure.numbers
    for column, header in enumerate(figure.headers):
        sheet.write_string(_HEAD, column, header, bold)
        sheet.set_column(column, column, 16 if column < texts else 11)
    sheet.freeze_panes(_HEAD + 1, texts)
    for place, row in enumerate(figure.rows, start=_HEAD + 1):
        for column, value in enumerate(row):
            if isinstance(value, Suppressed):
                sheet.write_string(place, column, value.value, mark)
            elif isinstance(value, str):
                sheet.write_string(place, column, value)
            elif value is not None:
                sheet.write_number(place, column, value)
    for place, note in enumerate(figure.notes, start=_HEAD + 2 + len(figure.rows)):
        sheet.write_string(place, 0, note)


def _write_chart(figure: Figure, book: Any, bold: Any) -> None:
    name = wording.CHART_SHEET.of(figure.language)
    sheet = book.add_worksheet(name)
    sheet.set_column(0, 0, 24)
    sheet.write_string(0, 0, figure.axis, bold)
    for place, category in enumerate(figure.categories, start=1):
        sheet.write_string(place, 0, category)
    last = len(figure.categories)
    chart = book.add_chart({"type": "column", **({"subtype": "stacked"} if figure.is_stacked else {})})
    for column, series in enumerate(figure.series, start=1):
        sheet.write_string(0, column, series.name, bold)
        for place, count in enumerate(series.counts, start=1):
            if not isinstance(count, Suppressed):
                sheet.write_number(place, column, count)
        chart.add_series(
            {
                "name": [name, 0, column],
                "categories": [name, 1, 0, last, 0],
                "values": [name, 1, column, last, column],
            }
        )
    chart.set_title({"name": figure.title})
    chart.set_x_axis({"name": figure.axis})
    chart.set_y_axis({"name": figure.counted})
    chart.show_blanks_as("gap")
    chart.set_size({"width": 960, "height": 480})
    sheet.insert_chart(last + 2 + len(figure.notes), 0, chart)
    for place, note in enumerate(figure.notes, start=last + 1):
        sheet.write_string(place, 0, note)
