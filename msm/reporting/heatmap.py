"""Draws a table as a heat map in SVG, of plain shapes and text, without a plotting library."""

from msm.reporting import wording
from msm.reporting.colours import STOPS, colour
from msm.reporting.contents import Row, Table, limits
from msm.reporting.models import Cell
from msm.reporting.published import MEAN
from msm.reporting.svg import document, text

CELL_WIDTH, CELL_HEIGHT, GAP = 54, 34, 2
MEAN_WIDTH = 162
LABEL_WIDTH, TOP, MARGIN = 150, 104, 24
LETTER, TITLE_LETTER = 7.2, 9.2
"""Widths of an average letter of the text and of the title, in pixels."""


def heatmap(table: Table) -> str:
    """Return a table as an SVG document; a cell without a value stays blank."""
    languages = table.languages
    left = MARGIN + max([LABEL_WIDTH, *(LETTER * len(row.label) for row in table.rows)]) + 16
    cells = len(languages) * CELL_WIDTH
    width = round(max(left + cells + MEAN_WIDTH, MARGIN + TITLE_LETTER * len(table.title)) + MARGIN)
    bottom = TOP + len(table.rows) * CELL_HEIGHT
    low, high = limits(table.rows)
    parts = [
        text(MARGIN, 34, table.title, style="title"),
        text(MARGIN, 56, table.subtitle, style="faint"),
        *(
            text(MARGIN, _middle(place), row.label, style="faint" if row.kind == "chance" else "")
            for place, row in enumerate(table.rows)
        ),
        f'<g transform="translate({left:g} 0)">',
        *(
            text((place + 0.5) * CELL_WIDTH, TOP - 10, language, style="bold", anchor="middle")
            for place, language in enumerate(languages)
        ),
        text(cells + 14, TOP - 10, "mean, 95 % interval", style="bold"),
    ]
    for place, row in enumerate(table.rows):
        parts += _row(row, table, place, low, high)
    return document(width, bottom + 58, table.title, [*parts, *_legend(low, high, bottom + 24), "</g>"])


def _middle(place: int) -> float:
    """Return the base line of a row's text, in pixels from the top."""
    return TOP + (place + 0.5) * CELL_HEIGHT + 4.5


def _row(row: Row, table: Table, place: int, low: float, high: float) -> list[str]:
    parts = []
    for column, language in enumerate(table.languages):
        parts += _cell(row.cells.get(language), column, place, low, high)
    mean = row.cells.get(MEAN)
    if mean is not None and mean.value is not None:
        left = len(table.languages) * CELL_WIDTH + 14
        parts.append(text(left, _middle(place), wording.times_100(mean.value, table.mean_digits), style="bold"))
        beside = left + 29 + 7 * table.mean_digits
        parts.append(text(beside, _middle(place), wording.interval(mean.interval), style="faint small"))
    return parts


def _cell(cell: Cell | None, column: int, place: int, low: float, high: float) -> list[str]:
    if cell is None or cell.value is None:
        return []
    shade = colour(cell.value, low, high)
    value = wording.times_100(cell.value)
    return [
        f'<rect x="{column * CELL_WIDTH + GAP / 2:g}" y="{TOP + place * CELL_HEIGHT + GAP / 2:g}" '
        f'width="{CELL_WIDTH - GAP}" height="{CELL_HEIGHT - GAP}" rx="3" fill="{shade.fill}"/>',
        text((column + 0.5) * CELL_WIDTH, _middle(place), value, anchor="middle", fill=shade.text),
    ]


def _legend(low: float, high: float, top: float) -> list[str]:
    step = 14
    bar = [
        f'<rect x="{place * step}" y="{top}" width="{step}" height="10" fill="{stop}"/>'
        for place, stop in enumerate(STOPS)
    ]
    return [
        text(-8, top + 9, wording.times_100(low), style="faint small", anchor="end"),
        *bar,
        text(len(STOPS) * step + 8, top + 9, wording.times_100(high), style="faint small"),
    ]
