"""Compares models that people pick, by language and question by question.

Shapes: C questions, L languages.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from msm.collections.measure_names import LESS_IS_BETTER
from msm.evaluation.measures import Floats
from msm.evaluation.statistics import Interval, compare, holm, language_means
from msm.reporting.comparisons import SIGNIFICANT
from msm.reporting.published import MEAN
from msm.reporting.results import Benchmark, Column, Model, together
from msm.reporting.settings import Report

STEP = 0.02
"""Width of a cell in which pairs are counted together, on the scale of 0 to 1."""


class Contrast(NamedTuple):
    """A model less a baseline in one language, or in the mean of all."""

    model: str
    baseline: str
    language: str
    """Code of the language, or `mean`."""
    means: tuple[float, float]
    """Values of the model and of the baseline."""
    difference: float
    interval: Interval
    """95 % interval over the questions."""
    p: float
    """P value, corrected for all languages and models that are compared together."""
    wins: int
    """Number of questions where the model is better; of `mean`, in all languages."""
    ties: int
    losses: int
    less_is_better: bool
    """Whether the lower value wins."""

    @property
    def direction(self) -> str:
        """Verdict of the questions: `better` or `worse` where they tell the two apart, else `inside` the noise."""
        if self.p >= SIGNIFICANT or self.interval.low <= 0 <= self.interval.high:
            return "inside"
        return "better" if (self.difference > 0) != self.less_is_better else "worse"


class Pair(NamedTuple):
    """A question in one language, and its values by two models."""

    question: str
    """Id of the question, which is the same in every language."""
    language: str
    model: float
    baseline: float

    @property
    def change(self) -> float:
        """Value of the model less that of the baseline."""
        return self.model - self.baseline


def contrasts(benchmark: Benchmark, column: Column, names: Sequence[str], settings: Report) -> list[Contrast]:
    """Return every further model against the first, all p values Holm-corrected together.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        names: names of models, each once; the first is the baseline.
        settings: the resamples and their seed.
    """
    baseline, *models = (_model(benchmark, name) for name in names)
    if not models:
        return []
    languages = [*benchmark.first.values[column].languages, MEAN]
    made = compare(
        together([baseline, *models], column),
        [(place, 0) for place in range(1, len(names))],
        resamples=settings.bootstrap,
        # The least p that so many signs can give must stay below .05 when it is corrected.
        signs=max(settings.bootstrap, 40 * len(models) * len(languages)),
        seed=settings.seed,
        less_is_better=column[0] in LESS_IS_BETTER,
    )
    corrected = np.split(holm(np.concatenate([one.p_values for one in made])), len(made))
    before = language_means(baseline.values(column))
    return [
        Contrast(
            model.name,
            baseline.name,
            language,
            (float(before[place] + one.differences[place]), float(before[place])),
            float(one.differences[place]),
            one.intervals[place],
            float(p_values[place]),
            int(one.wins[place]),
            int(one.ties[place]),
            int(one.losses[place]),
            column[0] in LESS_IS_BETTER,
        )
        for model, one, p_values in zip(models, made, corrected, strict=True)
        for place, language in enumerate(languages)
    ]


class Best(NamedTuple):
    """The model with the best value in one language or in the mean, and how sure that is."""

    model: str
    value: float
    rivals: dict[str, float]
    """Models that the questions do not tell apart from it, with their values, best first."""
    others: int
    """Number of the other models."""
    one_training: bool
    """Whether some model was trained with a single seed, so that another one may turn the order round."""


def best(benchmark: Benchmark, column: Column, language: str, settings: Report) -> Best:
    """Return the best model for a language, or for the mean of all.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        language: code of a language of the column, or `mean`.
        settings: the resamples and their seed.
    """
    place = [*benchmark.first.values[column].languages, MEAN].index(language)
    values = {model.name: float(language_means(model.values(column))[place]) for model in benchmark.models}
    names = sorted(values, key=values.__getitem__, reverse=column[0] not in LESS_IS_BETTER)
    compared = contrasts(benchmark, column, names, settings)
    close = [one.model for one in compared if one.language == language and one.direction == "inside"]
    one_training = any(model.is_trained and len(model.runs) == 1 for model in benchmark.models)
    rivals = {name: values[name] for name in close}
    return Best(names[0], values[names[0]], rivals, len(names) - 1, one_training)


def pairs(benchmark: Benchmark, column: Column, name: str, baseline: str) -> list[Pair]:
    """Return every question in every language where it exists, greatest change first, up or down.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        name: name of the model.
        baseline: name of the model that it is compared with.
    """
    shape = benchmark.first.values[column]
    values: tuple[Floats, Floats] = (_model(benchmark, name).values(column), _model(benchmark, baseline).values(column))
    found = [
        Pair(shape.questions[row], shape.languages[place], float(values[0][row, place]), float(values[1][row, place]))
        for row, place in np.argwhere(np.isfinite(shape.values))
    ]
    return sorted(found, key=lambda pair: -abs(pair.change))


def grid(found: Sequence[Pair]) -> list[tuple[float, float, int]]:
    """Return value of the baseline, value of the model, and the number of pairs within half a `STEP` of both."""
    cells = Counter((round(pair.baseline / STEP), round(pair.model / STEP)) for pair in found)
    return [(column * STEP, row * STEP, count) for (column, row), count in sorted(cells.items())]


def _model(benchmark: Benchmark, name: str) -> Model:
    return next(model for model in benchmark.models if model.name == name)
