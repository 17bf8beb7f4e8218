"""Compares chosen models with a baseline, by language and question by question.

Shapes: C questions, L languages.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from msm.collections.measure_names import LESS_IS_BETTER
from msm.evaluation.measures import Floats
from msm.evaluation.statistics import SIGNIFICANT, Interval, compare, holm, language_means
from msm.reporting.models import BenchmarkResults, Column, Model, together
from msm.reporting.published import MEAN
from msm.reporting.settings import Report

STEP = 0.02
"""Width and height of a cell of the grid that counts pairs of values, as a part of the scale from 0 to 1."""


class ModelContrast(NamedTuple):
    """Difference of a model and a baseline in one language, or in the mean over all."""

    model: str
    baseline: str
    language: str
    """Code of the language, or `mean`."""
    means: tuple[float, float]
    """Values of the model and of the baseline."""
    difference: float
    interval: Interval
    """95 % interval of the difference over the questions."""
    p: float
    """P value, corrected for all languages and models that are compared together."""
    wins: int
    """Number of questions where the model is better; for `mean`, in all languages together."""
    ties: int
    losses: int
    less_is_better: bool
    """Whether the lower of two values is the better one."""

    @property
    def direction(self) -> str:
        """Direction of the difference: `better`, `worse`, or `inside` the noise, where the questions decide nothing."""
        if self.p >= SIGNIFICANT or self.interval.low <= 0 <= self.interval.high:
            return "inside"
        return "better" if (self.difference > 0) != self.less_is_better else "worse"


class PairedValues(NamedTuple):
    """One question in one language, with the values of two models."""

    question: str
    """Id of the question, which is the same in every language."""
    language: str
    model: float
    baseline: float

    @property
    def change(self) -> float:
        """Difference of the values of the model and of the baseline."""
        return self.model - self.baseline


def contrasts(
    benchmark: BenchmarkResults, column: Column, names: Sequence[str], settings: Report
) -> list[ModelContrast]:
    """Return the contrasts of all further models with the first; Holm's method corrects their p values together.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        names: names of models, each once; the first is the baseline.
        settings: settings of the report: the number of resamples and their seed.
    """
    baseline, *models = (_model(benchmark, name) for name in names)
    if not models:
        return []
    languages = [*benchmark.first.values[column].languages, MEAN]
    comparisons = compare(
        together([baseline, *models], column),
        [(place, 0) for place in range(1, len(names))],
        resamples=settings.bootstrap,
        # The smallest p value that this number of signs can give must stay below .05 when it is corrected.
        signs=max(settings.bootstrap, 40 * len(models) * len(languages)),
        seed=settings.seed,
        less_is_better=column[0] in LESS_IS_BETTER,
    )
    model_p_values = np.split(
        holm(np.concatenate([comparison.p_values for comparison in comparisons])), len(comparisons)
    )
    before = language_means(baseline.values(column))
    return [
        ModelContrast(
            model.name,
            baseline.name,
            language,
            (float(before[place] + comparison.differences[place]), float(before[place])),
            float(comparison.differences[place]),
            comparison.intervals[place],
            float(p_values[place]),
            int(comparison.wins[place]),
            int(comparison.ties[place]),
            int(comparison.losses[place]),
            column[0] in LESS_IS_BETTER,
        )
        for model, comparison, p_values in zip(models, comparisons, model_p_values, strict=True)
        for place, language in enumerate(languages)
    ]


class BestModel(NamedTuple):
    """The model with the best value in one language or in the mean, and the models that may be as good."""

    model: str
    value: float
    rivals: dict[str, float]
    """Names of the models that the questions do not tell apart from it, to their values; the best comes first."""
    others: int
    """Number of the other models."""
    one_training: bool
    """Whether a model was trained with a single seed only, so that another seed may change the order."""


def best(benchmark: BenchmarkResults, column: Column, language: str, settings: Report) -> BestModel:
    """Return the best model for a language, or for the mean of all.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        language: code of a language of the column, or `mean`.
        settings: settings of the report: the number of resamples and their seed.
    """
    place = [*benchmark.first.values[column].languages, MEAN].index(language)
    values = {model.name: float(language_means(model.values(column))[place]) for model in benchmark.models}
    names = sorted(values, key=values.__getitem__, reverse=column[0] not in LESS_IS_BETTER)
    differences = contrasts(benchmark, column, names, settings)
    rival_names = [one.model for one in differences if one.language == language and one.direction == "inside"]
    one_training = any(model.is_trained and len(model.seeds) == 1 for model in benchmark.models)
    rivals = {name: values[name] for name in rival_names}
    return BestModel(names[0], values[names[0]], rivals, len(names) - 1, one_training)


def pairs(benchmark: BenchmarkResults, column: Column, name: str, baseline: str) -> list[PairedValues]:
    """Return every question in every language where it exists, the largest change first, be it a gain or a loss.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        name: name of the model.
        baseline: name of the model that it is compared with.
    """
    shape = benchmark.first.values[column]
    values: tuple[Floats, Floats] = (_model(benchmark, name).values(column), _model(benchmark, baseline).values(column))
    question_pairs = [
        PairedValues(
            shape.questions[row], shape.languages[place], float(values[0][row, place]), float(values[1][row, place])
        )
        for row, place in np.argwhere(np.isfinite(shape.values))
    ]
    return sorted(question_pairs, key=lambda pair: -abs(pair.change))


def grid(question_pairs: Sequence[PairedValues]) -> list[tuple[float, float, int]]:
    """Return cells of the grid of values: value of the baseline, value of the model, and number of pairs in the cell.

    Args:
        question_pairs: pairs as `pairs` returns them.
    """
    cells = Counter((round(pair.baseline / STEP), round(pair.model / STEP)) for pair in question_pairs)
    return [(column * STEP, row * STEP, count) for (column, row), count in sorted(cells.items())]


def _model(benchmark: BenchmarkResults, name: str) -> Model:
    return next(model for model in benchmark.models if model.name == name)
