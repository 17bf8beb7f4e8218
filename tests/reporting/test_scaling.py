"""Scores against the size of the pre-training, read from manifests and drawn to scale."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from msm.reporting import results
from msm.reporting.contents import ScalingPoint
from msm.reporting.scaling import scaling
from msm.reporting.scaling_picture import HEIGHT, TOP, picture
from tests.reporting import made

COLUMN = ("map@20", "multilingual")
SIZES = {
    "a": ("msm", 1_000_000, 400_000),
    "b": ("msm", 1_000_000, 1_600_000),
    "c": ("msm", 3_000_000, 1_600_000),
    "d": ("mlm", 1_000_000, 1_600_000),
}


def write(root: Path, sizes: dict[str, tuple[str, int, int]]) -> list[ScalingPoint]:
    skill = {"untrained": 0.1} | {name: 0.2 + 0.1 * place for place, name in enumerate(sizes)}
    made.write_recipe(root, models=dict.fromkeys(skill, (1,)), skill=skill)
    for name, (objective, parameters, tokens) in sizes.items():
        encoder = made.write_step(root, f"encoder/{name}", {}, {"x": name})
        _change(encoder, facts={"parameters": parameters})
        pretrain = root / f"pretrain/{name}-1"
        made.write_manifest(pretrain, "pretrain", "payload", {"weights": encoder})
        _change(pretrain, settings={"objective": objective}, facts={"tokens": tokens})
    (benchmark,) = results.read(root / "score").benchmarks
    loaded_benchmark, _ = results.load(benchmark, [COLUMN])
    assert loaded_benchmark is not None
    points = scaling(loaded_benchmark, COLUMN, root, made.SETTINGS)
    means = {model.name: model.seed_means(COLUMN)[:, -1].mean() for model in loaded_benchmark.models}
    for point in points:
        [name] = [name for name, size in sizes.items() if size == point[:3]]
        assert point.value == pytest.approx(means[name])
        assert point.interval.low < point.value < point.interval.high
    return points


def _change(folder: Path, **values: dict[str, Any]) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_sizes_are_those_of_the_manifests(tmp_path: Path) -> None:
    points = write(tmp_path / "scaling", SIZES)
    assert [point[:3] for point in points] == sorted(SIZES.values())


def test_models_of_one_size_are_no_study_of_sizes(tmp_path: Path) -> None:
    assert (
        write(tmp_path / "same", {name: ("msm", 1_000_000, 400_000 + place) for place, name in enumerate("ab")}) == []
    )
    assert write(tmp_path / "tokens", {name: (one, 5, tokens) for name, (one, _, tokens) in SIZES.items()}) == []


def test_picture_is_to_scale(tmp_path: Path) -> None:
    points = write(tmp_path / "scaling", SIZES)
    elements = [*ElementTree.fromstring(picture(points, "a < b")).iter()]
    circles = [element for element in elements if element.tag.endswith("circle")]
    heights = [float(circle.get("cy", "")) for circle in circles]
    slope, start = np.polyfit([point.value for point in points], heights, 1)
    assert start == pytest.approx(TOP + HEIGHT, abs=0.5)
    assert slope < 0
    across = dict(zip([point.tokens for point in points], [float(one.get("cx", "")) for one in circles], strict=True))
    assert across[400_000] < across[1_600_000]
    texts = [element.text or "" for element in elements if element.tag.endswith("text")]
    assert {"a < b", "0.40 M", "1.60 M"} <= set(texts)
    assert sum(text.startswith(("msm, ", "mlm, ")) for text in texts) == 3
