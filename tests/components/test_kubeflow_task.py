"""A task in its pod: what happens when Kubeflow's launcher dies, which passes no request to stop on."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from msm.pipeline import recipes
from msm.pipeline.tasks import tasks as tasks_of
from msm.training import read_log

ROOT = Path(__file__).parents[2]
TASK = """
import json, sys
from types import SimpleNamespace
from msm.components import kubeflow_task

name, settings, reads, out, work = json.loads(sys.argv[1])
reads = {read: SimpleNamespace(path=path, metadata={"name": label}) for read, (label, path) in reads.items()}
kubeflow_task.run("pretrain", name, settings, reads, SimpleNamespace(path=out, metadata={}), work=work)
"""
LAUNCHER = """
import subprocess, sys

child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.slow
def test_training_saves_when_the_launcher_dies(tiny: Path, tmp_path: Path) -> None:
    tasks = tasks_of(recipes.load(ROOT / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.out.endswith("pretrain/msm-1"))
    settings = dataclasses.asdict(task.settings) | {"steps": 100_000, "checkpoint_steps": 20}
    reads = {name: Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}
    artifacts = {name: [str(path), str(tiny / path)] for name, path in reads.items()}
    words = ["pretrain/msm-1", json.dumps(settings), artifacts, str(tmp_path / "out"), str(tmp_path / "work")]
    pod = {"KFP_POD_NAME": "matrix-x7k2p-retry-system-container-impl-1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LAUNCHER, TASK, json.dumps(words)]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | pod)
    assert launcher.stdout is not None
    child = Path("/proc", launcher.stdout.readline().strip())
    work = tmp_path / "work" / "pretrain" / "msm-1"
    while not list(work.glob("*/step-*.pt")):
        assert launcher.poll() is None
        time.sleep(0.1)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    for _ in range(1200):
        if has_ended(child):
            break
        time.sleep(0.1)
    else:
        os.kill(int(child.name), signal.SIGKILL)
        raise AssertionError("the task outlived its launcher")
    (log,) = work.glob("*/log.jsonl")
    last_step = max(int(path.stem.removeprefix("step-")) for path in work.glob("*/step-*.pt"))
    assert last_step == read_log(log)[-1]["step"], "its last update is kept, whatever checkpoint_steps says"
    assert not list(work.glob("*/.*.partial"))
    assert not (work / "verdict.json").exists(), "the next attempt goes on"


def has_ended(process: Path) -> bool:
    """Whether a process is gone, or has ended and nobody has asked for its exit code yet."""
    try:
        return "State:\tZ" in (process / "status").read_text()
    except OSError:
        return True
