"""The page of results: the best model for a language, every model by language, and differences with verdicts."""

import streamlit as st

from msm.dashboards import loading, tables, views
from msm.dashboards.loading import RecipeState
from msm.dashboards.tables import plain
from msm.reporting.contents import Row, Table
from msm.reporting.models import BenchmarkResults, Column
from msm.reporting.published import MEAN


def show_table(recipe: RecipeState, benchmark: BenchmarkResults, column: Column, table: Table) -> None:
    """Show the rows of the recipe's models, and offer them as files."""
    st.subheader(plain(table.title), anchor=False)
    st.caption(f"{plain(table.subtitle)}; intervals hold the mean with 95 % confidence over other questions")
    links = {model.name: tables.lineage_link(recipe.label, model.seeds[0].path.name) for model in benchmark.models}
    views.show_rows(table.rows, table.languages, links, table.mean_digits)
    views.show_downloads(table, tables.file_name(recipe.label, benchmark.name, *column))


def show_published(rows: list[Row], languages: list[str]) -> None:
    """Show published rows, marked as published."""
    st.subheader("Published, for the same benchmark, split and measure", anchor=False)
    st.caption("Other protocols and another scale: a landmark, not a rival.")
    views.show_rows(rows, languages, {})
    for about in dict.fromkeys(row.about for row in rows):
        labels = ", ".join(row.label for row in rows if row.about == about)
        st.caption(f"**{plain(labels)}**: {plain(about)}.")


def show_best(
    recipe: RecipeState, benchmark: BenchmarkResults, column: Column, table: Table, seeds: tuple[int, ...]
) -> None:
    """Show which model is best for a language that people pick, and whether that is sure."""
    words = {MEAN: "all languages"} | {code: tables.language_name(code) for code in table.languages}
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    with left:
        language = views.choose("Your language", list(words), "for", words)
    best = loading.best(recipe, benchmark, column, seeds, language)
    if best:
        show = right.info if best.rivals else right.success
        show(tables.best_text(best, words[language]), icon=":material/trophy:")


def choose_seeds(benchmark: BenchmarkResults) -> tuple[int, ...]:
    """Let people choose seeds; without a choice all are averaged."""
    seeds = sorted({scores.facts["seed"] for model in benchmark.models if model.is_trained for scores in model.seeds})
    return tuple(int(seed) for seed in views.choose_several("Seeds", list(map(str, seeds)), "seeds", [], None))


def choose_models(table: Table) -> list[str]:
    """Let people choose rows; without a choice all are shown."""
    labels = [row.label for row in table.rows if row.kind != "chance"]
    return views.choose_several("Models", labels, "only", [], None)


def choose_order(table: Table) -> str:
    """Let people choose the language by which the rows are sorted."""
    words = {tables.REPORT: "controls first", MEAN: "best mean first"}
    words |= {language: f"best in {language} first" for language in table.languages} | {tables.NAME: "by name"}
    return views.choose("Order", list(words), "order", words)


def look_ahead(recipe: RecipeState, column: Column, seeds: tuple[int, ...]) -> None:
    """Make the tables that people may open next, while they read this one; a click ends this after one table."""
    for benchmark in recipe.results.benchmarks:
        likely = min(benchmark.columns, key=lambda one: (one[0] != column[0], one[1] != column[1]), default=None)
        if likely:
            loading.shown(recipe, benchmark, likely, seeds)


def page() -> None:
    """Show the whole page."""
    st.title("Results", anchor=False)
    choice = views.choose_column()
    if choice is None:
        return
    recipe, benchmark, column = choice
    first_look = st.container()
    for_models, for_seeds, for_order = views.filters(3, 1, 1)
    with for_seeds:
        seeds = choose_seeds(benchmark)
    view = loading.shown(recipe, benchmark, column, seeds)
    views.show_problems([*recipe.results.problems, *view.problems])
    if view.table is None:
        return
    with first_look:
        show_best(recipe, benchmark, column, view.table, seeds)
    with for_models:
        only = choose_models(view.table)
    with for_order:
        rows = tables.arranged(view.table.rows, only, choose_order(view.table))
    show_table(recipe, benchmark, column, view.table._replace(rows=rows))
    if view.published_rows:
        show_published(view.published_rows, view.table.languages)
    differences = loading.different(recipe, benchmark, column, seeds)
    if differences:
        st.subheader("Differences of the means", anchor=False)
        some = [one for one in differences if not only or one.model in only]
        views.show_differences(some, len(view.table.languages))
    look_ahead(recipe, column, seeds)


page()
