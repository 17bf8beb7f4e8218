"""Compare: models against a baseline by language, question by question, and what both ranked where they differ."""

from pathlib import Path

import streamlit as st

from dashboards import charts, loading, tables, views
from dashboards.tables import plain
from msm.errors import BadInput
from msm.reporting import wording
from msm.reporting.contrasts import Pair
from msm.reporting.results import Column, Model
from msm.reporting.tables import ordered

ALL, MOST, DEPTH = "all languages", 50, 10


def show_question(root: Path, column: Column, pairs: list[Pair], models: list[Model]) -> None:
    """One of the questions that changed most, and how both models ranked its answers."""
    labels = {
        f"{one.language} {one.question}: {wording.signed(one.change)} "
        f"({wording.times_100(one.baseline)} to {wording.times_100(one.model)})": one
        for one in pairs[:MOST]
    }
    chosen = labels[views.choose("Changed most", list(labels), "question")]
    try:
        known = loading.texts(root, models[0].runs[0])
        query = known.queries[chosen.question, chosen.language]
        views.show_text(known.collection.queries[query].text, chosen.language)
        for place, model in zip(st.columns(2), models, strict=True):
            run = model.runs[0]
            found = loading.answers(root, run, column[1], chosen.language, query, DEPTH)
            with place:
                st.markdown(f"**{plain(model.name)}**" + (f", seed {run.facts['seed']}" if model.is_trained else ""))
                views.show_answers(found)
    except (BadInput, KeyError) as error:
        st.info(plain(str(error)))


def page() -> None:
    """The whole page."""
    st.title("Compare")
    chosen = views.choose_results()
    if chosen is None:
        return
    _, root, results = chosen
    benchmark, column = views.choose_column(results)
    models = {model.name: model for model in ordered(benchmark, tables.report_settings(root))}
    names = views.choose_several("Models, the first is the baseline", list(models), "models", list(models)[-2:], 6)
    if len(names) < 2:
        st.info("Choose two models or more.")
        return
    found = loading.compared(root, benchmark, column, tuple(names))
    views.show_problems(found.problems)
    for name in found.pairs:
        st.subheader(f"{plain(name)} against {plain(names[0])}", anchor=False)
        frame = tables.contrasts_frame([one for one in found.contrasts if one.model == name])
        st.dataframe(frame, hide_index=True, height="content", width="content")
    if not found.pairs:
        return
    st.caption("Values times 100; p two-sided, corrected for all languages and models above; seeds are averaged first.")
    st.header("Question by question", anchor=False)
    left, right = st.columns(2)
    with left:
        name = views.choose("Model", list(found.pairs), "against")
    with right:
        language = views.choose("Questions in", [ALL, *(one.language for one in found.contrasts[:-1])], "language")
    pairs = [pair for pair in found.pairs[name] if language in (ALL, pair.language)]
    if pairs:
        st.altair_chart(charts.scatter(pairs, name, names[0]), width="stretch")
        st.caption(f"Above the line {plain(name)} is better. A larger dot is more questions.")
        show_question(root, column, pairs, [models[names[0]], models[name]])


page()
