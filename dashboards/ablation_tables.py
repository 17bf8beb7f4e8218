"""Turns ablations into data frames."""

from collections.abc import Sequence

import pandas as pd

from msm.reporting import wording
from msm.reporting.ablations import REFERENCE, REFERENCES, OrderRow
from msm.reporting.contents import AblationRow


def ablations_frame(rows: Sequence[AblationRow]) -> pd.DataFrame:
    """Return the change of every row here and in print, in points (values times 100); the reference is at 0."""
    cells = []
    for row in rows:
        low, high = row.interval or (None, None)
        ours, theirs = (
            (0.0, 0.0) if row.model == REFERENCES.get(row.table, REFERENCE) else (row.change, row.printed_change)
        )
        cells.append([row.label, "paper", theirs, None, None, row.printed_value])
        if row.value is not None:
            cells.append([row.label, "ours", ours, low, high, row.value])
    frame = pd.DataFrame(cells, columns=pd.Index(["row", "whose", "change", "low", "high", "value"]))
    return frame.assign(**{name: 100 * frame[name].astype(float) for name in ("change", "low", "high", "value")})


def trainings_frame(rows: Sequence[AblationRow]) -> pd.DataFrame:
    """Return the change of every training against the mean of the reference's, in points (values times 100)."""
    changes = [(row.label, 100 * change) for row in rows for change in row.seed_changes]
    return pd.DataFrame(changes, columns=pd.Index(["row", "change"])).astype({"row": str, "change": float})


def ablations_text(rows: Sequence[AblationRow]) -> pd.DataFrame:
    """Return the changes of every row as text."""
    return pd.DataFrame(
        {
            "table": row.table,
            "row": row.label,
            "model": row.model,
            "ours": wording.times_100(row.value),
            "change": "" if row.change is None else wording.signed(row.change),
            "95 % interval": "" if row.interval is None else wording.signed_interval(row.interval),
            "paper": wording.times_100(row.printed_value),
            "its change": "" if row.printed_change is None else wording.signed(row.printed_change),
        }
        for row in rows
    )


def order_frames(points: Sequence[OrderRow]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the means with their intervals, and the means of every seed, by the share of shuffled documents in %."""
    means = [
        {
            "objective": one.objective,
            "shuffled": 100 * one.reorder,
            "value": 100 * one.value,
            "low": 100 * one.interval.low,
            "high": 100 * one.interval.high,
        }
        for one in points
    ]
    seeds = [
        {"objective": one.objective, "shuffled": 100 * one.reorder, "seed": seed, "value": 100 * value}
        for one in points
        for seed, value in one.seeds.items()
    ]
    return pd.DataFrame(means), pd.DataFrame(seeds)
