"""A table as a heat map in SVG: plain shapes and text, light background, no plotting library."""

from collections.abc import Sequence
from html import escape

from msm.reporting import wording
from msm.reporting.colours import STOPS, colour
from msm.reporting.published import MEAN
from msm.reporting.tables import Cell, Row, Table

CELL_WIDTH, CELL_HEIGHT, GAP = 54, 34, 2
MEAN_WIDTH = 118
TITLE_WIDTH = 640
"""Room for the longest title, whatever the number of languages."""
LABEL, TOP, MARGIN = 166, 104, 24
LETTER = 7.2
"""Width of an average letter."""
INK, FAINT = "#1a1d21", "#5f6670"
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans',sans-serif;font-size:13px}"
    ".title{font-size:17px;font-weight:600}.faint{fill:#5f6670}.small{font-size:11px}.bold{font-weight:600}"
)


def heatmap(table: Table) -> str:
    """The table as an SVG document; a cell without a value stays blank."""
    languages = table.languages
    width = max(LEFT + len(languages) * CELL_WIDTH + MEAN_WIDTH + MARGIN, TITLE_WIDTH)
    height = TOP + len(table.rows) * CELL_HEIGHT + 58
    low, high = limits(table.rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(table.title)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN, 34, table.title, style="title"),
        _text(MARGIN, 56, table.subtitle, style="faint"),
    ]
    for place, language in enumerate(languages):
        parts.append(_text(_left(place) + CELL_WIDTH / 2, TOP - 10, language, style="bold", anchor="middle"))
    parts.append(_text(_left(len(languages)) + 14, TOP - 10, "mean, 95 % interval", style="bold"))
    for place, row in enumerate(table.rows):
        parts += _row(row, languages, TOP + place * CELL_HEIGHT, low, high)
    parts += _legend(low, high, TOP + len(table.rows) * CELL_HEIGHT + 24)
    return "\n".join([*parts, "</svg>", ""])


def limits(rows: Sequence[Row]) -> tuple[float, float]:
    """Smallest and largest value of some rows, between which the colours run; 0 and 1 without any."""
    values = [cell.value for row in rows for cell in row.cells.values() if cell.value is not None]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _left(place: int) -> float:
    return LEFT + place * CELL_WIDTH


def _row(row: Row, languages: Sequence[str], top: float, low: float, high: float) -> list[str]:
    middle = top + CELL_HEIGHT / 2 + 4.5
    parts = [_text(MARGIN, middle, row.label, style="faint" if row.kind == "chance" else "")]
    for place, language in enumerate(languages):
        parts += _cell(row.cells.get(language), _left(place), top, low, high)
    mean = row.cells.get(MEAN)
    if mean is not None and mean.value is not None:
        left = _left(len(languages)) + 14
        parts.append(_text(left, middle, wording.times_100(mean.value), style="bold"))
        parts.append(_text(left + 36, middle, wording.interval(mean.interval), style="faint small"))
    return parts


def _cell(cell: Cell | None, left: float, top: float, low: float, high: float) -> list[str]:
    if cell is None or cell.value is None:
        return []
    shade = colour(cell.value, low, high)
    return [
        f'<rect x="{left + GAP / 2:g}" y="{top + GAP / 2:g}" width="{CELL_WIDTH - GAP}" height="{CELL_HEIGHT - GAP}" '
        f'rx="3" fill="{shade.fill}"/>',
        _text(
            left + CELL_WIDTH / 2,
            top + CELL_HEIGHT / 2 + 4.5,
            wording.times_100(cell.value),
            anchor="middle",
            fill=shade.text,
        ),
    ]


def _legend(low: float, high: float, top: float) -> list[str]:
    step = 14
    bar = [
        f'<rect x="{LEFT + place * step}" y="{top}" width="{step}" height="10" fill="{stop}"/>'
        for place, stop in enumerate(STOPS)
    ]
    return [
        _text(LEFT - 8, top + 9, wording.times_100(low), style="faint small", anchor="end"),
        *bar,
        _text(LEFT + len(STOPS) * step + 8, top + 9, wording.times_100(high), style="faint small"),
    ]


def _text(left: float, base: float, text: str, *, style: str = "", anchor: str = "start", fill: str = INK) -> str:
    kind = f' class="{style}"' if style else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    paint = "" if "faint" in style else f' fill="{fill}"'
    return f'<text x="{left:g}" y="{base:g}"{kind}{place}{paint}>{escape(text)}</text>'
