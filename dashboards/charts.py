"""Draws the charts of the pages."""

import altair as alt
import pandas as pd

from msm.reporting.contrasts import PairedValues, grid

# Okabe and Ito's colours, which colour-blind people can tell apart; the blue is lighter, for dark pages.
PALETTE = ["#2b86c0", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#7f7f7f"]


Layers = alt.LayerChart | alt.FacetChart


def scatter(pairs: list[PairedValues], model: str, baseline: str) -> Layers:
    """Return a chart of every question by the values of two models; a larger dot is more questions."""
    cells = [(100 * before, 100 * after, count) for before, after, count in grid(pairs)]
    frame = pd.DataFrame(cells, columns=pd.Index(["baseline", "model", "questions"]))
    even = alt.Chart(pd.DataFrame({"baseline": [0, 100], "model": [0, 100]})).mark_line(color="gray", strokeDash=[4, 4])
    x, y = alt.X("baseline:Q", title=baseline), alt.Y("model:Q", title=model)
    size = alt.Size("questions:Q", scale=alt.Scale(range=[20, 400]), legend=None)
    dots = alt.Chart(frame).mark_circle(color=PALETTE[0], opacity=0.7)
    tooltip = ["questions", alt.Tooltip("baseline", format=".0f"), alt.Tooltip("model", format=".0f")]
    return alt.layer(even.encode(x=x, y=y), dots.encode(x=x, y=y, size=size, tooltip=tooltip), height=380)


def contrasts(frame: pd.DataFrame) -> Layers:
    """Return a chart of differences with intervals, one line for each language, as high as the table beside it."""
    y = alt.Y("language:N", sort=None, title=None, axis=alt.Axis(labelLimit=80, labelOverlap=False))
    colours = alt.Scale(domain=["better", "worse", "inside"], range=[PALETTE[0], PALETTE[4], PALETTE[5]])
    colour = alt.Color("direction:N", scale=colours, legend=None)
    shapes = alt.Scale(domain=["better", "worse", "inside"], range=["triangle-up", "triangle-down", "circle"])
    base = alt.Chart(frame)
    title = "difference, points"
    axis = alt.Axis(orient="top")
    x, low = alt.X("difference:Q", title=title, axis=axis), alt.X("low:Q", title=title, axis=axis)
    even = alt.Chart(pd.DataFrame({"difference": [0]})).mark_rule(color="gray", strokeDash=[4, 4]).encode(x=x)
    spans = base.mark_rule(strokeWidth=2).encode(y=y, x=low, x2="high:Q", color=colour)
    tooltip = ["language", *(alt.Tooltip(name, format="+.1f") for name in ("difference", "low", "high")), "direction"]
    shape = alt.Shape("direction:N", scale=shapes, legend=None)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(y=y, x=x, color=colour, shape=shape, tooltip=tooltip)
    return alt.layer(even, spans, dots, height=35 * len(frame) + 45)


def ablation(frame: pd.DataFrame, trainings: pd.DataFrame, title: str) -> Layers:
    """Return a chart of the changes in one of the paper's tables, here and in print.

    Args:
        frame: changes of the rows here, with intervals, and the printed ones.
        trainings: changes of single trainings.
        title: title of the chart.
    """
    labels = list(dict.fromkeys(frame["row"]))
    y = alt.Y("row:N", sort=labels, title=None, axis=alt.Axis(labelLimit=160, labelOverlap=False))
    colours = alt.Color("whose:N", scale=alt.Scale(domain=["ours", "paper"], range=PALETTE[:2]), legend=None)
    base = alt.Chart(frame.dropna(subset=["change"]))
    change = alt.X("change:Q", title="points")
    tooltip = ["row", "whose", alt.Tooltip("change", format="+.1f"), alt.Tooltip("value", format=".1f")]
    even = alt.Chart(pd.DataFrame({"change": [0]})).mark_rule(color="gray", strokeDash=[4, 4]).encode(x=change)
    spans = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2)
    ticks = alt.Chart(trainings).mark_tick(thickness=1.5, opacity=0.6, color=PALETTE[0])
    dots = base.mark_point(filled=True, size=90, opacity=1)
    shape = alt.Shape("whose:N", scale=alt.Scale(domain=["ours", "paper"], range=["circle", "diamond"]), legend=None)
    return alt.layer(
        even,
        ticks.encode(y=y, x=change, tooltip=["row", alt.Tooltip("change", format="+.1f")]),
        spans.encode(y=y, x=alt.X("low:Q", title="points"), x2="high:Q", color=colours),
        dots.encode(y=y, x=change, color=colours, shape=shape, tooltip=tooltip),
        title=title,
        height=30 * len(labels) + 90,
    )


def order(means: pd.DataFrame, seeds: pd.DataFrame) -> Layers:
    """Return a chart of scores by the share of shuffled documents: means with intervals, and every seed."""
    colours = alt.Color(
        "objective:N", scale=alt.Scale(range=PALETTE), legend=alt.Legend(orient="top", title=None, symbolOpacity=1)
    )
    x = alt.X("shuffled:Q", title="documents with shuffled sentences, %", axis=alt.Axis(values=[0, 25, 50, 75, 100]))
    y = alt.Y("value:Q", title="mean over languages", scale=alt.Scale(zero=False))
    band = alt.Chart(means).mark_area(opacity=0.15).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colours)
    line = alt.Chart(means).mark_line(strokeWidth=2).encode(x=x, y=y, color=colours)
    tooltip = ["objective", "shuffled", "seed", alt.Tooltip("value", format=".1f")]
    dots = alt.Chart(seeds).mark_circle(size=70, opacity=0.8).encode(x=x, y=y, color=colours, tooltip=tooltip)
    return alt.layer(band, line, dots, height=380)
