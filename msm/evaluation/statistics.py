"""Computes how far a mean or a difference may be chance: intervals, tests, ranks, and their correction.

The unit of chance is the cluster: the questions about one paragraph, story or document, in all their languages. They
are easy or hard together, and to treat them as independent would make intervals too narrow; a cluster is drawn, or
has its signs turned, as a whole. Where a benchmark knows no clusters, a question with its translations is one. Seeds
are averaged first, value by value; what they add to the uncertainty is reported beside, as their standard deviation.

Intervals are quantiles of the bootstrap, at levels that widen them as Student's t does for so many clusters (Hesterberg
2015, What teachers should know about the bootstrap, the expanded percentile interval): plain quantiles are too narrow
for few clusters. The levels hold for 50 clusters and more.

All models see the same draws, so that each is drawn once for all of them, and a resampled difference is the
difference of two resampled means.

Shapes: M models, C questions, G clusters, L languages, B resamples, N questions of one language. A value is NaN where
a question does not exist in a language; the same ones are absent of all models.
"""

from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from msm.collections.runs import Floats, Integers

FEW_CLUSTERS = 50
"""Number of clusters below which intervals and tests are rough, which tables say."""
SIGNIFICANT = 0.05
"""P value below which a difference counts as one."""
TAIL = 0.025
"""Share of either side that 95 % intervals leave out."""
_DRAWS = 1 << 22
"""Largest number of random numbers held at once."""

Pairs = Sequence[tuple[int, int]]
"""Indices of a model and of its baseline among the models."""


class Columns(NamedTuple):
    """Values of several models on the same questions, language by language, without absent ones."""

    clusters: Integers
    """Number of the cluster of every question, 0 to G - 1, [C]."""
    languages: list[tuple[Integers, Floats]]
    """Rows of the questions that exist in a language, [N], and their values by all models, [N, M]."""

    @property
    def cluster_count(self) -> int:
        """Number of clusters, G."""
        return int(self.clusters.max()) + 1

    def sums(self) -> list[tuple[Floats, Floats]]:
        """Return the questions of each cluster, [G], and the sums of their values, [G, M], of every language."""
        sums_by_language = []
        for rows, values in self.languages:
            clusters = self.clusters[rows]
            counts, *sums = (np.bincount(clusters, weights, self.cluster_count) for weights in (None, *values.T))
            sums_by_language.append((counts.astype(np.float64), np.stack(sums, axis=-1)))
        return sums_by_language


class Interval(NamedTuple):
    """Bounds that hold a value with 95 % confidence."""

    low: float
    high: float


def with_mean(means: Floats) -> Floats:
    """Append to language means their unweighted mean, [..., L] to [..., L + 1]."""
    return np.concatenate([means, means.mean(axis=-1, keepdims=True)], axis=-1)


def language_means(values: Floats) -> Floats:
    """Return the mean of every language, and the mean of these, [C, L] to [L + 1]."""
    return with_mean(np.nanmean(values, axis=0))


def columns(values: Floats, clusters: Integers | None = None) -> Columns:
    """Return values by language, of one model, [C, L], or of several, [M, C, L]; every language has at least one.

    Args:
        values: NaN where a question does not exist in a language.
        clusters: number of the cluster of every question, [C]; without it, each question is one.
    """
    models = values.reshape(-1, *values.shape[-2:])
    present = [np.flatnonzero(np.isfinite(column)) for column in models[0].T]
    numbers = np.arange(models.shape[1]) if clusters is None else clusters
    return Columns(numbers, [(rows, models[:, rows, language].T) for language, rows in enumerate(present)])


def bootstrap(values: Columns, *, resamples: int, seed: int) -> Floats:
    """Return means of resampled clusters: of every language, and the mean of these, [M, B, L + 1].

    Args:
        values: values of all models.
        resamples: number of resamples, B.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    parts, sums = [], values.sums()
    for count in _parts(resamples, values.cluster_count):
        times = np.empty((count, values.cluster_count))
        for row in times:
            row[:] = np.bincount(rng.integers(len(row), size=len(row)), minlength=len(row))
        parts.append(np.stack([_weighted_means(times, *of_language) for of_language in sums], axis=-1))
    return np.moveaxis(with_mean(np.concatenate(parts)), 1, 0)


def _weighted_means(times: Floats, counts: Floats, sums: Floats) -> Floats:
    """Return means of questions whose clusters are drawn several times, [B, G], [G] and [G, M] to [B, M]."""
    return (times @ sums) / np.maximum(times @ counts, 1)[:, None]


def intervals(samples: Floats, clusters: int) -> list[Interval]:
    """Return intervals of resampled values, [B, columns] to one for each column.

    Args:
        samples: resampled means, as `bootstrap` returns them.
        clusters: number of clusters, G, which decides how much the quantiles are widened.
    """
    level = _level(clusters)
    return [Interval(float(low), float(high)) for low, high in np.quantile(samples, (level, 1 - level), axis=0).T]


def _level(clusters: int) -> float:
    """Return the quantile of the bootstrap that stands for the lower 2.5 % with so many clusters."""
    return NormalDist().cdf(-_reach(TAIL, clusters))


def _reach(tail: float, clusters: int) -> float:
    """Return how many errors of the bootstrap lie between a value and the limit that leaves out a tail on one side.

    The bootstrap takes the clusters for all there are: its errors are too small for G of them, its tails too light.
    """
    freedom = max(clusters - 1, 1)
    return -float(stdtrit(freedom, tail)) * ((freedom + 1) / freedom) ** 0.5


def randomisation_test(values: Columns, pairs: Pairs, *, resamples: int, seed: int) -> Floats:
    """Return two-sided p values of paired differences: of every language, and of their mean, [pairs, L + 1].

    If two models were alike, each cluster's differences could as well have the opposite sign. The share of random
    signs that give at least as great a mean, the observed signs counted as one of them.

    Args:
        values: values of all models.
        pairs: indices of a model and its baseline.
        resamples: number of random signs drawn, B.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    shares = [sums / counts.sum() for counts, sums in values.sums()]
    models, baselines = np.array(pairs).T
    means = with_mean(np.stack([share.sum(axis=0) for share in shares], axis=-1))
    gaps = np.abs(means[models] - means[baselines])
    # Sums in another order differ in their last digits.
    near = 1e-12 * max(1.0, float(np.abs(means).max()))
    as_great = np.ones(gaps.shape)
    for count in _parts(resamples, values.cluster_count):
        # A bit a cluster, in whole words of the generator: whether its sign is turned, which takes it away twice.
        words = rng.bytes(4 * count * -(-values.cluster_count // 32))
        bits = np.unpackbits(np.frombuffer(words, np.uint8).reshape(count, -1), axis=1)
        is_turned = bits[:, : values.cluster_count].astype(np.float64)
        turned_sums = np.stack([is_turned @ share for share in shares], axis=-1)
        random_means = means - 2 * with_mean(turned_sums)
        as_great += np.sum(np.abs(random_means[:, models] - random_means[:, baselines]) >= gaps - near, axis=0)
    return as_great / (resamples + 1)


def holm(p_values: Floats) -> Floats:
    """Correct p values for their number by Holm's method; returns them in the order of the input.

    Source: Holm 1979, a simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected_values = np.empty(len(p_values))
    corrected_values[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected_values


class Comparison(NamedTuple):
    """A model against a baseline, one entry for each language and a last one for their mean."""

    differences: Floats
    """Value of the model less that of the baseline, [L + 1]."""
    intervals: list[Interval]
    """95 % intervals of the differences, [L + 1]."""
    p_values: Floats
    """P values without correction, [L + 1]."""
    wins: NDArray[np.integer]
    """Number of questions where the model is better, [L + 1]; the last counts all languages."""
    ties: NDArray[np.integer]
    losses: NDArray[np.integer]


def compare(
    values: Columns, pairs: Pairs, *, resamples: int, signs: int, seed: int, less_is_better: bool = False
) -> list[Comparison]:
    """Return paired comparisons of models on the same questions.

    Args:
        values: values of every model, averaged over its seeds.
        pairs: indices of a model and its baseline; at least one pair.
        resamples: number of resamples of the intervals.
        signs: number of random signs of the tests.
        seed: seed of both.
        less_is_better: whether the lower value wins.
    """
    samples = bootstrap(values, resamples=resamples, seed=seed)
    p_values = randomisation_test(values, pairs, resamples=signs, seed=seed)
    by_language = [by_language for _, by_language in values.languages]
    sign = -1 if less_is_better else 1
    return [
        _comparison(by_language, samples, values.cluster_count, pair, of_pair, sign)
        for pair, of_pair in zip(pairs, p_values, strict=True)
    ]


def _comparison(
    languages: list[Floats], samples: Floats, clusters: int, pair: tuple[int, int], p_values: Floats, sign: int
) -> Comparison:
    """Return one of the comparisons; values by language, each [N, M]; a change of `sign` is a win."""
    model, baseline = pair
    changes = [sign * (values_of_all[:, model] - values_of_all[:, baseline]) for values_of_all in languages]
    counts = [
        [np.count_nonzero(change > 1e-12), np.count_nonzero(np.abs(change) <= 1e-12), np.count_nonzero(change < -1e-12)]
        for change in changes
    ]
    return Comparison(
        with_mean(np.array([sign * change.mean() for change in changes])),
        intervals(samples[model] - samples[baseline], clusters),
        p_values,
        *(np.append(count, count.sum()) for count in np.array(counts).T),
    )


class RankInterval(NamedTuple):
    """The ranks that a model may have among all, with 95 % confidence for all models at once; 1 is best."""

    first: int
    last: int


def rank_intervals(values: Columns, samples: Floats, *, less_is_better: bool = False) -> list[RankInterval]:
    """Return a range of ranks for each model, from all pairs that can be told apart, looked at together.

    A pair is told apart where its difference is greater than the 95 % quantile of the greatest difference, in
    standard errors, of any pair among resampled data (the bootstrap of the maximum); so that with 95 % confidence no
    pair at all is told apart by chance. For few clusters the quantile is that of Student's t at the same level.

    Args:
        values: values of all models.
        samples: resampled means of the models, as `bootstrap` returns them.
        less_is_better: whether the lower value wins.

    Source: Mogstad, Romano, Shaikh and Wilhelm 2024, Inference for ranks; Romano and Wolf 2005, the maximum of t.
    """
    means = with_mean(np.stack([values_of_all.mean(axis=0) for _, values_of_all in values.languages], axis=-1))[:, -1]
    gaps = means[:, None] - means
    means_of_draws = samples[:, :, -1]
    errors = np.zeros(gaps.shape)
    greatest = np.zeros(means_of_draws.shape[1])
    for row in range(len(means_of_draws) - 1):
        rest = slice(row + 1, None)
        differences = means_of_draws[row] - means_of_draws[rest]
        error = errors[row, rest] = errors[rest, row] = differences.std(axis=1)
        safe = np.where(error > 1e-12, error, np.inf)
        greatest = np.maximum(greatest, (np.abs(differences - gaps[row, rest, None]) / safe[:, None]).max(axis=0))
    tail = NormalDist().cdf(-float(np.quantile(greatest, 1 - 2 * TAIL)))
    reach = _reach(tail, values.cluster_count) * errors
    better = (-gaps if less_is_better else gaps) > np.maximum(reach, 1e-12)
    # `better[i, j]`: i is better than j.
    return [
        RankInterval(1 + int(above), len(means) - int(below))
        for above, below in zip(better.sum(axis=0), better.sum(axis=1), strict=True)
    ]


def _parts(resamples: int, clusters: int) -> Iterator[int]:
    """Resamples cut into parts that fit the memory."""
    largest = max(1, _DRAWS // clusters)
    for start in range(0, resamples, largest):
        yield min(largest, resamples - start)
