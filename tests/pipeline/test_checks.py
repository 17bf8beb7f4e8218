"""What a recipe or a stage needs at its end is looked at before anything runs."""

from pathlib import Path
from typing import Any

import pytest

from msm.errors import BadInput
from msm.pipeline import places, recipes
from msm.pipeline.checks import check_here, check_sources
from msm.pipeline.tasks import Task, tasks
from tests.pipeline.made import ROOT


def made(name: str, **changes: dict[str, Any]) -> list[Task]:
    recipe = recipes.load(ROOT / "recipes" / f"{name}.yaml")
    for section, values in changes.items():
        recipe[section] = recipe[section] | values
    return tasks(recipe, f"{name}.yaml")


@pytest.mark.parametrize(
    ("name", "changes", "options", "message"),
    [
        ("real", {}, {"mirror": "nowhere"}, "sources/.*: --mirror nowhere: no such folder"),
        ("real", {}, {"mirror": "."}, r"sources/.*: \.: holds neither .* nor .*\.gz and \d+ more"),
        ("demo", {}, {"device": "mps"}, "device mps: there is none here"),
        ("demo", {"tokenizer": {"name": "./other"}}, {}, "tokenizer/ordered: name: no such folder: ./other"),
        (
            "demo",
            {"encoder": {"checkpoint": "artifacts/other/encoder/x-1"}},
            {},
            "encoder/ordered-1: checkpoint: no such folder: artifacts/other/encoder/x-1",
        ),
        (
            "demo",
            {"retrieve": {"language_vectors": "own", "language_labels": "lid.bin"}},
            {},
            "retrieve/constructed-untrained-1: language_labels: lid.bin: no such fastText model",
        ),
        ("demo", {"encoder": {"layers": 10**6, "width": 2**16}}, {}, r"the outputs of the recipe need \d+\.\d GB"),
    ],
)
def test_what_this_machine_lacks_is_named(
    name: str, changes: dict[str, Any], options: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    whole = made(name, **changes)
    with pytest.raises(BadInput, match=message):
        check_here(whole, whole, name, **({"device": "auto", "mirror": ""} | options))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "documents/ordered: collections: the sources have no documents/constructed.jsonl.gz"),
        ('{"data": []}', r"finetune/constructed-untrained-1: .*questions/dev/qaa.json: no question"),
    ],
)
def test_sources_are_looked_at_before_anything_is_trained(
    content: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, *others = made("tiny")
    sources = tmp_path / source.out
    for name in ("questions/train", "questions/dev", "questions/test", "documents"):
        (sources / name).mkdir(parents=True)
        (sources / name / "qaa.json").write_text(content or "{}")
    if content:
        (sources / "documents" / "constructed.jsonl.gz").write_bytes(b"")
    with pytest.raises(BadInput, match=message):
        check_sources(source, others)


def test_gpus_of_others_are_left_alone(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert places.gpus({}, tmp_path) == ["0", "1", "2", "3"]
    assert places.gpus({"CUDA_VISIBLE_DEVICES": "2,GPU-5f"}, tmp_path) == ["2", "GPU-5f"]
    assert places.gpus({"CUDA_VISIBLE_DEVICES": "-1"}, tmp_path) == []
    assert places.gpus({"CUDA_VISIBLE_DEVICES": "0"}, tmp_path / "none") == []
