"""Ablations beside the printed tables, and the order experiment read from manifests."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from msm.reporting import results
from msm.reporting.ablation_picture import picture
from msm.reporting.ablations import REFERENCE, REFERENCES, ROWS, TITLES, ablations, shuffled, training_text
from msm.reporting.models import BenchmarkResults
from msm.reporting.published import MEAN, select
from tests.reporting import made

COLUMN = ("map@20", "multilingual")


def loaded(root: Path) -> BenchmarkResults:
    (benchmark,) = results.read(root / "score").benchmarks
    with_values, _ = results.load(benchmark, [COLUMN])
    assert with_values is not None
    return with_values


def test_every_printed_row_of_tables_4_to_8_has_a_model() -> None:
    for table in TITLES:
        names = {cell.model for cell in select(source="msm", table=table, measure="mrr@100", language=MEAN)}
        assert names - {"XLM-R"} <= set(ROWS[table].values())
        assert ROWS[table][REFERENCES.get(table, REFERENCE)] in names


def test_changes_are_against_the_reference_of_the_same_table(tmp_path: Path) -> None:
    skill = {"msm": 0.4, "table7-no-projector": 0.2, "table5-mu-0": 0.45}
    root = made.write_recipe(tmp_path / "ablations", models=dict.fromkeys(skill, (1, 2)), skill=skill)
    benchmark = loaded(root)
    rows = {(row.table, row.label): row for row in ablations(benchmark, COLUMN, made.SETTINGS)}
    values = {model.name: float(np.nanmean(model.values(COLUMN))) for model in benchmark.models}
    bare = rows["7", "w/o projection"]
    assert bare.change == pytest.approx(values["table7-no-projector"] - values["msm"])
    assert bare.interval and bare.interval.low < bare.interval.high < 0
    assert bare.printed_value == pytest.approx(0.270)
    assert bare.printed_change == pytest.approx(-0.070)
    assert rows["5", "w/o bias"].printed_change == pytest.approx(-0.029)
    reference = rows["8", "doc layers=2"]
    assert (reference.model, reference.change, reference.printed_change) == ("msm", None, None)
    assert rows["8", "doc layers=6"].value is None


def test_trainings_scatter_around_the_change(tmp_path: Path) -> None:
    skill = {"msm": 0.4, "table7-no-projector": 0.2}
    root = made.write_recipe(tmp_path / "ablations", models=dict.fromkeys(skill, (1, 2)), skill=skill)
    rows = {row.model: row for row in ablations(loaded(root), COLUMN, made.SETTINGS)}
    assert np.mean(rows["table7-no-projector"].seed_changes) == pytest.approx(rows["table7-no-projector"].change)
    assert np.mean(rows["msm"].seed_changes) == pytest.approx(0)
    assert len(set(rows["msm"].seed_changes)) == 2
    assert rows["table5-mu-0"].seed_changes == []


def test_picture_is_to_scale(tmp_path: Path) -> None:
    skill = {"msm": 0.4, "table7-no-projector": 0.2, "table5-mu-0": 0.45, "table6-candidates-half": 0.3}
    root = made.write_recipe(tmp_path / "ablations", models=dict.fromkeys(skill, (1, 2)), skill=skill)
    rows = ablations(loaded(root), COLUMN, made.SETTINGS)
    elements = [*ElementTree.fromstring(picture(rows, "<b>")).iter()]
    places = [float(element.get("cx", "")) for element in elements if element.tag.endswith("circle")]
    # The reference of table 6 was not trained, so its row is left out.
    drawn = [row for row in rows if row.value is not None and row.table != "6"]
    changes = [row.change or 0.0 for row in drawn]
    slope, start = np.polyfit(changes, places, 1)
    assert slope > 0
    np.testing.assert_allclose(np.polyval([slope, start], changes), places, atol=0.1)
    texts = [element.text or "" for element in elements if element.tag.endswith("text")]
    assert "here: <b>" in texts
    assert {row.label for row in drawn} <= set(texts)
    assert "negatives=256" not in texts
    assert sum("(reference)" in text for text in texts) == 4


def test_recipe_without_them_has_none(tmp_path: Path) -> None:
    root = made.write_recipe(tmp_path / "demo")
    assert ablations(loaded(root), COLUMN, made.SETTINGS) == []
    assert shuffled(loaded(root), COLUMN, root, made.SETTINGS) == []


def test_order_experiment_is_read_from_manifests(tmp_path: Path) -> None:
    root = made.write_order(tmp_path / "order")
    benchmark = loaded(root)
    rows = shuffled(benchmark, COLUMN, root, made.SETTINGS)
    assert [(one.objective, one.reorder) for one in rows] == [("mlm", 1.0), ("msm", 0.0), ("msm", 0.5)]
    models = {model.name: model for model in benchmark.models}
    for one, name in zip(rows, "cab", strict=True):
        assert list(one.seeds.values()) == pytest.approx(models[name].seed_means(COLUMN)[:, -1].tolist())
        assert list(one.seeds) == [1, 2]
        assert one.interval.low < one.value < one.interval.high
    assert training_text(root, models["untrained"].seeds[0]) is None
