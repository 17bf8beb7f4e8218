"""Kills at random moments in every stage: the same command goes on, and every byte is as of an undisturbed run."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from msm.pipeline.artifacts import altered, checksums, payload
from msm.pipeline.tasks import Task
from tests.fuzz.cases import FIRST
from tests.fuzz.forked import run, start, wait

KILLS = 4
"""For each of the eleven stages of the recipe, so 44 in all."""


@pytest.mark.slow
@pytest.mark.parametrize("task", FIRST.values(), ids=FIRST)
def test_killed_in_any_moment(task: Task, chain: Path, tmp_path: Path) -> None:
    shutil.copytree(chain, tmp_path, dirs_exist_ok=True)
    words = ["run", task.name, "--recipe", "tiny", "--processes", "1"]
    out = tmp_path / task.out
    shutil.rmtree(out)
    first = run(words, tmp_path)
    assert first.code == 0, first.stderr
    before = checksums(payload(out))
    shutil.rmtree(out)
    rng = random.Random(task.stage)
    for _ in range(KILLS):
        killed(words, tmp_path, rng.uniform(0, first.seconds))
        if out.exists():
            assert checksums(payload(out)) == before, "what has its name is whole"
            shutil.rmtree(out)
    end = run(words, tmp_path)
    assert end.code == 0, end.stderr
    assert checksums(payload(out)) == before
    assert altered(out, whole=True) == []
    assert not list(out.parent.glob(".*"))


def killed(words: list[str], folder: Path, seconds: float) -> None:
    """Run a command and kill it, with all that it has started, after some seconds."""
    with (folder / "killed.log").open("w") as log:
        process = start(words, folder, log.fileno())
        time.sleep(seconds)
        try:
            os.killpg(process, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended, or not begun
        wait(process, 60)
