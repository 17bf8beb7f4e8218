"""Reads the data of all pages, and keeps them until a file changes; all visitors share the same objects."""

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from msm.dashboards import recipes, tables
from msm.evaluation import language_bias
from msm.evaluation.language_bias import Bias
from msm.evaluation.per_query import PoolKind
from msm.reporting import ablations, contrasts, lineage, rankings
from msm.reporting.ablations import OrderRow
from msm.reporting.comparisons import absent_controls, differences
from msm.reporting.contents import AblationRow, Difference, FairnessRow, Row, Table
from msm.reporting.contrasts import BestModel, ModelContrast, PairedValues
from msm.reporting.fairness import fairness_rows
from msm.reporting.lineage import LineageStep
from msm.reporting.models import BenchmarkResults, Column, ModelScores, Problem, Results, with_seeds
from msm.reporting.rankings import Answer, BenchmarkTexts, RunPassages
from msm.reporting.results import load, read
from msm.reporting.settings import Report
from msm.reporting.tables import published_rows, table


class RecipeState(NamedTuple):
    """A recipe, and the state of its results on disk."""

    label: str
    root: Path
    results: Results
    settings: Report
    """Settings of the recipe's own report, so that the pages show the same scores."""
    state: str
    """Digest of the recipe's score folders."""


class ResultsView(NamedTuple):
    """Contents of the results page for one measure and kind of pool, except the differences."""

    table: Table | None
    """Table of scores; None if no score folder has usable values."""
    published_rows: list[Row]
    problems: list[Problem]


class ComparisonView(NamedTuple):
    """Contents of the page of comparisons for some models."""

    contrasts: list[ModelContrast]
    """Comparison of every further model with the first."""
    pairs: dict[str, list[PairedValues]]
    """Name of each further model to its questions against the first one, the largest change first."""
    problems: list[Problem]


class AblationView(NamedTuple):
    """Contents of the page of ablations."""

    rows: list[AblationRow]
    order: list[OrderRow]
    problems: list[Problem]


def recipe(label: str, root: Path) -> RecipeState:
    """Return a recipe; its score files are read again only after one has changed."""
    state = recipes.scores_state(root)
    return RecipeState(label, root, _results(root, state), recipes.report_settings(root), state)


def shown(recipe: RecipeState, benchmark: BenchmarkResults, column: Column, seeds: tuple[int, ...]) -> ResultsView:
    """Return the table and the published rows of a measure and kind of pool; no seeds stand for all seeds."""
    return _shown(recipe, benchmark, column, seeds, _key(recipe, benchmark), recipe.settings)


def different(
    recipe: RecipeState, benchmark: BenchmarkResults, column: Column, seeds: tuple[int, ...]
) -> list[Difference]:
    """Return the differences of every model and every control."""
    return _different(recipe, benchmark, column, seeds, _key(recipe, benchmark), recipe.settings)


def best(
    recipe: RecipeState, benchmark: BenchmarkResults, column: Column, seeds: tuple[int, ...], language: str
) -> BestModel | None:
    """Return the best model for a language; None without usable values."""
    return _best(recipe, benchmark, column, seeds, language, _key(recipe, benchmark), recipe.settings)


def compared(
    recipe: RecipeState, benchmark: BenchmarkResults, column: Column, names: tuple[str, ...]
) -> ComparisonView:
    """Return the comparisons of some models with the first of them."""
    return _compared(recipe, benchmark, column, names, _key(recipe, benchmark), recipe.settings)


def ablated(recipe: RecipeState, benchmark: BenchmarkResults, column: Column) -> AblationView:
    """Return the rows of the paper's tables and of models trained on shuffled sentences, where a recipe has them."""
    return _ablated(recipe, benchmark, column, _key(recipe, benchmark), recipe.settings)


def texts(root: Path, scores: ModelScores) -> BenchmarkTexts:
    """Return questions and judgements of a score; see `rankings.texts`."""
    return _texts(root, scores, (scores.name, recipes.state(root / "sources")))


def answers(root: Path, scores: ModelScores, kind: PoolKind, language: str, query: int, depth: int) -> list[Answer]:
    """Return the best answers to a question; see `rankings.answers`."""
    texts_of_score = texts(root, scores)
    # One run holds the questions of all languages, unless each has a pool of its own.
    of = language if kind == "same" else ""
    passages = _run_passages(root, scores, texts_of_score, kind, of, depth, _run_state(root, scores))
    return rankings.answers(passages, texts_of_score, query)


def bias(root: Path, scores: ModelScores, depth: int) -> Bias:
    """Return languages of the best answers on the pool of all languages; see `language_bias.read_bias`."""
    return _bias(scores, depth, (str(scores.path), recipes.scores_state(root)))


def fairness(recipe: RecipeState, benchmark: BenchmarkResults) -> list[FairnessRow]:
    """Return the rows of language fairness, one for each model."""
    return _fairness(benchmark, (*_key(recipe, benchmark), "fairness"), recipe.settings)


def steps(root: Path, name: str, largest: int) -> list[LineageStep]:
    """Return the steps behind a score folder; see `lineage.chain`. Bytes are compared again when a file changes."""
    names = [step.name for step in lineage.chain(name, root, largest=0) if step.state not in ("not here", "given")]
    return _steps(root, name, largest, [(step, recipes.state(lineage.folder(root, step))) for step in names])


def _key(recipe: RecipeState, benchmark: BenchmarkResults) -> tuple[str, str, tuple[str, str, str]]:
    return (str(recipe.root), recipe.state, benchmark[:3])


def _run_state(root: Path, scores: ModelScores) -> tuple[str, ...]:
    is_here = lineage.is_step(scores.source)
    states = [recipes.state(lineage.folder(root, name)) for name in (scores.source, "sources")] if is_here else []
    return (scores.name, scores.source, *states)


# Resources are not copied for each visitor. Arguments with a leading underscore are not hashed: key or state decide.
@st.cache_resource(show_spinner="Reading scores", max_entries=8)
def _results(root: Path, state: str) -> Results:
    del state
    return read(root / "score")


@st.cache_resource(show_spinner="Reading values", max_entries=24)
def _loaded(_benchmark: BenchmarkResults, column: Column, key: tuple) -> tuple[BenchmarkResults | None, list[Problem]]:
    del key
    return load(_benchmark, [column])


def _with_seeds(
    benchmark: BenchmarkResults, column: Column, seeds: tuple[int, ...], key: tuple
) -> tuple[BenchmarkResults | None, list[Problem]]:
    with_values, problems = _loaded(benchmark, column, key)
    return with_seeds(with_values, seeds) if with_values else None, problems


@st.cache_resource(show_spinner="Computing intervals", max_entries=100)
def _shown(
    _recipe: RecipeState,
    _benchmark: BenchmarkResults,
    column: Column,
    seeds: tuple[int, ...],
    key: tuple,
    settings: Report,
) -> ResultsView:
    some, problems = _with_seeds(_benchmark, column, seeds, key)
    if some is None:
        return ResultsView(None, [], problems)
    shown_table = table(some, column, settings)
    elsewhere = tables.absent_rows(_recipe.results, _benchmark, some, shown_table.languages)
    shown_table = shown_table._replace(rows=[*shown_table.rows, *elsewhere])
    return ResultsView(shown_table, published_rows(some, column), [*problems, *absent_controls(some, settings)])


@st.cache_resource(show_spinner="Computing differences", max_entries=100)
def _different(
    _recipe: RecipeState,
    _benchmark: BenchmarkResults,
    column: Column,
    seeds: tuple[int, ...],
    key: tuple,
    settings: Report,
) -> list[Difference]:
    some, _ = _with_seeds(_benchmark, column, seeds, key)
    return differences(some, column, settings) if some else []


@st.cache_resource(show_spinner="Comparing models", max_entries=200)
def _best(
    _recipe: RecipeState,
    _benchmark: BenchmarkResults,
    column: Column,
    seeds: tuple[int, ...],
    language: str,
    key: tuple,
    settings: Report,
) -> BestModel | None:
    some, _ = _with_seeds(_benchmark, column, seeds, key)
    return contrasts.best(some, column, language, settings) if some else None


@st.cache_resource(show_spinner="Comparing models", max_entries=50)
def _compared(
    _recipe: RecipeState,
    _benchmark: BenchmarkResults,
    column: Column,
    names: tuple[str, ...],
    key: tuple,
    settings: Report,
) -> ComparisonView:
    with_values, problems = _loaded(_benchmark, column, key)
    models = {model.name for model in with_values.models} if with_values else set()
    if with_values is None or names[0] not in models:
        return ComparisonView([], {}, problems)
    present_names = [name for name in names if name in models]
    pairs = {name: contrasts.pairs(with_values, column, name, names[0]) for name in present_names[1:]}
    return ComparisonView(contrasts.contrasts(with_values, column, present_names, settings), pairs, problems)


@st.cache_resource(show_spinner="Comparing ablations", max_entries=50)
def _ablated(
    _recipe: RecipeState, _benchmark: BenchmarkResults, column: Column, key: tuple, settings: Report
) -> AblationView:
    with_values, problems = _loaded(_benchmark, column, key)
    if with_values is None:
        return AblationView([], [], problems)
    rows = ablations.ablations(with_values, column, settings)
    return AblationView(rows, ablations.shuffled(with_values, column, _recipe.root, settings), problems)


@st.cache_resource(show_spinner="Comparing files with their manifests", max_entries=50)
def _steps(root: Path, name: str, largest: int, state: list[tuple[str, str]]) -> list[LineageStep]:
    del state
    return lineage.chain(name, root, largest=largest)


@st.cache_resource(show_spinner="Reading texts", max_entries=4)
def _texts(root: Path, _scores: ModelScores, state: tuple) -> BenchmarkTexts:
    del state
    return rankings.texts(root, _scores)


@st.cache_resource(show_spinner="Reading a run and its texts", max_entries=8)
def _run_passages(
    root: Path, _scores: ModelScores, _texts: BenchmarkTexts, kind: PoolKind, language: str, depth: int, state: tuple
) -> RunPassages:
    del state
    return rankings.run_passages(root, _scores, _texts, kind, language, depth)


@st.cache_resource(show_spinner="Computing intervals", max_entries=50)
def _fairness(_benchmark: BenchmarkResults, key: tuple, settings: Report) -> list[FairnessRow]:
    del key
    return fairness_rows(_benchmark, settings)


@st.cache_resource(show_spinner="Reading languages of answers", max_entries=200)
def _bias(_scores: ModelScores, depth: int, state: tuple[str, str]) -> Bias:
    del state
    return language_bias.read_bias(_scores.path, depth)
