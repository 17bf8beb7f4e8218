"""Compares score folders on disk by paired differences."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msm.errors import BadInput
from msm.evaluation.compare import MeasureComparisons, Seeds, check_comparable, check_seeds, compare_folders
from msm.evaluation.score_folder import ScoreFolder, read_score_folder

Folders = str | Path | Sequence[str | Path]


class Comparisons(NamedTuple):
    """Comparisons of models with a baseline, by every measure on every kind of pool that all of them have."""

    comparisons: list[MeasureComparisons]
    models: list[Seeds]
    """Score folders of the baseline, then those of each further model."""
    notes: list[str]
    """Sentences that name the checks that were not possible."""


def compare(
    baseline: Folders,
    others: Folders,
    *,
    any_protocol: bool = False,
    fairness: bool = False,
    resamples: int = 10000,
    seed: int = 1,
) -> Comparisons:
    """Compare models with a baseline by paired differences, by language and on average.

    Folders of one model with different seeds are its seeds: their values are averaged question by question before
    anything is compared. The p values of one measure and kind of pool, of all models and languages, are corrected
    together.

        >>> import msm
        >>> data = msm.example("animals")
        >>> words = msm.evaluate("bm25", "animals", data, format="beir")
        >>> other = msm.score_on_benchmark([f"{data}/run.trec"], "animals", data, "scores/animals", format="beir")
        >>> first = msm.compare(words.folder, other.folder, resamples=100).comparisons[0]
        >>> first.languages, first.comparisons[0].differences.shape
        (['und'], (2,))

    Args:
        baseline: score folder of the baseline, or one folder for each seed.
        others: score folders of one or more models.
        any_protocol: whether folders are compared although they were scored by different rules.
        fairness: whether models are compared by every measure of language fairness; else only by the first two.
        resamples: number of resamples of intervals and tests.
        seed: seed of the generator that draws the resamples.

    Raises:
        BadInput: a folder is no score folder, or was scored on other questions, candidates or judgements, by other
            rules or in another setting.
    """
    if resamples < 1:
        raise BadInput(f"--resamples must be at least 1, got {resamples}")
    if seed < 0:
        raise BadInput(f"--seed must be at least 0, got {seed}")
    first, rest = _read(baseline), _read(others)
    notes = check_comparable([*first, *rest], any_protocol=any_protocol)
    by_model: dict[str, list[ScoreFolder]] = {}
    for folder in rest:
        by_model.setdefault(folder.facts["model"], []).append(folder)
    models: list[Seeds] = [first, *by_model.values()]
    for seeds in models:
        check_seeds(seeds)
    comparisons = compare_folders(models, resamples=resamples, seed=seed, all_fairness=fairness)
    return Comparisons(list(comparisons), models, notes)


def _read(folders: Folders) -> list[ScoreFolder]:
    paths = [folders] if isinstance(folders, str | Path) else folders
    return [read_score_folder(Path(path)) for path in paths]
