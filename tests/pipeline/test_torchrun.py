"""`msm run STAGE --gpus N`: torchrun's processes, and the exit code of the one that failed first."""

import contextlib
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
from msm.pipeline.artifacts import read_manifest
from msm.pipeline.tasks import tasks as tasks_of

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tiny: Path, tmp_path: Path) -> Start:
    """Starts the pre-training of the recipe `tiny` in two processes, with these settings changed."""
    tasks = tasks_of(recipes.load(Path(__file__).parents[2] / "recipes" / "tiny.yaml"), "tiny")
    task = next(task for task in tasks if task.out.endswith("pretrain/msm-1"))
    reads = {name: tiny / Path(path).relative_to("artifacts/tiny") for name, path in task.reads.items()}

    def started(
        units: Path = reads["units"], out: str = "out", gpus: str = "2", **changes: object
    ) -> subprocess.Popen[str]:
        settings = dataclasses.replace(task.settings, **changes)
        words = runner.command("pretrain", settings, reads | {"units": units}, tmp_path / out)
        words += ["--work", str(tmp_path / "work"), "--device", "cpu", "--gpus", gpus]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )

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
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, Preempted.exit_code), (signal.SIGINT, 130)])
def test_a_request_to_stop_ends_all_processes_and_loses_nothing(
    number: signal.Signals, code: int, start: Start, tmp_path: Path
) -> None:
    process = start(steps=120, checkpoint_steps=1000)
    while not any(path.stat().st_size for path in (tmp_path / "work").glob("*/log.jsonl")):
        assert process.poll() is None
        time.sleep(0.1)
    tree, began = descendants(process.pid), time.monotonic()
    assert len(tree) >= 3, "torchrun and two processes"
    # A terminal sends Ctrl-C to all processes; whoever manages processes asks the first one only.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    error = process.communicate(timeout=200)[1]
    assert process.returncode == code, error
    assert time.monotonic() - began < 60
    assert not [one for one in tree if Path(f"/proc/{one}").exists()]
    assert list((tmp_path / "work").glob("*/step-*.pt"))
    manifests = []
    for out in ("out", "whole"):
        process = start(out=out, steps=120, checkpoint_steps=1000)
        assert process.wait(timeout=600) == 0
        manifests.append(read_manifest(tmp_path / out))
    again, whole = manifests
    assert again["facts"]["resumed_from"] > 0 == whole["facts"]["resumed_from"]
    assert again["outputs"] == whole["outputs"]


@pytest.mark.slow
def test_two_processes_go_on_as_one_and_back(start: Start, tmp_path: Path) -> None:
    for gpus, checkpoints in (("2", 1), ("0", 2)):
        process = start(gpus=gpus, steps=60, checkpoint_steps=5)
        newest = 0
        while newest < 20 * checkpoints:
            assert process.poll() is None
            newest = max((int(path.stem[5:]) for path in (tmp_path / "work").glob("*/step-*.pt")), default=0)
            time.sleep(0.02)
        tree = [process.pid, *descendants(process.pid)]
        for one in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait()
    manifests = []
    for out in ("out", "whole"):
        process = start(out=out, steps=60, checkpoint_steps=5)
        assert process.wait(timeout=600) == 0
        manifests.append(read_manifest(tmp_path / out))
    again, whole = manifests
    assert 40 <= again["facts"]["resumed_from"] < 60 and whole["facts"]["resumed_from"] == 0
    assert again["outputs"] == whole["outputs"]


def descendants(process: int) -> list[int]:
    """Processes below a process."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    inner = [one for one, parent in parents.items() if parent == process]
    return [*inner, *(below for one in inner for below in descendants(one))]


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
