"""Results: every model by language, ours beside published values, differences with their verdicts."""

import streamlit as st

from dashboards import loading, tables, views
from dashboards.folders import folders
from dashboards.tables import plain
from msm.reporting import wording
from msm.reporting.results import Benchmark, Column, Results
from msm.reporting.tables import Row


def choose_column(results: Results) -> tuple[Benchmark, Column]:
    """Let people pick a benchmark, a measure and which candidates are ranked."""
    left, middle, right = st.columns([2, 1, 2])
    benchmarks = {f"{wording.benchmark(one.name)}, {one.split}, {one.setting}": one for one in results.benchmarks}
    with left:
        benchmark = benchmarks[views.choose("Benchmark", list(benchmarks), "benchmark")]
    with middle:
        measure = views.choose("Measure", list(dict.fromkeys(column[0] for column in benchmark.columns)), "measure")
    pools = {wording.pool(column[1]): column for column in benchmark.columns if column[0] == measure}
    with right:
        return benchmark, pools[views.choose("Candidates", list(pools), "candidates")]


def show_published(rows: list[Row], languages: list[str]) -> None:
    """Printed rows, marked as what they are."""
    st.subheader("Published, for the same benchmark, split and measure", anchor=False)
    st.caption("Other protocols and another scale: a landmark, not a rival.")
    views.show_rows(rows, languages, {})
    for about in dict.fromkeys(row.about for row in rows):
        labels = ", ".join(row.label for row in rows if row.about == about)
        st.caption(f"**{plain(labels)}**: {plain(about)}.")


def page() -> None:
    """The whole page."""
    st.title("Results")
    found = tables.recipes(folders())
    if not found:
        st.info(views.NO_SCORES)
        return
    recipe = views.choose("Recipe", list(found), "recipe")
    root = found[recipe]
    results = loading.results(root)
    if not results.benchmarks:
        st.info("This recipe has no usable scores yet.")
        views.show_problems(results.problems)
        return
    benchmark, column = choose_column(results)
    shown = loading.shown(root, benchmark, column)
    views.show_problems([*results.problems, *shown.problems])
    if shown.table is None:
        return
    languages = shown.table.languages
    st.subheader(plain(shown.table.title), anchor=False)
    st.caption(f"{plain(shown.table.subtitle)}; intervals hold the mean with 95 % confidence over other questions")
    links = {model.name: tables.lineage_link(recipe, model.runs[0].path.name) for model in benchmark.models}
    views.show_rows(shown.table.rows, languages, links)
    if shown.differences:
        st.subheader("Differences of the means", anchor=False)
        views.show_differences(shown.differences, len(languages))
    if shown.published:
        show_published(shown.published, languages)


page()
