"""Ablations: one change each against the reference, beside the same change in the paper; and the order of sentences.

The paper's scores and ours are of different benchmarks and sizes; what may be looked at side by side is how much a
change gains or loses against the reference of its own table.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msm.evaluation.statistics import Interval, bootstrap, compare, intervals
from msm.reporting import lineage, published
from msm.reporting.published import MEAN
from msm.reporting.results import Benchmark, Column, Model, Scored, together
from msm.reporting.settings import Report

REFERENCE = "msm"
REFERENCES = {"6": "table6-candidates-same"}
"""Table to its reference, where its rows are trained on other batches than the rest."""
TITLES = {
    "4": "Document encoder shared by the languages",
    "5": "Negatives of the same document, and their bias",
    "6": "Number of negatives",
    "7": "Projection heads",
    "8": "Layers of the document encoder",
}
ROWS: dict[str, dict[str, str]] = {
    "4": {
        REFERENCE: "Share All",
        "table4-separate-document": "Sep Doc",
        "table4-separate-both": "Sep Doc + Head",
    },
    "5": {
        "table5-cross-document": "Cross-doc negatives only",
        "table5-mu-0": "w/o bias",
        "table5-mu-03": "mu=0.3",
        REFERENCE: "mu=0.5",
        "table5-mu-07": "mu=0.7",
        "table5-mu-1": "mu=1",
        "table5-bias-document": "bias over each document",
        "table5-bias-batch": "bias over the batch",
        "table5-bias-gradient": "gradient through the bias",
    },
    "6": {
        "table6-candidates-half": "negatives=256",
        "table6-candidates-same": "negatives=512",
        "table6-candidates-double": "negatives=1024",
        "table6-candidates-fourfold": "negatives=2048",
        "table6-candidates-8-times": "negatives=4096",
    },
    "7": {
        "table7-no-projector": "w/o projection",
        "table7-shared-projector": "shared projection",
        REFERENCE: "asymmetric projection",
    },
    "8": {
        "table8-layers-1": "doc layers=1",
        REFERENCE: "doc layers=2",
        "table8-layers-4": "doc layers=4",
        "table8-layers-6": "doc layers=6",
    },
}
"""Our model of every row of the paper's tables, in the order of print, and of further rows of the same kind."""
PRINTED = ("mr_tydi", "mrr@100")
"""Benchmark and measure of all five tables."""


class Ablated(NamedTuple):
    """One row of a table of the paper, with ours."""

    table: str
    label: str
    """Name of the row as printed."""
    model: str
    """Name of our model, which may not have been trained."""
    value: float | None
    """Our value, the mean over languages; None where the model was not trained."""
    change: float | None
    """Change from our reference, on the same questions."""
    interval: Interval | None
    """95 % interval of the change."""
    printed: float | None
    printed_change: float | None
    """Change from the printed reference."""


class Shuffled(NamedTuple):
    """An objective, trained on texts of which a share has its sentences shuffled."""

    objective: str
    reorder: float
    """Share of shuffled documents."""
    value: float
    """Mean over languages and seeds."""
    interval: Interval
    """95 % interval over the questions."""
    seeds: dict[int, float]
    """Mean over languages of each seed."""


def ablations(benchmark: Benchmark, column: Column, settings: Report) -> list[Ablated]:
    """Return every row of tables 4 to 8, where the recipe has the reference and at least one other row; else none.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        settings: the resamples and their seed.
    """
    models = {model.name: model for model in benchmark.models}
    changed = {name for rows in ROWS.values() for name in rows} - {REFERENCE}
    if REFERENCE not in models or not changed & models.keys():
        return []
    cells = published.select(source="msm", benchmark=PRINTED[0], measure=PRINTED[1], language=MEAN)
    printed = {(cell.table, cell.model): cell.value for cell in cells}
    return [
        _ablated(table, name, label, models, column, settings, printed)
        for table, rows in ROWS.items()
        for name, label in rows.items()
    ]


def shuffled(benchmark: Benchmark, column: Column, root: Path, settings: Report) -> list[Shuffled]:
    """Return every model whose manifests name its texts, by objective and share of shuffled documents.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        root: folder of the recipe, where the manifests lie.
        settings: the resamples and their seed.

    Returns:
        None where all texts are alike.
    """
    asked = ((model, training_text(root, model.runs[0])) for model in benchmark.models)
    origins = [(model, origin) for model, origin in asked if origin]
    if len({reorder for _, (_, reorder) in origins}) < 2:
        return []
    values = together([model for model, _ in origins], column)
    samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
    found = []
    for (model, origin), drawn in zip(origins, samples, strict=True):
        means = model.seed_means(column)[:, -1]
        seeds = {run.facts["seed"]: float(mean) for run, mean in zip(model.runs, means, strict=True)}
        found.append(Shuffled(*origin, float(np.mean(means)), intervals(drawn, values.cluster_count)[-1], seeds))
    return sorted(found, key=lambda one: one[:2])


def training_text(root: Path, scored: Scored) -> tuple[str, float] | None:
    """Return objective of the last pre-training behind a score, and share of shuffled documents; None if unknown."""
    steps = {step.name: step.manifest for step in lineage.chain(scored.name, root, largest=0)}
    trained = [manifest for name, manifest in steps.items() if name.startswith("pretrain/") and manifest]
    if not trained:
        return None
    documents = _input(steps, _input(steps, trained[-1], "units"), "documents")
    objective, reorder = trained[-1]["settings"].get("objective"), documents.get("settings", {}).get("reorder")
    return (objective, float(reorder)) if isinstance(objective, str) and isinstance(reorder, int | float) else None


def _input(steps: dict[str, dict[str, Any]], manifest: dict[str, Any], read: str) -> dict[str, Any]:
    path = manifest.get("inputs", {}).get(read, {}).get("path", "")
    return steps.get(lineage.step_name(path), {})


def _ablated(
    table: str,
    name: str,
    label: str,
    models: dict[str, Model],
    column: Column,
    settings: Report,
    printed: dict[tuple[str, str], float | None],
) -> Ablated:
    value = change = interval = None
    reference = REFERENCES.get(table, REFERENCE)
    if name in models:
        value = float(models[name].seed_means(column)[:, -1].mean())
        if name != reference and reference in models:
            values, resamples = together([models[name], models[reference]], column), settings.bootstrap
            (made,) = compare(values, [(0, 1)], resamples=resamples, signs=resamples, seed=settings.seed)
            change, interval = float(made.differences[-1]), made.intervals[-1]
    theirs, against = printed.get((table, label)), printed.get((table, ROWS[table][reference]))
    printed_change = None if theirs is None or against is None or name == reference else theirs - against
    return Ablated(table, label, name, value, change, interval, theirs, printed_change)
