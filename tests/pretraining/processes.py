"""Trainings in processes of their own, which can be killed, and their weights."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

from msm.settings import flattened
from msm.training import read_log
from tests.pretraining.made import settings


def start(
    units: Path, encoder: Path, out: Path, processes: int = 1, options: Sequence[str] = (), **changes: object
) -> subprocess.Popen[str]:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    words = [sys.executable, "-m", *(torchrun if processes > 1 else []), "msm", "run", "pretrain"]
    words += ["--units", str(units), "--weights", str(encoder)]
    for name, value in flattened(settings(**changes)).items():
        words += [f"--{name}", str(value)]
    words += ["--out", str(out), "--work", str(out.with_name("work-" + out.name)), "--device", "cpu", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    error = process.communicate(timeout=120)[1]
    assert process.returncode == code, error
    return error


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def wait_for_step(work: Path, step: int) -> None:
    for _ in range(1200):
        logs = list(work.glob("*/log.jsonl"))
        if logs and len(read_log(logs[0])) >= step:
            return
        time.sleep(0.05)
    raise AssertionError(f"step {step} never came")
