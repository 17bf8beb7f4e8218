"""The page of search: a question in any language, and the answers of two models from all languages."""

from pathlib import Path
from typing import Any

import streamlit as st

from msm.dashboards import loading, recipes, tables, views
from msm.dashboards.loading import RecipeState
from msm.dashboards.tables import plain
from msm.errors import BadInput
from msm.imports import entry
from msm.reporting import rankings
from msm.reporting.models import ModelScores
from msm.reporting.rankings import Answer, BenchmarkTexts

DEPTH = 10
EXAMPLES = 4
LONGEST = 1000
LARGEST = 100_000
"""Largest number of passages that the page encodes; more would take too long."""


@st.cache_resource(show_spinner="Loading a model and encoding the collection; later questions are quick", max_entries=4)
def searcher(model: Path, _texts: BenchmarkTexts, state: tuple) -> Any:
    """Return a model with the vectors of a collection; the only place of the dashboard that loads torch."""
    del state
    return entry("msm.retrieval.ask:Searcher")(model, _texts.collection)


def show_model(root: Path, run: ModelScores, question: str) -> None:
    """Show the answers of one model."""
    questions = loading.texts(root, run)
    model = rankings.model(root, run)
    model_searcher = searcher(model, questions, (recipes.state(model), recipes.state(root / "sources")))
    best = model_searcher.ask(question, DEPTH)
    # Judgements exist for the collection's own questions only.
    query_ids = {query.query_id for query in questions.collection.queries if query.text == question}
    views.show_answers(
        [
            Answer(
                rank,
                one.score,
                one.passage,
                any((query, one.passage.passage_id) in questions.relevant for query in query_ids),
            )
            for rank, one in enumerate(best, start=1)
        ]
    )


def texts(root: Path, run: ModelScores) -> BenchmarkTexts:
    """Return the questions and judgements of a score; a collection that is too large is refused before it is read.

    Raises:
        BadInput: the collection is too large, or not on this machine.
    """
    passages = run.manifest["facts"].get("passages")
    if isinstance(passages, int) and passages > LARGEST:
        raise BadInput(f"{passages:,} passages are too many to be encoded here; most are {LARGEST:,}")
    return loading.texts(root, run)


def missing_model(root: Path, run: ModelScores) -> str:
    """Return the reason why the model of a score cannot be loaded; an empty text where it can."""
    try:
        rankings.model(root, run)
    except BadInput as error:
        return str(error)
    return ""


def show_examples(texts: BenchmarkTexts) -> None:
    """Show some of the collection's own questions; a click on one asks it."""
    queries = texts.collection.queries
    with st.container(horizontal=True):
        for query in queries[:: len(queries) // EXAMPLES + 1]:
            # A button's label is Markdown, so a question stands there as it is, in the direction of its script.
            label = f"{plain(query.language)} · \u2068{plain(query.text)}\u2069"
            st.button(label, key=f"ask {query.query_id}", on_click=ask, args=(query.text,), type="tertiary")


def ask(question: str) -> None:
    """Put a question into the field."""
    st.session_state["asked"] = question


def show_answers(recipe: RecipeState, runs: list[ModelScores], question: str) -> None:
    """Show the answers of the models side by side."""
    for place, run in zip(st.columns(len(runs)), runs, strict=True):
        with place:
            st.subheader(plain(tables.run_label(run)), anchor=False)
            try:
                show_model(recipe.root, run, question)
            except BadInput as error:
                st.info(plain(str(error)))
    views.explain_answers()


def page() -> None:
    """Show the whole page."""
    st.title("Search", anchor=False)
    places = views.filters(3, 4, 2)
    recipe = views.open_recipe(places[0])
    if recipe is None:
        return
    benchmark = views.choose_benchmark(recipe, places[1], places[2])
    runs = {scores.path.name: scores for model in benchmark.models if model.is_trained for scores in model.seeds}
    if not runs:
        st.info("No trained model has been scored on this collection yet.")
        return
    # A missing model is shown before anybody writes a question.
    reasons = {name: reason for name, run in runs.items() if (reason := missing_model(recipe.root, run))}
    if reasons:
        many = "No model" if len(reasons) == len(runs) else f"{len(runs) - len(reasons)} of {len(runs)} models"
        reason = plain(next(iter(reasons.values())))
        st.info(f"{many} can be asked here: {reason}", icon=":material/report:")
    runs = {name: run for name, run in runs.items() if name not in reasons}
    if not runs:
        return
    try:
        questions = texts(recipe.root, next(iter(runs.values())))
    except BadInput as error:
        st.info(f"Nothing can be asked here: {plain(str(error))}", icon=":material/report:")
        return
    words = {name: tables.run_label(run) for name, run in runs.items()}
    names = views.choose_several("Models, one or two", list(runs), "ask", list(runs)[-2:], 2, words)
    question = st.text_input("Question", key="asked", max_chars=LONGEST, placeholder="in any language").strip()
    show_examples(questions)
    if question and names:
        show_answers(recipe, [runs[name] for name in names], question)


page()
