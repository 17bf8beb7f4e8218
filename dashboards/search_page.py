"""Search: ask in any language, and see what two models answer from all of them."""

import importlib
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards import loading, tables, views
from dashboards.tables import plain
from msm.errors import BadInput
from msm.reporting import rankings
from msm.reporting.rankings import Answer, Texts
from msm.reporting.results import Scored

DEPTH = 10
LONGEST = 1000


@st.cache_resource(show_spinner="Loading a model and encoding the collection; later questions are quick", max_entries=4)
def searcher(model: Path, _known: Texts, state: tuple) -> Any:
    """A model with the vectors of a collection; the only place of the dashboard that loads torch."""
    del state
    return importlib.import_module("msm.retrieval.ask").Searcher(model, _known.collection)


def show_model(root: Path, run: Scored, question: str) -> None:
    """What one model answers."""
    known = loading.texts(root, run)
    model = rankings.model(root, run)
    found = searcher(model, known, (tables.state(model), tables.state(root / "sources")))
    best = found.ask(question, DEPTH)
    # Which answers are right is known of the collection's own questions only.
    asked = {query.query_id for query in known.collection.queries if query.text == question}
    views.show_answers(
        [
            Answer(
                rank, one.score, one.passage, any((query, one.passage.passage_id) in known.relevant for query in asked)
            )
            for rank, one in enumerate(best, start=1)
        ]
    )


def page() -> None:
    """The whole page."""
    st.title("Search")
    chosen = views.choose_results()
    if chosen is None:
        return
    _, root, results = chosen
    benchmark = views.choose_benchmark(results)
    runs = {run.path.name: run for model in benchmark.models if model.is_trained for run in model.runs}
    if not runs:
        st.info("No trained model has been scored on this collection yet.")
        return
    names = views.choose_several("Models", list(runs), "ask", list(runs)[:2], 2)
    question = st.text_input("Question", key="asked", max_chars=LONGEST, placeholder="in any language").strip()
    try:
        examples = [query.text for query in loading.texts(root, next(iter(runs.values()))).collection.queries]
        st.caption("For example: " + plain(" · ".join(examples[:: len(examples) // 3 + 1])))
        if not question or not names:
            return
        for place, name in zip(st.columns(len(names)), names, strict=True):
            with place:
                st.subheader(plain(name), anchor=False)
                show_model(root, runs[name], question)
    except BadInput as error:
        st.info(plain(str(error)))


page()
