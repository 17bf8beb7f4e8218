"""Collects the contents of a report on each benchmark for any renderer: tables, differences and published rows."""

from msm.collections.registry import title_of
from msm.reporting.ablations import ablations
from msm.reporting.comparisons import absent_controls, differences
from msm.reporting.contents import Section
from msm.reporting.fairness import fairness_rows
from msm.reporting.models import Problem, Results
from msm.reporting.results import load
from msm.reporting.scaling import scaling
from msm.reporting.settings import Report
from msm.reporting.tables import published_rows, table
from msm.reporting.trade import trade


def sections(results: Results, settings: Report) -> tuple[list[Section], list[Problem]]:
    """Return a section for each benchmark, and the problems of all folders that were left out.

    Args:
        results: score folders of a recipe.
        settings: settings of the report.
    """
    made_sections, problems = [], list(results.problems)
    for benchmark in results.benchmarks:
        loaded_benchmark, unusable = load(benchmark, benchmark.columns)
        problems += unusable
        if loaded_benchmark is not None:
            problems += absent_controls(loaded_benchmark, settings)
            made_sections.append(
                Section(
                    loaded_benchmark,
                    f"{title_of(benchmark.name)}, {benchmark.split}, {benchmark.setting}",
                    {column: table(loaded_benchmark, column, settings) for column in loaded_benchmark.columns},
                    {column: published_rows(loaded_benchmark, column) for column in loaded_benchmark.columns},
                    {column: differences(loaded_benchmark, column, settings) for column in loaded_benchmark.columns},
                    fairness_rows(loaded_benchmark, settings),
                    ablations(loaded_benchmark, loaded_benchmark.columns[0], settings),
                    scaling(loaded_benchmark, loaded_benchmark.columns[0], results.root, settings),
                    trade(loaded_benchmark, results.root, settings),
                )
            )
    return made_sections, problems
