"""Data frames of the pages."""

import math
from pathlib import Path

import pandas as pd
import pytest

from msm.dashboards import recipes, tables
from msm.dashboards.folders import Folders
from msm.execution import Execution
from msm.pipeline import runner
from msm.reporting import models, results
from msm.reporting.contents import Row
from msm.reporting.models import Cell
from tests.reporting import made


def test_blank_cells_have_no_colour_and_no_text() -> None:
    rows = [
        Row("a", "model", {"ar": Cell(0.1), "de": Cell(None), "mean": Cell(0.1)}),
        Row("b", "model", {"ar": Cell(0.3), "mean": Cell(None)}),
    ]
    frame = tables.values_frame(rows, ["ar", "de"], {})
    html = tables.heat_map(frame, ["ar", "de"]).to_html()
    cells = {f"{row}{column}": _cell(html, row, column) for row in (0, 1) for column in (1, 2, 3)}
    assert cells == {"01": "10.0", "02": "10.0", "03": "", "11": "", "12": "30.0", "13": ""}
    assert html.count("background-color") == 2


def _cell(html: str, row: int, column: int) -> str:
    _, _, rest = html.partition(f'_row{row}_col{column}" class="data')
    return rest.partition(">")[2].partition("<")[0]


def test_frame_of_nothing_has_no_limits() -> None:
    frame = tables.values_frame([Row("a", "model", {"mean": Cell(None)})], ["ar"], {})
    low, high = tables.limits(frame, ["ar"])
    assert math.isnan(low) and math.isnan(high)


def test_recipes_are_those_with_scores(folders: Folders, recipe: Path) -> None:
    (folders.artifacts / "running" / "pretrain").mkdir(parents=True)
    (folders.results / "mini" / "score").mkdir(parents=True)
    assert recipes.recipes(folders) == {"demo": recipe, "mini (exported)": folders.results / "mini"}


def test_state_changes_with_every_file(recipe: Path) -> None:
    before = recipes.state(recipe)
    assert recipes.state(recipe) == before
    (recipe / "score/lareqa-msm-1/scores/scores.jsonl").write_text("x")
    assert recipes.state(recipe) != before


def test_intervals_are_made_as_in_the_report(recipe: Path) -> None:
    assert recipes.report_settings(recipe).controls == recipes.DEFAULTS["controls"]
    settings = made.SETTINGS
    execution = Execution(work=recipe.parent / "work")
    runner.run_stage("report", settings, {"scores": recipe / "score"}, recipe / "report/all", execution)
    assert recipes.report_settings(recipe) == settings
    (recipe / "report/all/manifest.json").write_text("{")
    assert recipes.report_settings(recipe).bootstrap == recipes.DEFAULTS["bootstrap"]


def test_checksums_name_what_was_read_and_written() -> None:
    manifest = {"inputs": {"run": {"path": "a/b", "checksum": "1"}}, "outputs": {"x.txt": "2"}}
    expected = pd.DataFrame([["read", "a/b", "1"], ["wrote", "x.txt", "2"]], columns=["", "path", "SHA-256"])
    pd.testing.assert_frame_equal(tables.checksums_frame(manifest), expected)


def test_links_carry_names_safely() -> None:
    assert tables.lineage_link("a b (exported)", "x&y=1") == "lineage?recipe=a+b+%28exported%29&row=x%26y%3D1"


@pytest.mark.parametrize("text", ["plain", "<b>*x* $y$ :red[z] `c` [l](u) #1 ~~s~~"])
def test_plain_text_escapes_every_sign(text: str) -> None:
    markdown = tables.plain(text)
    assert markdown.replace("\\", "") == text
    assert all(markdown[place - 1] == "\\" for place, sign in enumerate(markdown) if sign in "<*$:[`#~(_")


def test_file_names_are_harmless() -> None:
    assert tables.file_name("a/b (exported)", "..", "map@20") == "a_b_exported--map@20"


ROWS = [
    Row("chance", "chance", {"ar": Cell(0.1), "mean": Cell(0.1)}),
    Row("a", "model", {"ar": Cell(0.2), "mean": Cell(0.5)}),
    Row("c", "model", {"ar": Cell(0.4), "mean": Cell(0.3)}),
    Row("b", "model", {"ar": Cell(None, note="not yet"), "mean": Cell(None, note="not yet")}),
]


@pytest.mark.parametrize(
    ("only", "by", "expected"),
    [
        ([], tables.REPORT, ["chance", "a", "c", "b"]),
        ([], "mean", ["a", "c", "chance", "b"]),
        ([], "ar", ["c", "a", "chance", "b"]),
        ([], tables.NAME, ["a", "b", "c", "chance"]),
        (["c"], "mean", ["c", "chance"]),
        (["gone"], "xx", ["chance"]),
    ],
)
def test_rows_are_picked_and_ordered(only: list[str], by: str, expected: list[str]) -> None:
    assert [row.label for row in tables.arranged(ROWS, only, by)] == expected


def test_blank_row_is_explained_once_and_a_single_cell_by_its_language() -> None:
    rows = [*ROWS, Row("d", "published", {"ar": Cell(None, note="lost in print"), "mean": Cell(0.1)})]
    assert tables.blanks(rows, ["ar"]) == [("not yet", "b"), ("lost in print", "d")]
    assert tables.blanks(rows, ["ar", "de"]) == [("not yet", "b (ar, mean)"), ("lost in print", "d (ar)")]


def test_models_scored_elsewhere_have_a_blank_row_with_the_reason(folders: Folders, recipe: Path) -> None:
    made.write_recipe(recipe, benchmark="miracl", models={"msm": (1,), "mexma": (1,)}, skill={"msm": 0.2, "mexma": 0.3})
    all_results = results.read(recipe / "score")
    lareqa = next(one for one in all_results.benchmarks if one.name == "lareqa")
    some = models.with_seeds(lareqa, [2])
    assert some is not None
    assert [len(model.seeds) for model in some.models] == [1, 1, 1, 1]
    rows = tables.absent_rows(all_results, lareqa, some, ["ar"])
    assert [(row.label, row.cells["ar"].value, row.cells["ar"].note) for row in rows] == [
        ("mexma", None, tables.NOT_SCORED)
    ]
