"""Compares score folders pair by pair, measure by measure, after a check that they answer the same questions.

Shapes: C questions, L languages.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from msm.collections.measure_names import FAIRNESS, FIRST_FAIRNESS, LESS_IS_BETTER
from msm.collections.runs import Floats, Integers
from msm.errors import BadInput
from msm.evaluation.identity import NAMES
from msm.evaluation.per_query import PoolKind, by_question, measures_and_kinds
from msm.evaluation.score_folder import KIND, ScoreFolder
from msm.evaluation.statistics import (
    Columns,
    Comparison,
    RankInterval,
    bootstrap,
    columns,
    compare,
    holm,
    language_means,
    rank_intervals,
)

ROUNDING = ("precision", "processor")
"""Choices of a protocol that change the vectors of one model by rounding alone."""
Seeds = Sequence[ScoreFolder]
"""Score folders of one model, one for each seed."""


class ModelValues(NamedTuple):
    """Values of a model, averaged over its seeds."""

    name: str
    values: Floats
    """Value of each question in each language, [C, L]."""
    seed_means: Floats
    """Means of each language and, behind them, their mean, for each seed, [seeds, L + 1]."""


class MeasureComparisons(NamedTuple):
    """Comparison of models with a baseline, by one measure on one kind of pool."""

    measure: str
    kind: PoolKind
    languages: list[str]
    """Languages of the questions."""
    clusters: int
    """Number of groups of questions that are drawn together."""
    models: list[ModelValues]
    """Models, the baseline first."""
    comparisons: list[Comparison]
    """Comparison of every further model with the baseline."""
    p_values: list[Floats]
    """P values, corrected by Holm's method over all models and languages, one array for each comparison, [L + 1]."""
    ranks: list[RankInterval]
    """Interval of the rank of every model by its mean, with 95 % confidence for all pairs together."""


def check_comparable(folders: Seeds, *, any_protocol: bool = False) -> list[str]:
    """Check that folders answer the same questions over the same candidates and judgements by the same rules.

    Args:
        folders: score folders of all models; the others are compared with the first one.
        any_protocol: compare although the rules of scoring differ.

    Returns:
        Sentences about what cannot be checked, and about allowed differences.

    Raises:
        BadInput: the folders cannot be compared.
    """
    first, notes = folders[0], []
    for folder in folders[1:]:
        for name in KIND:
            _refuse_other(name, folder, first, str(folder.facts[name]), str(first.facts[name]))
        for name in NAMES:
            if name in folder.checksums and name in first.checksums:
                _refuse_other(name, folder, first, folder.checksums[name][:12], first.checksums[name][:12])
        if folder.rules != first.rules:
            if not any_protocol:
                raise BadInput(
                    f"{folder.path}: scored by the rules {folder.rules!r}, {first.path} by {first.rules!r}; "
                    "--any_protocol compares them nevertheless"
                )
            notes.append(f"the rules of scoring differ: {folder.rules!r} against {first.rules!r}")
        notes += _rounded_otherwise(folder, first)
    old = [folder for folder in folders if not folder.checksums]
    if old:
        notes.append(
            f"{len(old)} of {len(folders)} folders, such as {old[0].path}, were scored by an earlier version and say "
            "nothing of their candidates and judgements; only the questions are known to be the same"
        )
    if not all(folder.has_clusters for folder in folders):
        notes.append("no record of which questions are about one text: each question is drawn alone")
    return notes


def _rounded_otherwise(folder: ScoreFolder, first: ScoreFolder) -> Iterator[str]:
    for name in ROUNDING:
        value, first_value = folder.choice(name), first.choice(name)
        if value and first_value and value != first_value:
            yield (
                f"{folder.path}: {name} {value}, that of {first.path} is {first_value}; "
                "the same model gives vectors that differ by rounding"
            )


def check_seeds(seeds: Seeds) -> None:
    """Check that folders hold scores of one model with different seeds.

    Raises:
        BadInput: the models differ, or a seed comes twice.
    """
    paths: dict[int, Path] = {}
    for folder in seeds:
        model, seed = folder.facts["model"], folder.facts["seed"]
        if model != seeds[0].facts["model"]:
            raise BadInput(f"{folder.path}: model {model}, but the first baseline is {seeds[0].facts['model']}")
        if seed in paths:
            raise BadInput(f"{folder.path}: model {model} with seed {seed}, as {paths[seed]}; compare one by one")
        paths[seed] = folder.path


def compare_folders(
    groups: Sequence[Seeds], *, resamples: int, seed: int, all_fairness: bool = True
) -> Iterator[MeasureComparisons]:
    """Compare models with a baseline by every measure on every kind of pool that all of them have.

    Args:
        groups: folders of the baseline, then those of each further model.
        resamples: number of resamples of intervals and tests.
        seed: seed of the resampling.
        all_fairness: whether all measures of language fairness are compared, or `FIRST_FAIRNESS` alone.

    Raises:
        BadInput: a folder has other measures, or was scored on other questions.
    """
    common = measures_and_kinds(groups[0][0].rows)
    for folder in (folder for seeds in groups for folder in seeds):
        present = set(measures_and_kinds(folder.rows))
        common = [column for column in common if column in present]
    if not common:
        raise BadInput(f"{groups[1][0].path}: no measure that {groups[0][0].path} has too")
    later_fairness = () if all_fairness else set(FAIRNESS).difference(FIRST_FAIRNESS)
    for measure, kind in common:
        if measure in later_fairness:
            continue
        languages, numbers, models = _models(groups, measure, kind)
        values = columns(np.stack([model.values for model in models]), numbers)
        yield _compared(measure, kind, languages, models, values, resamples, seed)


def _compared(
    measure: str,
    kind: PoolKind,
    languages: list[str],
    models: list[ModelValues],
    values: Columns,
    resamples: int,
    seed: int,
) -> MeasureComparisons:
    less = measure in LESS_IS_BETTER
    pairs = [(number, 0) for number in range(1, len(models))]
    comparisons = compare(values, pairs, resamples=resamples, signs=resamples, seed=seed, less_is_better=less)
    p_values = np.split(holm(np.concatenate([comparison.p_values for comparison in comparisons])), len(comparisons))
    ranks = rank_intervals(values, bootstrap(values, resamples=resamples, seed=seed), less_is_better=less)
    return MeasureComparisons(measure, kind, languages, values.cluster_count, models, comparisons, p_values, ranks)


def _models(groups: Sequence[Seeds], measure: str, kind: PoolKind) -> tuple[list[str], Integers, list[ModelValues]]:
    """Return the languages, the clusters of the questions, and the models on the same questions."""
    first = by_question(groups[0][0].rows, measure, kind)
    models = []
    for seeds in groups:
        values = []
        for folder in seeds:
            scores = by_question(folder.rows, measure, kind)
            if not scores.is_asked_as(first):
                raise BadInput(f"{folder.path}: not scored on the questions of {groups[0][0].path} ({measure}, {kind})")
            values.append(scores.values)
        means = np.array([language_means(value) for value in values])
        models.append(ModelValues(seeds[0].facts["model"], np.mean(values, axis=0), means))
    return first.languages, first.clusters, models


def _refuse_other(name: str, folder: ScoreFolder, first: ScoreFolder, value: str, first_value: str) -> None:
    if value != first_value:
        verb = "is" if name in KIND else "are"
        raise BadInput(f"{folder.path}: {name} {verb} {value}, that of {first.path} is {first_value}")
