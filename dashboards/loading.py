"""What the pages read, kept in memory until a file of it changes."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from dashboards import tables
from msm.evaluation import language_bias
from msm.evaluation.language_bias import Bias
from msm.evaluation.per_query import PoolKind
from msm.reporting import ablations, contrasts, lineage, rankings
from msm.reporting.ablations import Ablated, Shuffled
from msm.reporting.comparisons import Difference, absent_controls, differences
from msm.reporting.contrasts import Contrast, Pair
from msm.reporting.lineage import Step
from msm.reporting.rankings import Answer, Texts
from msm.reporting.results import Benchmark, Column, Problem, Results, Scored, load, read
from msm.reporting.tables import Row, Table, published_rows, table
from msm.retrieval.runs import Run
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


class Compared(NamedTuple):
    """All that the page of comparisons shows of some models."""

    contrasts: list[Contrast]
    """Every further model against the first."""
    pairs: dict[str, list[Pair]]
    """Question by question against the first, by model; greatest change first."""
    problems: list[Problem]


def compared(root: Path, benchmark: Benchmark, column: Column, names: tuple[str, ...]) -> Compared:
    """Models against the first of them."""
    state = (tables.state(root / "score"), benchmark[:3])
    return _compared(benchmark, column, names, tables.report_settings(root), state)


class Studied(NamedTuple):
    """All that the page of ablations shows."""

    rows: list[Ablated]
    order: list[Shuffled]
    problems: list[Problem]


def ablated(root: Path, benchmark: Benchmark, column: Column) -> Studied:
    """Rows of the paper's tables, and the experiment on the order of sentences; empty where a recipe has none."""
    return _ablated(
        root, benchmark, column, tables.report_settings(root), (tables.state(root / "score"), benchmark[:3])
    )


def texts(root: Path, scored: Scored) -> Texts:
    """Questions and candidates of a score; see `rankings.texts`."""
    return _texts(root, scored, (scored.name, tables.state(root / "sources")))


def answers(root: Path, scored: Scored, kind: PoolKind, language: str, query: int, depth: int) -> list[Answer]:
    """The best answers to a question; see `rankings.answers`."""
    return rankings.answers(
        _run(root, scored, kind, language, _run_state(root, scored)), texts(root, scored), query, depth
    )


def bias(root: Path, scored: Scored, depth: int) -> Bias:
    """Languages of the best answers on the pool of all languages; see `language_bias.bias`."""
    return _bias(root, scored, depth, (_run_state(root, scored), tables.state(root / "sources")))


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


@st.cache_data(show_spinner="Comparing models", max_entries=50)
def _compared(
    _benchmark: Benchmark, column: Column, names: tuple[str, ...], settings: Report, state: tuple
) -> Compared:
    del state
    models = [model for model in _benchmark.models if model.name in names]
    loaded, problems = load(_benchmark._replace(models=models), [column])
    left = {model.name for model in loaded.models} if loaded else set()
    if loaded is None or names[0] not in left:
        return Compared([], {}, problems)
    kept = [name for name in names if name in left]
    found = {name: contrasts.pairs(loaded, column, name, names[0]) for name in kept[1:]}
    return Compared(contrasts.contrasts(loaded, column, kept, settings), found, problems)


@st.cache_data(show_spinner="Comparing ablations", max_entries=50)
def _ablated(root: Path, _benchmark: Benchmark, column: Column, settings: Report, state: tuple) -> Studied:
    del state
    loaded, problems = load(_benchmark, [column])
    if loaded is None:
        return Studied([], [], problems)
    rows = ablations.ablations(loaded, column, settings)
    return Studied(rows, ablations.shuffled(loaded, column, root, settings), problems)


def _run_state(root: Path, scored: Scored) -> tuple:
    return (scored.name, scored.source, tables.state(root / scored.source) if "/" in scored.source else ())


# Resources are not copied for each visitor: nobody changes them.
@st.cache_resource(show_spinner="Reading texts", max_entries=4)
def _texts(root: Path, _scored: Scored, state: tuple) -> Texts:
    del state
    return rankings.texts(root, _scored)


@st.cache_resource(show_spinner="Reading a run", max_entries=8)
def _run(root: Path, _scored: Scored, kind: PoolKind, language: str, state: tuple) -> Run:
    del state
    return rankings.run(root, _scored, kind, language)


@st.cache_data(show_spinner="Counting languages", max_entries=200)
def _bias(root: Path, _scored: Scored, depth: int, state: tuple) -> Bias:
    del state
    collection = texts(root, _scored).collection
    found = _run(root, _scored, "multilingual", next(iter(collection.passages.counts)), _run_state(root, _scored))
    return language_bias.bias(collection, found, depth)
