"""Which errors end a command with one line: those of disk, memory and network, and of no bug."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from msm.errors import from_surroundings


def caught(error: Exception, cause: Exception | None = None) -> str | None:
    try:
        raise error from cause
    except type(error) as raised:
        expected = from_surroundings(raised)
    return expected and str(expected)


def test_errors_of_the_surroundings_are_told_from_bugs() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "out/a.npy")
    assert caught(full) == "out/a.npy: No space left on device"
    assert caught(RuntimeError("worker failed"), full) == "out/a.npy: No space left on device"
    assert caught(Exception("I/O error: No space left on device (os error 28)"))
    assert caught(MemoryError("Unable to allocate 9 TiB")) == "not enough memory: Unable to allocate 9 TiB"
    assert caught(torch.OutOfMemoryError("CUDA out of memory.\nTried ...")) == "CUDA out of memory. Tried ..."
    assert caught(KeyError("name")) is None
    assert caught(ValueError("no number")) is None
    try:
        try:
            raise full
        except OSError:
            {}["name"]  # a bug while another error is handled
    except KeyError as bug:
        assert from_surroundings(bug) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_behind_standard_output() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "msm", "recipe", "tiny"]
        process = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (process.returncode, process.stderr) == (2, "msm: No space left on device\n")
