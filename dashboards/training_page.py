"""The page of trainings: the curves of one or several side by side, live while a training writes."""

from html import escape
from pathlib import Path

import altair as alt
import pandas as pd
import streamlit as st

from msm.dashboards import training_logs, views
from msm.dashboards.charts import PALETTE
from msm.dashboards.folders import folders
from msm.dashboards.tables import plain
from msm.dashboards.training_logs import QUANTITIES, Tail, TrainingLog

EVERY = 5
"""Seconds between two readings of a running log."""


@st.cache_resource(max_entries=100)
def tail(log: Path) -> Tail:
    """Return a log, of which only new lines are read at later calls."""
    return Tail(log)


def show_curves(runs: list[TrainingLog]) -> None:
    """Show one small chart for every quantity in the logs of the chosen trainings."""
    if not all(run.log.is_file() for run in runs):
        st.rerun()  # A training has finished since, and its log was moved.
    frames = []
    for run in runs:
        frame, problem = tail(run.log).curves()
        frames.append(frame.assign(run=run.label))
        if problem:
            st.warning(plain(problem), icon=":material/error:")
    together = pd.concat(frames)
    quantities = [name for name in QUANTITIES if name in together.columns]
    if not quantities:
        st.info("No step is logged yet.")
        return
    swatches = zip(PALETTE, (escape(run.label) for run in runs), strict=False)
    legend = " &emsp; ".join(f'<b style="color:{colour}">&#9608;&#9608;</b> {label}' for colour, label in swatches)
    st.html(f'{legend} &emsp; <span style="opacity:.7">against the step</span>')
    for start in range(0, len(quantities), 2):
        for column, name in zip(st.columns(2), quantities[start : start + 2], strict=False):
            column.altair_chart(chart(together, name, [run.label for run in runs]), width="stretch")


def chart(frame: pd.DataFrame, name: str, labels: list[str]) -> alt.Chart:
    """Return a chart of a quantity by step, one line for each training."""
    return (
        alt.Chart(frame[["step", name, "run"]].dropna())
        .mark_line(strokeWidth=1.8, point=name.startswith("dev_"))
        .encode(
            x=alt.X("step:Q", title=None),
            y=alt.Y(f"{name}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=",.3~r", tickCount=4)),
            color=alt.Color("run:N", scale=alt.Scale(domain=labels, range=PALETTE), legend=None),
            tooltip=["run", "step", alt.Tooltip(name, format=".4g")],
        )
        .properties(title=QUANTITIES[name], height=210)
    )


def page() -> None:
    """Let people choose a recipe and trainings, and show their curves."""
    st.title("Training", anchor=False)
    all_runs = training_logs.runs(folders())
    if not all_runs:
        st.info("No training log yet. `make demo` trains two small models in minutes; their curves appear here live.")
        return
    left, right = views.filters(1, 3)
    with left:
        recipe = views.choose("Recipe", sorted({run.recipe for run in all_runs}), "recipe")
    by_name = {run.name: run for run in all_runs if run.recipe == recipe}
    first = [name for name in by_name if name.startswith("pretrain/")] or list(by_name)
    words = {name: run.label for name, run in by_name.items()}
    with right:
        names = views.choose_several("Runs", list(by_name), "logs", first[: len(PALETTE)], len(PALETTE), words)
    runs = [by_name[name] for name in names]
    if not runs:
        st.info("Choose a run.")
        return
    is_live = any(run.state == "running" for run in runs)
    st.fragment(show_curves, run_every=EVERY if is_live else None)(runs)


page()
