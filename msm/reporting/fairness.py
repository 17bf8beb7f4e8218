"""Tables of models by the measures of language fairness, with intervals."""

from typing import NamedTuple

from msm.collections.measure_names import FAIRNESS
from msm.evaluation.statistics import Interval, bootstrap, intervals
from msm.reporting.results import Benchmark, load, together
from msm.reporting.settings import Report
from msm.reporting.tables import Cell, ordered

HEADS = {
    "peer": "PEER",
    "mrc": "rank correlation",
    "other_languages_recall": "other languages' recall",
    "own_first": "own language first",
    "best_right_own": "best: right, own",
    "best_right_other": "right, other",
    "best_wrong_own": "wrong, own",
    "best_wrong_other": "wrong, other",
}
NOTE = (
    "Values times 100, mean over the languages of the questions, with 95 % intervals. PEER: how probable it is that "
    "relevant passages of all languages have one expected rank. Rank correlation: of a question's ranking with those "
    "of its translations. Own language first: of parallel relevant passages, the one in the question's language stands "
    "first. The last four say what the best answer is, and sum to 100."
)


class FairnessRow(NamedTuple):
    """Values of a model, averaged over its seeds."""

    model: str
    cells: dict[str, Cell]
    """Measure to its value, for measures that were taken."""


def head(measure: str) -> str:
    """Return a measure as people read it, with its depth."""
    name, at, depth = measure.partition("@")
    return HEADS[name] + at + depth


def fairness_rows(benchmark: Benchmark, settings: Report) -> list[FairnessRow]:
    """Return every model by every measure of fairness; none where several languages are not ranked together.

    Args:
        benchmark: benchmark as read, no values loaded.
        settings: order of the rows, and the intervals.
    """
    found: dict[str, dict[str, Cell]] = {model.name: {} for model in ordered(benchmark, settings)}
    for measure in FAIRNESS:
        column = (measure, "multilingual")
        scored = [m for m in benchmark.models if all(column in run.means for run in m.runs)]
        loaded, _ = load(benchmark._replace(models=scored), [column]) if scored else (None, [])
        if loaded is None:
            continue
        values = together(loaded.models, column)
        samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
        for model, drawn in zip(loaded.models, samples, strict=True):
            mean = float(model.seed_means(column)[:, -1].mean())
            limits: Interval = intervals(drawn, values.cluster_count)[-1]
            found[model.name][measure] = Cell(mean, limits)
    return [FairnessRow(name, cells) for name, cells in found.items() if cells]
