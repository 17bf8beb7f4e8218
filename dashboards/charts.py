"""Charts of the pages."""

import altair as alt
import pandas as pd

from msm.reporting.contrasts import Pair, grid

# Okabe and Ito's colours, told apart by every kind of colour vision.
PALETTE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"]


def scatter(pairs: list[Pair], model: str, baseline: str) -> alt.LayerChart:
    """Every question by the values of two models; a larger dot is more questions."""
    frame = pd.DataFrame(grid(pairs), columns=pd.Index(["baseline", "model", "questions"]))
    even = alt.Chart(pd.DataFrame({"baseline": [0, 1], "model": [0, 1]})).mark_line(color="gray", strokeDash=[4, 4])
    axes = {"x": alt.X("baseline:Q", title=baseline), "y": alt.Y("model:Q", title=model)}
    size = alt.Size("questions:Q", scale=alt.Scale(range=[12, 400]), legend=None)
    dots = alt.Chart(frame).mark_circle(color=PALETTE[0], opacity=0.6)
    tooltip = ["questions", alt.Tooltip("baseline", format=".2f"), alt.Tooltip("model", format=".2f")]
    return alt.layer(even.encode(**axes), dots.encode(**axes, size=size, tooltip=tooltip), height=380)
