"""Compares models with controls, and gives a verdict in plain words that respects noise.

Two kinds of noise are kept apart. The interval and the corrected p value tell how much other questions would change a
difference. The standard deviation over seeds tells how much another training of the same model would; with one seed it
is not known, and the verdict says so.
"""

import numpy as np
from scipy.special import stdtrit

from msm.collections.measure_names import LESS_IS_BETTER
from msm.evaluation.statistics import SIGNIFICANT, TAIL, Comparison, Interval, compare, holm
from msm.reporting.contents import Difference
from msm.reporting.models import BenchmarkResults, Column, Model, Problem, ordered, together
from msm.reporting.settings import Report
from msm.settings import listed

FINEST = 100
"""Smallest number of random signs for each difference; it makes the smallest corrected p value .01."""


def differences(benchmark: BenchmarkResults, column: Column, settings: Report) -> list[Difference]:
    """Return the differences of every model and every control, whose p values are corrected together by Holm's method.

    A control is compared only with the controls before it, so that no pair comes twice.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        settings: settings of the report: the controls, the number of resamples and their seed.
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
    comparisons = compare(
        together(models, column),
        pairs,
        resamples=settings.bootstrap,
        signs=max(settings.bootstrap, FINEST * len(pairs)),
        seed=settings.seed,
        less_is_better=column[0] in LESS_IS_BETTER,
    )
    p_values = holm(np.array([comparison.p_values[-1] for comparison in comparisons]))
    languages = benchmark.first.values[column].languages
    return [
        _difference(languages, (models[model], models[control]), column, comparison, float(p))
        for (model, control), comparison, p in zip(pairs, comparisons, p_values, strict=True)
    ]


def absent_controls(benchmark: BenchmarkResults, settings: Report) -> list[Problem]:
    """Return a problem for each control without scores, since differences mean little without controls."""
    absent = [name for name in listed(settings.controls) if name not in {model.name for model in benchmark.models}]
    reason = f"no usable scores on {benchmark.name}, nothing is compared with it"
    return [Problem(benchmark.first.path.parent, f"control {name}: {reason}") for name in absent]


def verdict(value: float, interval: Interval, p: float, training_noise: float | None) -> str:
    """Return a verdict on a difference in plain words.

    Args:
        value: difference of a model and a control; above 0 where the model is better.
        interval: 95 % interval of the difference over the questions.
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
    """Return half the width of the 95 % interval of a difference over other trainings of both models.

    It is NaN where a trained model has a single seed, so that the width is not known, and None where neither was
    trained.
    """
    trained_models = [other for other in (model, control) if other.is_trained]
    if not trained_models:
        return None
    seeds = min(len(other.seeds) for other in trained_models)
    if seeds < 2:
        return float("nan")
    variance = sum(other.seed_means(column)[:, -1].var(ddof=1) / len(other.seeds) for other in trained_models)
    return -float(stdtrit(seeds - 1, TAIL)) * float(np.sqrt(variance))


def _difference(
    languages: list[str], pair: tuple[Model, Model], column: Column, comparison: Comparison, p: float
) -> Difference:
    model, control = pair
    clear = holm(comparison.p_values[:-1]) < SIGNIFICANT
    value, interval = float(comparison.differences[-1]), comparison.intervals[-1]
    sign = -1 if column[0] in LESS_IS_BETTER else 1
    leads = sign * comparison.differences
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
