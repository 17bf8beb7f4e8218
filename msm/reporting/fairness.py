"""Makes the table of models by the measures of language fairness, with intervals."""

from typing import NamedTuple

from msm.collections.measure_names import FAIRNESS
from msm.evaluation.statistics import Interval, bootstrap, intervals
from msm.reporting.models import Benchmark, Cell, ordered, together
from msm.reporting.results import load
from msm.reporting.settings import Report

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
    """Row of the table: the values of one model, averaged over its seeds."""

    model: str
    cells: dict[str, Cell]
    """Name of each measure to the model's value, for measures that the score folders hold."""


def head(measure: str) -> str:
    """Return the heading of a measure's column, with the depth of the measure."""
    name, at, depth = measure.partition("@")
    return HEADS[name] + at + depth


def fairness_rows(benchmark: Benchmark, settings: Report) -> list[FairnessRow]:
    """Return one row for each model; none where no pool holds several languages.

    Args:
        benchmark: benchmark whose values need not be loaded.
        settings: settings of the report, which give the order of the rows and the intervals.
    """
    cells: dict[str, dict[str, Cell]] = {model.name: {} for model in ordered(benchmark, settings)}
    for measure in FAIRNESS:
        column = (measure, "multilingual")
        models = [m for m in benchmark.models if all(column in run.means for run in m.runs)]
        loaded, _ = load(benchmark._replace(models=models), [column]) if models else (None, [])
        if loaded is None:
            continue
        values = together(loaded.models, column)
        samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
        for model, sample in zip(loaded.models, samples, strict=True):
            mean = float(model.seed_means(column)[:, -1].mean())
            limits: Interval = intervals(sample, values.cluster_count)[-1]
            cells[model.name][measure] = Cell(mean, limits)
    return [FairnessRow(name, cells) for name, cells in cells.items() if cells]
