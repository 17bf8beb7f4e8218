"""A request to stop ends every process soon and loses nothing: within long steps, and within long native calls."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from msm import checkpoints, stopping, training
from msm.errors import Preempted
from msm.execution import Execution

OWN = """
import os, signal, time
from msm import stopping
stopping.watch()
stopping._watch.grace = 0.2
with stopping.handled_by(lambda number, frame: None):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.6)
print("ended by itself")
"""
# "ready" comes once the main thread has spent a tenth of a second, which only the native call takes of it.
NATIVE = """
import hashlib, threading, time
from msm import stopping
stopping.watch()
stopping._watch.grace = 0.2

def announce():
    start = time.clock_gettime(clock)
    while time.clock_gettime(clock) < start + 0.1:
        time.sleep(0.01)
    print("ready", flush=True)

clock = time.pthread_getcpuclockid(threading.main_thread().ident)
threading.Thread(target=announce, daemon=True).start()
hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_long_native_call(number: signal.Signals, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", NATIVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30) == code
        assert process.stderr.read() == b"msm: stopped within a long call; the same command goes on\n"


class Slow:
    """A training whose every step changes a buffer and then takes a second where a file says so."""

    def __init__(self, slow: bool) -> None:
        torch.manual_seed(1)
        self.module = nn.Linear(3, 1)
        self.module.register_buffer("memory", torch.zeros(1))
        self.slow = slow

    def micro_losses(self, step: int) -> Iterator[tuple[Tensor, dict[str, float]]]:
        """The square of the output, and seconds of waiting."""
        memory = self.module.get_buffer("memory")
        memory += step
        if self.slow and step == 3:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            for _ in range(3000):
                time.sleep(0.01)
        yield (self.module(torch.ones(1, 3)) * memory).square().sum(), {"tokens": 1.0}

    def describe(self, step: int) -> str:
        """The number of the batch."""
        return f"batch {step}"

    def after(self, step: int) -> dict[str, float]:
        """Nothing."""
        return {}


def test_within_a_long_step(tmp_path: Path) -> None:
    plan = training.Plan(6, 0.01, 0, "linear", 0, (0.9, 0.99), 1e-8, 0.0, 0.0, 100)
    whole, slow = Slow(slow=False), Slow(slow=True)
    training.train(whole, plan, Execution(work=tmp_path / "whole"))
    before, start = signal.getsignal(signal.SIGTERM), time.monotonic()
    with pytest.raises(Preempted, match="in step 4, after step 3"):
        training.train(slow, plan, Execution(work=tmp_path / "stopped"))
    assert time.monotonic() - start < 10
    assert signal.getsignal(signal.SIGTERM) == before
    state = checkpoints.load(tmp_path / "stopped")
    assert state is not None
    assert state["step"] == 3
    again = Slow(slow=False)
    assert training.train(again, plan, Execution(work=tmp_path / "stopped"))["resumed_from"] == 3
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name


def test_a_request_that_was_kept_is_not_repeated_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "PATIENCE", 0.2)
    later: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: later.append(number))
    try:
        stop = stopping.StopRequest(alone=True)
        with stop.handled():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        time.sleep(0.5)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stop.number == signal.SIGTERM
    assert later == []


def test_who_handles_a_request_may_take_its_time() -> None:
    """A launcher waits for its workers to keep their state, and is not ended meanwhile."""
    process = subprocess.run([sys.executable, "-c", OWN], capture_output=True, text=True, check=True)
    assert process.stdout == "ended by itself\n"
