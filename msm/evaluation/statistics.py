"""How far a mean or a difference may be chance: intervals, tests, and their correction.

The unit of chance is the question. One that exists in several languages is drawn, or has its sign turned, in all
of them at once: its translations are easy or hard together, and to treat them as independent would make the
interval of the mean over languages too narrow. Seeds are averaged first, value by value; what they add to the
uncertainty is reported beside, as their standard deviation.

All models see the same draws, so that each is drawn once for all of them, and a resampled difference is the
difference of two resampled means.

Shapes: M models, C questions, L languages, B resamples, N questions of one language. A value is NaN where a question
does not exist in a language; the same ones are absent of all models.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msm.collections.runs import Floats, Integers

_DRAWS = 1 << 22
"""Random numbers held at once."""

Pairs = Sequence[tuple[int, int]]
"""Places of a model and of its baseline among the models."""


class Columns(NamedTuple):
    """Values of several models on the same questions, language by language; holds nothing for absent ones."""

    questions: int
    """C."""
    languages: list[tuple[Integers, Floats]]
    """Rows of the questions that exist in a language, [N], and their values by all models, [N, M]."""


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


def columns(values: Floats) -> Columns:
    """Values by language, of one model, [C, L], or of several, [M, C, L]; every language has at least one."""
    stacked = values.reshape(-1, *values.shape[-2:])
    present = [np.flatnonzero(np.isfinite(column)) for column in stacked[0].T]
    return Columns(stacked.shape[1], [(rows, stacked[:, rows, place].T) for place, rows in enumerate(present)])


def bootstrap(values: Columns, *, resamples: int, seed: int) -> Floats:
    """Means of resampled questions: of every language, and their mean, [M, B, L + 1].

    Args:
        values: of all models.
        resamples: B.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for count in _parts(resamples, values.questions):
        times = np.empty((count, values.questions))
        for row in times:
            row[:] = np.bincount(rng.integers(len(row), size=len(row)), minlength=len(row))
        parts.append(np.stack([_weighted_means(times[:, rows], known) for rows, known in values.languages], axis=-1))
    return np.moveaxis(with_mean(np.concatenate(parts)), 1, 0)


def _weighted_means(times: Floats, known: Floats) -> Floats:
    """Means of questions drawn several times, [B, N] and [N, M] to [B, M]."""
    return (times @ known) / np.maximum(times.sum(axis=1, keepdims=True), 1)


def intervals(samples: Floats) -> list[Interval]:
    """Percentile intervals of resampled values, [B, columns] to one a column."""
    return [Interval(float(low), float(high)) for low, high in np.quantile(samples, (0.025, 0.975), axis=0).T]


def randomisation_test(values: Columns, pairs: Pairs, *, resamples: int, seed: int) -> Floats:
    """Two-sided p values of paired differences: of every language, and of their mean, [pairs, L + 1].

    If two models were alike, each question could as well have the opposite sign. The share of random signs
    that give at least as great a mean, the observed signs counted as one of them.

    Args:
        values: of all models.
        pairs: which model less which.
        resamples: random signs drawn, B.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    shares = [(rows, known / len(rows)) for rows, known in values.languages]
    first, second = np.array(pairs).T
    means = with_mean(np.stack([known.sum(axis=0) for _, known in shares], axis=-1))
    observed = np.abs(means[first] - means[second])
    # Sums in another order differ in their last digits.
    near = 1e-12 * max(1.0, float(np.abs(means).max()))
    as_great = np.ones(observed.shape)
    for count in _parts(resamples, values.questions):
        # A bit a question, in whole words of the generator: whether its sign is turned, which takes it away twice.
        words = rng.bytes(4 * count * -(-values.questions // 32))
        turned = np.unpackbits(np.frombuffer(words, np.uint8).reshape(count, -1), axis=1)
        taken = np.stack([turned[:, rows].astype(np.float64) @ known for rows, known in shares], axis=-1)
        drawn = means - 2 * with_mean(taken)
        as_great += np.sum(np.abs(drawn[:, first] - drawn[:, second]) >= observed - near, axis=0)
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


def compare(
    values: Columns, pairs: Pairs, *, resamples: int, signs: int, seed: int, less_is_better: bool = False
) -> list[Comparison]:
    """Paired comparisons of models on the same questions.

    Args:
        values: of every model, averaged over its seeds.
        pairs: which model against which baseline; at least one.
        resamples: of the intervals.
        signs: drawn for the tests.
        seed: of both.
        less_is_better: whether the lower value wins.
    """
    samples = bootstrap(values, resamples=resamples, seed=seed)
    p_values = randomisation_test(values, pairs, resamples=signs, seed=seed)
    known = [known for _, known in values.languages]
    sign = -1 if less_is_better else 1
    return [_comparison(known, samples, pair, of_pair, sign) for pair, of_pair in zip(pairs, p_values, strict=True)]


def _comparison(
    languages: list[Floats], samples: Floats, pair: tuple[int, int], p_values: Floats, sign: int
) -> Comparison:
    """One of the pairs; values by language, each [N, M]; a change of `sign` is a win."""
    model, baseline = pair
    changes = [sign * (known[:, model] - known[:, baseline]) for known in languages]
    counts = [
        [np.count_nonzero(change > 1e-12), np.count_nonzero(np.abs(change) <= 1e-12), np.count_nonzero(change < -1e-12)]
        for change in changes
    ]
    return Comparison(
        with_mean(np.array([sign * change.mean() for change in changes])),
        intervals(samples[model] - samples[baseline]),
        p_values,
        *(np.append(count, count.sum()) for count in np.array(counts).T),
    )


def _parts(resamples: int, questions: int) -> Iterator[int]:
    """Resamples cut into parts that fit the memory."""
    largest = max(1, _DRAWS // questions)
    for done in range(0, resamples, largest):
        yield min(largest, resamples - done)
