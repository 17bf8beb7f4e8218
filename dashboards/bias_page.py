"""The page of language bias: the languages of the best answers, for each language of the question."""

import pandas as pd
import streamlit as st

from msm.dashboards import loading, tables, views
from msm.dashboards.loading import RecipeState
from msm.dashboards.tables import plain
from msm.errors import BadInput
from msm.evaluation.language_bias import Bias
from msm.reporting import wording
from msm.reporting.contents import FAIRNESS_NOTE
from msm.reporting.models import BenchmarkResults, ModelScores, first_pair, ordered

NARROW = 8
"""Largest number of languages whose matrices fit side by side."""
DEPTHS = ["10", "1", "5", "20", "100"]  # the first is the default


def show_matrix(frame: pd.DataFrame, languages: list[str]) -> None:
    """Show the shares of the languages as a heat map."""
    columns = {"questions in": st.column_config.TextColumn(pinned=True, width=130)}
    columns |= {name: st.column_config.NumberColumn(width=56) for name in languages}
    style = tables.shares_map(frame, languages)
    st.dataframe(style, hide_index=True, column_config=columns, height="content", width="content", placeholder="")


def show_run(run: ModelScores, bias: Bias) -> None:
    """Show the shares of one run as a matrix."""
    st.subheader(plain(tables.run_label(run)), anchor=False)
    show_matrix(tables.bias_frame(bias), bias.candidate_languages)
    st.caption(f"In the question's own language: **{wording.times_100(bias.own)} %** on average.")


def show_runs(recipe: RecipeState, runs: list[ModelScores], depth: int) -> None:
    """Show the matrices of some runs, side by side where there is room, and those of random and perfect runs."""
    biases: dict[str, Bias] = {}
    for run in runs:
        try:
            biases[run.path.name] = loading.bias(recipe.root, run, depth)
        except BadInput as error:
            st.info(f"{plain(tables.run_label(run))}: {plain(str(error))}")
    if not biases:
        return
    one = next(iter(biases.values()))
    across = 2 if len(one.candidate_languages) <= NARROW else 1
    runs_with_bias = [run for run in runs if run.path.name in biases]
    for start in range(0, len(runs_with_bias), across):
        for place, run in zip(st.columns(across), runs_with_bias[start : start + across], strict=False):
            with place:
                show_run(run, biases[run.path.name])
    views.show_scale("0 %", "100 %")
    st.caption("Shares of the languages among the best answers, in %; a row sums to 100.")
    with st.expander("What a random and a perfect ranking give"):
        show_matrix(tables.yardsticks_frame(one), one.candidate_languages)


def show_distances(benchmark: BenchmarkResults) -> None:
    """Show the distance between the ranks of the answers in all languages, where it was scored."""
    frame = tables.distances_frame(benchmark)
    if len(frame):
        st.subheader("Rank distance", anchor=False)
        st.dataframe(frame, hide_index=True, height="content", width="content")
        st.caption("Worst less best rank of the answers to a question in all languages; less is better.")


def show_fairness(recipe: RecipeState, benchmark: BenchmarkResults) -> None:
    """Show every model by every measure of language fairness, where they were scored."""
    rows = loading.fairness(recipe, benchmark)
    if rows:
        st.subheader("Models compared", anchor=False)
        columns = {"model": st.column_config.TextColumn(pinned=True, width=140)}
        frame = tables.fairness_frame(rows)
        st.dataframe(frame, hide_index=True, column_config=columns, height="content", width="content")
        st.caption(FAIRNESS_NOTE)


def page() -> None:
    """Show the whole page."""
    st.title("Language bias", anchor=False)
    places = views.filters(3, 4, 2, 2)
    recipe = views.open_recipe(places[0])
    if recipe is None:
        return
    benchmark = views.choose_benchmark(recipe, places[1], places[2])
    with places[3]:
        depth = views.choose("Best answers", DEPTHS, "depth")
    models = ordered(benchmark, recipe.settings)
    first = [model.seeds[0].path.name for model in first_pair(models, recipe.settings)]
    runs = {scores.path.name: scores for model in models for scores in model.seeds}
    words = {name: tables.run_label(run) for name, run in runs.items()}
    names = views.choose_several("Models", list(runs), "runs", first, 4, words)
    show_runs(recipe, [runs[name] for name in names], int(depth))
    show_fairness(recipe, benchmark)
    show_distances(benchmark)


page()
