"""Draws ablations beside the paper's: what each change of tables 4 to 8 gains or loses, with intervals and seeds."""

from collections.abc import Sequence
from itertools import groupby

from msm.reporting import wording
from msm.reporting.ablations import TITLES
from msm.reporting.contents import AblationRow
from msm.reporting.svg import document, text

LABELS, WIDTH, VALUES, MARGIN, TOP = 190, 420, 150, 24, 96
"""Widths of the labels, of the scale and of the values beside it, margin, and height of the head, in pixels."""
ROW, HEAD = 22, 34
"""Heights of a row and of the title of a table, in pixels."""
OURS, THEIRS = "#2463a6", "#b5541b"
STEP = 10
"""Distance of the lines of the scale, in points."""


def picture(rows: Sequence[AblationRow], what: str) -> str:
    """Return the changes against the reference of each table, in points (values times 100).

    Args:
        rows: rows of the paper's tables, those of one table together. A row that was not trained, or whose reference
            was not, is left out.
        what: words for this project's values: benchmark, measure and pool.
    """
    rows_with_training = [row for row in rows if row.seed_changes]
    low, high = _limits(rows_with_training)
    tables = [(table, list(group)) for table, group in groupby(rows_with_training, lambda row: row.table)]
    height = TOP + len(tables) * HEAD + len(rows_with_training) * ROW + 40
    width = 2 * MARGIN + LABELS + WIDTH + VALUES
    title = "What each change of the masked sentence model gains or loses, in points"
    parts = [text(MARGIN, 34, title, style="title"), text(MARGIN, 58, f"here: {what}", fill=OURS)]
    parts.append(text(MARGIN, 78, "paper: MRR@100 on Mr. TyDi, mean of the languages", fill=THEIRS))
    parts += _scale(low, high, height)
    top = TOP
    for table, group in tables:
        parts.append(text(MARGIN, top + 22, f"Table {table}: {TITLES[table]}", style="bold"))
        top += HEAD
        for row in group:
            parts += _row(row, top + ROW / 2, low, high)
            top += ROW
    return document(width, height, title, parts)


def _limits(rows: Sequence[AblationRow]) -> tuple[int, int]:
    """Return the ends of the scale in points, multiples of its step."""
    values = [0.0]
    for row in rows:
        values += [*row.seed_changes, *(row.interval or ()), row.printed_change or 0.0]
    return int(100 * min(values) // STEP * STEP), int(-(-100 * max(values) // STEP) * STEP)


def _place(points: float, low: int, high: int) -> float:
    return MARGIN + LABELS + (points - low) / (high - low) * WIDTH


def _scale(low: int, high: int, height: int) -> list[str]:
    parts = []
    for points in range(low, high + 1, STEP):
        place = _place(points, low, high)
        colour = "#5f6670" if points == 0 else "#e3e6ea"
        parts.append(f'<path d="M{place:g} {TOP}V{height - 30}" stroke="{colour}"/>')
        parts.append(text(place, height - 14, f"{points:+d}" if points else "0", style="faint small", anchor="middle"))
    return parts


def _row(row: AblationRow, middle: float, low: int, high: int) -> list[str]:
    """Return a row: its interval and its mean, a small mark for every training, and the paper's value."""
    parts = [text(MARGIN + 10, middle + 4.5, row.label)]
    if row.interval:
        ends = [_place(100 * end, low, high) for end in row.interval]
        parts.append(f'<path d="M{ends[0]:g} {middle:g}H{ends[1]:g}" stroke="{OURS}" stroke-width="2"/>')
    for change in row.seed_changes:
        place = _place(100 * change, low, high)
        parts.append(f'<path d="M{place:g} {middle - 6:g}v12" stroke="{OURS}" stroke-opacity=".55"/>')
    ours = _place(100 * (row.change or 0.0), low, high)
    parts.append(f'<circle cx="{ours:g}" cy="{middle:g}" r="4.5" fill="{OURS}"/>')
    if row.printed_change is not None:
        theirs = _place(100 * row.printed_change, low, high)
        parts.append(
            f'<path d="M{theirs:g} {middle - 6:g}l6 6l-6 6l-6 -6z" fill="#ffffff" stroke="{THEIRS}" stroke-width="2"/>'
        )
    return [*parts, text(MARGIN + LABELS + WIDTH + 16, middle + 4.5, _words(row))]


def _words(row: AblationRow) -> str:
    if row.change is None:
        return f"{wording.times_100(row.value)} (reference)"
    trainings = len(row.seed_changes)
    return f"{wording.times_100(row.value)} ({wording.signed(row.change)})" + f", {trainings} seeds" * (trainings > 1)
