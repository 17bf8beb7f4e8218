"""Results: every model by language, ours beside published values, differences with their verdicts."""

import streamlit as st

from dashboards import loading, tables, views
from dashboards.tables import plain
from msm.reporting.tables import Row


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
    chosen = views.choose_results()
    if chosen is None:
        return
    recipe, root, results = chosen
    benchmark, column = views.choose_column(results)
    shown = loading.shown(root, benchmark, column)
    views.show_problems([*results.problems, *shown.problems])
    if shown.table is None:
        return
    languages = shown.table.languages
    st.subheader(plain(shown.table.title), anchor=False)
    st.caption(f"{plain(shown.table.subtitle)}; intervals hold the mean with 95 % confidence over other questions")
    links = {model.name: tables.lineage_link(recipe, model.runs[0].path.name) for model in benchmark.models}
    views.show_rows(shown.table.rows, languages, links)
    views.show_downloads(shown.table, tables.file_name(recipe, benchmark.name, *column))
    if shown.differences:
        st.subheader("Differences of the means", anchor=False)
        views.show_differences(shown.differences, len(languages))
    if shown.published:
        show_published(shown.published, languages)


page()
