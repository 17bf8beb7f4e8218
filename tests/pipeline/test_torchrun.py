"""`msm run STAGE --gpus N`: torchrun's processes, and the exit code of the one that failed first."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msm.errors import Preempted
from msm.pipeline import recipes, runner, torchrun
from msm.pipeline.tasks import tasks as tasks_of

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tiny: Path, tmp_path: Path) -> Start:
    """Starts the pre-training of the recipe `tiny` in two processes, with these settings changed."""
    tasks = tasks_of(recipes.load(Path(__file__).parents[2] / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.out.endswith("pretrain/msm-1"))
    reads = {name: tiny / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}

    def started(units: Path = reads["units"], **changes: object) -> subprocess.Popen[str]:
        settings = dataclasses.replace(task.settings, **changes)
        words = runner.command("pretrain", settings, reads | {"units": units}, tmp_path / "out")
        words += ["--work", str(tmp_path / "work"), "--device", "cpu", "--gpus", "2"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen([sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True, env=environment)

    return started


@pytest.mark.slow
def test_bad_input_in_a_process_is_bad_input(start: Start, tmp_path: Path) -> None:
    process = start(units=tmp_path / "nowhere")
    error = process.communicate(timeout=200)[1]
    assert f"msm: {tmp_path / 'nowhere'}: no such folder" in error
    assert process.returncode == 2, "torchrun itself ends with 1"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_told_from_a_crash(start: Start, tmp_path: Path) -> None:
    process = start(learning_rate=1e30, clip=0.0)
    assert "the last good checkpoint is" in process.communicate(timeout=200)[1]
    assert process.returncode == 3


@pytest.mark.slow
def test_a_request_to_stop_reaches_the_processes_and_they_save(start: Start, tmp_path: Path) -> None:
    process = start(steps=400, checkpoint_steps=1000)
    while not list((tmp_path / "work").glob("*/log.jsonl")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    error = process.communicate(timeout=200)[1]
    assert process.returncode == Preempted.exit_code, error
    assert list((tmp_path / "work").glob("*/step-*.pt"))


def test_the_first_failure_counts(tmp_path: Path) -> None:
    for rank, (moment, code) in enumerate([(30, 75), (10, 3), (20, 2)]):
        (tmp_path / str(rank)).mkdir()
        says = {"message": "x", "timestamp": moment, "exit_code": code}
        (tmp_path / str(rank) / "error.json").write_text(json.dumps(says))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "error.json").write_text('{"message": {"message": "a trace", "extraInfo": {}}}')
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "error.json").write_text("{half")
    assert torchrun.first_exit_code(tmp_path) == 3
    assert torchrun.first_exit_code(tmp_path / "3") == 0
