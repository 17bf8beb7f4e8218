"""Finds what the share of batches of one language trades: scores in the own language's pool for those in a pool of all.

Source: arXiv 2408.10536.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from msm.evaluation.per_query import PoolKind
from msm.reporting import lineage
from msm.reporting.contents import TradePoint
from msm.reporting.models import BenchmarkResults, Column, Model, mean_intervals
from msm.reporting.settings import Report

OWN: PoolKind = "same"
EVERY: PoolKind = "multilingual"
SHARES = {"cross": 0.0, "mono": 1.0}
"""Samplers to the share of their batches that are of one language; `hybrid` has it as a setting."""


class _Training(NamedTuple):
    """How a model was fine-tuned and searched with."""

    start: str
    """Name of the weights that it started from, without seed."""
    vectors: str
    """Language vectors that the search took off; `none` for the vectors as they are."""
    others: str
    """All further settings of the fine-tuning but its seed; empty without fine-tuning."""
    share: float
    """Share of batches of one language; -1 without fine-tuning."""


def trade(benchmark: BenchmarkResults, root: Path, settings: Report) -> list[TradePoint]:
    """Return the models that differ in the share of batches of one language alone, and their start without fine-tuning.

    Args:
        benchmark: benchmark with the values of its columns loaded.
        root: folder of the recipe, which holds the manifests.
        settings: settings of the report: the number of resamples and their seed.

    Returns:
        One entry for each model, those of a series together and sorted by share; none without two shares in a series,
        or where the benchmark lacks one of the two pools.
    """
    measure = benchmark.columns[0][0]
    trainings = [(training, model) for model in benchmark.models if (training := _training(root, model))]
    chosen = _series(sorted(trainings, key=lambda pair: pair[0]))
    if not chosen or not {(measure, OWN), (measure, EVERY)} <= set(benchmark.columns):
        return []
    models = [model for _, _, model in chosen]
    own, every = (_values(models, (measure, kind), settings) for kind in (OWN, EVERY))
    return [
        TradePoint(words, share, *own_value, *every_value)
        for (words, share, _), own_value, every_value in zip(chosen, own, every, strict=True)
    ]


def _values(models: Sequence[Model], column: Column, settings: Report) -> list[tuple[float, Any]]:
    means = [float(model.seed_means(column)[:, -1].mean()) for model in models]
    return list(zip(means, mean_intervals(models, column, settings), strict=True))


def _series(trainings: Sequence[tuple[_Training, Model]]) -> list[tuple[str, float | None, Model]]:
    """Return words of the series, share and model of the models that stand in a series, from sorted trainings."""
    untrained = {training[:2]: model for training, model in trainings if training.share < 0}
    chosen: list[tuple[str, float | None, Model]] = []
    for (start, vectors, others), group in groupby(trainings, key=lambda pair: pair[0][:3]):
        members = [(training.share, model) for training, model in group]
        if not others or len({share for share, _ in members}) < 2:
            continue
        taken_off = "vectors as they are" if vectors == "none" else f"language vectors taken off ({vectors})"
        words = f"{taken_off}: {members[0][1].name} to {members[-1][1].name}"
        chosen += [(words, share, model) for share, model in members]
        if (start, vectors) in untrained:
            chosen.append((words, None, untrained[start, vectors]))
    return chosen


def _training(root: Path, model: Model) -> _Training | None:
    """Return how a model was trained; None unless there is one fine-tuning, by kinds of batches or of no step."""
    steps = lineage.chain(model.seeds[0].name, root, largest=0)
    finetunings = lineage.manifests_of("finetune", steps)
    if len(finetunings) != 1:
        return None
    settings: Mapping[str, Any] = finetunings[0].get("settings", {})
    batches = settings.get("batches", {})
    start = lineage.step_name(finetunings[0]["inputs"].get("weights", {}).get("path", "")).rpartition("-")[0]
    searches = lineage.manifests_of("retrieve", steps)
    vectors = searches[-1].get("settings", {}).get("language_vectors", "none") if searches else "none"
    if not settings.get("steps") and not settings.get("epochs"):
        return _Training(start, vectors, "", -1.0)
    share = batches.get("alpha") if batches.get("sampler") == "hybrid" else SHARES.get(batches.get("sampler"))
    if share is None:
        return None
    others = dict(settings) | {"batches": {name: batches[name] for name in batches if name not in ("alpha", "sampler")}}
    others.pop("seed", None)
    return _Training(start, vectors, json.dumps(others, sort_keys=True), float(share))
