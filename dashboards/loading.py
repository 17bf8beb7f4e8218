"""What the pages read, kept in memory until a file of it changes."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from dashboards import tables
from msm.reporting import lineage
from msm.reporting.comparisons import Difference, absent_controls, differences
from msm.reporting.lineage import Step
from msm.reporting.results import Benchmark, Column, Problem, Results, load, read
from msm.reporting.tables import Row, Table, published_rows, table
from msm.settings import Report


class Shown(NamedTuple):
    """All that the results page shows of one measure and kind of pool."""

    table: Table | None
    """None if no score folder has usable values."""
    published: list[Row]
    differences: list[Difference]
    problems: list[Problem]


def results(root: Path) -> Results:
    """The score folders of a recipe."""
    return _results(root, tables.state(root / "score"))


def shown(root: Path, benchmark: Benchmark, column: Column) -> Shown:
    """Table, printed rows and differences of a measure and kind of pool, as the recipe's report has them."""
    return _shown(benchmark, column, tables.report_settings(root), (tables.state(root / "score"), benchmark[:3]))


def steps(root: Path, name: str, largest: int) -> list[Step]:
    """The steps behind a score folder; see `lineage.chain`."""
    return _steps(root, name, largest, tables.state(root))


@st.cache_data(show_spinner="Reading scores", max_entries=20)
def _results(root: Path, state: tuple) -> Results:
    del state
    return read(root / "score")


@st.cache_data(show_spinner="Computing intervals", max_entries=50)
def _shown(_benchmark: Benchmark, column: Column, settings: Report, state: tuple) -> Shown:
    del state
    loaded, problems = load(_benchmark, [column])
    if loaded is None:
        return Shown(None, [], [], problems)
    made = table(loaded, column, settings)
    problems += absent_controls(loaded, settings)
    return Shown(made, published_rows(loaded, column), differences(loaded, column, settings), problems)


@st.cache_data(show_spinner="Comparing files with their manifests", max_entries=50)
def _steps(root: Path, name: str, largest: int, state: tuple) -> list[Step]:
    del state
    return lineage.chain(name, root, largest=largest)
