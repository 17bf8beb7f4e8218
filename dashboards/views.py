"""Parts that several pages show."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from dashboards import tables
from dashboards.tables import plain
from msm.reporting.comparisons import Difference
from msm.reporting.results import Problem
from msm.reporting.tables import Row, notes

NO_SCORES = "No scores yet. `make demo` makes the first ones in minutes, without a network."


def choose(label: str, options: Sequence[str], key: str) -> str:
    """Let people pick; the choice stands in the address as `key`, and is kept from page to page.

    Args:
        label: shown above.
        options: at least one; the first is the default. An address that asks for another is passed over.
        key: name in the address.
    """
    state, kept = st.session_state, f"kept {key}"
    asked = st.query_params.get(key)
    newly_asked = asked if asked != state.get(kept) else None
    wanted = (newly_asked, state.get(key), state.get(kept), *options)
    state[key] = next(choice for choice in wanted if choice in options)
    choice = st.selectbox(label, options, key=key)
    state[kept] = st.query_params[key] = choice
    return choice


def show_rows(rows: Sequence[Row], languages: Sequence[str], links: Mapping[str, str]) -> None:
    """A heat map and, below it, how its colours run and what is to be said about its cells.

    Args:
        rows: of a table.
        languages: the columns that are filled.
        links: label of a row to the address of its lineage.
    """
    frame = tables.values_frame(rows, languages, links)
    columns = {
        "model": st.column_config.TextColumn(pinned=True, width=140),
        "lineage": st.column_config.LinkColumn(display_text="open", width=66),
        "95 % interval": st.column_config.TextColumn(width=104),
        "seeds": st.column_config.TextColumn(width=84),
        **{name: st.column_config.NumberColumn(width=56) for name in ("mean", *languages)},
    }
    style = tables.heat_map(frame, languages)
    st.dataframe(style, hide_index=True, column_config=columns, height="content", width="content", placeholder="")
    low, high = tables.limits(frame, languages)
    said = [f"**{plain(label)}**, {cells}: {plain(note)}." for label, cells, note in notes(list(rows))]
    scale = f"Values times 100. Colours run from {low:.1f} (dark) to {high:.1f} (bright)." if low <= high else ""
    st.caption("  \n".join([scale, *said]))


def show_differences(found: Sequence[Difference], languages: int) -> None:
    """Verdicts first, and what they mean."""
    columns = {"pair": st.column_config.TextColumn(pinned=True), "verdict": st.column_config.TextColumn(width=210)}
    frame = tables.differences_frame(found, languages)
    st.dataframe(frame, hide_index=True, column_config=columns, height="content", width="content")
    st.caption(
        "On the same questions; p two-sided, corrected for all pairs of the table. *Inside the noise*: the data do not "
        "tell the two apart. *One training*: true of these two checkpoints; another seed may turn it round."
    )


def show_problems(problems: Iterable[Problem]) -> None:
    """What had to be left out, word for word."""
    reasons = [problem.reason for problem in problems]
    if reasons:
        st.warning(f"{len(reasons)} left out; the rest is shown.", icon=":material/report:")
        st.code("\n".join(reasons), language=None, wrap_lines=True)
