"""The page of comparisons: models against a baseline by language, question by question, and with their answers."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from msm.dashboards import charts, loading, tables, views
from msm.dashboards.loading import ComparisonView, RecipeState
from msm.dashboards.tables import plain
from msm.errors import BadInput
from msm.reporting import wording
from msm.reporting.contrasts import ModelContrast, PairedValues
from msm.reporting.models import Column, Model, first_pair, ordered

ALL, MOST, DEPTH = "all languages", 50, 10


def choose_question(pairs: list[PairedValues]) -> PairedValues:
    """Let people pick one of the questions that changed most."""
    labels = {
        f"{one.language} {one.question}: {wording.signed(one.change)} "
        f"({wording.times_100(one.baseline)} to {wording.times_100(one.model)})": one
        for one in pairs[:MOST]
    }
    return labels[views.choose("Changed most", list(labels), "question")]


def show_rankings(root: Path, column: Column, pair: PairedValues, models: list[Model], place_of_text: Place) -> None:
    """Show a question, and how both models ranked its answers."""
    try:
        texts = loading.texts(root, models[0].seeds[0])
        query = texts.queries[pair.question, pair.language]
        with place_of_text:
            views.show_text(texts.collection.queries[query].text, pair.language)
        for place, model in zip(st.columns(2), models, strict=True):
            run = model.seeds[0]
            answers = loading.answers(root, run, column[1], pair.language, query, DEPTH)
            with place:
                st.markdown(f"**{plain(tables.run_label(run))}**")
                views.show_answers(answers)
        views.explain_answers()
    except BadInput as error:
        st.info(plain(str(error)))
    except KeyError:
        st.info("This question is not among the texts that are here.")


def show_contrasts(contrasts: list[ModelContrast]) -> None:
    """Show a model against the baseline by language: numbers, and the differences drawn."""
    st.subheader(f"{plain(contrasts[0].model)} against {plain(contrasts[0].baseline)}", anchor=False)
    left, right = st.columns([9, 4])
    columns = {
        "language": st.column_config.TextColumn(pinned=True, width=76),
        "": st.column_config.TextColumn(width=32),
    }
    columns |= {name: st.column_config.NumberColumn(width=60) for name in ("wins", "ties", "losses")}
    columns["p, corrected"] = st.column_config.TextColumn("p", width=60, help="Corrected for languages and models.")
    frame = tables.contrasts_frame(contrasts)
    left.dataframe(frame, hide_index=True, column_config=columns, height="content", width="content")
    right.altair_chart(charts.contrasts(tables.intervals_frame(contrasts)), width="stretch")


def show_questions(
    recipe: RecipeState, column: Column, comparisons: ComparisonView, models: dict[str, Model], baseline: str
) -> None:
    """Show every question by both models, and one of those that changed most."""
    st.header("Question by question", anchor=False)
    left, right = st.columns(2)
    with right:
        name = views.choose("Model", list(comparisons.pairs), "against")
        languages = [one.language for one in comparisons.contrasts if one.model == name][:-1]
        language = views.choose("Questions in", [ALL, *languages], "language")
        pairs = [pair for pair in comparisons.pairs[name] if language in (ALL, pair.language)]
        pair_of_question = choose_question(pairs)
    left.altair_chart(charts.scatter(pairs, name, baseline), width="stretch")
    left.caption(f"Above the line {plain(name)} is better. A larger dot is more questions.")
    show_rankings(recipe.root, column, pair_of_question, [models[baseline], models[name]], right)


def page() -> None:
    """Show the whole page."""
    st.title("Compare", anchor=False)
    choice = views.choose_column()
    if choice is None:
        return
    recipe, benchmark, column = choice
    models = {model.name: model for model in ordered(benchmark, recipe.settings)}
    first = [model.name for model in first_pair(list(models.values()), recipe.settings)]
    names = views.choose_several("Models, the first is the baseline", list(models), "models", first, 6)
    if len(names) < 2:
        st.info("Choose two models or more.")
        return
    comparisons = loading.compared(recipe, benchmark, column, tuple(names))
    views.show_problems(comparisons.problems)
    for name in comparisons.pairs:
        show_contrasts([one for one in comparisons.contrasts if one.model == name])
    if comparisons.pairs:
        st.caption(
            "Values times 100, seeds averaged first. Intervals: 95 %, over other questions. p: two-sided, corrected "
            "for all languages and models above. ▲ better, ▼ worse, = inside the noise. Wins, ties, losses: questions."
        )
        show_questions(recipe, column, comparisons, models, names[0])


page()
