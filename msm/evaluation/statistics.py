"""How far a mean or a difference may be chance: intervals, tests, and their correction.

The unit of chance is the question. One that exists in several languages is drawn, or has its sign turned, in all
of them at once: its translations are easy or hard together, and to treat them as independent would make the
interval of the mean over languages too narrow. Seeds are averaged first, value by value; what they add to the
uncertainty is reported beside, as their standard deviation.

Shapes: C questions, L languages, B resamples. A value is NaN where a question does not exist in a language.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.retrieval.runs import Floats

_DRAWS = 1 << 22
"""Random numbers held at once."""


class Interval(NamedTuple):
    """Bounds that hold a value with 95 % confidence."""

    low: float
    high: float


def with_mean(means: Floats) -> Floats:
    """Language means, and behind them their unweighted mean, [..., L] to [..., L + 1]."""
    return np.concatenate([means, means.mean(axis=-1, keepdims=True)], axis=-1)


def language_means(values: Floats) -> Floats:
    """Mean of every language, and their mean, [C, L] to [L + 1]."""
    return with_mean(np.nanmean(values, axis=0))


def bootstrap(values: Floats, *, resamples: int, seed: int) -> Floats:
    """Means of resampled questions: of every language, and their mean, [B, L + 1].

    For paired differences give the differences.

    Args:
        values: [C, L]; every language has at least one.
        resamples: B.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    present = np.isfinite(values)
    filled = np.where(present, values, 0)
    parts = []
    for count in _parts(resamples, len(values)):
        drawn = rng.integers(len(values), size=(count, len(values)))
        flat = (drawn + np.arange(count)[:, None] * len(values)).ravel()
        times = np.bincount(flat, minlength=drawn.size).reshape(drawn.shape).astype(np.float64)
        parts.append((times @ filled) / np.maximum(times @ present, 1))
    return with_mean(np.concatenate(parts))


def intervals(samples: Floats) -> list[Interval]:
    """Percentile intervals of resampled values, [B, columns] to one a column."""
    return [Interval(float(low), float(high)) for low, high in np.quantile(samples, (0.025, 0.975), axis=0).T]


def randomisation_test(differences: Floats, *, resamples: int, seed: int) -> Floats:
    """Two-sided p values of paired differences: of every language, and of their mean, [L + 1].

    If the two models were alike, each question could as well have the opposite sign. The share of random signs
    that give at least as great a mean, the observed signs counted as one of them.

    Args:
        differences: [C, L]; every language has at least one.
        resamples: random signs drawn, B.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    present = np.isfinite(differences)
    shares = np.where(present, differences, 0) / present.sum(axis=0)
    observed = np.abs(with_mean(shares.sum(axis=0)))
    as_great = np.ones(len(observed))
    for count in _parts(resamples, len(differences)):
        signs = rng.integers(2, size=(count, len(differences))) * 2.0 - 1
        as_great += np.sum(np.abs(with_mean(signs @ shares)) >= observed - 1e-12, axis=0)
    return as_great / (resamples + 1)


def holm(p_values: Floats) -> Floats:
    """P values corrected for their number by Holm's method, in the given order.

    Source: Holm 1979, a simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected


class Comparison(NamedTuple):
    """A model against a baseline, one entry a language and a last one for their mean."""

    differences: Floats
    """Model less baseline, [L + 1]."""
    intervals: list[Interval]
    """Of the differences, [L + 1]."""
    p_values: Floats
    """Not corrected, [L + 1]."""
    wins: NDArray[np.integer]
    """Questions where the model is better, [L + 1]; the last counts all languages."""
    ties: NDArray[np.integer]
    losses: NDArray[np.integer]


def compare(model: Floats, baseline: Floats, *, resamples: int, seed: int) -> Comparison:
    """Paired comparison on the same questions.

    Args:
        model: averaged over its seeds, [C, L].
        baseline: the same, [C, L]; absent where the model's is.
        resamples: of the interval and of the test.
        seed: of both.
    """
    differences = model - baseline
    present = np.isfinite(differences)
    signs = np.where(present & (np.abs(differences) > 1e-12), np.sign(differences), 0)
    wins, losses = (np.sum(signs == sign, axis=0) for sign in (1, -1))
    return Comparison(
        language_means(differences),
        intervals(bootstrap(differences, resamples=resamples, seed=seed)),
        randomisation_test(differences, resamples=resamples, seed=seed),
        *(np.append(count, count.sum()) for count in (wins, present.sum(axis=0) - wins - losses, losses)),
    )


def _parts(resamples: int, questions: int) -> Iterator[int]:
    """Resamples cut into parts that fit the memory."""
    largest = max(1, _DRAWS // questions)
    for done in range(0, resamples, largest):
        yield min(largest, resamples - done)
