"""Draws a table as a heat map in SVG, of plain shapes and text, without a plotting library."""

from msm.reporting import wording
from msm.reporting.colours import STOPS, colour
from msm.reporting.contents import Row, Table, limits
from msm.reporting.models import Cell
from msm.reporting.published import MEAN
from msm.reporting.wording import escaped

CELL_WIDTH, CELL_HEIGHT, GAP = 54, 34, 2
MEAN_WIDTH = 162
LABEL_WIDTH, TOP, MARGIN = 150, 104, 24
LETTER, TITLE_LETTER = 7.2, 9.2
"""Widths of an average letter of the text and of the title, in pixels."""
INK = "#1a1d21"
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans',sans-serif;font-size:13px}"
    ".title{font-size:17px;font-weight:600}.faint{fill:#5f6670}.small{font-size:11px}.bold{font-weight:600}"
)


def heatmap(table: Table) -> str:
    """Return a table as an SVG document; a cell without a value stays blank."""
    languages = table.languages
    left = MARGIN + max([LABEL_WIDTH, *(LETTER * len(row.label) for row in table.rows)]) + 16
    cells = len(languages) * CELL_WIDTH
    width = round(max(left + cells + MEAN_WIDTH, MARGIN + TITLE_LETTER * len(table.title)) + MARGIN)
    bottom = TOP + len(table.rows) * CELL_HEIGHT
    low, high = limits(table.rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 58}" width="{width}" '
        f'height="{bottom + 58}" role="img" aria-label="{escaped(table.title)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{bottom + 58}" fill="#ffffff"/>',
        _text(MARGIN, 34, table.title, style="title"),
        _text(MARGIN, 56, table.subtitle, style="faint"),
        *(
            _text(MARGIN, _middle(place), row.label, style="faint" if row.kind == "chance" else "")
            for place, row in enumerate(table.rows)
        ),
        f'<g transform="translate({left:g} 0)">',
        *(
            _text((place + 0.5) * CELL_WIDTH, TOP - 10, language, style="bold", anchor="middle")
            for place, language in enumerate(languages)
        ),
        _text(cells + 14, TOP - 10, "mean, 95 % interval", style="bold"),
    ]
    for place, row in enumerate(table.rows):
        parts += _row(row, table, place, low, high)
    return "\n".join([*parts, *_legend(low, high, bottom + 24), "</g>", "</svg>", ""])


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
        parts.append(_text(left, _middle(place), wording.times_100(mean.value, table.mean_digits), style="bold"))
        beside = left + 29 + 7 * table.mean_digits
        parts.append(_text(beside, _middle(place), wording.interval(mean.interval), style="faint small"))
    return parts


def _cell(cell: Cell | None, column: int, place: int, low: float, high: float) -> list[str]:
    if cell is None or cell.value is None:
        return []
    shade = colour(cell.value, low, high)
    text = wording.times_100(cell.value)
    return [
        f'<rect x="{column * CELL_WIDTH + GAP / 2:g}" y="{TOP + place * CELL_HEIGHT + GAP / 2:g}" '
        f'width="{CELL_WIDTH - GAP}" height="{CELL_HEIGHT - GAP}" rx="3" fill="{shade.fill}"/>',
        _text((column + 0.5) * CELL_WIDTH, _middle(place), text, anchor="middle", fill=shade.text),
    ]


def _legend(low: float, high: float, top: float) -> list[str]:
    step = 14
    bar = [
        f'<rect x="{place * step}" y="{top}" width="{step}" height="10" fill="{stop}"/>'
        for place, stop in enumerate(STOPS)
    ]
    return [
        _text(-8, top + 9, wording.times_100(low), style="faint small", anchor="end"),
        *bar,
        _text(len(STOPS) * step + 8, top + 9, wording.times_100(high), style="faint small"),
    ]


def _text(left: float, base: float, text: str, *, style: str = "", anchor: str = "start", fill: str = INK) -> str:
    kind = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    paint = "" if "faint" in style else f' fill="{fill}"'
    return f'<text x="{left:g}" y="{base:g}"{kind}{place}{paint}>{escaped(text)}</text>'
