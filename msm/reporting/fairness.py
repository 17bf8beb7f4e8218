"""Makes the table of models by the measures of language fairness, with intervals."""

from msm.collections.measure_names import FAIRNESS
from msm.evaluation.statistics import Interval, bootstrap, intervals
from msm.reporting.contents import FairnessRow
from msm.reporting.models import BenchmarkResults, Cell, ordered, together
from msm.reporting.results import load
from msm.reporting.settings import Report


def fairness_rows(benchmark: BenchmarkResults, settings: Report) -> list[FairnessRow]:
    """Return one row for each model; none where no pool holds several languages.

    Args:
        benchmark: benchmark whose values need not be loaded.
        settings: settings of the report, which give the order of the rows and the intervals.
    """
    cells: dict[str, dict[str, Cell]] = {model.name: {} for model in ordered(benchmark, settings)}
    for measure in FAIRNESS:
        column = (measure, "multilingual")
        models = [m for m in benchmark.models if all(column in scores.means for scores in m.seeds)]
        with_values, _ = load(benchmark._replace(models=models), [column]) if models else (None, [])
        if with_values is None:
            continue
        values = together(with_values.models, column)
        samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
        for model, sample in zip(with_values.models, samples, strict=True):
            mean = float(model.seed_means(column)[:, -1].mean())
            limits: Interval = intervals(sample, values.cluster_count)[-1]
            cells[model.name][measure] = Cell(mean, limits)
    return [FairnessRow(name, cells) for name, cells in cells.items() if cells]
