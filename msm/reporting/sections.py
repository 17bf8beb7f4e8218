"""Collects what a report shows of each benchmark, before any rendering: tables, differences and printed rows."""

from typing import NamedTuple

from msm.reporting.comparisons import Difference, absent_controls, differences
from msm.reporting.fairness import FairnessRow, fairness_rows
from msm.reporting.results import Benchmark, Column, Problem, Results, load
from msm.reporting.settings import Report
from msm.reporting.tables import Row, Table, published_rows, table


class Section(NamedTuple):
    """A benchmark with everything that is shown of it."""

    benchmark: Benchmark
    tables: dict[Column, Table]
    published: dict[Column, list[Row]]
    """Printed rows of the same column; empty for most benchmarks."""
    differences: dict[Column, list[Difference]]
    fairness: list[FairnessRow]
    """Rows of language fairness; None where several languages are not ranked together."""


def sections(results: Results, settings: Report) -> tuple[list[Section], list[Problem]]:
    """Return a section for each benchmark, and every folder that was left out."""
    found, problems = [], list(results.problems)
    for benchmark in results.benchmarks:
        loaded, unusable = load(benchmark, benchmark.columns)
        problems += unusable
        if loaded is not None:
            problems += absent_controls(loaded, settings)
            found.append(
                Section(
                    loaded,
                    {column: table(loaded, column, settings) for column in loaded.columns},
                    {column: published_rows(loaded, column) for column in loaded.columns},
                    {column: differences(loaded, column, settings) for column in loaded.columns},
                    fairness_rows(loaded, settings),
                )
            )
    return found, problems
