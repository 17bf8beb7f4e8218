"""Draws scores against the size of the pre-training: a line for each objective and number of parameters."""

import math
from collections.abc import Sequence
from itertools import groupby

from msm.reporting import wording
from msm.reporting.contents import ScalingPoint
from msm.reporting.svg import document, text

WIDTH, HEIGHT, LEFT, TOP, RIGHT = 380, 300, 64, 92, 170
"""Size of the panel and distances around it, in pixels."""
COLOURS = ("#2463a6", "#b5541b", "#3b7d3a", "#7a4b94")
STEP = 10
"""Distance of the lines of the scale, in points."""


def picture(points: Sequence[ScalingPoint], what: str) -> str:
    """Return the values over the tokens of pre-training, on a logarithmic axis; thicker lines have more parameters.

    Args:
        points: models, sorted by objective, parameters and tokens.
        what: words for the values: benchmark, measure and pool.
    """
    most = math.ceil(max(100 * point.interval.high for point in points) / STEP) * STEP
    low, high = (math.log(bound(point.tokens for point in points)) for bound in (min, max))
    title = "Scores against the size of the pre-training"
    parts = [text(24, 34, title, style="title"), text(24, 58, what, style="faint")]
    parts += _up(most)
    for place, tokens in _ticks(points, low, high):
        parts.append(text(place, TOP + HEIGHT + 20, f"{tokens / 1e6:.2f} M", style="faint small", anchor="middle"))
    parts.append(text(LEFT + WIDTH / 2, TOP + HEIGHT + 42, "tokens of pre-training", anchor="middle"))
    objectives = list(dict.fromkeys(point.objective for point in points))
    sizes = sorted({point.parameters for point in points})
    ends = []
    for (objective, parameters), line in groupby(points, lambda point: point[:2]):
        places = [(_across(point.tokens, low, high), point) for point in line]
        colour, thick = COLOURS[objectives.index(objective) % len(COLOURS)], 1 + sizes.index(parameters)
        parts += _line(places, most, colour, thick)
        words = f"{objective}, {parameters / 1e6:.2f} M: {wording.times_100(places[-1][1].value)}"
        ends.append((_base(places[-1][1].value, most), words, colour))
    for base, words, colour in _spread(ends):
        parts.append(text(LEFT + WIDTH + 12, base + 4.5, words, fill=colour))
    return document(LEFT + WIDTH + RIGHT, TOP + HEIGHT + 60, title, parts)


def _up(most: int) -> list[str]:
    parts = []
    for points in range(0, most + 1, STEP):
        base = _base(points / 100, most)
        parts.append(f'<path d="M{LEFT} {base:g}H{LEFT + WIDTH}" stroke="#e3e6ea"/>')
        parts.append(text(LEFT - 8, base + 4, str(points), style="faint small", anchor="end"))
    return parts


def _ticks(points: Sequence[ScalingPoint], low: float, high: float) -> list[tuple[float, int]]:
    """Return places and numbers of tokens; numbers that lie close together share one."""
    ticks: list[tuple[float, int]] = []
    for tokens in sorted({point.tokens for point in points}):
        place = _across(tokens, low, high)
        if not ticks or place - ticks[-1][0] > 40:
            ticks.append((place, tokens))
    return ticks


def _line(places: Sequence[tuple[float, ScalingPoint]], most: int, colour: str, thick: int) -> list[str]:
    path = "L".join(f"{place:.1f} {_base(point.value, most):.1f}" for place, point in places)
    parts = [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{thick}"/>']
    for place, point in places:
        ends = [_base(end, most) for end in point.interval]
        parts.append(f'<path d="M{place:.1f} {ends[0]:.1f}V{ends[1]:.1f}" stroke="{colour}" stroke-opacity=".5"/>')
        parts.append(f'<circle cx="{place:.1f}" cy="{_base(point.value, most):.1f}" r="3.5" fill="{colour}"/>')
    return parts


def _spread(ends: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Return labels, from the top down, each at least a line below the one before."""
    spread: list[tuple[float, str, str]] = []
    for base, words, colour in sorted(ends):
        spread.append((max(base, spread[-1][0] + 17) if spread else base, words, colour))
    return spread


def _across(tokens: int, low: float, high: float) -> float:
    return LEFT + 14 + (math.log(tokens) - low) / (high - low) * (WIDTH - 28)


def _base(value: float, most: int) -> float:
    return TOP + HEIGHT * (1 - 100 * value / most)
