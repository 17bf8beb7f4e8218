"""The page of ablations: what one change gains or loses, here and in the paper, and what sentence order does."""

import streamlit as st

from msm.dashboards import ablation_tables, charts, loading, recipes, views
from msm.reporting import ablations
from msm.reporting.ablations import OrderRow
from msm.reporting.contents import AblationRow

STUDIES = ("ablations", "order")
"""Recipes that have what this page shows."""
NONE = (
    "This recipe has neither the rows of the paper's tables 4 to 8 nor texts with shuffled sentences. "
    "The recipes `ablations` and `order` have: `msm plan ablations`, `make order`."
)


def show_tables(rows: list[AblationRow]) -> None:
    """Show a small chart for each table."""
    st.header("Tables 4 to 8", anchor=False)
    st.caption(
        "Change against the reference of the same table, in points (times 100): :blue[ours] with 95 % intervals over "
        "the questions and a tick for every training, on the benchmark chosen above; :orange[the paper's] on Mr. TyDi, "
        "MRR@100. Benchmarks and sizes differ: compare the directions, not the lengths."
    )
    places = st.columns(2)
    for number, (table, title) in enumerate(ablations.TITLES.items()):
        of_table = [row for row in rows if row.table == table]
        frames = ablation_tables.ablations_frame(of_table), ablation_tables.trainings_frame(of_table)
        places[number % 2].altair_chart(charts.ablation(*frames, f"Table {table}: {title}"), width="stretch")
    with st.expander("The same in numbers"):
        st.dataframe(ablation_tables.ablations_text(rows), hide_index=True, height="content", width="content")


def show_order(points: list[OrderRow]) -> None:
    """Show scores against the share of shuffled documents."""
    st.header("The order of sentences", anchor=False)
    st.altair_chart(charts.order(*ablation_tables.order_frames(points)), width="stretch")
    st.caption(
        "Lines and bands: mean over the seeds, and its 95 % interval over the questions. Dots: one training each. "
        "An objective that lives on the order of sentences falls to the right; one that does not stays level."
    )


def page() -> None:
    """Show the whole page."""
    st.title("Ablations", anchor=False)
    choice = views.choose_column(STUDIES)
    if choice is None:
        return
    study = loading.ablated(*choice)
    views.show_problems(study.problems)
    if study.rows:
        show_tables(study.rows)
    if study.order:
        show_order(study.order)
    if not study.rows and not study.order:
        st.info(NONE)
        for label in recipes.recipes(views.folders()):
            if label.removesuffix(recipes.EXPORTED) in STUDIES:
                st.button(f"Show {label}", on_click=views.turn_to, args=(label,))


page()
