"""Draws the picture of `msm bench growth` in SVG: a panel for each kind of work, time and memory over its size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msm.reporting.svg import document, text

TITLE = "Time and memory against size"
WIDTH, HEIGHT, MARGIN, TOP, GAP = 230, 190, 24, 84, 66
LINES = {"seconds": ("#2463a6", "processor seconds"), "mib": ("#b5541b", "MiB beyond what was held before")}
"""Colour and label of the line of each measured value."""
SIZES = {
    "search": "passages, encode and search",
    "score": "queries, scoring",
    "units": "MB of text, units",
    "report": "runs, table of a dashboard",
}


class Scale(NamedTuple):
    """A logarithmic axis of whole powers of ten."""

    low: int
    high: int
    length: float

    def place(self, value: float) -> float:
        """Return the distance of a value from the low end of the axis, in pixels."""
        return (math.log10(value) - self.low) / (self.high - self.low) * self.length


def picture(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the picture of all measurements; dashed lines show growth in proportion to the size."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    width = 2 * MARGIN + len(kinds) * (WIDTH + GAP)
    height = TOP + HEIGHT + 62
    parts = [text(MARGIN, 34, TITLE, style="title")]
    for number, (colour, name) in enumerate(LINES.values()):
        parts.append(text(MARGIN + 140 * number, 56, name, fill=colour))
    for number, kind in enumerate(kinds):
        parts.append(f'<g transform="translate({MARGIN + 30 + number * (WIDTH + GAP)} {TOP})">')
        parts += [*_panel(kind, [row for row in rows if row["kind"] == kind]), "</g>"]
    return document(width, height, TITLE, parts)


def _panel(kind: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    across = _scale([row["size"] for row in rows], WIDTH)
    up = _scale([max(row[key], 0.01) for row in rows for key in LINES], HEIGHT)
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d5d9de"/>']
    for power in range(across.low, across.high + 1):
        size = f"{10**power:,}" if power >= 0 else f"{10**power:g}"
        parts.append(text(across.place(10**power), HEIGHT + 18, size, style="faint small", anchor="middle"))
    for power in range(up.low, up.high + 1):
        base = HEIGHT - up.place(10**power)
        parts.append(f'<path d="M0 {base:g}H{WIDTH}" stroke="#eceff2"/>')
        parts.append(text(-6, base + 4, f"{10**power:g}", style="faint small", anchor="end"))
    for key, (colour, _) in LINES.items():
        points = [(across.place(row["size"]), HEIGHT - up.place(max(row[key], 0.01))) for row in rows]
        parts.append(_line(points, f'stroke="{colour}" stroke-width="2"'))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(_proportional(rows, key, across, up, colour))
    return [*parts, text(WIDTH / 2, HEIGHT + 40, SIZES.get(kind, kind), anchor="middle")]


def _proportional(rows: Sequence[Mapping[str, Any]], key: str, across: Scale, up: Scale, colour: str) -> str:
    """Return the dashed line from the first point on, along which every unit of size costs the same."""
    first, last = rows[0], rows[-1]
    start = max(first[key], 0.01)
    end = min(last["size"] / first["size"], 10**up.high / start)
    ends = [(across.place(first["size"] * times), HEIGHT - up.place(start * times)) for times in (1, end)]
    return _line(ends, f'stroke="{colour}" stroke-dasharray="3 4" stroke-opacity=".6"')


def _scale(values: Sequence[float], length: float) -> Scale:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Scale(low, max(high, low + 1), length)


def _line(points: Sequence[tuple[float, float]], look: str) -> str:
    return f'<path d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}" fill="none" {look}/>'
