"""Makes the tables of a benchmark: chance, models and published rows, by language of the questions, with intervals."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from msm.collections.measure_names import LESS_IS_BETTER
from msm.collections.registry import describe, title_of
from msm.evaluation.choice import EVERYTHING
from msm.evaluation.per_query import ByQuestion
from msm.evaluation.statistics import FEW_CLUSTERS, Interval, bootstrap, intervals, rank_intervals
from msm.reporting import published, wording
from msm.reporting.contents import Row, Table
from msm.reporting.models import BenchmarkResults, Cell, Column, Model, ordered, together
from msm.reporting.published import MEAN, PublishedCell
from msm.reporting.settings import Report
from msm.reporting.training_sets import training_of

POOLS = {"multilingual": "multilingual", "monolingual": "same", "cross-lingual": "other", "english": "other"}
"""Kind of pool of a published number to the name of that kind in score lines."""


def table(benchmark: BenchmarkResults, column: Column, settings: Report) -> Table:
    """Return the table of chance, the controls and all other models, with 95 % intervals over the questions.

    Args:
        benchmark: benchmark with the values of the column loaded.
        column: measure and pool.
        settings: settings of the report, which give the order of the rows and the intervals.
    """
    shape = benchmark.first.values[column]
    rows = [_chance_row(benchmark, column, shape.languages)]
    models = ordered(benchmark, settings)
    values = together(models, column)
    samples = bootstrap(values, resamples=settings.bootstrap, seed=settings.seed)
    less = column[0] in LESS_IS_BETTER
    ranks = rank_intervals(values, samples, less_is_better=less) if len(models) > 1 else [None]
    intervals_of_models = zip(models, samples, ranks, strict=True)
    rows += [
        _model_row(model, column, shape.languages, intervals(sample, values.cluster_count))._replace(ranks=rank)
        for model, sample, rank in intervals_of_models
    ]
    return Table(
        f"{title_of(benchmark.name)}, {benchmark.split}: {wording.column(column)}",
        f"{_extent(shape)}, {benchmark.setting}; values times 100"
        + ", less is better" * less
        + "; columns are the languages of the candidates" * (shape.side == "candidates"),
        shape.languages,
        rows,
        less,
        shape.side,
        wording.decimals(_apart(rows)),
    )


def _extent(shape: ByQuestion) -> str:
    """Return the number of questions and, where it is known, of the texts that they are about."""
    clusters = int(shape.clusters.max()) + 1
    texts = f" about {clusters:,} texts" if clusters < len(shape.questions) else ""
    few = f" (fewer than {FEW_CLUSTERS}: intervals and tests are rough)" if clusters < FEW_CLUSTERS else ""
    return f"{len(shape.present_values):,} questions{texts}{few}"


def _apart(rows: Sequence[Row]) -> Iterator[tuple[float, float]]:
    """Yield the means of all pairs of models whose ranks cannot be the same."""
    ranked_means = [(row.ranks, row.cells[MEAN].value or 0.0) for row in rows if row.ranks]
    for (one, value), (other, rival) in combinations(ranked_means, 2):
        if one.last < other.first or other.last < one.first:
            yield value, rival


def published_rows(benchmark: BenchmarkResults, column: Column) -> list[Row]:
    """Return the published rows of the same benchmark, split, measure, kind of pool and setting.

    Where only some languages of a benchmark are evaluated, the published means are left out, as they are those of all.
    """
    measure, kind = column
    base, _, choice = benchmark.name.partition("-")
    description = describe(benchmark.name)
    languages = choice.split("," if "," in choice else "-") if description and choice else []
    if benchmark.first.choice != EVERYTHING:
        languages = benchmark.first.values[column].languages
    base = (description.printed_as or description.name) if description else benchmark.name
    cells_by_source: dict[tuple[str, str, str], list[PublishedCell]] = {}
    for cell in published.select(benchmark=base, split=benchmark.split, measure=measure):
        same_setting = cell.setting in (benchmark.setting.partition(",")[0], "untrained", "bitext")
        if POOLS.get(cell.pool) == kind and same_setting and (not languages or cell.language in languages):
            cells_by_source.setdefault((cell.source, cell.protocol, cell.model), []).append(cell)
    return [
        _published_row(cells) for cells in cells_by_source.values() if any(cell.value is not None for cell in cells)
    ]


def _chance_row(benchmark: BenchmarkResults, column: Column, languages: list[str]) -> Row:
    values = benchmark.first.chance.get(column, {})
    note = "" if values else "no formula for this measure"
    return Row("chance", "chance", {name: Cell(values.get(name), note=note) for name in [*languages, MEAN]})


def _model_row(model: Model, column: Column, languages: list[str], bounds: list[Interval]) -> Row:
    seed_means = model.seed_means(column)
    cells = {
        name: Cell(float(mean), interval)
        for name, mean, interval in zip([*languages, MEAN], seed_means.mean(axis=0), bounds, strict=True)
    }
    protocols = "; ".join(sorted({scores.facts["protocol"] for scores in model.seeds}))
    seeds = len(model.seeds) if model.is_trained else 0
    deviation = float(seed_means[:, -1].std(ddof=1)) if seeds > 1 else None
    first = model.seeds[0]
    training = training_of(first.facts["benchmark"], model.name, first.manifest, first.path.parent.parent)
    return Row(model.name, "model", cells, protocols, seeds, deviation, training=training)


def _published_row(cells: list[PublishedCell]) -> Row:
    """Return one row of the cells of all tables that print it; a value is preferred to an empty cell."""
    cells_of_languages: dict[str, PublishedCell] = {}
    for cell in cells:
        if cell.language not in cells_of_languages or cells_of_languages[cell.language].value is None:
            cells_of_languages[cell.language] = cell
    first = cells[0]
    source = published.sources()[first.source]
    tables = ", ".join(dict.fromkeys(cell.table for cell in cells))
    about = f"{source.title} ({source.reference}), table {tables}: {source.protocols[first.protocol]}"
    return Row(first.model, "published", _cells(cells_of_languages), about)


def _cells(cells: Mapping[str, PublishedCell]) -> dict[str, Cell]:
    return {language: Cell(cell.value, note=cell.note) for language, cell in cells.items()}
