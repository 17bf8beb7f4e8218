"""The scores of models on benchmarks, as `msm.reporting.results` reads them, and the order of models in tables.

Shapes: C questions, L languages, S seeds, N values.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from msm.collections.measure_names import FAIRNESS
from msm.collections.runs import Floats
from msm.evaluation.choice import EVERYTHING, LanguageChoice
from msm.evaluation.per_query import ByQuestion, PoolKind
from msm.evaluation.statistics import Columns, Interval, bootstrap, intervals, with_mean
from msm.reporting import lineage
from msm.reporting.settings import Report
from msm.settings import listed

RANKS = ("rank_distance",)
"""Names of the measures whose values are numbers of ranks; those of all others are from 0 to 1."""


Column = tuple[str, PoolKind]
"""A measure and a kind of pool."""


class Problem(NamedTuple):
    """A folder that is left out, and the reason."""

    path: Path
    reason: str


class ModelScores(NamedTuple):
    """A finished score folder: the scores of one training of a model on one benchmark."""

    path: Path
    manifest: dict[str, Any]
    facts: dict[str, Any]
    """Benchmark, split, setting, model, seed and protocol of the scores, by these words."""
    means: dict[Column, float]
    """Mean over the languages, by measure and pool."""
    chance: dict[Column, dict[str, float]]
    """Expected value of a random ranking, by measure and pool, then by language and `mean`. Where all questions of the
    pools of other languages are in one language, the language is that of the candidates."""
    values: dict[Column, ByQuestion]
    """Per-query values, by measure and pool; only those that `load` has read."""
    is_trained: bool = True
    """Whether a training stands behind the scores; none does for BM25, nor for a run that no stage made."""
    choice: LanguageChoice = EVERYTHING
    """Choice of the languages that are shown."""
    checksums: Mapping[str, str] = MappingProxyType({})
    """Checksums of questions, candidates and judgements; see `msm.evaluation.identity`. Folders of early versions have
    none."""

    @property
    def kind(self) -> tuple[str, str, str]:
        """Benchmark, split and setting; only scores of one kind may stand in one table."""
        return (self.facts["benchmark"], self.facts["split"], self.facts["setting"])

    @property
    def name(self) -> str:
        """Name of the folder, STAGE/ROW below the recipe's folder."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def source(self) -> str:
        """Name STAGE/ROW of the run that was scored; empty if no stage made the run."""
        return lineage.step_name(self.manifest["inputs"].get("run", {}).get("path", ""))

    @property
    def relevance(self) -> set[Column]:
        """Columns of the folder, without those of language fairness, which earlier versions did not compute."""
        return {column for column in self.means if column[0] not in FAIRNESS}


class Model(NamedTuple):
    """A model on a benchmark, with all its seeds."""

    name: str
    seeds: list[ModelScores]
    """Scores of each training of the model, sorted by seed."""

    @property
    def is_trained(self) -> bool:
        """Whether the model was trained; BM25 was not."""
        return self.seeds[0].is_trained

    def values(self, column: Column) -> Floats:
        """Return the per-query values, averaged over the seeds, [C, L]."""
        return self.seeds[0].values[column].spread(self.present_values(column))

    def present_values(self, column: Column) -> Floats:
        """Return the values that exist, in the order of `ByQuestion.cells`, [N]."""
        return np.mean([scores.values[column].present_values for scores in self.seeds], axis=0)

    def seed_means(self, column: Column) -> Floats:
        """Return the means of every seed over its questions, by language and of all languages, [S, L + 1]."""
        return with_mean(np.array([scores.values[column].means for scores in self.seeds]))


class BenchmarkResults(NamedTuple):
    """All models on one split of a benchmark in one setting, whose scores may stand in one table."""

    name: str
    split: str
    setting: str
    models: list[Model]

    @property
    def first(self) -> ModelScores:
        """One of the score folders, as questions, columns and chance are the same in all."""
        return self.models[0].seeds[0]

    @property
    def columns(self) -> list[Column]:
        """Columns of the measures of relevance that all models have and whose values are from 0 to 1."""
        return [column for column in self.first.means if column[0] not in RANKS and column in self.shared]

    @property
    def fairness(self) -> list[Column]:
        """Columns of the measures of language fairness, in the pool of all languages."""
        return [column for column in self.first.means if column[0] in FAIRNESS]

    @property
    def distances(self) -> list[Column]:
        """Columns that all models have and whose values are numbers of ranks."""
        return [column for column in self.first.means if column[0] in RANKS and column in self.shared]

    @property
    def shared(self) -> set[Column]:
        """Columns that all models have, without those that earlier versions did not compute."""
        return set.intersection(*(scores.relevance for model in self.models for scores in model.seeds))


class Results(NamedTuple):
    """Scores of a recipe that are finished so far."""

    root: Path
    """Folder of the recipe."""
    benchmarks: list[BenchmarkResults]
    problems: list[Problem]


class Cell(NamedTuple):
    """One value of a table, or the reason why there is none."""

    value: float | None
    interval: Interval | None = None
    note: str = ""


def mean_intervals(models: Sequence[Model], column: Column, settings: Report) -> list[Interval]:
    """Return the 95 % interval over the questions of the mean over languages and seeds, for each model.

    Args:
        models: models with the values of the column loaded, on the same questions.
        column: measure and pool.
        settings: settings of the report: the number of resamples and their seed.
    """
    values = together(models, column)
    samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
    return [intervals(sample, values.cluster_count)[-1] for sample in samples]


def together(models: Sequence[Model], column: Column) -> Columns:
    """Return the values of some models on the same questions, each averaged over the model's seeds."""
    shape = models[0].seeds[0].values[column]
    values = np.stack([model.present_values(column) for model in models], axis=-1)
    rows, languages = np.divmod(shape.cells, len(shape.languages))
    language_places = [np.flatnonzero(languages == place) for place in range(len(shape.languages))]
    return Columns(shape.clusters, [(rows[places], values[places]) for places in language_places])


def with_seeds(benchmark: BenchmarkResults, seeds: Sequence[int]) -> BenchmarkResults | None:
    """Return a benchmark with the trainings of some seeds and all untrained models, or None if none is left.

    Args:
        benchmark: benchmark to reduce.
        seeds: seeds that are kept; all seeds if there are none.
    """
    models = [
        model._replace(seeds=[scores for scores in model.seeds if scores.facts["seed"] in seeds])
        if seeds and model.is_trained
        else model
        for model in benchmark.models
    ]
    remaining_models = [model for model in models if model.seeds]
    return benchmark._replace(models=remaining_models) if remaining_models else None


def ordered(benchmark: BenchmarkResults, settings: Report) -> list[Model]:
    """Return the models in the order of tables: the first control, BM25, the other controls, all others by name."""
    controls = listed(settings.controls)

    def place(model: Model) -> tuple[int, int, str]:
        if model.name in controls:
            return (2 if controls.index(model.name) else 0, controls.index(model.name), model.name)
        return (1 if model.seeds[0].source.startswith("lexical/") else 3, 0, model.name)

    return sorted(benchmark.models, key=place)


def first_pair(models: Sequence[Model], settings: Report) -> list[Model]:
    """Return the two models that are compared first: the last control and the last other model of a table.

    Args:
        models: models as `ordered` returns them.
        settings: settings of the report, which name the controls.
    """
    controls = listed(settings.controls)
    beside = [model for model in models if model.name in controls]
    others = [model for model in models if model.name not in controls]
    pair = [*beside[-1:], *others[-1:]]
    return pair if len(pair) == 2 else list(models[-2:])
