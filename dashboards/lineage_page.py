"""The page of lineage: every step behind a score, the commands that repeat it, and the state of its files."""

import streamlit as st

from msm.collections.registry import title_of
from msm.dashboards import loading, tables, views
from msm.dashboards.loading import RecipeState
from msm.dashboards.tables import plain
from msm.reporting.lineage import LineageStep
from msm.reporting.models import ModelScores

CHECKED = 64 << 20
LARGEST = 1 << 60
LOOKS = {
    "intact": (":material/check_circle:", "green", "as written"),
    "changed": (":material/error:", "red", "changed"),
    "unchecked": (":material/help:", "gray", "too large to compare unasked"),
    "not here": (":material/cloud_off:", "gray", "only its manifest is here"),
    "given": (":material/folder_open:", "gray", "the user's own; no stage made it"),
}


def show_number(run: ModelScores) -> None:
    """Show the scores to which the steps below lead."""
    facts = run.facts
    st.markdown(
        f"**{plain(facts['model'])}**, seed {facts['seed']}, on {plain(title_of(facts['benchmark']))}, "
        f"{plain(facts['split'])}, {plain(facts['setting'])}"
    )
    st.dataframe(tables.means_frame(run), hide_index=True, height="content", width="content")


def show_step(step: LineageStep) -> None:
    """Show one stage: its state in the head, its manifest when it is opened."""
    icon, colour, words = LOOKS[step.state]
    with st.expander(f"{icon} **{plain(step.name)}** :{colour}[{words}]", expanded=bool(step.problems)):
        for problem in step.problems:
            st.error(plain(problem))
        manifest = step.manifest
        if not manifest:
            return
        facts = {name: manifest.get(name, "unknown") for name in ("commit", "device", "seconds")}
        st.markdown(" · ".join(f"{name} **{plain(str(value))}**" for name, value in facts.items()))
        st.code(manifest.get("command", ""), language="sh", wrap_lines=True)
        st.dataframe(tables.checksums_frame(manifest), hide_index=True, height="content")
        st.caption("Settings, facts and package versions")
        st.json({name: manifest.get(name) for name in ("settings", "facts", "versions")}, expanded=False)


def show_steps(recipe: RecipeState, run: ModelScores) -> None:
    """Show every step behind a score folder, and the commands that repeat it."""
    whole = st.toggle("Compare large files too", help="every byte against its checksum; may take minutes")
    steps = loading.steps(recipe.root, run.name, LARGEST if whole else CHECKED)
    changes = sum(bool(step.problems) for step in steps)
    if changes:
        st.error(f"{changes} of {len(steps)} steps are no longer what their manifests say.", icon=":material/error:")
    for step in steps:
        show_step(step)
    st.subheader("The same number again", anchor=False)
    st.caption(f"Recipe {plain(recipe.label)}; check out the commit of each step for the same bytes.")
    commands = "\n".join(step.manifest.get("command", "") for step in steps if step.manifest)
    st.code(commands, language="sh", wrap_lines=True)


def page() -> None:
    """Show the whole page."""
    st.title("Lineage", anchor=False)
    left, right = views.filters(1, 2)
    recipe = views.open_recipe(left)
    if recipe is None:
        return
    runs = {
        scores.path.name: scores for one in recipe.results.benchmarks for model in one.models for scores in model.seeds
    }
    with right:
        run = runs[views.choose("Scores", list(runs), "row")]
    show_number(run)
    show_steps(recipe, run)


page()
