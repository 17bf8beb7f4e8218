"""Collects the contents of a report on each benchmark for any renderer: tables, differences and published rows."""

from typing import NamedTuple

from msm.reporting.comparisons import Difference, absent_controls, differences
from msm.reporting.fairness import FairnessRow, fairness_rows
from msm.reporting.models import Benchmark, Column, Problem, Results
from msm.reporting.results import load
from msm.reporting.settings import Report
from msm.reporting.tables import Row, Table, published_rows, table


class Section(NamedTuple):
    """Contents of a report on one benchmark."""

    benchmark: Benchmark
    tables: dict[Column, Table]
    published: dict[Column, list[Row]]
    """Published rows by column; none for most benchmarks."""
    differences: dict[Column, list[Difference]]
    fairness: list[FairnessRow]
    """Rows of language fairness; none where no pool holds several languages."""


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
                    {column: table(loaded_benchmark, column, settings) for column in loaded_benchmark.columns},
                    {column: published_rows(loaded_benchmark, column) for column in loaded_benchmark.columns},
                    {column: differences(loaded_benchmark, column, settings) for column in loaded_benchmark.columns},
                    fairness_rows(loaded_benchmark, settings),
                )
            )
    return made_sections, problems
