"""Draws scores in one pool of all languages over those in the own language's pool, by the share of mono batches."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

from msm.reporting.contents import TradePoint
from msm.reporting.svg import document, text

WIDTH, HEIGHT, LEFT, TOP, RIGHT, LINE = 440, 320, 64, 92, 120, 20
"""Size of the panel, distances around it and height of a line of text, in pixels."""
COLOURS = ("#2463a6", "#b5541b", "#3b7d3a", "#7a4b94")
MOST_LINES = 8
"""Largest number of lines of a scale."""


def picture(points: Sequence[TradePoint], what: str) -> str:
    """Return the values of both pools in points (values times 100), each on its own scale, with 95 % intervals.

    Args:
        points: models, those of a series together.
        what: words for the benchmark and the measure.
    """
    across = _scale([value for point in points for value in (point.own, *point.own_interval)], LEFT, WIDTH)
    up = _scale([value for point in points for value in (point.every, *point.every_interval)], TOP + HEIGHT, -HEIGHT)
    title = "What the share of batches of one language trades"
    parts = [text(24, 34, title, style="title"), text(24, 58, what, style="faint")]
    parts += _lines(across, up)
    base = TOP + HEIGHT + 44
    parts.append(text(LEFT + WIDTH / 2, base, "pool of the question's own language", anchor="middle"))
    parts.append(text(LEFT - 24, TOP - 12, "one pool of all languages"))
    for number, (words, group) in enumerate(groupby(points, lambda point: point.series)):
        colour = COLOURS[number % len(COLOURS)]
        parts += _series(list(group), across, up, colour)
        base += LINE
        parts.append(text(LEFT, base, words, fill=colour))
    base += LINE
    parts.append(
        text(LEFT, base, "labels: share of batches of one language; bars: 95 % intervals", style="faint small")
    )
    return document(LEFT + WIDTH + RIGHT, int(base) + 24, title, parts)


class _Axis:
    """A scale of points: `ticks` in points, and the place of a value from 0 to 1."""

    def __init__(self, ticks: Sequence[float], place: Callable[[float], float]) -> None:
        self.ticks = ticks
        self.place = place


def _scale(values: Sequence[float], start: float, length: float) -> _Axis:
    low, high = 100 * min(values), 100 * max(values)
    step = next(step for step in (0.5, 1, 2, 5, 10, 20) if (high - low) / step < MOST_LINES or step == 20)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    ticks = [step * number for number in range(first, last + 1)]
    return _Axis(ticks, lambda value: start + (100 * value - ticks[0]) / (ticks[-1] - ticks[0]) * length)


def _lines(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for points in across.ticks:
        place = across.place(points / 100)
        parts.append(f'<path d="M{place:.1f} {TOP}V{TOP + HEIGHT}" stroke="#e3e6ea"/>')
        parts.append(text(place, TOP + HEIGHT + 20, f"{points:g}", style="faint small", anchor="middle"))
    for points in up.ticks:
        place = up.place(points / 100)
        parts.append(f'<path d="M{LEFT} {place:.1f}H{LEFT + WIDTH}" stroke="#e3e6ea"/>')
        parts.append(text(LEFT - 8, place + 4, f"{points:g}", style="faint small", anchor="end"))
    return parts


def _series(points: Sequence[TradePoint], across: _Axis, up: _Axis, colour: str) -> list[str]:
    trained = [point for point in points if point.share is not None]
    path = "L".join(f"{across.place(point.own):.1f} {up.place(point.every):.1f}" for point in trained)
    parts = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>']
    for number, point in enumerate(points):
        left, base = across.place(point.own), up.place(point.every)
        for ends in (
            [f"M{across.place(end):.1f} {base:.1f}" for end in point.own_interval],
            [f"M{left:.1f} {up.place(end):.1f}" for end in point.every_interval],
        ):
            parts.append(f'<path d="{ends[0]}{ends[1].replace("M", "L")}" stroke="{colour}" stroke-opacity=".35"/>')
        ground = "#ffffff" if point.share is None else colour
        parts.append(f'<circle cx="{left:.1f}" cy="{base:.1f}" r="4" fill="{ground}" stroke="{colour}"/>')
        words = "no fine-tuning" if point.share is None else f"{100 * point.share:g} %"
        # Labels stand above and below in turn, as neighbours may lie close together.
        parts.append(text(left + 7, base + (15 if number % 2 else -6), words, style="small", fill=colour))
    return parts
