"""Finds the sizes behind scores: how many tokens a pre-training read, and how many parameters it trained."""

from pathlib import Path

from msm.reporting import lineage
from msm.reporting.contents import ScalingPoint
from msm.reporting.models import BenchmarkResults, Column, ModelScores, mean_intervals
from msm.reporting.settings import Report

APART = 1.5
"""Smallest ratio between the smallest and the largest size at which sizes differ."""


def scaling(benchmark: BenchmarkResults, column: Column, root: Path, settings: Report) -> list[ScalingPoint]:
    """Return the models whose manifests tell their sizes, sorted by objective, parameters and tokens.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        root: folder of the recipe, which holds the manifests.
        settings: settings of the report: the number of resamples and their seed.

    Returns:
        One entry for each model; none unless tokens and parameters both differ.
    """
    sizes = [(model, size) for model in benchmark.models if (size := _size(root, model.seeds[0]))]
    if not _differ([parameters for _, (_, parameters, _) in sizes]) or not _differ([size[-1] for _, size in sizes]):
        return []
    bounds = mean_intervals([model for model, _ in sizes], column, settings)
    return sorted(
        ScalingPoint(*size, float(model.seed_means(column)[:, -1].mean()), interval)
        for (model, size), interval in zip(sizes, bounds, strict=True)
    )


def _differ(numbers: list[int]) -> bool:
    return bool(numbers) and max(numbers) >= APART * min(numbers)


def _size(root: Path, scores: ModelScores) -> tuple[str, int, int] | None:
    """Return objective, parameters and tokens of the only pre-training behind a score; None where there are others."""
    steps = lineage.chain(scores.name, root, largest=0)
    trainings, encoders = (lineage.manifests_of(stage, steps) for stage in ("pretrain", "encoder"))
    if len(trainings) != 1 or len(encoders) != 1:
        return None
    objective, tokens = trainings[0]["settings"].get("objective"), trainings[0].get("facts", {}).get("tokens")
    parameters = encoders[0].get("facts", {}).get("parameters")
    is_told = isinstance(objective, str) and isinstance(parameters, int) and isinstance(tokens, int)
    return (objective, parameters, tokens) if is_told and min(parameters, tokens) > 0 else None
