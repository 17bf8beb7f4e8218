"""The page of ablations on result files."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from msm.dashboards.ablation_tables import trainings_frame
from msm.dashboards.folders import Folders
from msm.reporting.contents import AblationRow
from tests.dashboards.conftest import Show
from tests.reporting import made

UNTRAINED = AblationRow("7", "b", "y", None, None, None, 0.2, -0.1, [])


def charts(app: AppTest) -> list[dict]:
    return [
        json.loads(element.proto.spec)
        for kind in ("vega_lite_chart", "arrow_vega_lite_chart")
        for element in app.get(kind)
    ]


def test_tables_4_to_8_are_drawn_beside_the_paper(folders: Folders, show: Show) -> None:
    skill = {"msm": 0.4, "table7-no-projector": 0.2, "table8-layers-6": 0.45}
    made.write_recipe(folders.artifacts / "ablations", models=dict.fromkeys(skill, (1,)), skill=skill)
    app = show("ablations", recipe="ablations")
    assert sorted(chart["title"][:7] for chart in charts(app)) == [f"Table {number}" for number in range(4, 9)]
    numbers = app.dataframe[0].value.set_index(["table", "row"])
    assert numbers.loc[("7", "w/o projection"), "its change"] == "−7.0"  # noqa: RUF001
    assert numbers.loc[("7", "w/o projection"), "change"].startswith("−")  # noqa: RUF001
    assert numbers.loc[("8", "doc layers=1"), "ours"] == "–"  # noqa: RUF001


def test_order_experiment_is_drawn(folders: Folders, show: Show) -> None:
    made.write_order(folders.artifacts / "order")
    app = show("ablations", recipe="order")
    assert [element.value for element in app.header] == ["The order of sentences"]
    (chart,) = charts(app)
    assert len(chart["layer"]) == 3


def test_every_training_has_a_tick(folders: Folders, show: Show) -> None:
    skill = {"msm": 0.4, "table7-no-projector": 0.2}
    made.write_recipe(folders.artifacts / "ablations", models=dict.fromkeys(skill, (1, 2, 3)), skill=skill)
    app = show("ablations", recipe="ablations")
    assert all("tick" in [layer["mark"]["type"] for layer in chart["layer"]] for chart in charts(app))
    rows = [AblationRow("7", "a", "x", 0.3, 0.1, None, None, None, [0.05, 0.15]), UNTRAINED]
    assert trainings_frame(rows).to_dict("list") == {"row": ["a", "a"], "change": pytest.approx([5, 15])}
    assert trainings_frame([UNTRAINED]).empty


def test_recipe_without_either_leads_to_one(folders: Folders, recipe: Path, show: Show) -> None:
    made.write_order(folders.artifacts / "order")
    app = show("ablations", recipe="demo")
    assert "make order" in app.info[0].value
    [button] = app.button
    assert [element.value for element in button.click().run().header] == ["The order of sentences"]


def test_the_page_opens_on_a_study(folders: Folders, recipe: Path, show: Show) -> None:
    made.write_order(folders.artifacts / "order")
    assert [element.value for element in show("ablations").header] == ["The order of sentences"]
