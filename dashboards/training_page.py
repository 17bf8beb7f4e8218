"""Training: the curves of one or several runs side by side, live while a run writes."""

from html import escape

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import training_logs, views
from dashboards.charts import PALETTE
from dashboards.folders import folders
from dashboards.training_logs import QUANTITIES, Run


def show_curves(chosen: list[Run]) -> None:
    """One small chart for every quantity that a chosen run logs."""
    frames = []
    for run in chosen:
        frame, problem = training_logs.curves(run.log)
        frames.append(frame.assign(run=run.label))
        if problem:
            st.warning(problem, icon=":material/error:")
    together = pd.concat(frames)
    shown = [name for name in QUANTITIES if name in together.columns]
    if not shown:
        st.info("No step is logged yet.")
        return
    swatches = zip(PALETTE, (escape(run.label) for run in chosen), strict=False)
    st.html(" &emsp; ".join(f'<b style="color:{colour}">&#9608;&#9608;</b> {label}' for colour, label in swatches))
    for start in range(0, len(shown), 2):
        for column, name in zip(st.columns(2), shown[start : start + 2], strict=False):
            column.altair_chart(chart(together, name, [run.label for run in chosen]), width="stretch")


def chart(frame: pd.DataFrame, name: str, labels: list[str]) -> alt.Chart:
    """A quantity against the step, one line a run."""
    return (
        alt.Chart(frame[["step", name, "run"]].dropna())
        .mark_line(strokeWidth=1.8, point=name == "dev_mrr")
        .encode(
            x=alt.X("step:Q", title=None),
            y=alt.Y(f"{name}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=",.3~r", tickCount=4)),
            color=alt.Color("run:N", scale=alt.Scale(domain=labels, range=PALETTE), legend=None),
            tooltip=["run", "step", alt.Tooltip(name, format=".4g")],
        )
        .properties(title=QUANTITIES[name], height=210)
    )


def page() -> None:
    """Choose a recipe and runs, and see their curves."""
    st.title("Training")
    found = training_logs.runs(folders())
    if not found:
        st.info("No training log yet. `make demo` trains two small models in minutes; their curves appear here live.")
        return
    recipes = sorted({run.recipe for run in found})
    recipe = views.choose("Recipe", recipes, "recipe")
    by_label = {run.label: run for run in found if run.recipe == recipe}
    first = [label for label in by_label if label.startswith("pretrain/")] or list(by_label)
    labels = st.multiselect("Runs", list(by_label), default=first[:6], max_selections=len(PALETTE))
    chosen = [by_label[label] for label in labels]
    if not chosen:
        st.info("Choose a run.")
        return
    is_live = any(run.is_live for run in chosen)
    st.fragment(show_curves, run_every=5 if is_live else None)(chosen)


page()
