"""Computes exactly what a random ranking scores on average: the floor that every table shows.

R of N passages are relevant, and all N! orders are equally likely. The place at rank i is then relevant with
probability R/N, two places both with R(R-1) / N(N-1), and the first r places hold none with the product of
(N-R-i) / (N-i) over i < r.
"""

from collections.abc import Callable

import numpy as np

from msm.collections.measure_names import Measure
from msm.collections.runs import Floats, Integers


def chance(measure: Measure, relevant: Integers, passages: int) -> Floats:
    """Return the expected value for queries of one pool, [Q].

    Args:
        measure: one of `CHANCE`, with or without cutoff.
        relevant: number of relevant passages of each query, [Q].
        passages: number of passages in the pool.
    """
    cutoff = min(measure.cutoff or passages, passages)
    counts, rows = np.unique(relevant, return_inverse=True)
    values = [CHANCE[measure.name](int(count), passages, cutoff) if count else 0.0 for count in counts]
    return np.array(values, dtype=np.float64)[rows]


def average_precision(relevant: int, passages: int, cutoff: int) -> float:
    """Return the expected average precision within the cutoff, divided by all relevant passages.

    Precision at a relevant place i is (1 + relevant ones before it) / i; summed over the places, with H the sum of
    1/i up to the cutoff k: (H + (k - H) (R-1) / (N-1)) / N.
    """
    harmonic = float(np.sum(1 / np.arange(1, cutoff + 1)))
    return (harmonic + (cutoff - harmonic) * (relevant - 1) / max(passages - 1, 1)) / passages


def recall(relevant: int, passages: int, cutoff: int) -> float:
    """Return the expected share of the relevant passages within the cutoff: k / N, whatever R is."""
    return cutoff / passages


def success(relevant: int, passages: int, cutoff: int) -> float:
    """Return the probability of a relevant passage within the cutoff."""
    return 1 - float(_none_within(relevant, passages, cutoff)[-1])


def mrr(relevant: int, passages: int, cutoff: int) -> float:
    """Return the expected 1 / rank of the first relevant passage within the cutoff."""
    first_at = -np.diff(_none_within(relevant, passages, cutoff), prepend=1.0)
    return float(np.sum(first_at / np.arange(1, cutoff + 1)))


def _none_within(relevant: int, passages: int, cutoff: int) -> Floats:
    """Return the probability that the first r ranks hold no relevant passage, for r from 1 to the cutoff."""
    steps = np.arange(cutoff)
    return np.cumprod(np.maximum(passages - relevant - steps, 0) / (passages - steps))


CHANCE: dict[str, Callable[[int, int, int], float]] = {
    "map": average_precision,
    "mrr": mrr,
    "recall": recall,
    "success": success,
}
"""Measures whose chance level depends on R, N and the cutoff alone."""
