"""`dvc.yaml` is the demo's tasks: in step, read by DVC itself, stale where it should be and nowhere else."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from msm.components.dvc_pipeline import render, stage_name
from msm.pipeline import recipes
from msm.pipeline.stages import PAYLOADS
from msm.pipeline.tasks import tasks as tasks_of

ROOT = Path(__file__).parents[2]


def test_renderings_are_in_step() -> None:
    subprocess.run([sys.executable, "-m", "msm.components.render", "--check"], cwd=ROOT, check=True)


def test_dvc_reads_the_demo_as_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tasks = {stage_name(task): task for task in tasks_of(recipes.load(Path("recipes/demo.yaml")), "demo.yaml")}
    stages = {stage.name: stage for stage in Repo().index.stages}
    assert stages.keys() == {"code", *tasks}
    for name, task in tasks.items():
        stage = stages[name]
        assert stage.cmd == f"exec msm run {task.name} --recipe recipes/demo.yaml --stop_with_parent"
        assert [str(out) for out in stage.outs] == [task.out]
        folders = {f"{folder}/{PAYLOADS[input_name]}".rstrip("/") for input_name, folder in task.reads.items()}
        assert {str(dep) for dep in stage.deps} - {"recipes/demo.yaml", "artifacts/demo/code.json"} == folders
        params = {str(dep): set(dep.params) for dep in stage.deps if hasattr(dep, "params")}
        assert params.get("artifacts/demo/code.json") == {task.stage}


def test_a_person_can_read_it() -> None:
    lines = (ROOT / "dvc.yaml").read_text().splitlines()
    stages = yaml.safe_load("\n".join(lines))["stages"]
    assert len(lines) <= 12 * len(stages)
    assert not any("msm/" in line for line in lines[1:]), "code is one checksum, no list of paths"


@pytest.mark.parametrize("name", ["order", "mexma"])
def test_keys_stand_in_the_files_that_are_named(name: str) -> None:
    path = ROOT / "recipes" / f"{name}.yaml"
    text = render(path, tasks_of(recipes.load(path), path.name), wdir="../..")
    files = {str(file): values for file, values in recipes.layers(path)}
    for stage in yaml.safe_load(text)["stages"].values():
        for file, keys in ((file, keys) for params in stage.get("params", []) for file, keys in params.items()):
            assert file.endswith("code.json") or all(_holds(files[file], key) for key in keys), (stage["cmd"], keys)


def _holds(value: object, key: str) -> bool:
    for part in key.split("."):
        if isinstance(value, list):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


@pytest.mark.parametrize(
    ("key", "stale"),
    [
        ("pretrain.msm.mu", {"pretrain/msm-1"}),
        ("pretrain.mlm.mask_share", {"pretrain/msm-1", "pretrain/mlm-1"}),
        ("units.min_units", {"units/ordered"}),
        ("lexical_models.1.lexical", {"lexical/constructed-bm25-characters", "score/constructed-bm25-characters"}),
    ],
)
def test_a_key_reaches_the_tasks_that_read_it(key: str, stale: set[str]) -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "demo.yaml"), "demo.yaml")
    names = {task.name for task in tasks if any(f"{key}.".startswith(f"{task_key}.") for task_key in task.keys)}
    assert names == stale
