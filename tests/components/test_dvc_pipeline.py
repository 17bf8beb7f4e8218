"""`dvc.yaml` is the stage table: in step, resolved by DVC itself to the same commands, stale where it should be."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.serialize import dumps_yaml, parse_yaml

from msm.components.dvc_pipeline import closure
from msm.pipeline import recipes
from msm.pipeline.runner import command

ROOT = Path(__file__).parents[2]


def test_renderings_are_in_step() -> None:
    subprocess.run([sys.executable, "-m", "msm.components.render", "--check"], cwd=ROOT, check=True)


def test_dvc_resolves_the_table_to_the_same_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tasks = {task.out: task for task in recipes.tasks(recipes.load(Path("params.yaml")), "params.yaml")}
    stages = {str(stage.outs[0]): stage for stage in Repo().index.stages}
    assert stages.keys() == tasks.keys()
    for out, task in tasks.items():
        reads = {name: Path(path) for name, path in task.reads.items()}
        expected = _flags(command(task.stage, task.settings, reads, Path(out)))
        found = _flags(shlex.split(stages[out].cmd.removeprefix("exec "), comments=True))
        for name in ("--mirror", "--stop_with_parent"):
            found.pop(name, None)
        assert found.keys() == expected.keys(), out
        for flag, value in found.items():
            assert value == expected[flag] or float(value) == float(expected[flag]), (out, flag)


def test_commands_survive_the_lock_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else DVC takes a stage for changed that is not."""
    monkeypatch.chdir(ROOT)
    commands = [stage.cmd for stage in Repo().index.stages]
    assert any("  " in words for words in commands), "rows without differences leave two spaces"
    assert parse_yaml(dumps_yaml({"cmd": commands}), "dvc.lock")["cmd"] == commands


def _flags(words: list[str]) -> dict[str, str]:
    """Flag to value, a later one winning; the stage's name under ''."""
    assert words[:2] == ["msm", "run"]
    flags = {"": words[2]}
    for place, word in enumerate(words):
        if word.startswith("--"):
            following = words[place + 1] if place + 1 < len(words) else ""
            flags[word] = "" if following.startswith("--") else following
    return flags


def test_code_dependencies_are_the_import_closure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    pretraining = closure("msm.pretraining.train")
    assert {"msm/losses.py", "msm/pretraining/model.py", "msm/training.py", "msm/corpora/shards.py"} <= set(pretraining)
    assert not any("evaluation" in file or "settings" in file for file in pretraining)
    assert "msm/losses.py" not in closure("msm.evaluation.stage")
