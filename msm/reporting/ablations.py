"""Compares ablations with their reference, beside the paper's own, and models trained on shuffled sentences.

An ablation is a model with one change. The paper's scores and this project's are of different benchmarks and sizes, so
only what a change gains or loses against the reference of its own table can be compared.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msm.evaluation.statistics import Interval, compare
from msm.reporting import lineage, published
from msm.reporting.contents import AblationRow
from msm.reporting.models import BenchmarkResults, Column, Model, ModelScores, mean_intervals, together
from msm.reporting.published import MEAN
from msm.reporting.settings import Report

REFERENCE = "msm"
REFERENCES = {"6": "table6-candidates-same"}
"""Number of a table to the name of its reference, where the table's rows are trained on other batches than the rest."""
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
"""Number of each of the paper's tables to the name of the recipe's model for each of its rows, in the order of print;
further rows of the same kind stand below."""
PRINTED = ("mr_tydi", "mrr@100")
"""Benchmark and measure of all five of the paper's tables."""


class OrderRow(NamedTuple):
    """One model that was trained on texts of which a share has shuffled sentences."""

    objective: str
    reorder: float
    """Share of the documents whose sentences are shuffled, from 0 to 1."""
    value: float
    """Value of the model, the mean over languages and seeds."""
    interval: Interval
    """95 % interval of the value over the questions."""
    seeds: dict[int, float]
    """Seed of each training to its value, the mean over languages."""


def ablations(benchmark: BenchmarkResults, column: Column, settings: Report) -> list[AblationRow]:
    """Return every row of tables 4 to 8, where the recipe has the reference and at least one other row; else none.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        settings: settings of the report: the number of resamples and their seed.
    """
    models = {model.name: model for model in benchmark.models}
    ablation_names = {name for rows in ROWS.values() for name in rows} - {REFERENCE}
    if REFERENCE not in models or not ablation_names & models.keys():
        return []
    cells = published.select(source="msm", benchmark=PRINTED[0], measure=PRINTED[1], language=MEAN)
    printed_values = {(cell.table, cell.model): cell.value for cell in cells}
    return [
        _ablated(table, name, label, models, column, settings, printed_values)
        for table, rows in ROWS.items()
        for name, label in rows.items()
    ]


def shuffled(benchmark: BenchmarkResults, column: Column, root: Path, settings: Report) -> list[OrderRow]:
    """Return the models whose manifests name their texts, sorted by objective and share of shuffled documents.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        root: folder of the recipe, which holds the manifests.
        settings: settings of the report: the number of resamples and their seed.

    Returns:
        One entry for each model; none where all models were trained on texts of one kind.
    """
    texts = ((model, training_text(root, model.seeds[0])) for model in benchmark.models)
    origins = [(model, origin) for model, origin in texts if origin]
    if len({reorder for _, (_, reorder) in origins}) < 2:
        return []
    bounds = mean_intervals([model for model, _ in origins], column, settings)
    rows = []
    for (model, origin), interval in zip(origins, bounds, strict=True):
        means = model.seed_means(column)[:, -1]
        seeds = {run.facts["seed"]: float(mean) for run, mean in zip(model.seeds, means, strict=True)}
        rows.append(OrderRow(*origin, float(np.mean(means)), interval, seeds))
    return sorted(rows, key=lambda one: one[:2])


def training_text(root: Path, scores: ModelScores) -> tuple[str, float] | None:
    """Return the objective of the last pre-training behind a score and the share of shuffled documents, if known."""
    steps = {step.name: step.manifest for step in lineage.chain(scores.name, root, largest=0)}
    trainings = [manifest for name, manifest in steps.items() if name.startswith("pretrain/") and manifest]
    if not trainings:
        return None
    documents = _input(steps, _input(steps, trainings[-1], "units"), "documents")
    objective, reorder = trainings[-1]["settings"].get("objective"), documents.get("settings", {}).get("reorder")
    return (objective, float(reorder)) if isinstance(objective, str) and isinstance(reorder, int | float) else None


def _input(steps: dict[str, dict[str, Any]], manifest: dict[str, Any], input_name: str) -> dict[str, Any]:
    path = manifest.get("inputs", {}).get(input_name, {}).get("path", "")
    return steps.get(lineage.step_name(path), {})


def _ablated(
    table: str,
    name: str,
    label: str,
    models: dict[str, Model],
    column: Column,
    settings: Report,
    paper: dict[tuple[str, str], float | None],
) -> AblationRow:
    value = change = interval = None
    seed_changes: list[float] = []
    reference = REFERENCES.get(table, REFERENCE)
    if name in models:
        seeds = models[name].seed_means(column)[:, -1]
        value = float(seeds.mean())
        if reference in models:
            seed_changes = [float(seed) for seed in seeds - models[reference].seed_means(column)[:, -1].mean()]
        if name != reference and reference in models:
            values, resamples = together([models[name], models[reference]], column), settings.bootstrap
            (comparison,) = compare(values, [(0, 1)], resamples=resamples, signs=resamples, seed=settings.seed)
            change, interval = float(comparison.differences[-1]), comparison.intervals[-1]
    printed_value, printed_reference = paper.get((table, label)), paper.get((table, ROWS[table][reference]))
    printed_change = (
        None
        if printed_value is None or printed_reference is None or name == reference
        else printed_value - printed_reference
    )
    return AblationRow(table, label, name, value, change, interval, printed_value, printed_change, seed_changes)
