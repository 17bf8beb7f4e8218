"""Compares models with controls, and gives a verdict in plain words, noise included.

Two kinds of noise are kept apart. Other questions: the interval and the corrected p. Another training of the same
model: the standard deviation over seeds; with one seed nothing is known of it, and the verdict says so.
"""

from typing import NamedTuple

import numpy as np

from msm.collections.measure_names import LESS_IS_BETTER
from msm.evaluation.statistics import Comparison, Interval, compare, holm, student
from msm.reporting.results import Benchmark, Column, Model, Problem, together
from msm.reporting.settings import Report
from msm.reporting.tables import ordered
from msm.settings import listed

SIGNIFICANT = 0.05
FINEST = 100
"""Smallest number of random signs for each difference, so that the smallest corrected p is .01."""


class Difference(NamedTuple):
    """Mean over the languages of a model less a control, on the same questions."""

    model: str
    control: str
    value: float
    interval: Interval
    """95 % interval over the questions."""
    p: float
    """P value, corrected for all differences in the column."""
    better: list[str]
    """Languages where the model is better, corrected for the number of languages."""
    worse: list[str]
    verdict: str


def differences(benchmark: Benchmark, column: Column, settings: Report) -> list[Difference]:
    """Return every model against every control, Holm-corrected together.

    A control is compared with the controls before it only, so that no pair comes twice.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        settings: the controls, and the resamples.
    """
    models = ordered(benchmark, settings)
    names = [model.name for model in models]
    controls = [name for name in listed(settings.controls) if name in names]
    pairs = [
        (names.index(name), names.index(control))
        for place, control in enumerate(controls)
        for name in names
        if name not in controls[: place + 1]
    ]
    if not pairs:
        return []
    made = compare(
        together(models, column),
        pairs,
        resamples=settings.bootstrap,
        signs=max(settings.bootstrap, FINEST * len(pairs)),
        seed=settings.seed,
        less_is_better=column[0] in LESS_IS_BETTER,
    )
    corrected = holm(np.array([comparison.p_values[-1] for comparison in made]))
    languages = benchmark.first.values[column].languages
    return [
        _difference(languages, (models[model], models[control]), column, comparison, float(p))
        for (model, control), comparison, p in zip(pairs, made, corrected, strict=True)
    ]


def absent_controls(benchmark: Benchmark, settings: Report) -> list[Problem]:
    """Return controls without scores, which a report names: differences mean little without them."""
    absent = [name for name in listed(settings.controls) if name not in {model.name for model in benchmark.models}]
    reason = f"no usable scores on {benchmark.name}, nothing is compared with it"
    return [Problem(benchmark.first.path.parent, f"control {name}: {reason}") for name in absent]


def verdict(value: float, interval: Interval, p: float, training_noise: float | None) -> str:
    """Return a difference in plain words.

    Args:
        value: the difference; above 0 where the model is better.
        interval: 95 % interval over the questions.
        p: corrected p value.
        training_noise: noise of training, as `training_noise` returns it.
    """
    if p >= SIGNIFICANT or interval.low <= 0 <= interval.high:
        return "inside the noise"
    direction = "better" if value > 0 else "worse"
    if training_noise is None:
        return direction
    if np.isnan(training_noise):
        return f"{direction} (one training)"
    return direction if abs(value) > training_noise else "inside the noise of training"


def training_noise(model: Model, control: Model, column: Column) -> float | None:
    """Return half the 95 % interval of a difference of means over other trainings of both.

    NaN where a trained one has a single seed, so that it cannot be known; None where nothing was trained.
    """
    trained = [other for other in (model, control) if other.is_trained]
    if not trained:
        return None
    seeds = min(len(other.runs) for other in trained)
    if seeds < 2:
        return float("nan")
    variance = sum(other.seed_means(column)[:, -1].var(ddof=1) / len(other.runs) for other in trained)
    return student(seeds - 1) * float(np.sqrt(variance))


def _difference(
    languages: list[str], pair: tuple[Model, Model], column: Column, made: Comparison, p: float
) -> Difference:
    model, control = pair
    clear = holm(made.p_values[:-1]) < SIGNIFICANT
    value, interval = float(made.differences[-1]), made.intervals[-1]
    sign = -1 if column[0] in LESS_IS_BETTER else 1
    leads = sign * made.differences
    return Difference(
        model.name,
        control.name,
        value,
        interval,
        p,
        [name for name, sure, lead in zip(languages, clear, leads, strict=False) if sure and lead > 0],
        [name for name, sure, lead in zip(languages, clear, leads, strict=False) if sure and lead < 0],
        verdict(sign * value, interval, p, training_noise(model, control, column)),
    )
