"""What the share of batches of one language trades, read from manifests and drawn to scale."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from msm.reporting import results
from msm.reporting.contents import TradePoint
from msm.reporting.trade import trade
from msm.reporting.trade_picture import picture
from tests.reporting import made

MEASURE = "map@20"
TRAININGS: dict[str, tuple[str, float, int]] = {
    "half": ("hybrid", 0.5, 100),
    "mono": ("mono", 0.5, 100),
    "cross": ("cross", 0.5, 100),
    "start": ("shuffled", 0.5, 0),
}
"""Names of models to their sampler, its share and the number of steps."""


def write(root: Path, trainings: dict[str, tuple[str, float, int]]) -> list[TradePoint]:
    skill = {name: 0.2 + 0.05 * place for place, name in enumerate(trainings)}
    made.write_recipe(root, models=dict.fromkeys(skill, (1, 2)), skill=skill)
    encoder = made.write_step(root, "encoder/ordered-1", {}, {"x": "x"})
    for name, (sampler, alpha, steps) in trainings.items():
        for seed in (1, 2):
            settings: dict[str, Any] = {"seed": seed, "steps": steps, "epochs": 0}
            settings["batches"] = {"sampler": sampler, "alpha": alpha, "batch_queries": 64}
            folder = root / f"finetune/lareqa-{name}-{seed}"
            made.write_manifest(folder, "finetune", "payload", {"weights": encoder}, settings)
    (benchmark,) = results.read(root / "score").benchmarks
    loaded_benchmark, _ = results.load(benchmark, benchmark.columns)
    assert loaded_benchmark is not None
    points = trade(loaded_benchmark, root, made.SETTINGS)
    means = {
        tuple(model.seed_means((MEASURE, kind))[:, -1].mean() for kind in ("same", "multilingual"))
        for model in loaded_benchmark.models
    }
    assert all((point.own, point.every) in means for point in points)
    return points


def test_shares_are_those_of_the_manifests(tmp_path: Path) -> None:
    points = write(tmp_path / "trade", TRAININGS)
    assert [point.share for point in points] == [0.0, 0.5, 1.0, None]
    # Skill grows in the order of the models, and a pool of one language is easier.
    assert points[1].every < points[2].every < points[0].every < points[3].every
    assert all(point.own > point.every for point in points)
    assert all(point.own_interval.low < point.own < point.own_interval.high for point in points)


def test_models_that_differ_in_more_are_no_series(tmp_path: Path) -> None:
    assert write(tmp_path / "one", {"a": ("hybrid", 0.5, 100), "b": ("hybrid", 0.5, 100)}) == []
    assert write(tmp_path / "steps", {"a": ("hybrid", 0.5, 100), "b": ("hybrid", 0.3, 200)}) == []
    assert write(tmp_path / "shuffled", {"a": ("shuffled", 0.3, 100), "b": ("shuffled", 0.5, 100)}) == []


def test_picture_is_to_scale(tmp_path: Path) -> None:
    points = write(tmp_path / "trade", TRAININGS)
    elements = [*ElementTree.fromstring(picture(points, "a < b")).iter()]
    circles = [element for element in elements if element.tag.endswith("circle")]
    for values, side, sign in (([p.own for p in points], "cx", 1), ([p.every for p in points], "cy", -1)):
        places = [float(circle.get(side, "")) for circle in circles]
        slope, start = np.polyfit(values, places, 1)
        assert np.sign(slope) == sign
        assert places == pytest.approx([start + slope * value for value in values], abs=0.1)
    texts = [element.text or "" for element in elements if element.tag.endswith("text")]
    assert {"a < b", "0 %", "50 %", "100 %", "no fine-tuning"} <= set(texts)
