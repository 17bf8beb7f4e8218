"""Language bias: which language the best answers come from, for each language of the question."""

import streamlit as st

from dashboards import loading, tables, views
from dashboards.tables import plain
from msm.errors import BadInput
from msm.evaluation.language_bias import Bias
from msm.reporting import wording
from msm.reporting.results import Benchmark, Scored
from msm.reporting.tables import ordered

DEPTHS = ["10", "1", "5", "20", "100"]  # the first is the default


def show_matrix(run: Scored, found: Bias) -> None:
    """Shares of the languages, with both yardsticks below."""
    frame = tables.bias_frame(found)
    columns = {"questions in": st.column_config.TextColumn(pinned=True, width=140)}
    columns |= {name: st.column_config.NumberColumn(width=56) for name in found.answered}
    style = tables.shares_map(frame, found.answered)
    st.dataframe(style, hide_index=True, column_config=columns, height="content", width="content", placeholder="")
    st.caption(
        f"Shares of the answers' languages in %, {plain(run.facts['model'])}; a row sums to 100. In the question's "
        f"own language: **{wording.times_100(found.own)}** on average. Below, what a random and a perfect ranking give."
    )


def show_distances(benchmark: Benchmark) -> None:
    """How far apart the answers of all languages stand, where that was scored."""
    frame = tables.distances_frame(benchmark)
    if len(frame):
        st.subheader("Rank distance", anchor=False)
        st.dataframe(frame, hide_index=True, height="content", width="content")
        st.caption("Worst less best rank of the answers to a question in all languages; less is better.")


def page() -> None:
    """The whole page."""
    st.title("Language bias")
    chosen = views.choose_results()
    if chosen is None:
        return
    _, root, results = chosen
    left, middle, right = st.columns([2, 2, 1])
    with left:
        benchmark = views.choose_benchmark(results)
    models = ordered(benchmark, tables.report_settings(root))
    first = [model.runs[0].path.name for model in models[-2:]]
    runs = {run.path.name: run for model in models for run in model.runs}
    with middle:
        names = views.choose_several("Runs", list(runs), "runs", first, 4)
    with right:
        depth = views.choose("Best answers", DEPTHS, "depth")
    for name in names:
        st.subheader(plain(name), anchor=False)
        try:
            show_matrix(runs[name], loading.bias(root, runs[name], int(depth)))
        except BadInput as error:
            st.info(plain(str(error)))
    show_distances(benchmark)


page()
