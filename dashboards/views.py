"""Draws the parts that several pages share: choices, tables, rankings and remarks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from msm.collections.registry import title_of
from msm.dashboards import loading, recipes, tables
from msm.dashboards.folders import folders
from msm.dashboards.loading import RecipeState
from msm.dashboards.tables import plain
from msm.evaluation.per_query import PoolKind
from msm.reporting import wording
from msm.reporting.colours import STOPS
from msm.reporting.contents import Difference, Row, Table, training_sources
from msm.reporting.latex import latex
from msm.reporting.markdown import table_text
from msm.reporting.models import BenchmarkResults, Column, Problem
from msm.reporting.rankings import Answer
from msm.reporting.training_sets import HEAD

NO_SCORES = "No scores yet. `make demo` makes the first ones in minutes, without a network."


def choose(label: str, options: Sequence[str], key: str, words: Mapping[str, str] | None = None) -> str:
    """Let people choose one option; the choice is part of the page's address, and is kept from page to page.

    Args:
        label: label above the choice.
        options: one or more options, of which the first is the default. Any other value in the address is ignored.
        key: name of the choice in the address.
        words: option to the text that people read in its place.
    """
    state, memory = st.session_state, f"kept {key}"
    parameter = st.query_params.get(key)
    newly_asked = parameter if parameter != state.get(memory) else None
    candidates = (newly_asked, state.get(key), state.get(memory), *options)
    state[key] = next(choice for choice in candidates if choice in options)
    choice = st.selectbox(label, options, key=key, format_func=_reader(words))
    state[memory] = st.query_params[key] = choice
    return choice


def choose_several(
    label: str,
    options: Sequence[str],
    key: str,
    default: Sequence[str],
    most: int | None,
    words: Mapping[str, str] | None = None,
) -> list[str]:
    """Let people choose several options; each of them is part of the page's address.

    Args:
        label: label above the choice.
        options: options to choose from.
        key: name of the choice in the address. Values in the address that are no option are ignored.
        default: options that are chosen where the address names none; an empty choice means all options.
        most: largest number of options that may be chosen; None for no limit.
        words: option to the text that people read in its place.
    """
    parameters = tuple(name for name in dict.fromkeys(st.query_params.get_all(key)) if name in options)
    # Another address makes another widget, which begins with the options in that address.
    state, memory = st.session_state, f"kept {key}"
    if memory not in state or (parameters and parameters != state[memory]) or not set(state[memory]) <= set(options):
        state[memory] = state[key] = list((parameters or tuple(default))[:most])
    state.setdefault(key, list(state[memory]))
    choice = st.multiselect(
        label,
        options,
        key=key,
        max_selections=most,
        format_func=_reader(words),
        placeholder="choose" if default else "all",
    )
    state[memory] = tuple(choice)
    st.query_params[key] = choice
    return choice


def _reader(words: Mapping[str, str] | None) -> Callable[[str], str]:
    labels = words or {}
    return lambda option: labels.get(option, option)


def filters(*widths: int) -> list[Place]:
    """Return places for choices in a line; two in a line on a narrow screen."""
    return st.container(key=f"filters {len(widths)}").columns(widths)


def turn_to(label: str) -> None:
    """Choose a recipe, as if it had been chosen on the page."""
    st.session_state["recipe"] = st.query_params["recipe"] = label


def open_recipe(place: Place, first: Sequence[str] = ()) -> RecipeState | None:
    """Let people choose a recipe, or tell them what is missing where there are no results.

    Args:
        place: place of the choice on the page.
        first: names of recipes that the page opens on, rather than on the one of another page; none for all.
    """
    roots = recipes.recipes(folders())
    roots = {label: roots[label] for label in sorted(roots, key=lambda label: roots[label].name not in first)}
    if first and "recipe" not in st.query_params and roots and next(iter(roots.values())).name in first:
        turn_to(next(iter(roots)))
    if not roots:
        st.info(NO_SCORES)
        return None
    # A link by the recipe's name opens its exported results where there are no others.
    name = st.query_params.get("recipe", "")
    if name not in roots and name + recipes.EXPORTED in roots:
        st.query_params["recipe"] = name + recipes.EXPORTED
    with place:
        label = choose("Recipe", list(roots), "recipe")
    recipe = loading.recipe(label, roots[label])
    if recipe.results.benchmarks:
        return recipe
    st.info("This recipe has no usable scores yet.")
    show_problems(recipe.results.problems)
    return None


def choose_benchmark(recipe: RecipeState, benchmark_place: Place, setting_place: Place) -> BenchmarkResults:
    """Let people choose a benchmark, and the kind of data on which its models were fine-tuned.

    Args:
        recipe: recipe with results.
        benchmark_place: place of the first choice on the page.
        setting_place: place of the second choice.
    """
    words = {f"{one.name}-{one.split}": f"{title_of(one.name)}, {one.split}" for one in recipe.results.benchmarks}
    with benchmark_place:
        name = choose("Benchmark", list(words), "benchmark", words)
    settings = {one.setting: one for one in recipe.results.benchmarks if f"{one.name}-{one.split}" == name}
    with setting_place:
        return settings[choose("Setting", list(settings), "setting")]


def choose_column(first: Sequence[str] = ()) -> tuple[RecipeState, BenchmarkResults, Column] | None:
    """Let people choose a recipe, a benchmark, a setting, a measure and a kind of pool, in one line.

    Args:
        first: names of recipes that the page opens on, rather than on the one of another page; none for all.
    """
    places = filters(3, 4, 2, 2, 4)
    recipe = open_recipe(places[0], first)
    if recipe is None:
        return None
    benchmark = choose_benchmark(recipe, places[1], places[2])
    measures = list(dict.fromkeys(column[0] for column in benchmark.columns))
    with places[3]:
        measure = choose("Measure", measures, "measure", {name: wording.measure(name) for name in measures})
    pools = {column[1]: column for column in benchmark.columns if column[0] == measure}
    with places[4]:
        pool = choose("Candidates", list(pools), "candidates", {kind: wording.pool(kind) for kind in pools})
    return recipe, benchmark, pools[cast(PoolKind, pool)]


def show_text(text: str, language: str) -> None:
    """Show a text from data in the direction of its own script."""
    words = f'<b>{escape(language)}</b><p dir="auto" style="margin:0">{escape(text)}</p>'
    st.html(f'<div style="display:flex;gap:.6em">{words}</div>')


def show_answers(answers: Sequence[Answer]) -> None:
    """Show a ranking with its texts, each in the direction of its own script; relevant ones are marked."""
    cells = "".join(
        f"<tr style='vertical-align:top'><td style='text-align:right'>{one.rank}</td>"
        f"<td>{'&#10003;' if one.is_relevant else ''}</td>"
        f"<td>{escape(one.passage.language)}</td><td style='text-align:right'>{one.score:.3f}</td>"
        f"<td dir='auto' style='text-align:start;overflow-wrap:anywhere'>{escape(one.passage.text)}</td></tr>"
        for one in answers
    )
    style = "style='width:100%;border-spacing:.6em .2em;border-collapse:separate'"
    st.html(f"<table {style}>{cells}</table>" if answers else "<p>Nothing was retrieved.</p>")


def explain_answers() -> None:
    """Explain the columns of rankings that are shown side by side."""
    st.caption("Rank, ✓ where it is judged relevant, language, score. Scores of two models are not comparable.")


def show_rows(rows: Sequence[Row], languages: Sequence[str], links: Mapping[str, str], mean_digits: int = 1) -> None:
    """Show a heat map and, below it, its colours and remarks on its cells.

    Args:
        rows: rows of a table.
        languages: columns whose cells are coloured.
        links: label of a row to the address of its lineage.
        mean_digits: number of decimals of the means.
    """
    frame = tables.values_frame(rows, languages, links)
    columns = {
        "model": st.column_config.TextColumn(pinned=True, width=140),
        "lineage": st.column_config.LinkColumn(display_text="open", width=66),
        "95 % interval": st.column_config.TextColumn(width=104),
        "rank": st.column_config.TextColumn(width=56),
        "seeds": st.column_config.TextColumn(width=84),
        HEAD: st.column_config.TextColumn(width=124, help="Training sets of this benchmark that the model has seen."),
        **{name: st.column_config.NumberColumn(width=56) for name in ("mean", *languages)},
    }
    style = tables.heat_map(frame, languages, mean_digits)
    st.dataframe(style, hide_index=True, column_config=columns, height="content", width="content", placeholder="")
    low, high = tables.limits(frame, languages)
    if low <= high:
        show_scale(f"{low:.1f}", f"{high:.1f}")
    remarks = [f"**{plain(where)}**: {plain(note)}." for note, where in tables.blanks(rows, languages)]
    remarks += [f"{HEAD}, **{plain(labels)}**: {plain(source)}." for labels, source in training_sources(rows)]
    if remarks:
        st.caption("  \n".join(remarks))


def show_scale(low: str, high: str) -> None:
    """Show the colour scale of a heat map."""
    bar = f"height:.8em;width:9em;border-radius:2px;background:linear-gradient(90deg,{','.join(STOPS)})"
    line = "display:flex;gap:.5em;align-items:center;font-size:.875rem"
    st.html(f'<div style="{line}">{escape(low)} <span style="{bar}"></span> {escape(high)}</div>')


def show_downloads(table: Table, name: str) -> None:
    """Offer the table as files for papers and sheets.

    Args:
        table: table that is shown.
        name: name of the files, without ending.
    """
    values = tables.values_frame(table.rows, table.languages, {})
    files = {
        "CSV": (values.to_csv(index=False), "csv", "text/csv"),
        "LaTeX": (latex(table), "tex", "application/x-tex"),
        "Markdown": (table_text(table), "md", "text/markdown"),
    }
    with st.container(horizontal=True):
        for label, (text, ending, kind) in files.items():
            st.download_button(label, text, f"{name}.{ending}", kind, icon=":material/download:", on_click="ignore")


def show_differences(differences: Sequence[Difference], languages: int) -> None:
    """Show differences with their verdicts, and explain the verdicts."""
    columns = {"pair": st.column_config.TextColumn(pinned=True), "verdict": st.column_config.TextColumn(width=210)}
    frame = tables.differences_frame(differences, languages)
    st.dataframe(frame, hide_index=True, column_config=columns, height="content", width="content")
    single = " *One training*: true of these two checkpoints; another seed may turn it round."
    st.caption(
        "On the same questions; p two-sided, corrected for all pairs of the table. *Inside the noise*: the data do not "
        "tell the two apart." + single * any("one training" in one.verdict for one in differences)
    )


def show_problems(problems: Iterable[Problem]) -> None:
    """Show the folders that were left out, with the reasons."""
    reasons = [problem.reason for problem in problems]
    if reasons:
        st.warning(f"{len(reasons)} missing; the rest is shown.", icon=":material/report:")
        st.code("\n".join(reasons), language=None, wrap_lines=True)
